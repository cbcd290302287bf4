"""Candles in each venue's own words: one span of time asked, rows of [open time in ms, open, high, low, close, volume].

Sources: developers.binance.com, Kline Data; bybit-exchange.github.io/docs/v5/market/kline; www.okx.com/docs-v5, Get
candlesticks and Get candlesticks history; fields as in the comments of ccxt 4.5.90.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from domain.errors import VenueUnavailable
from domain.instruments import Timeframe
from venues.answers import inner, row_of, to_ms
from venues.profiles import Manner, Profile
from venues.records import MarketKind
from venues.vendor import Vendor

CandleRow = Sequence[object]
_MS = timedelta(milliseconds=1)
_OKX_RECENT = 1440
"""How many of the latest candles OKX tells without its history."""
_OKX_DONE = "1"


async def candle_rows(
    vendor: Vendor, profile: Profile, venue_id: str, timeframe: Timeframe, span: tuple[datetime, datetime]
) -> Sequence[CandleRow]:
    """The candles that open within `span`, its end excluded, in any order; raises `VenueUnavailable`."""
    frame = str(vendor.exchange.timeframes[timeframe.value])
    if profile.manner is Manner.BYBIT:
        return await _bybit(vendor, profile, venue_id, frame, span)
    if profile.manner is Manner.OKX:
        return await _okx(vendor, profile, venue_id, (timeframe, frame), span)
    return await _binance(vendor, profile, venue_id, frame, span)


async def _binance(
    vendor: Vendor, profile: Profile, venue_id: str, frame: str, span: tuple[datetime, datetime]
) -> Sequence[CandleRow]:
    route = "publicGetKlines" if profile.manner is Manner.BINANCE_SPOT else "fapiPublicGetKlines"
    asked = {"startTime": to_ms(span[0]), "endTime": to_ms(span[1] - _MS), "limit": profile.bars_a_page}
    return _rows(await vendor.ask(route, {"symbol": venue_id, "interval": frame, **asked}))


async def _bybit(
    vendor: Vendor, profile: Profile, venue_id: str, frame: str, span: tuple[datetime, datetime]
) -> Sequence[CandleRow]:
    category = "spot" if profile.market is MarketKind.SPOT else "linear"
    asked = {"start": to_ms(span[0]), "end": to_ms(span[1] - _MS), "limit": profile.bars_a_page}
    parameters = {"category": category, "symbol": venue_id, "interval": frame, **asked}
    answer = row_of(await vendor.ask("publicGetV5MarketKline", parameters), "the candles")
    return _rows(inner(row_of(inner(answer, "result"), "the candles"), "list"))


async def _okx(
    vendor: Vendor, profile: Profile, venue_id: str, frame: tuple[Timeframe, str], span: tuple[datetime, datetime]
) -> Sequence[CandleRow]:
    timeframe, name = frame
    if timeframe is Timeframe.D1:
        name += "utc"  # its plain day begins at midnight in Hong Kong
    recent = vendor.now - span[0] < (_OKX_RECENT - 1) * timeframe.span
    route = "publicGetMarketCandles" if recent else "publicGetMarketHistoryCandles"
    # Both bounds are excluded: what is newer than `before` and older than `after`.
    asked: Mapping[str, object] = {
        "before": str(to_ms(span[0] - _MS)),
        "after": str(to_ms(span[1])),
        "limit": str(profile.bars_a_page),
    }
    answer = row_of(await vendor.ask(route, {"instId": venue_id, "bar": name, **asked}), "the candles")
    rows = _rows(inner(answer, "data"))
    if any(len(row) < 9 for row in rows):
        raise VenueUnavailable("a candle does not say whether it has closed")
    # Swaps count contracts in the sixth column and base units in the seventh.
    volume = 5 if profile.market is MarketKind.SPOT else 6
    return [[*row[:5], row[volume]] for row in rows if row[8] == _OKX_DONE]


def _rows(answer: object) -> Sequence[CandleRow]:
    if not isinstance(answer, list) or not all(isinstance(row, list) for row in answer):
        raise VenueUnavailable("the candles are not a list of rows")
    return answer
