"""The USD-M futures desk: one-way positions, orders in the book, and conditional orders that wait for their trigger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from exchange.ledger import LINEAR, LINEAR_FEE, Account, AlgoOrder, Income, Order, Trade, cut
from exchange.linear_events import account_update, algo_update, order_trade_update
from exchange.linear_intake import check_filters, read_algo, read_order
from exchange.shared_world import World
from exchange.symbols import Rules
from exchange.wire import ZERO, Refusal


def waits_for_rise(algo: AlgoOrder) -> bool:
    """Whether a conditional order is triggered by a rise (True) or by a fall (False)."""
    return (algo.side == "BUY") == algo.kind.startswith("STOP")


class LinearDesk:
    def __init__(self, world: World) -> None:
        self.world = world

    # Orders in the book

    def place(self, account: Account, parameters: Mapping[str, str]) -> Order:
        """Take one order in; returns it after what it got at once. Raises `Refusal`."""
        order = read_order(self.world, account, parameters)
        rules = self.world.rules(LINEAR, order.symbol)
        check_filters(self.world, order, rules)
        for each in self.world.waiting(LINEAR, order.symbol):
            if isinstance(each, Order) and each.account == account.name and each.client_id == order.client_id:
                raise Refusal(-4116, "ClientOrderId is duplicated.")
        self._check_reduces(account, order)
        if order.time_in_force == "GTX" and self._crosses(order):
            text = "Due to the order could not be executed as maker, the Post Only order will be rejected."
            raise Refusal(-5022, text)
        self._check_margin(account, order)
        self._take(account, order, rules)
        return order

    def _take(self, account: Account, order: Order, rules: Rules, algo: AlgoOrder | None = None) -> None:
        """Put a checked order into the book, for the conditional order that it comes from, if any."""
        order.order_id = self.world.next_id("order", LINEAR, order.symbol)
        if algo is not None:
            algo.actual_order_id, algo.status = order.order_id, "TRIGGERED"
            self.tell_algo(account, algo)
        order.arrival = self.world.next_arrival()
        order.worked = order.created
        account.orders.append(order)
        self.tell(account, order, "NEW")
        self._work(account, order, rules)
        if order.open:
            self.world.rest(order)

    def _touch(self, order: Order) -> Decimal:
        market = self.world.market(order.symbol)
        if not market.last:
            return ZERO
        return market.ask if order.buys else market.bid

    def _crosses(self, order: Order) -> bool:
        touch = self._touch(order)
        return bool(touch) and (order.price >= touch if order.buys else order.price <= touch)

    def reducible(self, account: Account, order: Order) -> Decimal:
        """How much of the position an order of this side can take away."""
        amount = account.position(order.symbol).amount
        return abs(amount) if (amount < 0) == order.buys and amount else ZERO

    def _check_reduces(self, account: Account, order: Order) -> None:
        if order.reduce_only and not self.reducible(account, order):
            raise Refusal(-2022, "ReduceOnly Order is rejected.")

    def _check_margin(self, account: Account, order: Order) -> None:
        if order.reduce_only:
            return
        added = max(order.quantity - self.reducible(account, order), ZERO)
        price = order.price or self._touch(order)
        if cut(added * price / account.leverage_of(order.symbol)) > self.available(account):
            raise Refusal(-2019, "Margin is insufficient.")

    def unrealized(self, account: Account) -> Decimal:
        return sum((p.unrealized(self.world.market(s).last) for s, p in account.positions.items()), ZERO)

    def position_margin(self, account: Account, symbol: str) -> Decimal:
        worth = abs(account.position(symbol).amount) * self.world.market(symbol).last
        return cut(worth / account.leverage_of(symbol))

    def order_margin(self, account: Account, symbol: str | None = None) -> Decimal:
        """What the open orders that do not only reduce hold back."""
        return sum(
            (
                cut(order.left * order.price / account.leverage_of(order.symbol))
                for (market, each), resting in self.world.resting.items()
                if market == LINEAR and symbol in (None, each)
                for order in resting.values()
                if isinstance(order, Order) and order.account == account.name and not order.reduce_only
            ),
            ZERO,
        )

    def available(self, account: Account) -> Decimal:
        held = sum((self.position_margin(account, symbol) for symbol in account.positions), ZERO)
        return account.wallet + self.unrealized(account) - held - self.order_margin(account)

    def _work(self, account: Account, order: Order, rules: Rules) -> None:
        """What a new order gets at once, as a taker; ends what may not rest."""
        limited = order.kind == "LIMIT"
        touch = self._touch(order)
        if touch and (not limited or self._crosses(order)):
            reach = self.world.within_reach(order.symbol, order.left, rules)
            if order.reduce_only:
                reach = min(reach, self.reducible(account, order))
            if order.time_in_force == "FOK" and reach < order.left:
                reach = ZERO
            if reach:
                self._fill(account, order, reach, touch, maker=False)
        if order.open and (not limited or order.time_in_force in ("IOC", "FOK")):
            self.end(account, order, "EXPIRED")

    def _fill(self, account: Account, order: Order, quantity: Decimal, price: Decimal, *, maker: bool) -> None:
        now = self.world.now()
        position = account.position(order.symbol)
        realized = position.apply(order.side, quantity, price)
        position.updated = now
        paid = quantity * price
        fee = cut(paid * LINEAR_FEE)
        order.filled += quantity
        order.paid += paid
        order.updated = now
        order.status = "FILLED" if order.left == 0 else "PARTIALLY_FILLED"
        trade_id = self.world.next_id("trade", LINEAR, order.symbol)
        trade = Trade(
            LINEAR,
            order.symbol,
            trade_id,
            order.order_id,
            order.client_id,
            order.side,
            quantity,
            price,
            paid,
            fee,
            "USDT",
            maker,
            now,
            realized,
        )
        account.trades.append(trade)
        if realized:
            self.pay(account, "REALIZED_PNL", order.symbol, realized, trade_id=str(trade_id))
        self.pay(account, "COMMISSION", order.symbol, -fee, trade_id=str(trade_id))
        if not order.open:
            self.world.unrest(order)
            self._finish_algo(account, order)
        self.tell(account, order, "TRADE", trade)

    def pay(self, account: Account, kind: str, symbol: str, amount: Decimal, *, trade_id: str = "") -> None:
        """Move money in the wallet and record why."""
        account.wallet += amount
        tran_id = self.world.next_id("income", LINEAR, "")
        account.incomes.append(Income(tran_id, kind, symbol, amount, self.world.now(), trade_id))

    def end(self, account: Account, order: Order, status: str) -> None:
        order.status = status
        order.updated = self.world.now()
        self.world.unrest(order)
        self._finish_algo(account, order)
        self.tell(account, order, status)

    def amend(self, account: Account, order: Order, quantity: Decimal, price: Decimal) -> None:
        """Give an open limit order another quantity and price; it keeps its ids and loses its place in the queue."""
        if order.kind != "LIMIT":
            raise Refusal(-5026, "Only limit orders can be modified.")
        if (quantity, price) == (order.quantity, order.price):
            raise Refusal(-5027, "No need to modify the order.")
        wanted = replace(order, quantity=quantity, price=price)
        rules = self.world.rules(LINEAR, order.symbol)
        check_filters(self.world, wanted, rules)
        self.world.unrest(order)
        try:
            self._check_margin(account, wanted)
        except Refusal:
            self.world.rest(order)
            raise
        if quantity <= order.filled:
            self.end(account, order, "CANCELED")
            return
        order.quantity, order.price, order.updated = quantity, price, self.world.now()
        order.arrival = self.world.next_arrival()
        self.tell(account, order, "AMENDMENT")
        self._work(account, order, rules)
        if order.open:
            self.world.rest(order)

    def find(
        self, account: Account, symbol: str, order_id: int | None, client_id: str | None, *, open_only: bool = False
    ) -> Order | None:
        """By either id; of several with the same client id the newest."""
        if order_id is None and not client_id:
            raise Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        for order in reversed(account.orders):
            if order.market != LINEAR or order.symbol != symbol or (open_only and not order.open):
                continue
            if (order_id is None or order.order_id == order_id) and (not client_id or order.client_id == client_id):
                return order
        return None

    # Conditional orders

    def place_algo(self, account: Account, parameters: Mapping[str, str]) -> AlgoOrder:
        """Keep a conditional order; neither margin nor position is asked for before its trigger. Raises `Refusal`."""
        algo = read_algo(self.world, account, parameters)
        market = self.world.market(algo.symbol)
        for each in self.world.waiting(LINEAR, algo.symbol):
            if isinstance(each, AlgoOrder) and each.account == account.name and each.client_id == algo.client_id:
                raise Refusal(-4116, "ClientOrderId is duplicated.")
        if market.last and self._reached(algo, market.last):
            raise Refusal(-2021, "Order would immediately trigger.")
        algo.algo_id = self.world.next_id("algo", LINEAR, "")
        algo.arrival = self.world.next_arrival()
        account.algos.append(algo)
        self.world.rest(algo)
        self.tell_algo(account, algo)
        return algo

    @staticmethod
    def _reached(algo: AlgoOrder, last: Decimal) -> bool:
        return last >= algo.trigger_price if waits_for_rise(algo) else last <= algo.trigger_price

    def find_algo(self, account: Account, algo_id: int | None, client_id: str | None) -> AlgoOrder | None:
        if algo_id is None and not client_id:
            raise Refusal(-1102, "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!")
        for algo in reversed(account.algos):
            if (algo_id is None or algo.algo_id == algo_id) and (not client_id or algo.client_id == client_id):
                return algo
        return None

    def end_algo(self, account: Account, algo: AlgoOrder, status: str, reason: str = "") -> None:
        algo.status, algo.reason = status, reason
        algo.updated = self.world.now()
        self.world.unrest(algo)
        self.tell_algo(account, algo)

    def _finish_algo(self, account: Account, order: Order) -> None:
        """The order that a conditional order became has ended: so has the conditional order."""
        for algo in account.algos if order.algo_id is not None else ():
            if algo.algo_id == order.algo_id and algo.status == "TRIGGERED":
                self.end_algo(account, algo, "FINISHED")

    def _trigger(self, account: Account, algo: AlgoOrder) -> None:
        """The conditional order becomes a market or limit order under the same client id, or is rejected."""
        now = self.world.now()
        algo.triggered = algo.updated = now
        self.world.unrest(algo)
        limited = algo.kind in ("STOP", "TAKE_PROFIT")
        order = Order(
            LINEAR,
            algo.symbol,
            0,
            algo.client_id,
            account.name,
            algo.side,
            "LIMIT" if limited else "MARKET",
            algo.quantity,
            price=algo.price,
            stop_price=algo.trigger_price,
            time_in_force=algo.time_in_force,
            created=now,
            updated=now,
            reduce_only=algo.reduce_only or algo.close_position,
            algo_id=algo.algo_id,
        )
        if algo.close_position:
            order.quantity = self.reducible(account, order)
        try:
            self._check_reduces(account, order)
            self._check_margin(account, order)
        except Refusal as refusal:
            self.end_algo(account, algo, "REJECTED", refusal.message)
            return
        self._take(account, order, self.world.rules(LINEAR, order.symbol), algo)

    # The market outside

    def on_trade(self, symbol: str) -> None:
        """The market traded: what rests at or through the price is filled, what waited for it is triggered."""
        market = self.world.market(symbol)
        for each in self.world.waiting(LINEAR, symbol):
            account = self.world.accounts[each.account]
            if isinstance(each, AlgoOrder):
                if each.status == "NEW" and self._reached(each, market.last):
                    self._trigger(account, each)
            elif each.open and ((each.price >= market.last) if each.buys else (each.price <= market.last)):
                self._fill_resting(account, each, market.last, market.most)

    def _fill_resting(self, account: Account, order: Order, price: Decimal, most: Decimal | None) -> None:
        reach = order.left if most is None else min(order.left, most)
        if order.reduce_only:
            reach = min(reach, self.reducible(account, order))
            if not reach:
                self.end(account, order, "EXPIRED")
                return
        if reach:
            self._fill(account, order, reach, price, maker=True)

    # What the stream tells

    def tell(self, account: Account, order: Order, what: str, trade: Trade | None = None) -> None:
        if not self.world.listeners:
            return
        now = self.world.now()
        if trade is not None:
            price = self.world.market(order.symbol).last
            self.world.push(account.name, LINEAR, account_update(account, order.symbol, price, now))
        self.world.push(account.name, LINEAR, order_trade_update(order, what, trade, now))

    def tell_algo(self, account: Account, algo: AlgoOrder) -> None:
        if self.world.listeners:
            self.world.push(account.name, LINEAR, algo_update(algo, self.world.now()))
