"""What the exchange's own ledger says of the orders that are ours: executions, what they add up to, what rests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from exchange.core import Exchange
from exchange.keys import MAIN
from exchange.ledger import Account, AlgoOrder, Order, Trade

from venues.records import MarketKind

OURS = "rt"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class OurTrade:
    """One execution of an order of ours, under the id that we gave it."""

    client_order_id: str
    trade: Trade

    @property
    def key(self) -> tuple[str, int]:
        return self.trade.symbol, self.trade.trade_id


@dataclass(frozen=True, slots=True)
class Found:
    """An order as the ledger has it."""

    is_open: bool
    filled: Decimal
    is_refused: bool = False


class Truth:
    """Reads the ledger of the account that began with the run; after a wipe there is another one, and `wiped`."""

    def __init__(self, exchange: Exchange, kind: MarketKind) -> None:
        self._exchange = exchange
        self._spot = kind is MarketKind.SPOT
        self._account = exchange.world.accounts[MAIN]
        self._read_to = 0
        self._names: dict[tuple[str, int], str] = {}
        self.positions: dict[str, Decimal] = {}
        """What our executions add up to, fees kept in the base taken off."""
        self.trades: dict[tuple[str, int], OurTrade] = {}
        self.foreign: set[str] = set()
        """Instruments in which an order that is not ours was executed."""

    @property
    def wiped(self) -> bool:
        return self._exchange.world.accounts[MAIN] is not self._account

    @property
    def account(self) -> Account:
        return self._account

    def held(self, symbol: str, base: str) -> Decimal:
        """The whole position, whoever made it."""
        return self._account.balance(base).total if self._spot else self._account.position(symbol).amount

    def new_trades(self) -> Iterator[tuple[OurTrade, Decimal, Decimal]]:
        """Executions of ours since the last call, each with our position before and after it."""
        trades = self._account.trades
        while self._read_to < len(trades):
            trade = trades[self._read_to]
            self._read_to += 1
            name = self._name_of(trade)
            if name is None:
                self.foreign.add(trade.symbol)
                continue
            found = OurTrade(name, trade)
            self.trades[found.key] = found
            before = self.positions.get(trade.symbol, ZERO)
            after = before + self._change_by(trade)
            self.positions[trade.symbol] = after
            yield found, before, after

    def _change_by(self, trade: Trade) -> Decimal:
        if trade.side == "SELL":
            return -trade.quantity
        return trade.quantity - (trade.fee if self._spot and trade.fee_asset != "USDT" else ZERO)

    def _name_of(self, trade: Trade) -> str | None:
        """Our id of the order behind an execution; a futures stop executes as an order of another name."""
        if trade.client_id.startswith(OURS):
            return trade.client_id
        key = (trade.symbol, trade.order_id)
        if key not in self._names:
            order = next(o for o in self._account.orders if (o.symbol, o.order_id) == key)
            algo = next((a for a in self._account.algos if a.algo_id == order.algo_id), None)
            self._names[key] = "" if algo is None else algo.client_id
        name = self._names[key]
        return name if name.startswith(OURS) else None

    def resting(self, symbol: str) -> Sequence[Order | AlgoOrder]:
        """Our open orders in one instrument, stops that wait included."""
        market = "spot" if self._spot else "linear"
        waiting = self._exchange.world.waiting(market, symbol)
        return [each for each in waiting if self.is_ours(each)]

    def order(self, client_order_id: str) -> Found | None:
        """The order of this id, as it is now; a futures stop with what became of it."""
        for order in reversed(self._account.orders):
            if order.client_id == client_order_id:
                return Found(order.open, order.filled)
        for algo in reversed(self._account.algos):
            if algo.client_id != client_order_id:
                continue
            became = [each for each in self._account.orders if each.algo_id == algo.algo_id]
            if became:
                return Found(became[-1].open, became[-1].filled)
            return Found(algo.status == "NEW", ZERO, algo.status == "REJECTED")
        return None

    def is_ours(self, order: Order | AlgoOrder) -> bool:
        if order.account != MAIN:
            return False
        if isinstance(order, Order) and order.algo_id is not None:
            return any(a.algo_id == order.algo_id and a.client_id.startswith(OURS) for a in self._account.algos)
        return order.client_id.startswith(OURS)


def waits_as_stop(order: Order | AlgoOrder) -> bool:
    return order.kind.startswith("STOP")


def left_of(order: Order | AlgoOrder) -> Decimal:
    return order.left if isinstance(order, Order) else order.quantity
