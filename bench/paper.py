"""The paper broker on a ledger in a file, as a replay uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from bench.figures import Figure, in_unit
from bench.request import Request
from bench.timing import per_call
from brokers.paper.broker import PaperBroker
from brokers.paper.settings import PaperSettings
from domain.clock import SteppedClock, to_epoch
from domain.instruments import FxRates, Instrument
from domain.orders import Action, Approval, CauseKind, Intent, Leg, OrderKind, Side, TimeInForce
from market.registry import Registry

NOON = datetime(2024, 1, 3, 12, tzinfo=UTC)
RATES = FxRates(as_of=NOON)
SYMBOLS = ("ADAUSDT", "BNBUSDT", "BTCUSDT", "ETHUSDT", "LTCUSDT", "XRPUSDT")


def run(request: Request) -> Iterator[Figure]:
    """Bars told to six instruments, with nothing resting and with orders that are not reached; then orders sent."""
    instruments = {symbol: Registry.shipped().resolve(symbol, price=100.0) for symbol in SYMBOLS}

    def us(name: str, what: str, seconds: tuple[float, ...]) -> Figure:
        return Figure(name=f"paper.{name}", what=what, unit="us", values=in_unit(seconds, "us"))

    for name, resting in (("idle", 0), ("resting", 2)):
        told = "nothing resting" if not resting else f"{resting} orders resting in each and not reached"
        broker = _broker(request, instruments, name)
        for number in range(resting * len(SYMBOLS)):
            _send(broker, _intent(f"{name}-{number}", SYMBOLS[number % len(SYMBOLS)]))
        yield us(f"opens.{name}", f"six bars open, {told}", per_call(_opens(broker), request.repeat))
        yield us(f"ranges.{name}", f"six bars close, {told}", per_call(_ranges(broker), request.repeat))
        asyncio.run(broker.close())
    broker, numbers = _broker(request, instruments, "sent"), count()
    # The batches grow a book of thousands of open orders; an account has a few, so each is cancelled right away.
    seconds = per_call(lambda: _place_and_cancel(broker, next(numbers)), request.repeat)
    yield us(
        "send", "one order sent and accepted (a commit), mean of placing and cancelling", tuple(s / 2 for s in seconds)
    )
    asyncio.run(broker.close())


def _broker(request: Request, instruments: dict[str, Instrument], name: str) -> PaperBroker:
    return PaperBroker.open(
        request.work / f"{name}.sqlite",
        account="bench",
        currency="USDT",
        instruments=instruments,
        settings=PaperSettings(starting_cash=Decimal(10_000_000)),
        clock=SteppedClock(NOON),
        durable=False,
    )


def _opens(broker: PaperBroker) -> Any:
    """Each call tells the bars of an hour later: bars told again would be passed over."""
    hours = count(1)

    def tell() -> None:
        at = NOON + timedelta(hours=next(hours))
        broker.market_opens(at, [(symbol, 100.0, 0.01) for symbol in SYMBOLS], RATES)

    return tell


def _ranges(broker: PaperBroker) -> Any:
    start, numbers = to_epoch(NOON) + 10**9, count()

    def tell() -> None:
        opened = start + 3_600 * next(numbers)
        bars = [(symbol, opened, 100.0, 101.0, 99.0, 100.0, 1e6, 0.01) for symbol in SYMBOLS]
        broker.market_ranges(datetime.fromtimestamp(opened + 3_600, UTC), bars, RATES)

    return tell


def _place_and_cancel(broker: PaperBroker, number: int) -> None:
    _send(broker, _intent(f"placed-{number}", "BTCUSDT"))
    _send(broker, _intent(f"cancel-{number}", "BTCUSDT", action=Action.CANCEL, target_id=f"placed-{number}"))


def _send(broker: PaperBroker, intent: Intent) -> None:
    """The broker never waits, so its coroutine ends at the first step; an event loop would only add its own time."""
    sending = broker.send(intent)
    try:
        sending.send(None)
    except StopIteration:
        return
    raise RuntimeError("the paper broker waited for something")


def _intent(name: str, symbol: str, **changes: Any) -> Intent:
    """A limit order far below the market, whose approval covers it."""
    values: dict[str, Any] = {
        "client_order_id": name,
        "account": "bench",
        "instrument": symbol,
        "action": Action.PLACE,
        "cause_kind": CauseKind.DECISION,
        "cause_id": name,
        "leg": Leg.ENTRY,
        "attempt": 1,
        "side": Side.BUY,
        "kind": OrderKind.LIMIT,
        "quantity": Decimal(1),
        "created_at": NOON,
        "approval": Approval(
            instrument=symbol,
            side=Side.BUY,
            quantity=Decimal(1),
            reduce_only=False,
            granted_at=NOON,
            expires_at=NOON + timedelta(days=1),
            rules=("bench",),
            limits_digest="none",
        ),
        "position_id": "p-1",
        "limit_price": Decimal(50),
        "time_in_force": TimeInForce.GTC,
    }
    return Intent(**(values | changes))
