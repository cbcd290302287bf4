"""API keys: who signs, what the key may do, and whether the request is of now."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from exchange.wire import Refusal, Request, whole

DEFAULT_WINDOW_MS = 5000
LONGEST_WINDOW_MS = 60000
AHEAD_MS = 1000
FORBIDDEN = Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


@dataclass(slots=True)
class ApiKey:
    """One key of one account."""

    key: str
    secret: str
    account: str
    trade: bool = True
    withdraw: bool = False
    transfer: bool = False
    futures: bool = True
    revoked: bool = False


MAIN = "main"
TRADE_KEY = ApiKey("trade-key", "trade-secret", MAIN)
WITHDRAW_KEY = ApiKey("withdraw-key", "withdraw-secret", MAIN, withdraw=True, transfer=True)
READ_KEY = ApiKey("read-key", "read-secret", MAIN, trade=False)
REVOCABLE_KEY = ApiKey("revocable-key", "revocable-secret", MAIN)
"""What an exchange knows from the start; `Exchange` takes copies."""


def known(keys: Mapping[str, ApiKey], request: Request) -> ApiKey:
    """The key that a request names, whether it is signed or not."""
    named = request.header("X-MBX-APIKEY")
    if not named:
        raise Refusal(-2014, "API-key format invalid.", status=401)
    key = keys.get(named)
    if key is None or key.revoked:
        raise FORBIDDEN
    return key


def check_signature(key: ApiKey, request: Request) -> None:
    """HMAC-SHA256 over query and body as sent, without the signature itself."""
    signed, signature = "", None
    for part in (request.query, request.body):
        pieces = part.split("&") if part else []
        for piece in pieces:
            if piece.startswith("signature="):
                signature = piece.removeprefix("signature=")
        signed += "&".join(piece for piece in pieces if not piece.startswith("signature="))
    if not signature:
        raise Refusal(-1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
    check_hmac(key, signed, signature)


def check_hmac(key: ApiKey, signed: str, signature: str) -> None:
    expected = hmac.digest(key.secret.encode(), signed.encode(), "sha256").hex()
    if not hmac.compare_digest(expected, signature):
        raise Refusal(-1022, "Signature for this request is not valid.")


def check_time(parameters: Mapping[str, str], now: int) -> None:
    """Refuses what is older than its window or from the future; asked on arrival and before execution."""
    stamp = whole(parameters, "timestamp")
    if stamp is None:
        raise Refusal(-1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.")
    window = whole(parameters, "recvWindow")
    window = DEFAULT_WINDOW_MS if window is None else window
    if window > LONGEST_WINDOW_MS:
        raise Refusal(-1131, "recvWindow must be less than 60000")
    if stamp >= now + AHEAD_MS:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now - stamp > window:
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
