"""Speaking to a running daemon: one request to loopback, with the token, answered or refused in one sentence."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from daemon.paths import DaemonAddress
from daemon.secrets import API_TOKEN_NAME, read_secret
from domain.errors import InvalidInput, NotAvailable, Refused

TIMEOUT_S: Final = 15.0
LOCAL_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost"})
THROTTLED_TRIES: Final = 10
LARGEST_ANSWER_BYTES: Final = 10_000_000


def command(address: DaemonAddress, verb: str, body: dict[str, str]) -> dict[str, Any]:
    """POST `body` to `/v1/VERB` and give back the daemon's answer.

    Raises `Refused` with the daemon's own words for a definite no, `NotAvailable` when nothing answers or the answer
    is not one; then the command may or may not have been taken.
    """
    status, answer = _post(address, f"/v1/{verb}", body)
    for _ in range(THROTTLED_TRIES):
        if status != http.client.TOO_MANY_REQUESTS:
            break
        time.sleep(0.25)  # somebody else's wrong tokens slow us down, they do not lock us out
        status, answer = _post(address, f"/v1/{verb}", body)
    detail = str(answer.get("detail", ""))
    if status == http.client.OK:
        return answer
    if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        raise Refused(f"the daemon did not take our token: {detail}")
    if status >= http.client.INTERNAL_SERVER_ERROR or status == http.client.TOO_MANY_REQUESTS:
        raise NotAvailable(f"the daemon could not {verb}: {detail}")
    raise Refused(f"the daemon refused to {verb}: {detail}")


def user_name() -> str:
    """Who gives the command: the name of the user that runs it, or the number where it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _post(address: DaemonAddress, path: str, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
    host, port = _place(address)
    token = read_secret(API_TOKEN_NAME, environ=os.environ, folder=Path(address.secrets))
    if token is None:
        raise InvalidInput(f"the API's token is not in {address.secrets}; was the daemon started by another user?")
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json"}
    try:
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read(LARGEST_ANSWER_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as fault:
        raise NotAvailable(f"the daemon (process {address.pid}) does not answer at {address.api}: {fault}") from fault
    finally:
        connection.close()
    return response.status, answer if isinstance(answer, dict) else {"detail": "an answer that is no object"}


def _place(address: DaemonAddress) -> tuple[str, int]:
    if address.api is None:
        raise NotAvailable(f"the daemon (process {address.pid}) serves no API: set api.enabled and restart it")
    parts = urlsplit(address.api)
    if parts.hostname not in LOCAL_HOSTS or parts.port is None:
        raise InvalidInput(f"the daemon's address {address.api} is not one of this machine")
    return parts.hostname, parts.port
