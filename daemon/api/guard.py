"""Who may speak to the API: a local client that names a local host, comes from no foreign page, and has the token."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daemon.secrets import Secret

OPEN_PATHS: Final = frozenset({"/health", "/ready", "/openapi.json"})
"""What needs no token: it tells nothing about the account."""
LARGEST_BODY_BYTES: Final = 10_000
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
FAILURES_BEFORE_THROTTLE: Final = 10
FAILURE_WINDOW_S: Final = 60.0
THROTTLED_GAP_S: Final = 0.2


class FailureThrottle:
    """After ten wrong tokens within a minute, only one token in 0.2 s is looked at, right or wrong.

    It slows guessing without ever locking the operator out: the right token passes at its next turn.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures: deque[float] = deque(maxlen=FAILURES_BEFORE_THROTTLE)
        self._last_look = float("-inf")

    def may_look(self) -> bool:
        """Whether the next token may be compared now."""
        now = self._monotonic()
        full = len(self._failures) == FAILURES_BEFORE_THROTTLE
        if full and now - self._failures[0] < FAILURE_WINDOW_S and now - self._last_look < THROTTLED_GAP_S:
            return False
        self._last_look = now
        return True

    def failed(self) -> None:
        self._failures.append(self._monotonic())


class Guard:
    """ASGI middleware that refuses before any route is reached."""

    def __init__(self, app: ASGIApp, *, token: Secret, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._token = token
        self._throttle = FailureThrottle(monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # There are no websockets here; an unanswered one is closed by the server.
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        client = scope.get("client")
        if client is None or not is_loopback(str(client[0])):
            return _refuse(403, "foreign_client", "the API answers local clients only")
        if not _is_local_host(headers.get("host", "")):
            return _refuse(403, "foreign_host", "the Host header must name this machine: localhost, 127.0.0.1 or [::1]")
        if not _is_own_origin(headers.get("origin"), headers.get("host", "")):
            return _refuse(403, "foreign_origin", "pages of other origins may not use the API")
        if _body_bytes(headers) > LARGEST_BODY_BYTES:
            return _refuse(413, "too_large", f"a body has at most {LARGEST_BODY_BYTES} bytes, and says how many")
        return None if scope["path"] in OPEN_PATHS else self._unauthorised(headers)

    def _unauthorised(self, headers: Headers) -> JSONResponse | None:
        if not self._throttle.may_look():
            return _refuse(429, "throttled", "too many wrong tokens; try again", {"Retry-After": "1"})
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._token.matches(given.strip()):
            return None
        self._throttle.failed()
        detail = "send the header Authorization: Bearer and the API's token"
        return _refuse(401, "unauthorised", detail, {"WWW-Authenticate": "Bearer"})


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: "localhost" or an address of the loopback range."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _is_local_host(header: str) -> bool:
    return (urlsplit(f"//{header}").hostname or "") in LOCAL_NAMES if _parses(f"//{header}") else False


def _is_own_origin(origin: str | None, host: str) -> bool:
    return origin is None or origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")


def _parses(address: str) -> bool:
    try:
        urlsplit(address)
    except ValueError:
        return False
    return True


def _body_bytes(headers: Headers) -> int:
    if "transfer-encoding" in headers:
        return LARGEST_BODY_BYTES + 1  # a body of unknown length
    length = headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() else LARGEST_BODY_BYTES + 1


def _refuse(status: int, error: str, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": error, "detail": detail}, status_code=status, headers=headers)
