"""The test exchange: Binance spot and USD-M futures as one object without a socket.

`handle` takes a request and gives a reply, at the time that `clock_ms` says. Nothing here waits: a delayed request is
kept until its time has come, and executed before anything else that happens later. `trade_at` is the market outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from exchange.answering import Answering
from exchange.faults import Faults
from exchange.incidents import Incidents
from exchange.keys import MAIN, READ_KEY, REVOCABLE_KEY, TRADE_KEY, WITHDRAW_KEY, ApiKey
from exchange.ledger import Account, Balance
from exchange.linear import LinearDesk
from exchange.linear_routes import LinearRoutes
from exchange.markets import INTERVALS
from exchange.public_routes import PublicRoutes
from exchange.shared_world import Push, World
from exchange.spot import SpotDesk
from exchange.spot_routes import SpotRoutes
from exchange.symbols import LINEAR_SYMBOLS, SPOT_SYMBOLS, Rules, linear_info, spot_info
from exchange.wire import ZERO, Refusal, Reply, Request

FUNDS: Mapping[str, str] = {"USDT": "10000"}
WALLET = "10000"


@dataclass(slots=True)
class _Pending:
    ticket: int
    due: int
    execute: Callable[[], Reply]
    reply: Reply | None = None


class Exchange:
    """`funds` are the spot balances and `wallet` the futures USDT that the account MAIN begins with."""

    def __init__(
        self,
        *,
        clock_ms: Callable[[], int],
        seed: int = 0,
        funds: Mapping[str, str] = FUNDS,
        wallet: str = WALLET,
        spot_symbols: Mapping[str, Rules] = SPOT_SYMBOLS,
        linear_symbols: Mapping[str, Rules] = LINEAR_SYMBOLS,
    ) -> None:
        self._clock_ms = clock_ms
        self._held_at: int | None = None
        self.faults = Faults(seed=seed)
        self.world = World(now=self.now, spot_rules=spot_symbols, linear_rules=linear_symbols)
        self.spot, self.linear = SpotDesk(self.world), LinearDesk(self.world)
        self.keys: dict[str, ApiKey] = {}
        self._starting = (dict(funds), wallet)
        self.open_account(MAIN, funds=funds, wallet=wallet)
        for key in (TRADE_KEY, WITHDRAW_KEY, READ_KEY, REVOCABLE_KEY):
            self.add_key(key)
        self.incidents = Incidents(self.world, self.spot, self.linear)
        self._pending: list[_Pending] = []
        self._tickets = 0
        routes = {
            **PublicRoutes(self.world, "spot", "/api/v3", spot_info).table(),
            **PublicRoutes(self.world, "linear", "/fapi/v1", linear_info).table(),
            **SpotRoutes(self.world, self.spot).table(),
            **LinearRoutes(self.world, self.linear).table(),
        }
        self.answering = Answering(self.world, self.faults, self.keys, routes)

    # Time

    def now(self) -> int:
        """The exchange's own time in milliseconds: the clock's, or a delayed request's, and the skew."""
        return self._plain_now() + self.faults.skew_ms

    def _plain_now(self) -> int:
        return self._clock_ms() if self._held_at is None else self._held_at

    @contextmanager
    def _at(self, moment: int) -> Iterator[None]:
        self._held_at = moment
        try:
            yield
        finally:
            self._held_at = None

    # Requests

    def handle(self, request: Request) -> Reply:
        """Answer one request. A reply with a `ticket` is a promise: see `finish`."""
        self.catch_up()
        now = self._plain_now()
        with self._at(now):
            reply, later = self.answering.arrive(request)
        if later is None:
            return reply
        self._tickets += 1
        self._pending.append(_Pending(self._tickets, now + reply.delay_ms, later))
        return replace(reply, ticket=self._tickets)

    def finish(self, ticket: int) -> Reply:
        """The real reply of a delayed request, which is executed now if it has not been already."""
        self.catch_up()
        found = next((each for each in self._pending if each.ticket == ticket), None)
        if found is None:
            raise LookupError(f"no delayed request has the ticket {ticket}")
        self._execute(found)
        self._pending.remove(found)
        if found.reply is None:
            raise LookupError(f"the delayed request {ticket} has no reply")
        return found.reply

    def catch_up(self) -> None:
        """Execute every delayed request whose time has come, in the order of their times."""
        now = self._clock_ms()
        for each in sorted(self._pending, key=lambda each: (each.due, each.ticket)):
            if each.due <= now:
                self._execute(each)

    def _execute(self, pending: _Pending) -> None:
        if pending.reply is None:
            with self._at(pending.due):
                pending.reply = pending.execute()

    # The market outside

    def trade_at(self, symbol: str, price: str | Decimal, *, most: Decimal | None = None) -> None:
        """The market of `symbol` trades at `price`, in spot and futures alike.

        Orders that rest at or through the price are filled at it, as makers: at their limit, or better where the price
        jumped past it. Stops are triggered and filled at it. Market orders that come later get it at once. `most` is
        the quantity that one order can get at this price, until the next trade.
        """
        self.catch_up()
        with self._at(self._plain_now()):
            self.world.market(symbol).trade(Decimal(str(price)), most, self.now())
            if symbol in self.world.spot_rules:
                self.spot.on_trade(symbol)
            if symbol in self.world.linear_rules:
                self.linear.on_trade(symbol)
            for listener in self.world.market_listeners:
                listener(symbol)

    def set_spread(self, symbol: str, spread: str | Decimal) -> None:
        """Bid and ask lie half of it below and above the last price."""
        self.world.market(symbol).spread = Decimal(str(spread))

    def quote(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Bid and ask."""
        market = self.world.market(symbol)
        return market.bid, market.ask

    def set_candles(self, symbol: str, interval: str, rows: Sequence[Sequence[Any]]) -> None:
        """What `klines` tells up to the last of them, instead of what was traded; what is traded later follows.

        Rows are open time in ms, open, high, low, close, volume. Of a candle that has not closed yet only its opening
        price is told, and nothing of one that has not begun.
        """
        if interval not in INTERVALS:
            raise Refusal(-1120, "Invalid interval.")
        self.world.market(symbol).set_candles(interval, rows)

    # Accounts

    def open_account(self, name: str, *, funds: Mapping[str, str] = FUNDS, wallet: str = WALLET) -> Account:
        account = Account(name)
        for asset, amount in funds.items():
            account.spot[asset] = Balance(Decimal(amount), ZERO)
        account.wallet = Decimal(wallet)
        self.world.accounts[name] = account
        return account

    def add_key(self, key: ApiKey) -> None:
        """Make a key known; the exchange keeps a copy."""
        self.keys[key.key] = replace(key)

    def revoke(self, key: str) -> None:
        self.keys[key].revoked = True

    def reset_account(self, name: str = MAIN) -> None:
        """Wipe an account as testnets do: orders, executions and positions are gone, and the first funds are back."""
        self.catch_up()
        self.incidents.wipe(name, *self._starting)

    def listen(self, listener: Callable[[Push], None]) -> None:
        """Hear what the user data streams tell."""
        self.world.listeners.append(listener)

    def listen_to_markets(self, listener: Callable[[str], None]) -> None:
        """Hear the symbol whenever its market trades."""
        self.world.market_listeners.append(listener)

    def calm(self) -> None:
        """Switch every fault off, and lift every ban."""
        self.faults.clear()
        self.answering.limits.shut_until.clear()

    # The truth

    def ledger(self) -> dict[str, Any]:
        """Everything that happened, as JSON can carry it."""
        self.catch_up()
        return {
            "now": self.now(),
            "accounts": {name: account.told() for name, account in sorted(self.world.accounts.items())},
            "requests": list(self.world.asked),
            "calls": dict(sorted(self.answering.calls.items())),
            "calls_while_shut": {str(status): count for status, count in self.answering.limits.refused.items()},
            "shut": list(self.answering.limits.started),
            "faults": self.faults.told(),
            "prices": {symbol: str(market.last) for symbol, market in sorted(self.world.markets.items())},
        }
