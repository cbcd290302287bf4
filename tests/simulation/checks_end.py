"""What must hold once everything is quiet: books, journal and the exchange's ledger say the same, to the last digit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulation.setting import SYMBOLS
from simulation.truth import ZERO

from domain.orders import OrderState
from journal.journal import Journal
from journal.verify import verify
from trading.reconcile import ROUNDING, cash_at_venue, held_at_venue
from venues.records import MarketKind

if TYPE_CHECKING:
    from simulation.world import World

LATE_DECISIONS = """SELECT decision_id, decided_at - bar_opened_at FROM decisions
WHERE status = 'ordered' AND decided_at - bar_opened_at > 3 * 3600000000"""

DECISIONS_ON = "SELECT decision_id, status FROM decisions WHERE instrument = ? AND bar_opened_at = ?"


def faults_at_the_end(world: World) -> Iterator[tuple[str, str]]:
    """Invariant and detail of everything that is wrong at the end; the daemon lives and nothing is under way."""
    yield from _of_the_journal(world)
    for decision, late in world.witness.rows(LATE_DECISIONS).items():
        yield "nothing is decided on an old bar", f"{decision} was decided {late} us after its bar opened"
    yield from _of_the_candles(world)
    if world.truth.wiped:
        return
    yield from _of_the_fills(world)
    life = world.life
    if life is None or life.stack is None or life.dead or not life.started:
        yield "the daemon lives at the end", f"life {world.lives} does not trade"
        return
    yield from _of_the_books(world)
    yield from _of_the_orders(world)


def _of_the_journal(world: World) -> Iterator[tuple[str, str]]:
    journal = Journal.open(world.paths.journal, read_only=True)
    try:
        for check in verify(journal).checks:
            if not check.ok:
                yield f"verify: {check.name}", check.detail
    finally:
        journal.close()


def _of_the_candles(world: World) -> Iterator[tuple[str, str]]:
    for candle in world.candles.believed:
        yield "what is no candle is no bar", candle
    for (symbol, index), how in world.candles.spoiled.items():
        opened_us = int(world.history[symbol].opened[index]) * 1_000_000
        for decision in world.witness.rows(DECISIONS_ON, symbol, opened_us):
            yield "nothing is decided on a bar that was none", f"{decision} of {symbol}: {how}"


def _of_the_fills(world: World) -> Iterator[tuple[str, str]]:
    told, done = world.journal_checks.fills, world.truth.trades
    for key in sorted(done.keys() - told.keys()):
        yield "every execution is a fill", f"{key} of {done[key].client_order_id} is not in the journal"


def _of_the_books(world: World) -> Iterator[tuple[str, str]]:
    assert world.life is not None
    books = world.life.session.books
    ours = held_at_venue(books)
    for symbol in SYMBOLS:
        mine, theirs = ours.get(symbol, ZERO), world.truth.positions.get(symbol, ZERO)
        if mine != theirs:
            yield "positions are what the exchange has", f"{symbol}: ours {mine}, the ledger's {theirs}"
    if world.foreign_money:
        return
    spot = world.kind is MarketKind.SPOT
    account = world.truth.account
    theirs = account.balance("USDT").total if spot else account.wallet
    mine = cash_at_venue(books, spot=spot)
    if abs(mine - theirs) > ROUNDING:
        yield "cash is what the exchange has", f"ours {mine}, the ledger's {theirs}"


def _of_the_orders(world: World) -> Iterator[tuple[str, str]]:
    assert world.life is not None
    books = world.life.session.books
    for order in books.unknown():
        yield "no order stays unknown", f"{order.client_order_id}: {order.reason}"
    resting = {each.client_id: each for symbol in SYMBOLS for each in world.truth.resting(symbol)}
    known = {
        order.client_order_id
        for order in books.all_open_orders()
        if order.state in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
    }
    for name in sorted(resting.keys() - known):
        if resting[name].symbol not in world.account_checks.tainted:
            yield "no order is lost", f"{name} rests at the exchange and not in the books"
    for name in sorted(known - resting.keys()):
        if books.orders[name].intent.instrument not in world.account_checks.tainted:
            yield "no order is lost", f"{name} rests in the books and not at the exchange"
