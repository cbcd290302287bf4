"""The vendor library's object for one venue, built so that nothing leaves it unseen.

It is given the guarded session and never makes one; it keeps no pace and repeats nothing by itself; numbers stay the
text that the venue sent; its clock is ours plus the measured offset; and what a call raises is one of our errors.
ccxt is imported here alone, and only when an object is built.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.clock import Clock
from domain.errors import RatchetError, VenueUnavailable
from venues.answers import to_ms
from venues.budget import Budget
from venues.errors import Failure, Meaning, meaning_of, raised_for, scrubbed
from venues.guard import Check

TIMEOUT_MS = 10_000
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, AssertionError, RuntimeError)
"""What the vendor library raises where an answer is not what it expects."""


@dataclass(slots=True)
class Heard:
    """What came back for the request that this task has under way."""

    status: int | None = None
    body: str = ""


_heard: ContextVar[Heard] = ContextVar("venues_heard")


class Vendor:
    """Asks the venue through the vendor's object. Raises our errors alone, with nothing secret in them."""

    def __init__(
        self, exchange: Any, *, venue: str, clock: Clock, budget: Budget, check: Check, secrets: Sequence[str]
    ) -> None:
        self.exchange = exchange
        self.venue = venue
        self.budget = budget
        self.offset = timedelta(0)
        """Venue time less ours; what is sent is stamped with it."""
        self._clock = clock
        self._check = check
        self._secrets = tuple(secrets)
        self._later: list[asyncio.TimerHandle] = []
        self._errors: type[Exception] = importlib.import_module("ccxt.base.errors").BaseError
        self._fit()

    @property
    def now(self) -> datetime:
        """The venue's time, as far as its clock was measured."""
        return self._clock.now() + self.offset

    def has_route(self, name: str) -> bool:
        """Whether the demo has addresses of this kind, such as sapi."""
        return name in self.exchange.urls["api"]

    async def ask(self, route: str, parameters: object = None, *, asking: bool = True) -> Any:
        """Call one of the vendor's methods; `asking` is False where it may change anything at the venue."""
        method = getattr(self.exchange, route)
        with self.worded(asking=asking):
            return await (method() if parameters is None else method(parameters))

    async def call(self, method: Callable[..., Awaitable[Any]], *arguments: object) -> Any:
        """Call one of the vendor's unified reading methods."""
        with self.worded(asking=True):
            return await method(*arguments)

    @contextmanager
    def worded(self, *, asking: bool) -> Iterator[None]:
        """Turn what the vendor raises inside into our errors, without the original: it carries keys and signatures."""
        ours: RatchetError
        try:
            yield
            return
        except RatchetError as error:
            error.args = tuple(self._clean(str(part)) for part in error.args)
            raise
        except self._errors as error:
            failure = self._failure(error, sent=False, heard=Heard())
            meaning = meaning_of(self.venue, failure)
            ours = raised_for(meaning, failure.text, asking=asking, wait_s=self.budget.ban_left_s)
        except UNREADABLE as error:
            name = type(error).__name__
            ours = VenueUnavailable(f"{self.venue}: the answer could not be read ({name}: {self._clean(str(error))})")
        raise ours from None

    async def close(self) -> None:
        """Drop what the vendor has planned and close its websockets; the session stays with whoever made it."""
        for handle in self._later:
            handle.cancel()
        self._later.clear()
        await self.exchange.close()

    def _fit(self) -> None:
        """Put our own ways in place of the vendor's: its methods look these up on the object at every call."""
        exchange = self.exchange
        self._plain_fetch = exchange.fetch
        self._plain_response = exchange.on_rest_response
        exchange.fetch = self._fetch
        exchange.fetch2 = self._fetch2
        exchange.on_rest_response = self._on_response
        exchange.on_json_response = _exact_json
        exchange.milliseconds = self._milliseconds
        exchange.delay = self._delay
        exchange.get_socks_proxy_session = _no_proxy

    async def _fetch2(
        self, path: str, api: Any, method: str = "GET", params: Any = None, config: Any = None
    ) -> Any:  # the vendor's own parameters
        given, settings = {} if params is None else params, {} if config is None else config
        cost = self.exchange.calculate_rate_limiter_cost(api, method, path, given, settings)
        await self.budget.take(float(cost))
        signed = self.exchange.sign(path, api, method, given)
        return await self._fetch(signed["url"], signed["method"], signed["headers"], signed["body"])

    async def _fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        self._check(method, url, {**(headers or {}), **self.exchange.headers})
        heard = Heard()
        token = _heard.set(heard)
        ours: RatchetError
        try:
            answer = await self._plain_fetch(url, method, headers, body)
            if _whole_answer(answer, url) and heard.status is not None and heard.status < 300:
                return answer
            shown = self._clean(heard.body[:80])
            ours = VenueUnavailable(f"{self.venue} answered HTTP {heard.status} with what cannot be read: {shown!r}")
        except self._errors as error:
            failure = self._failure(error, sent=True, heard=heard)
            meaning = meaning_of(self.venue, failure)
            self.budget.counts.busy += meaning is Meaning.BUSY
            ours = raised_for(meaning, failure.text, asking=method == "GET", wait_s=self.budget.ban_left_s)
        finally:
            _heard.reset(token)
        raise ours

    def _on_response(
        self, code: int, reason: str, url: str, method: str, headers: Any, body: str, sent_headers: Any, sent: Any
    ) -> Any:  # the vendor's own parameters
        heard = _heard.get()
        heard.status, heard.body = code, body
        self.budget.heard(code, headers, body)
        return self._plain_response(code, reason, url, method, headers, body, sent_headers, sent)

    def _failure(self, error: Exception, *, sent: bool, heard: Heard) -> Failure:
        names = tuple(each.__name__ for each in type(error).__mro__)
        code = vendor_code(heard.body) if heard.body else None
        return Failure(
            class_names=names,
            sent=sent,
            status=heard.status,
            code=code,
            text=f"{self.venue} ({names[0]}): {self._clean(str(error))}",
        )

    def _clean(self, text: str) -> str:
        return scrubbed(text, self._secrets)

    def _milliseconds(self) -> int:
        return to_ms(self.now)

    def _delay(self, timeout_ms: float, method: Callable[..., Any], *arguments: object) -> asyncio.TimerHandle:
        self._later = [handle for handle in self._later if not handle.cancelled() and handle.when() > _loop_time()]
        handle = asyncio.get_running_loop().call_later(timeout_ms / 1000, self.exchange.spawn, method, *arguments)
        self._later.append(handle)
        return handle


def vendor_code(body: str) -> str | None:
    """The venue's own error code in an answer's body; None where there is none."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    rows = answer.get("data")
    if isinstance(rows, list) and rows and isinstance(rows[0], dict) and rows[0].get("sCode") not in (None, "", "0"):
        return str(rows[0]["sCode"])
    code = next((answer[name] for name in ("code", "retCode", "ret_code") if name in answer), None)
    return None if code is None or isinstance(code, dict | list) else str(code)


def make_exchange(vendor_class: str, settings: Mapping[str, object]) -> Any:
    """The vendor's object, websocket kind included, with its own pace, retries, sessions and logs switched off."""
    library = importlib.import_module("ccxt.pro")
    exchange = getattr(library, vendor_class)(
        {
            "enableRateLimit": False,
            "timeout": TIMEOUT_MS,
            "number": str,
            "aiohttp_trust_env": False,
            "enableLastHttpResponse": False,
            "enableLastResponseHeaders": False,
            **settings,
        }
    )
    exchange.has["fetchCurrencies"] = False
    exchange.timeout_on_exit = 0
    exchange.ssl_context = False  # for sessions of its own, which it never makes; reading certificates takes time
    silent = logging.getLogger("venues.vendor")
    silent.disabled = True  # the vendor would log addresses with signatures
    exchange.logger = silent
    return exchange


def _whole_answer(answer: object, url: str) -> bool:
    """A list, or an object with something in it: an empty one is an answer to a kept-alive listen key alone."""
    return isinstance(answer, list) or (isinstance(answer, dict) and (bool(answer) or "listenKey" in url))


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is not a number")


_exact_json = json.JSONDecoder(parse_float=str, parse_constant=_no_number).decode


def _no_proxy(*_: object) -> None:
    raise ValueError("a proxy is set; requests to venues go to them directly")


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
