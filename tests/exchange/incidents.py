"""What happens to accounts without a request of theirs: funding, transfers, strangers' orders, resets."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from exchange.keys import MAIN
from exchange.ledger import LINEAR, SPOT, Account, Balance, Order, Position, cut
from exchange.linear import LinearDesk
from exchange.linear_events import account_update
from exchange.shared_world import World
from exchange.spot import SpotDesk
from exchange.wire import ZERO

FOREIGN = "web_stranger"
"""How the client ids of orders begin that were not placed through the interface."""


class Incidents:
    """Everything is done to the account MAIN unless another is named."""

    def __init__(self, world: World, spot: SpotDesk, linear: LinearDesk) -> None:
        self.world, self.spot, self.linear = world, spot, linear

    def fund(self, symbol: str, rate: str | Decimal) -> None:
        """Charge funding at `rate` of the position's worth: longs pay where it is above zero, shorts are paid."""
        self.world.funding[symbol] = Decimal(rate)
        price = self.world.market(symbol).last
        for account in self.world.accounts.values():
            amount = account.position(symbol).amount
            if amount:
                self.linear.pay(account, "FUNDING_FEE", symbol, -cut(amount * price * Decimal(rate)))
                self._tell(account, symbol, "FUNDING_FEE")

    def transfer(self, amount: str | Decimal, *, account: str = MAIN) -> None:
        """Move USDT into the futures wallet from outside, or out of it where below zero."""
        self.linear.pay(self.world.accounts[account], "TRANSFER", "", Decimal(amount))

    def deposit(self, asset: str, amount: str | Decimal, *, account: str = MAIN) -> None:
        """Move an asset into the spot wallet from outside, or out of it where below zero."""
        self.world.accounts[account].balance(asset).free += Decimal(amount)

    def inject_position(
        self, symbol: str, amount: str | Decimal, *, price: str | Decimal | None = None, account: str = MAIN
    ) -> None:
        """There is a position that no order made; it replaces what was there."""
        held = self.world.accounts[account]
        entry = Decimal(price) if price is not None else self.world.market(symbol).last
        held.positions[symbol] = Position(Decimal(amount), entry, self.world.now())
        self._tell(held, symbol, "ADJUSTMENT")

    def vanish_position(self, symbol: str, *, account: str = MAIN) -> None:
        """The position is gone, and no execution says why."""
        self.inject_position(symbol, ZERO, price=ZERO, account=account)

    def inject_order(
        self,
        market: str,
        symbol: str,
        side: str,
        quantity: str,
        price: str | None = None,
        *,
        client_id: str = "",
        account: str = MAIN,
    ) -> Order:
        """An order that somebody else placed by hand: at `price`, or at the market without one."""
        given = {"symbol": symbol, "side": side, "quantity": quantity}
        given["newClientOrderId"] = client_id or f"{FOREIGN}{self.world.next_id('foreign', market, '')}"
        given |= {"type": "MARKET"} if price is None else {"type": "LIMIT", "timeInForce": "GTC", "price": price}
        held = self.world.accounts[account]
        if market == SPOT:
            return self.spot.place(held, given)[0]
        return self.linear.place(held, given)

    def end_order(
        self, market: str, symbol: str, client_id: str, status: str = "CANCELED", *, account: str = MAIN
    ) -> None:
        """Somebody else takes an open order back, or the exchange lets it expire."""
        held = self.world.accounts[account]
        desk = self.spot if market == SPOT else self.linear
        order = desk.find(held, symbol, None, client_id, open_only=True)
        if order is not None:
            desk.end(held, order, status)
            return
        algo = self.linear.find_algo(held, None, client_id) if market == LINEAR else None
        if algo is None or algo.status != "NEW":
            raise LookupError(f"{account} has no open order {client_id} in {symbol}")
        self.linear.end_algo(held, algo, status)

    def wipe(self, name: str, funds: Mapping[str, str], wallet: str) -> None:
        old = self.world.accounts[name]
        for resting in self.world.resting.values():
            for arrival in [arrival for arrival, order in resting.items() if order.account == name]:
                del resting[arrival]
        new = Account(name, wiped=old.wiped + 1)
        new.past = [*old.past, {key: value for key, value in old.told().items() if key != "past"}]
        new.spot = {asset: Balance(Decimal(amount), ZERO) for asset, amount in funds.items()}
        new.wallet = Decimal(wallet)
        self.world.accounts[name] = new

    def _tell(self, account: Account, symbol: str, reason: str) -> None:
        now = self.world.now()
        price = self.world.market(symbol).last
        self.world.push(account.name, LINEAR, account_update(account, symbol, price, now, reason))
