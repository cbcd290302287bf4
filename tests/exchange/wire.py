"""What goes over the wire: one request, one reply, and how a refusal and a number look in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

ZERO = Decimal(0)
EIGHT = Decimal("0.00000001")
JSON_HEADERS: Mapping[str, str] = {"Content-Type": "application/json;charset=UTF-8"}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `query` and `body` are as they were signed: encoded, without the question mark."""

    method: str
    host: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    _named: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What `parameters` read, once somebody asked."""

    def parameters(self) -> Mapping[str, str]:
        """Query and form together; of a name given twice the last value counts."""
        if not self._named:
            self._named.update(_pairs(self.query))
            self._named.update(_pairs(self.body))
        return self._named

    def header(self, name: str) -> str | None:
        if name in self.headers:
            return self.headers[name]
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), None)


def _pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of a query or form; most hold nothing that is written in another way."""
    if "%" in text or "+" in text:
        return parse_qsl(text, keep_blank_values=True)
    parts = [piece.partition("=") for piece in text.split("&") if piece]
    return [(name, value) for name, _, value in parts]


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer.

    `delay_ms` is how long the client waits for it. `dropped` means that the connection ends without an answer. With a
    `ticket` nothing has been executed yet: whoever carries the reply waits `delay_ms` and then asks
    `Exchange.finish(ticket)` for the real one.
    """

    status: int
    headers: Mapping[str, str]
    body: str
    delay_ms: int = 0
    dropped: bool = False
    ticket: int | None = None


class Refusal(Exception):
    """The exchange says no, in Binance's words: `code` below zero, a message, and the HTTP status that carries them."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status

    def reply(self) -> Reply:
        return as_json({"code": self.code, "msg": self.message}, status=self.status)


_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def as_json(payload: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, {**JSON_HEADERS, **(headers or {})}, _encode(payload))


def eight(value: Decimal) -> str:
    """Eight decimals, as the spot API writes every amount; what lies beyond them is cut off."""
    return f"{value.quantize(EIGHT, rounding=ROUND_DOWN):f}"


def plain(value: Decimal) -> str:
    """Without exponent and without needless zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(parameters: Mapping[str, str], name: str) -> Decimal | None:
    """A decimal parameter; None where it is not given. Refused as Binance refuses what is no plain number."""
    text = parameters.get(name)
    if text is None or text == "":
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise _illegal(name) from None
    if not value.is_finite() or "e" in text.lower() or value < 0:
        raise _illegal(name)
    return value


def whole(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None or text == "":
        return None
    if not text.isdecimal():
        raise _illegal(name)
    return int(text)


def needed(parameters: Mapping[str, str], name: str) -> str:
    text = parameters.get(name)
    if not text:
        raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return text


def needed_number(parameters: Mapping[str, str], name: str) -> Decimal:
    needed(parameters, name)
    value = number(parameters, name)
    return ZERO if value is None else value


def flag(parameters: Mapping[str, str], name: str) -> bool:
    return parameters.get(name, "").lower() == "true"


def _illegal(name: str) -> Refusal:
    return Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^([0-9]{{1,20}})$'.")
