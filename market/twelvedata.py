"""Candles of TwelveData, the provider asked when a venue does not answer: its `time_series` route, read exactly.

The key travels in a header, never in an address or a text. Every call is taken from a budget first. An answer is
believed only when it names the symbol and the interval that were asked for; its rows come newest first, as texts.
Faults are told by a code in the body, often under HTTP status 200.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from domain.bars import Bar
from domain.errors import ConfigurationRefused, InvalidInput, InvalidRecord, VenueForbids, VenueUnavailable
from domain.instruments import Timeframe
from market.call_budget import CallBudget

if TYPE_CHECKING:
    import httpx

VENUE = "twelvedata"
BASE_URL = "https://api.twelvedata.com"
CALLS_PER_MINUTE = 8
CALLS_PER_DAY = 800
"""What the provider's free plan allows."""

MOST_ROWS = 5_000
_MOST_BYTES = 4_000_000
_INTERVALS: Mapping[Timeframe, str] = {
    Timeframe.M1: "1min",
    Timeframe.M5: "5min",
    Timeframe.M15: "15min",
    Timeframe.M30: "30min",
    Timeframe.H1: "1h",
    Timeframe.H4: "4h",
    Timeframe.D1: "1day",
}
_PRICES = ("open", "high", "low", "close")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?")
_NOTHING_THERE = "no data is available"


class TwelveData:
    """A `CandleSource`. `symbols` gives the provider's name of each of ours (BTCUSDT: BTC/USD); `client` is the
    caller's to close, and `key` is kept here alone. `base_url` must be https, or this machine."""

    def __init__(
        self,
        *,
        client: httpx.AsyncClient,
        key: str,
        symbols: Mapping[str, str],
        budget: CallBudget,
        base_url: str = BASE_URL,
    ) -> None:
        if not key or not key.isascii() or not key.isprintable():
            raise ConfigurationRefused("TwelveData's key is empty or holds characters that no header may hold")
        _demand_private(base_url)
        self._client = client
        self._headers = {"Authorization": f"apikey {key}", "Accept": "application/json"}
        self._symbols = dict(symbols)
        self._budget = budget
        self._url = f"{base_url.rstrip('/')}/time_series"
        self._rejected: Counter[tuple[str, str]] = Counter()

    @property
    def venue(self) -> str:
        return VENUE

    @property
    def rejected(self) -> Mapping[tuple[str, str], int]:
        return self._rejected

    async def bars(self, symbol: str, timeframe: Timeframe, since: datetime, *, until: datetime) -> Sequence[Bar]:
        """See `CandleSource`; one call for every 5,000 bars. Raises `InvalidInput` for a symbol or a timeframe that
        the provider has not, `VenueBusy` when the budget is spent."""
        interval = _INTERVALS.get(timeframe)
        if interval is None:
            raise InvalidInput(f"TwelveData has no bars of {timeframe.value}; it has {', '.join(_INTERVALS)}")
        name = self._symbols.get(symbol)
        if name is None:
            raise InvalidInput(f"no name of {symbol} at TwelveData is configured")
        found: list[Bar] = []
        window = MOST_ROWS * timeframe.span
        while since + timeframe.span <= until:
            end = min(until, since + window)
            rows = await self._rows(name, interval, since, end - timeframe.span)
            bars = (self._bar(symbol, row, timeframe) for row in reversed(rows))
            found.extend(bar for bar in bars if bar and since <= bar.opened_at and bar.closed_at <= end)
            since = end
        return found

    # -- asking -----------------------------------------------------------------------------------------------

    async def _rows(self, name: str, interval: str, first: datetime, last: datetime) -> list[Any]:
        """The rows of the bars that open from `first` to `last`, newest first."""
        self._budget.take()
        question = {
            "symbol": name,
            "interval": interval,
            "start_date": _stamp(first),
            "end_date": _stamp(last),
            "outputsize": str(MOST_ROWS),
            "timezone": "UTC",
            "order": "DESC",
        }
        status, body = await self._get(question)
        answer = _parsed(body)
        if answer is None:
            self._demand_good(status, "")
            raise VenueUnavailable(f"TwelveData's answer about {name} is no JSON object")
        code = answer.get("code")
        message = str(answer.get("message", ""))
        if status == 200 and code is None and answer.get("status", "ok") == "ok":
            return _values(answer, name, interval)
        if code in (400, 404) and _NOTHING_THERE in message.lower():
            return []
        self._demand_good(code if isinstance(code, int) else status, name)
        raise VenueUnavailable(f"TwelveData's answer about {name} says that it is none")

    async def _get(self, question: Mapping[str, str]) -> tuple[int, bytes]:
        import httpx  # noqa: PLC0415 - a run without this provider does not pay for the import

        try:
            async with self._client.stream(
                "GET", self._url, params=question, headers=self._headers, follow_redirects=False
            ) as response:
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > _MOST_BYTES:
                        raise VenueUnavailable(f"TwelveData's answer is longer than {_MOST_BYTES} bytes")
                return response.status_code, bytes(body)
        except httpx.HTTPError as error:
            raise VenueUnavailable(f"TwelveData did not answer: {type(error).__name__}") from error

    def _demand_good(self, code: int, name: str) -> None:
        """Raise what `code` means, unless it is a success. The provider's own words are not repeated: they may
        quote what was sent."""
        if code == 429:
            raise self._budget.spent()
        if code in (401, 403):
            raise VenueForbids(f"TwelveData refuses the key or its plan (code {code})")
        if code in (400, 404, 414):
            raise InvalidInput(f"TwelveData refuses the question about {name or 'candles'} (code {code})")
        if code != 200:
            raise VenueUnavailable(f"TwelveData did not serve the question (code {code})")

    # -- reading ----------------------------------------------------------------------------------------------

    def _bar(self, symbol: str, row: Any, timeframe: Timeframe) -> Bar | None:
        """One row as a bar; None, counted by kind, for one that is none."""
        if not isinstance(row, dict) or not _TIME.fullmatch(str(row.get("datetime"))):
            self._rejected[symbol, "time"] += 1
            return None
        prices = [str(row.get(name)) for name in _PRICES]
        volume = row.get("volume")
        if not all(_NUMBER.fullmatch(price) for price in prices):
            self._rejected[symbol, "nan"] += 1
            return None
        try:
            return Bar(
                opened_at=datetime.fromisoformat(row["datetime"]).replace(tzinfo=UTC),
                timeframe=timeframe,
                open=float(prices[0]),
                high=float(prices[1]),
                low=float(prices[2]),
                close=float(prices[3]),
                volume=float(volume) if volume is not None and _NUMBER.fullmatch(str(volume)) else None,
            )
        except InvalidRecord:
            self._rejected[symbol, "not_positive" if min(map(float, prices)) <= 0 else "high_low"] += 1
        except ValueError:
            self._rejected[symbol, "time"] += 1
        return None


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _values(answer: Mapping[str, Any], name: str, interval: str) -> list[Any]:
    """The rows of an answer, newest first; raises `VenueUnavailable` when it is not the answer to this question."""
    meta, values = answer.get("meta"), answer.get("values")
    if not isinstance(meta, dict) or not isinstance(values, list):
        raise VenueUnavailable(f"TwelveData's answer about {name} holds no rows")
    if (meta.get("symbol"), meta.get("interval")) != (name, interval):
        raise VenueUnavailable(f"TwelveData answered another question than that about {name} {interval}")
    return values


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _demand_private(base_url: str) -> None:
    """The key must not travel in the clear, except within this machine."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme == "https" and host and "@" not in parts.netloc:
        return
    try:
        local = ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if parts.scheme != "http" or not local or "@" in parts.netloc:
        raise ConfigurationRefused("TwelveData's address must be https, or http on this machine alone")
