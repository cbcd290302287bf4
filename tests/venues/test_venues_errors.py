"""One table says what every failure means; what it does not know counts as unknown."""

from __future__ import annotations

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import VenueBusy, VenueForbids, VenueRejected, VenueUnavailable
from venues.errors import (
    BY_CLASS,
    BY_CODE,
    ClockRefused,
    Failure,
    Meaning,
    NoSuchOrder,
    NotOffered,
    meaning_of,
    raised_for,
    scrubbed,
)
from venues.vendor import vendor_code

CLASSES = sorted(
    name for name, each in vars(ccxt).items() if isinstance(each, type) and issubclass(each, ccxt.BaseError)
)


def _failure(
    name: str, *, sent: bool = True, status: int | None = 400, code: str | None = "-1", text: str = ""
) -> Failure:
    names = tuple(each.__name__ for each in getattr(ccxt, name).__mro__)
    return Failure(class_names=names, sent=sent, status=status, code=code, text=text)


def test_every_error_of_the_vendor_library_is_in_the_table() -> None:
    assert set(CLASSES) == set(BY_CLASS)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
def test_a_servers_own_failure_is_never_a_refusal(name: str, status: int) -> None:
    meaning = meaning_of("binance", _failure(name, status=status))
    assert meaning in (Meaning.UNKNOWN, Meaning.BUSY)
    if meaning is Meaning.BUSY:
        assert name in ("DDoSProtection", "RateLimitExceeded", "OnMaintenance")


@pytest.mark.parametrize("name", CLASSES)
def test_what_was_sent_is_refused_only_by_a_code_of_the_venue(name: str) -> None:
    for status in (None, 200, 400, 403, 404):
        meaning = meaning_of("binance", _failure(name, status=status, code=None))
        assert meaning not in (Meaning.REFUSED, Meaning.ABSENT)


@pytest.mark.parametrize("name", ["InvalidOrder", "NotSupported", "ArgumentsRequired", "BadSymbol", "ExchangeError"])
def test_what_the_library_refuses_to_send_is_refused(name: str) -> None:
    assert meaning_of("binance", _failure(name, sent=False, status=None, code=None)) is Meaning.REFUSED


@pytest.mark.parametrize(
    ("venue", "code", "meaning"),
    [(venue, code, meaning) for venue, codes in BY_CODE.items() for code, meaning in codes.items()],
)
def test_a_venues_code_outweighs_the_class_that_the_library_chose(venue: str, code: str, meaning: Meaning) -> None:
    for name in ("InvalidOrder", "DDoSProtection", "ExchangeError", "NetworkError"):
        assert meaning_of(venue, _failure(name, code=code)) is meaning


def test_an_order_that_is_there_already_is_no_refusal() -> None:
    told = _failure("InvalidOrder", code="-2010", text='binance {"code":-2010,"msg":"Duplicate order sent."}')
    assert meaning_of("binance", told) is Meaning.UNKNOWN
    assert meaning_of("binance", _failure("InvalidOrder", code="-2010", text="no funds")) is Meaning.REFUSED


def test_a_missing_route_is_told_apart_from_a_missing_order() -> None:
    assert meaning_of("binance", _failure("ExchangeNotAvailable", status=404, code=None)) is Meaning.NOT_OFFERED
    assert meaning_of("bybit", _failure("ExchangeError", status=200, code="10032")) is Meaning.NOT_OFFERED


def test_each_meaning_has_its_error() -> None:
    kinds = {
        Meaning.REFUSED: VenueRejected,
        Meaning.UNKNOWN: VenueUnavailable,
        Meaning.BUSY: VenueBusy,
        Meaning.FORBIDDEN: VenueForbids,
        Meaning.ABSENT: NoSuchOrder,
        Meaning.CLOCK: ClockRefused,
        Meaning.NOT_OFFERED: NotOffered,
    }
    assert kinds.keys() == set(Meaning)
    for meaning, kind in kinds.items():
        error = raised_for(meaning, "why", asking=False, wait_s=3.0)
        assert type(error) is kind
        assert str(error) == "why"
    assert isinstance(raised_for(Meaning.BUSY, "", asking=True, wait_s=3.0), VenueBusy)
    assert type(raised_for(Meaning.REFUSED, "", asking=True, wait_s=0.0)) is VenueUnavailable


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"code":-2013,"msg":"x"}', "-2013"),
        ('{"retCode":10001}', "10001"),
        ('{"code":"1","data":[{"sCode":"51016"}]}', "51016"),
        ('{"code":"50011","data":[]}', "50011"),
        ('{"code":"0","data":[{"sCode":"0"}]}', "0"),
        ("<html>", None),
        ("[1]", None),
        ('{"code":{}}', None),
        ("{}", None),
        ("", None),
    ],
)
def test_the_venues_code_is_read_from_the_body(body: str, code: str | None) -> None:
    assert vendor_code(body) == code


@pytest.mark.parametrize(
    "text",
    [
        "GET https://h/api?symbol=X&timestamp=1&signature=abc123def failed",
        "x-mbx-apikey: abc123def was wrong",
        "{'X-MBX-APIKEY': 'abc123def'}",
        '{"apiKey":"abc123def","signature":"abc123def"}',
        "signature=abc123def&apiKey=abc123def",
        "listenKey=abc123def",
    ],
)
def test_keys_and_signatures_are_masked_even_when_they_are_not_known(text: str) -> None:
    assert "abc123def" not in scrubbed(text, ())


@given(
    before=st.text(max_size=200),
    after=st.text(max_size=200),
    secret=st.text("abcdefghijklmnopqrstuvwxyzABC0123456789+/=", min_size=8, max_size=40),
)
def test_a_known_secret_is_masked_wherever_it_stands(before: str, after: str, secret: str) -> None:
    shown = scrubbed(f"{before}{secret}{after}", (secret,))
    assert secret not in shown
    assert len(shown) <= 304
    assert "\n" not in shown
