"""What an error of the vendor library, an HTTP status or a venue's own code means for us: one table.

Five ends are told apart, because the caller must do five different things: a definite refusal, an answer that leaves
open whether anything happened, a busy venue that did nothing, an account that a person must look at, and the venue's
own "no such order". What is not in the table counts as unknown, never as refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from domain.errors import RatchetError, VenueBusy, VenueForbids, VenueRejected, VenueUnavailable

LONGEST_MESSAGE = 300


class NoSuchOrder(VenueRejected):
    """The venue says in so many words that it knows no such order."""


class NotOffered(VenueUnavailable):
    """The venue's demo has no such route; whoever asks must say so, and not take it for a pass."""


class UnreadableCandle(VenueUnavailable):
    """An answer holds a candle that cannot be believed, so all of it says nothing; to be counted, and asked again."""


class ClockRefused(VenueBusy):
    """The venue finds the request's time wrong and did nothing; the clock is to be measured again."""


class Meaning(StrEnum):
    REFUSED = "refused"
    UNKNOWN = "unknown"
    BUSY = "busy"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    CLOCK = "clock"
    NOT_OFFERED = "not offered"


BY_CLASS: Mapping[str, Meaning] = MappingProxyType(
    {
        "BaseError": Meaning.UNKNOWN,
        "ExchangeError": Meaning.REFUSED,
        "AuthenticationError": Meaning.FORBIDDEN,
        "PermissionDenied": Meaning.FORBIDDEN,
        "AccountNotEnabled": Meaning.FORBIDDEN,
        "AccountSuspended": Meaning.FORBIDDEN,
        "ArgumentsRequired": Meaning.REFUSED,
        "BadRequest": Meaning.REFUSED,
        "BadSymbol": Meaning.REFUSED,
        "OperationRejected": Meaning.REFUSED,
        "NoChange": Meaning.REFUSED,
        "MarginModeAlreadySet": Meaning.REFUSED,
        "MarketClosed": Meaning.REFUSED,
        "ManualInteractionNeeded": Meaning.FORBIDDEN,
        "RestrictedLocation": Meaning.FORBIDDEN,
        "InsufficientFunds": Meaning.REFUSED,
        "InvalidAddress": Meaning.REFUSED,
        "AddressPending": Meaning.REFUSED,
        "InvalidOrder": Meaning.REFUSED,
        "OrderNotFound": Meaning.ABSENT,
        "OrderNotCached": Meaning.UNKNOWN,
        "OrderImmediatelyFillable": Meaning.REFUSED,
        "OrderNotFillable": Meaning.REFUSED,
        # An order with this id is there: what became of it must be asked, and it is no refusal of the first.
        "DuplicateOrderId": Meaning.UNKNOWN,
        "ContractUnavailable": Meaning.REFUSED,
        "NotSupported": Meaning.REFUSED,
        "InvalidProxySettings": Meaning.REFUSED,
        "ExchangeClosedByUser": Meaning.UNKNOWN,
        "OperationFailed": Meaning.UNKNOWN,
        "NetworkError": Meaning.UNKNOWN,
        "DDoSProtection": Meaning.BUSY,
        "RateLimitExceeded": Meaning.BUSY,
        "ExchangeNotAvailable": Meaning.UNKNOWN,
        "OnMaintenance": Meaning.BUSY,
        "InvalidNonce": Meaning.CLOCK,
        "ChecksumError": Meaning.UNKNOWN,
        "RequestTimeout": Meaning.UNKNOWN,
        "BadResponse": Meaning.UNKNOWN,
        "NullResponse": Meaning.UNKNOWN,
        "CancelPending": Meaning.UNKNOWN,
        "UnsubscribeError": Meaning.UNKNOWN,
    }
)

BY_CODE: Mapping[str, Mapping[str, Meaning]] = MappingProxyType(
    {
        "binance": MappingProxyType(
            {
                "-1000": Meaning.UNKNOWN,
                "-1001": Meaning.UNKNOWN,
                "-1002": Meaning.FORBIDDEN,
                "-1003": Meaning.BUSY,
                "-1006": Meaning.UNKNOWN,
                "-1007": Meaning.UNKNOWN,
                "-1008": Meaning.BUSY,
                "-1015": Meaning.BUSY,
                "-1021": Meaning.CLOCK,
                "-2011": Meaning.ABSENT,
                "-2013": Meaning.ABSENT,
                "-2014": Meaning.FORBIDDEN,
                # After one good answer the library takes a revoked key for a passing ban; it is not for us to guess.
                "-2015": Meaning.FORBIDDEN,
                "-4116": Meaning.UNKNOWN,
            }
        ),
        "bybit": MappingProxyType(
            {
                "10000": Meaning.UNKNOWN,
                "10002": Meaning.CLOCK,
                "10006": Meaning.BUSY,
                "10014": Meaning.UNKNOWN,
                "10016": Meaning.UNKNOWN,
                "10018": Meaning.BUSY,
                "10032": Meaning.NOT_OFFERED,
                "10429": Meaning.BUSY,
                "12141": Meaning.UNKNOWN,
                "110001": Meaning.ABSENT,
                "110030": Meaning.UNKNOWN,
                "110072": Meaning.UNKNOWN,
                "170141": Meaning.UNKNOWN,
                "170213": Meaning.ABSENT,
            }
        ),
        "okx": MappingProxyType(
            {
                "50001": Meaning.BUSY,
                "50004": Meaning.UNKNOWN,
                "50011": Meaning.BUSY,
                "50038": Meaning.NOT_OFFERED,
                "50013": Meaning.UNKNOWN,
                "50026": Meaning.UNKNOWN,
                "50061": Meaning.BUSY,
                "50102": Meaning.CLOCK,
                "50112": Meaning.CLOCK,
                "51016": Meaning.UNKNOWN,
                "51400": Meaning.ABSENT,
                "51401": Meaning.ABSENT,
                "51402": Meaning.ABSENT,
                "51410": Meaning.UNKNOWN,
                "51603": Meaning.ABSENT,
            }
        ),
    }
)
"""The venues' own codes where they say more than the class that the vendor library chose for them."""

DUPLICATE_TEXTS = ("duplicate order sent", "client order id already exists")
"""Words of a refusal that mean: an order with this id is there already."""

BUSY_STATUSES = frozenset({418, 429})
FORBIDDEN_STATUSES = frozenset({401, 407, 511})
NO_ROUTE = 404
FIRST_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """How one request failed. `class_names` are the error's classes, nearest first; `status` and `code` the HTTP status
    and the venue's own code, None where there was none; `sent` is whether a byte of it may have left."""

    class_names: Sequence[str]
    sent: bool
    status: int | None
    code: str | None
    text: str


def meaning_of(venue: str, failure: Failure) -> Meaning:
    """What `failure` means at `venue`."""
    status, code = failure.status, failure.code
    if any(each in failure.text.lower() for each in DUPLICATE_TEXTS):
        return Meaning.UNKNOWN
    by_code = BY_CODE.get(venue, {}).get(code or "")
    if by_code is not None:
        return by_code
    if status in BUSY_STATUSES:
        return Meaning.BUSY
    if status == NO_ROUTE and code is None:
        return Meaning.NOT_OFFERED
    by_class = next((BY_CLASS[name] for name in failure.class_names if name in BY_CLASS), Meaning.UNKNOWN)
    if status is not None and status >= FIRST_SERVER_ERROR and by_class is not Meaning.BUSY:
        return Meaning.UNKNOWN
    if by_class in (Meaning.ABSENT, Meaning.REFUSED) and failure.sent and code is None:
        # It was sent, and nobody who speaks for the venue has said no.
        return Meaning.UNKNOWN
    return by_class


def raised_for(meaning: Meaning, message: str, *, asking: bool, wait_s: float) -> RatchetError:
    """The error of ours for `meaning`. `asking` marks a question: its refusal states nothing about any order."""
    if meaning is Meaning.FORBIDDEN:
        return VenueForbids(message)
    if meaning is Meaning.ABSENT:
        return NoSuchOrder(message)
    if meaning is Meaning.BUSY:
        return VenueBusy(message, wait_s=wait_s)
    if meaning is Meaning.CLOCK:
        return ClockRefused(message)
    if meaning is Meaning.NOT_OFFERED:
        return NotOffered(message)
    if meaning is Meaning.REFUSED and not asking:
        return VenueRejected(message)
    return VenueUnavailable(message)


_QUERY = re.compile(r"\?[^\s\"']*")
_PAIR = re.compile(
    r"(?i)\b(signature|sign|api[-_]?key|x-mbx-apikey|listenkey|token|secret|passphrase|password)"
    r"([\"']?\s*[=:]\s*[\"']?)[^\s&,\"'}\]]+"
)


def scrubbed(text: str, secrets: Sequence[str]) -> str:
    """A vendor's message without keys, signatures and query strings, on one line and of bounded length."""
    for secret in secrets:
        text = text.replace(secret, "***")
    text = _PAIR.sub(r"\1\2***", _QUERY.sub("?***", text))
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + " ..."
