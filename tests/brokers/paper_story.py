"""A story of two instruments that can be told again from any moment: the same orders at the same moments.

Run as a program it plays the story on a ledger file and kills itself, without warning, at the commit it was told.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from paper_bench import HOUR, START, instrument, intent

from brokers.paper.broker import PaperBroker
from brokers.paper.settings import PaperSettings
from domain.clock import SteppedClock, from_epoch, to_epoch
from domain.instruments import FxRates
from domain.orders import Action, OrderKind, Side, TimeInForce

MOMENTS = 60
BEGIN = to_epoch(START) + 3 * HOUR
"""Three hours into the day, so that midnights find positions open."""
SETTINGS = PaperSettings(seed=7, slippage_bps=5.0, max_participation=0.1)
RATES = FxRates(as_of=START, rates={("USD", "JPY"): Decimal(150)})
INSTRUMENTS = {
    "BTCUSD": instrument("BTCUSD", swap_long_per_day=Decimal("-0.0003"), swap_short_per_day=Decimal("0.0001")),
    "EURJPY": instrument("EURJPY", tick=Decimal("0.001"), fee_rate=Decimal("0.0001")),
}


def prices_of(symbol: str) -> list[tuple[float, float, float, float, float]]:
    """Open, high, low, close and volume of each hour's bar; the same on every call."""
    draw = random.Random(symbol)  # noqa: S311 - a fixed story, not a secret
    level, bars = (100.0 if symbol == "BTCUSD" else 160.0), []
    for _ in range(MOMENTS + 1):
        open_ = level * (1 + draw.gauss(0, 0.004))
        close = open_ * (1 + draw.gauss(0, 0.01))
        high, low = max(open_, close) * (1 + abs(draw.gauss(0, 0.004))), min(open_, close) * 0.997
        bars.append((round(open_, 3), round(high, 3), round(low, 3), round(close, 3), draw.choice([6.0, 25.0, 400.0])))
        level = close
    return bars


PRICES = {symbol: prices_of(symbol) for symbol in INSTRUMENTS}


def is_in_session(symbol: str, index: int) -> bool:
    """The second market sleeps for a third of the time."""
    return symbol == "BTCUSD" or index % 9 < 6


def bar_of(symbol: str, index: int) -> tuple[str, int, float, float, float, float, float, float]:
    return (symbol, BEGIN + index * HOUR, *PRICES[symbol][index], 0.01)


async def play(broker: PaperBroker, clock: SteppedClock, first: int = 0, *, resumed: bool = False) -> None:
    """Tell every moment from number `first` on."""
    if resumed:
        for symbol in INSTRUMENTS:
            silent = [index for index in range(first) if is_in_session(symbol, index)]
            if silent:
                broker.market_ranges(from_epoch(BEGIN + first * HOUR), [bar_of(symbol, silent[-1])], RATES)
    for index in range(first, MOMENTS):
        await play_moment(broker, clock, index)


async def play_moment(broker: PaperBroker, clock: SteppedClock, index: int) -> None:
    at = from_epoch(BEGIN + index * HOUR)
    clock.move_to(at)
    closed = [bar_of(symbol, index - 1) for symbol in INSTRUMENTS if index and is_in_session(symbol, index - 1)]
    broker.market_ranges(at, closed, RATES)
    for symbol in INSTRUMENTS:
        await decide(broker, symbol, index)
    opened = [(symbol, PRICES[symbol][index][0], 0.01) for symbol in INSTRUMENTS if is_in_session(symbol, index)]
    broker.market_opens(at, opened, RATES)
    for symbol in INSTRUMENTS:
        await protect(broker, symbol, index)


def side_of(symbol: str, index: int) -> Side:
    return Side.BUY if (index // 6 + (symbol == "EURJPY")) % 2 == 0 else Side.SELL


async def decide(broker: PaperBroker, symbol: str, index: int) -> None:
    """Enter every sixth hour; halfway move the stop; at the end close what is left and take the rest back."""
    at, side, trade = from_epoch(BEGIN + index * HOUR), side_of(symbol, index), f"{symbol}{index // 6}"
    step, price = index % 6, PRICES[symbol][index][0]
    if step == 0 and index:
        ends = {"tif": TimeInForce.GTD, "expires_at": at + timedelta(hours=2)}
        await broker.send(intent(f"{trade}e", side, "2", symbol=symbol, at=at, position_id=trade, **ends))
        limit = str(round(price * (1 - side.sign * 0.004), 2))
        rest = {"kind": OrderKind.LIMIT, "limit": limit, "position_id": trade} | ends
        await broker.send(intent(f"{trade}d", side, "1", symbol=symbol, at=at, **rest))
    if step == 3 and index > 6:
        stop = str(round(price * (1 - side.sign * 0.01), 2))
        change = {"kind": OrderKind.STOP, "stop": stop, "reduce_only": True, "action": Action.REPLACE}
        await broker.send(intent(f"{trade}r", side.opposite, "2", symbol=symbol, at=at, target=f"{trade}s", **change))
    if step == 5 and index > 6:
        for leg in ("s", "t"):
            undo = {"action": Action.CANCEL, "target": f"{trade}{leg}"}
            await broker.send(intent(f"{trade}{leg}c", side.opposite, "2", symbol=symbol, at=at, **undo))
        await broker.send(intent(f"{trade}x", side.opposite, "9", symbol=symbol, at=at, reduce_only=True))


async def protect(broker: PaperBroker, symbol: str, index: int) -> None:
    at, side, trade = from_epoch(BEGIN + index * HOUR), side_of(symbol, index), f"{symbol}{index // 6}"
    if index % 6 != 0 or not index:
        return
    price = PRICES[symbol][index][0]
    stop, limit = (str(round(price * (1 + side.sign * move), 2)) for move in (-0.012, 0.008))
    shared = {"symbol": symbol, "at": at, "reduce_only": True, "group": trade}
    await broker.send(intent(f"{trade}s", side.opposite, "2", kind=OrderKind.STOP, stop=stop, **shared))
    await broker.send(intent(f"{trade}t", side.opposite, "2", kind=OrderKind.LIMIT, limit=limit, **shared))


def open_broker(path: Path, clock: SteppedClock, reach: Callable[[str], None] | None = None) -> PaperBroker:
    return PaperBroker.open(
        path,
        account="test",
        currency="USD",
        instruments=INSTRUMENTS,
        settings=SETTINGS,
        clock=clock,
        durable=False,
        reach=reach,
    )


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything the ledger says, but how far the silent market was told."""
    connection = sqlite3.connect(path)
    tables = ("meta", "orders", "requests", "events", "fills", "cash", "positions")
    found = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables}
    connection.close()
    return found


def main() -> None:
    """Arguments: the ledger's path, the file for the moment's number, and at which point of a commit to die."""
    path, progress, deadly = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    count = 0

    def reach(point: str) -> None:
        nonlocal count
        count += 1
        if count == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    clock = SteppedClock(from_epoch(BEGIN))
    broker = open_broker(path, clock, reach)

    async def run() -> None:
        for index in range(MOMENTS):
            progress.write_text(str(index))
            await play_moment(broker, clock, index)

    asyncio.run(run())


if __name__ == "__main__":
    main()
