"""What the exchange's ledger says of orders that are ours, and how long positions lay there without a stop.

Only JSON of the exchange is read here, nothing of the product. Times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from functools import cached_property
from itertools import pairwise
from typing import Any

from exchange.symbols import LINEAR_SYMBOLS, SPOT_SYMBOLS, Rules

OURS = "rt"
ZERO = Decimal(0)
FOREVER = 2**62
CASH = "USDT"
Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """One order of ours at the exchange. `resting` is from when until when it rested."""

    client_id: str
    symbol: str
    side: str
    kind: str
    quantity: Decimal
    filled: Decimal
    status: str
    resting: Span

    @property
    def is_stop(self) -> bool:
        return self.kind.startswith("STOP")

    @property
    def rests(self) -> bool:
        return self.status in ("NEW", "PARTIALLY_FILLED")


@dataclass(frozen=True, kw_only=True, slots=True)
class Executed:
    """One execution of an order of ours."""

    client_id: str
    symbol: str
    trade_id: int
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    at: int

    @property
    def change(self) -> Decimal:
        """What the position changed by, in base units."""
        if self.side == "SELL":
            return -self.quantity
        return self.quantity - (ZERO if self.fee_asset == CASH else self.fee)


@dataclass(kw_only=True, slots=True)
class Held:
    """One position from flat to flat. `sizes` are its sizes, each from a time on."""

    symbol: str
    sizes: list[tuple[int, Decimal]] = field(default_factory=list)
    ended: int | None = None

    @property
    def began(self) -> int:
        return self.sizes[0][0]


class LedgerView:
    """The account MAIN of one market, from `RunningExchange.ledger()`."""

    def __init__(self, ledger: Mapping[str, Any], market: str) -> None:
        self.ledger = ledger
        self.market = market
        self.account: Mapping[str, Any] = ledger["accounts"]["main"]
        self.rules: Mapping[str, Rules] = SPOT_SYMBOLS if market == "spot" else LINEAR_SYMBOLS
        self.now = int(ledger["now"])

    @cached_property
    def requests(self) -> Sequence[Mapping[str, Any]]:
        """Every request that was to change an order."""
        return [each for each in self.ledger["requests"] if each["market"] == self.market]

    @cached_property
    def trades(self) -> Sequence[Executed]:
        """Executions of ours, in the order in which they happened."""
        names = self._names
        found = []
        for told in self.account["trades"]:
            name = names.get((told["symbol"], told["order_id"]), "")
            if told["market"] == self.market and name.startswith(OURS):
                found.append(
                    Executed(
                        client_id=name,
                        symbol=told["symbol"],
                        trade_id=int(told["trade_id"]),
                        side=told["side"],
                        quantity=Decimal(told["quantity"]),
                        price=Decimal(told["price"]),
                        fee=Decimal(told["fee"]),
                        fee_asset=told["fee_asset"],
                        at=int(told["time"]),
                    )
                )
        return found

    @cached_property
    def _names(self) -> Mapping[tuple[str, int], str]:
        """Our id of each order; a futures stop executes as an order of its own, which carries the same id."""
        return {
            (told["symbol"], told["order_id"]): told["client_id"]
            for told in self.account["orders"]
            if told["market"] == self.market
        }

    @cached_property
    def orders(self) -> Sequence[Placed]:
        """Orders of ours, each once: a conditional one is told as what it was placed as."""
        found = [self._plain(told) for told in self.account["orders"] if self._is_plain_ours(told)]
        if self.market == "linear":
            found += [self._algo(told) for told in self.account["algo_orders"] if told["client_id"].startswith(OURS)]
        return found

    def _is_plain_ours(self, told: Mapping[str, Any]) -> bool:
        return told["market"] == self.market and told["client_id"].startswith(OURS) and told["algo_id"] is None

    def _plain(self, told: Mapping[str, Any]) -> Placed:
        rests = told["status"] in ("NEW", "PARTIALLY_FILLED")
        return Placed(
            client_id=told["client_id"],
            symbol=told["symbol"],
            side=told["side"],
            kind=told["type"],
            quantity=Decimal(told["quantity"]),
            filled=Decimal(told["filled"]),
            status=told["status"],
            resting=(int(told["created"]), FOREVER if rests else int(told["updated"])),
        )

    def _algo(self, told: Mapping[str, Any]) -> Placed:
        became = next((o for o in self.account["orders"] if o["algo_id"] == told["algo_id"]), None)
        ended = int(told["triggered"] or told["updated"])
        status = told["status"]
        if became is not None:
            status = became["status"]
        return Placed(
            client_id=told["client_id"],
            symbol=told["symbol"],
            side=told["side"],
            kind=told["type"],
            quantity=Decimal(told["quantity"]),
            filled=ZERO if became is None else Decimal(became["filled"]),
            status=status,
            resting=(int(told["created"]), FOREVER if told["status"] == "NEW" else ended),
        )

    # -- positions --------------------------------------------------------------------------------------------

    @cached_property
    def positions(self) -> Mapping[str, Decimal]:
        """What our executions add up to by symbol."""
        sums: dict[str, Decimal] = {}
        for trade in self.trades:
            sums[trade.symbol] = sums.get(trade.symbol, ZERO) + trade.change
        return sums

    def held_by_exchange(self, symbol: str) -> Decimal:
        """The position as the exchange keeps it."""
        if self.market == "linear":
            return Decimal(self.account["positions"].get(symbol, {"amount": "0"})["amount"])
        balance = self.account["balances"].get(self.rules[symbol].base, {"free": "0", "locked": "0"})
        return Decimal(balance["free"]) + Decimal(balance["locked"])

    @cached_property
    def held(self) -> Sequence[Held]:
        """Every position that there was, from flat to flat; what is too little to be sold counts as flat."""
        found: list[Held] = []
        current: dict[str, Held] = {}
        sizes: dict[str, Decimal] = {}
        for trade in self.trades:
            symbol = trade.symbol
            size = sizes.get(symbol, ZERO) + trade.change
            if symbol not in current:
                current[symbol] = Held(symbol=symbol)
                found.append(current[symbol])
            current[symbol].sizes.append((trade.at, size))
            if self._is_flat(symbol, size, trade.price) and (self.market == "linear" or trade.side == "SELL"):
                current.pop(symbol).ended = trade.at
                size = ZERO
            sizes[symbol] = size
        return found

    def _is_flat(self, symbol: str, size: Decimal, price: Decimal) -> bool:
        rules = self.rules[symbol]
        if self.market == "linear":
            return size == 0
        lots = self._lots(symbol, size)
        return lots == 0 or lots * price < rules.min_notional

    def _lots(self, symbol: str, size: Decimal) -> Decimal:
        step = self.rules[symbol].step
        return (abs(size) / step).to_integral_value(rounding=ROUND_DOWN) * step

    # -- stops ------------------------------------------------------------------------------------------------

    def bare_spans(self, held: Held) -> list[Span]:
        """When a position lay without stops of its size."""
        end = self.now if held.ended is None else held.ended
        stops = [each for each in self.orders if each.is_stop and each.symbol == held.symbol]
        marks = {held.began, end, *(at for at, _ in held.sizes)}
        marks |= {at for stop in stops for at in stop.resting if held.began < at < end}
        marks |= {trade.at for trade in self._trades_of(stops) if held.began < trade.at < end}
        times = sorted(marks)
        return _joined(
            (one, other)
            for one, other in pairwise(times)
            if self._covered(stops, one, _size_at(held, one)) < self._lots(held.symbol, _size_at(held, one))
        )

    def _covered(self, stops: Sequence[Placed], at: int, size: Decimal) -> Decimal:
        """How much of a position the stops that rest at a time would close."""
        side = "SELL" if size > 0 else "BUY"
        rest = [stop for stop in stops if stop.side == side and stop.resting[0] <= at < stop.resting[1]]
        done = sum((trade.quantity for trade in self._trades_of(rest) if trade.at <= at), ZERO)
        return sum((stop.quantity for stop in rest), ZERO) - done

    def _trades_of(self, orders: Sequence[Placed]) -> Sequence[Executed]:
        names = {order.client_id for order in orders}
        symbols = {order.symbol for order in orders}
        return [trade for symbol in symbols for trade in self._by_symbol[symbol] if trade.client_id in names]

    @cached_property
    def _by_symbol(self) -> Mapping[str, Sequence[Executed]]:
        return {symbol: [trade for trade in self.trades if trade.symbol == symbol] for symbol in self.rules}

    def orphan_spans(self, held: Held) -> Iterator[tuple[Placed, Span]]:
        """Stops of a position that rested on after its end."""
        if held.ended is None:
            return
        for stop in self.orders:
            began, ended = stop.resting
            if stop.is_stop and stop.symbol == held.symbol and held.began <= began < held.ended < ended:
                yield stop, (held.ended, min(ended, self.now))


def _size_at(held: Held, at: int) -> Decimal:
    return [size for since, size in held.sizes if since <= at][-1]


def _joined(spans: Iterator[Span]) -> list[Span]:
    found: list[Span] = []
    for began, ended in spans:
        if found and found[-1][1] == began:
            found[-1] = (found[-1][0], ended)
        elif ended > began:
            found.append((began, ended))
    return found


def within(spans: Sequence[Span], others: Sequence[Span]) -> int:
    """How many milliseconds of `spans` lie within `others`, which do not overlap each other."""
    return sum(max(0, min(end, e) - max(began, b)) for began, end in spans for b, e in others)


def without(spans: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """`spans` less what lies within `others`."""
    left = list(spans)
    for b, e in others:
        left = [
            piece
            for began, end in left
            for piece in ((began, min(end, b)), (max(began, e), end))
            if piece[1] > piece[0]
        ]
    return left
