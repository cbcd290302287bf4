"""The market's story told to the paper venue: which instruments have something to do, and doing it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from brokers.paper.book import Book
from brokers.paper.execution import Trading, execute, expire, give_up_rest, most_of, pay_swap
from brokers.paper.matching import BarPrices, Match, match_at_open, match_in_range
from brokers.paper.records import SECONDS_PER_DAY, PaperOrder, seconds_of
from brokers.paper.settings import PaperSettings
from domain.instruments import FxRates
from domain.orders import OrderKind

OpenTold = tuple[str, float, float]
"""Symbol, opening mid price, half the spread."""
RangeTold = tuple[str, int, float, float, float, float, float, float]
"""Symbol, open time (seconds since 1970 UTC), open, high, low, close, volume (NaN where unknown), half the spread."""

_INSTANT = timedelta(microseconds=1)


def hear_opens(book: Book, opened: int, opens: Sequence[OpenTold]) -> list[OpenTold]:
    """Note the opening prices not heard before; give back those that touch an order or a night's swap."""
    markets, resting, holdings, today = book.markets, book.resting, book.holdings, opened // SECONDS_PER_DAY
    busy: list[OpenTold] = []
    for told in opens:
        symbol = told[0]
        market = markets.get(symbol) or book.market(symbol)
        if opened <= market.opens_told:
            continue
        market.opens_told = opened
        market.mark = told[1]
        book.moved.add(symbol)
        if symbol in resting or (symbol in holdings and holdings[symbol].swap_day < today):
            busy.append(told)
    return busy


def hear_ranges(book: Book, bars: Sequence[RangeTold]) -> list[RangeTold]:
    """Note the closed bars not heard before; give back those of instruments with resting orders.

    The last bar heard again is listened to for its price and volume only: they may not have been committed.
    """
    markets, resting = book.markets, book.resting
    busy: list[RangeTold] = []
    for told in bars:
        symbol, opened = told[0], told[1]
        market = markets.get(symbol) or book.market(symbol)
        heard = market.ranges_told
        if opened < heard:
            continue
        if opened >= market.opens_told:
            market.mark = told[5]
        market.volume = told[6]
        if opened == heard:
            continue
        market.ranges_told = opened
        book.moved.add(symbol)
        if symbol in resting:
            busy.append(told)
    return busy


def run_opens(
    book: Book, settings: PaperSettings, at: datetime, opened: int, busy: Sequence[OpenTold], rates: FxRates
) -> None:
    """Pay swaps, fill what the opening prices touch, and end what has had its last chance."""
    expire(book, at, at)
    for symbol, open_, half_spread in busy:
        pay_swap(book, symbol, at, open_, rates)
        _match_open(book, settings, symbol, open_, half_spread, at, opened, rates)
    expire(book, at, at + _INSTANT)


def run_ranges(book: Book, settings: PaperSettings, at: datetime, busy: Sequence[RangeTold], rates: FxRates) -> None:
    """Fill what the closed bars' ranges touch."""
    expire(book, at, at)
    for told in busy:
        _match_range(book, settings, told, at, rates)


def _match_open(
    book: Book,
    settings: PaperSettings,
    symbol: str,
    open_: float,
    half_spread: float,
    at: datetime,
    opened: int,
    rates: FxRates,
) -> None:
    instrument, now = book.instruments[symbol], seconds_of(at)
    reached = [order for order in book.resting.get(symbol, {}).values() if order.live_from <= now]
    matches: list[tuple[PaperOrder, Match]] = []
    for order in reached:
        match = match_at_open(order, instrument.tick, open_=open_, half_spread=half_spread)
        if match is not None:
            matches.append((order, match))
    if matches:
        # The opening bar's volume lies in the future, so the bar before says how much can be had.
        most = most_of(book.markets[symbol].volume, settings.max_participation, instrument)
        _execute_all(book, matches, Trading(at, opened, most, rates))
    for order in reached:
        give_up_rest(book, order.client_order_id, at)


def _match_range(book: Book, settings: PaperSettings, told: RangeTold, at: datetime, rates: FxRates) -> None:
    symbol, opened, open_, high, low, _, volume, half_spread = told
    instrument, prices = book.instruments[symbol], BarPrices(open_, high, low, half_spread)
    matches: list[tuple[PaperOrder, Match]] = []
    for order in book.resting.get(symbol, {}).values():
        # What was partly filled at this bar's open has had its share of the bar. An open may be told a fraction of
        # a second into its bar, and what is sent in answer to it belongs to the bar.
        if math.floor(order.live_from) > opened or order.last_bar == opened:
            continue
        match = match_in_range(order, instrument.tick, prices)
        if match is not None:
            matches.append((order, match))
    if matches:
        most = most_of(volume, settings.max_participation, instrument)
        _execute_all(book, matches, Trading(at, opened, most, rates))


def _execute_all(book: Book, matches: list[tuple[PaperOrder, Match]], trading: Trading) -> None:
    """Carry out one instrument's matches: at the open before in the range, stops first, then by arrival."""
    matches.sort(key=lambda each: (not each[1].gapped, _turn(each[0]), each[0].number))
    for order, match in matches:
        # An earlier execution may have ended or shrunk this one.
        current = book.open.get(order.client_order_id)
        if current is not None:
            execute(book, current, match, trading)


def _turn(order: PaperOrder) -> int:
    if order.kind is OrderKind.MARKET:
        return 2
    return 0 if order.rests_as_stop else 1
