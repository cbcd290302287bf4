"""The spot desk: takes orders in, matches them against the market outside, and moves the balances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from exchange.ledger import SPOT, SPOT_FEE, Account, Order, Trade, cut
from exchange.shared_world import World
from exchange.spot_events import account_position, execution_report
from exchange.symbols import MAX_ORDERS, MAX_STOPS, SPOT_KINDS, Rules
from exchange.wire import ZERO, Refusal, needed, needed_number, number

CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
LIMITED = frozenset({"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})
BROKE = "Account has insufficient balance for requested action."


def check_client_id(client_id: str, name: str) -> None:
    if not CLIENT_ID.fullmatch(client_id):
        raise Refusal(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{{1,36}}$'."
        )


def rises_to(order: Order) -> bool:
    """Whether a stop waits for the price to rise (True) or to fall (False)."""
    return order.buys == order.kind.startswith("STOP_LOSS")


class SpotDesk:
    def __init__(self, world: World) -> None:
        self.world = world

    def place(self, account: Account, parameters: Mapping[str, str]) -> tuple[Order, list[Trade]]:
        """Take one order in; returns it with the executions it had at once. Raises `Refusal`."""
        order, rules = self._read(account, parameters)
        self._check_filters(account, order, rules)
        self._check_unique(account, order)
        market = self.world.market(order.symbol)
        if order.kind in STOPS and market.last and self._reached(order, market.last):
            raise Refusal(-2010, "Stop price would trigger immediately.")
        if order.kind == "LIMIT_MAKER" and market.last and self._crosses(order):
            raise Refusal(-2010, "Order would immediately match and take.")
        self._lock(account, order)
        order.order_id = self.world.next_id("order", SPOT, order.symbol)
        order.arrival = self.world.next_arrival()
        account.orders.append(order)
        self._tell(account, order, "NEW")
        trades: list[Trade] = []
        if order.kind not in STOPS:
            order.worked = order.created
            trades = self._work(account, order, rules)
        if order.open:
            self.world.rest(order)
        return order, trades

    def _read(self, account: Account, parameters: Mapping[str, str]) -> tuple[Order, Rules]:
        symbol = needed(parameters, "symbol")
        rules = self.world.rules(SPOT, symbol)
        side, kind = needed(parameters, "side"), needed(parameters, "type")
        if side not in ("BUY", "SELL"):
            raise Refusal(-1117, "Invalid side.")
        if kind not in SPOT_KINDS:
            raise Refusal(-1116, "Invalid orderType.")
        limited, stopped = kind in LIMITED, kind in STOPS
        quote_quantity = number(parameters, "quoteOrderQty") or ZERO
        quantity = ZERO if kind == "MARKET" and quote_quantity else needed_number(parameters, "quantity")
        time_in_force = "GTC"
        if limited and kind != "LIMIT_MAKER":
            time_in_force = needed(parameters, "timeInForce")
            if time_in_force not in ("GTC", "IOC", "FOK"):
                raise Refusal(-1115, "Invalid timeInForce.")
        if not limited and parameters.get("price"):
            raise Refusal(-1106, "Parameter 'price' sent when not required.")
        if "reduceOnly" in parameters:
            raise Refusal(-1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'.")
        client_id = parameters.get("newClientOrderId") or f"auto{self.world.next_id('client', SPOT, '')}"
        check_client_id(client_id, "newClientOrderId")
        now = self.world.now()
        order = Order(
            SPOT,
            symbol,
            0,
            client_id,
            account.name,
            side,
            kind,
            quantity,
            price=needed_number(parameters, "price") if limited else ZERO,
            stop_price=needed_number(parameters, "stopPrice") if stopped else ZERO,
            quote_quantity=quote_quantity,
            time_in_force=time_in_force,
            created=now,
            updated=now,
        )
        if order.quote_quantity and kind == "MARKET" and not quantity:
            worth = self._touch(order)
            order.quantity = rules.floor(quote_quantity / worth) if worth else ZERO
        return order, rules

    def _check_filters(self, account: Account, order: Order, rules: Rules) -> None:
        for price in (order.price, order.stop_price):
            if price % rules.tick or price > 1000000 or (price == 0 and order.kind in LIMITED and price is order.price):
                raise _filter("PRICE_FILTER")
        quantity = order.quantity
        if quantity % rules.step or not rules.min_quantity <= quantity <= rules.max_quantity:
            raise _filter("LOT_SIZE")
        last = self.world.market(order.symbol).last
        if last and order.price and not last / rules.band <= order.price <= last * rules.band:
            raise _filter("PERCENT_PRICE_BY_SIDE")
        worth = order.price or order.stop_price or last
        if worth and quantity * worth < rules.min_notional:
            raise _filter("NOTIONAL")
        waiting = [each for each in self.world.waiting(SPOT, order.symbol) if each.account == account.name]
        if len(waiting) >= MAX_ORDERS:
            raise _filter("MAX_NUM_ORDERS")
        stops = [each for each in waiting if isinstance(each, Order) and each.kind in STOPS and not each.worked]
        if order.kind in STOPS and len(stops) >= MAX_STOPS:
            raise _filter("MAX_NUM_ALGO_ORDERS")

    def _check_unique(self, account: Account, order: Order) -> None:
        """An id is taken while an order of it is open, and free again afterwards."""
        for each in self.world.waiting(SPOT, order.symbol):
            if each.account == account.name and each.client_id == order.client_id:
                raise Refusal(-2010, "Duplicate order sent.")

    def _touch(self, order: Order) -> Decimal:
        """The price at which the order could trade at once; 0 while there is no market."""
        market = self.world.market(order.symbol)
        if not market.last:
            return ZERO
        return market.ask if order.buys else market.bid

    def _crosses(self, order: Order) -> bool:
        touch = self._touch(order)
        if not touch:
            return False
        return order.price >= touch if order.buys else order.price <= touch

    @staticmethod
    def _reached(order: Order, last: Decimal) -> bool:
        return last >= order.stop_price if rises_to(order) else last <= order.stop_price

    def _lock(self, account: Account, order: Order) -> None:
        rules = self.world.rules(SPOT, order.symbol)
        if order.buys:
            balance = account.balance(rules.quote)
            need = cut(order.quantity * (order.price or order.stop_price or self._touch(order)))
        else:
            balance = account.balance(rules.base)
            need = order.quantity
        if need > balance.free:
            raise Refusal(-2010, BROKE)
        balance.free -= need
        balance.locked += need
        order.locked = need

    def _unlock(self, account: Account, order: Order) -> None:
        rules = self.world.rules(SPOT, order.symbol)
        balance = account.balance(rules.quote if order.buys else rules.base)
        balance.locked -= order.locked
        balance.free += order.locked
        order.locked = ZERO

    def _work(self, account: Account, order: Order, rules: Rules) -> list[Trade]:
        """What a new or just triggered order gets at once, as a taker; ends what may not rest."""
        limited = order.kind in LIMITED
        touch = self._touch(order)
        trades: list[Trade] = []
        if touch and (not limited or self._crosses(order)):
            reach = self.world.within_reach(order.symbol, order.left, rules)
            if order.time_in_force == "FOK" and reach < order.left:
                reach = ZERO
            if reach:
                trades.append(self._fill(account, order, reach, touch, maker=False))
        if order.open and (not limited or order.time_in_force != "GTC"):
            self.end(account, order, "EXPIRED")
        return trades

    def _fill(self, account: Account, order: Order, quantity: Decimal, price: Decimal, *, maker: bool) -> Trade:
        rules = self.world.rules(SPOT, order.symbol)
        base, quote = account.balance(rules.base), account.balance(rules.quote)
        paid = cut(quantity * price)
        if order.buys:
            fee, fee_asset = cut(quantity * SPOT_FEE), rules.base
            from_lock = min(order.locked, paid)
            quote.locked -= from_lock
            quote.free -= paid - from_lock
            base.free += quantity - fee
        else:
            fee, fee_asset = cut(paid * SPOT_FEE), rules.quote
            from_lock = quantity
            base.locked -= quantity
            quote.free += paid - fee
        order.locked -= from_lock
        order.filled += quantity
        order.paid += paid
        order.updated = self.world.now()
        order.status = "FILLED" if order.left == 0 else "PARTIALLY_FILLED"
        if order.left == 0:
            self._unlock(account, order)
            self.world.unrest(order)
        elif order.buys and order.price:
            self._keep_locked(account, order, cut(order.left * order.price))
        trade = Trade(
            SPOT,
            order.symbol,
            self.world.next_id("trade", SPOT, order.symbol),
            order.order_id,
            order.client_id,
            order.side,
            quantity,
            price,
            paid,
            fee,
            fee_asset,
            maker,
            order.updated,
        )
        account.trades.append(trade)
        self._tell(account, order, "TRADE", trade)
        return trade

    def _keep_locked(self, account: Account, order: Order, need: Decimal) -> None:
        """A purchase that was filled below its limit frees what it no longer needs."""
        balance = account.balance(self.world.rules(SPOT, order.symbol).quote)
        spare = max(order.locked - need, ZERO)
        balance.locked -= spare
        balance.free += spare
        order.locked -= spare

    def end(self, account: Account, order: Order, status: str) -> None:
        """Close an open order and free what it held."""
        order.status = status
        order.updated = self.world.now()
        self._unlock(account, order)
        self.world.unrest(order)
        self._tell(account, order, status)

    def cancel(self, account: Account, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        self.world.rules(SPOT, symbol)
        order = self.find(account, symbol, order_id, client_id, open_only=True)
        if order is None:
            raise Refusal(-2011, "Unknown order sent.")
        self.end(account, order, "CANCELED")
        return order

    def find(
        self, account: Account, symbol: str, order_id: int | None, client_id: str | None, *, open_only: bool = False
    ) -> Order | None:
        """By either id; of several with the same client id the newest."""
        if order_id is None and not client_id:
            raise Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        for order in reversed(account.orders):
            if order.market != SPOT or order.symbol != symbol or (open_only and not order.open):
                continue
            if (order_id is None or order.order_id == order_id) and (not client_id or order.client_id == client_id):
                return order
        return None

    def on_trade(self, symbol: str) -> None:
        """The market traded: what rests at or through the price is filled, what waited for it is triggered."""
        market = self.world.market(symbol)
        for order in self.world.waiting(SPOT, symbol):
            if not isinstance(order, Order) or not order.open:
                continue
            account = self.world.accounts[order.account]
            if not order.worked:
                if self._reached(order, market.last):
                    self._trigger(account, order)
                continue
            if (order.price >= market.last) if order.buys else (order.price <= market.last):
                reach = order.left if market.most is None else min(order.left, market.most)
                if reach:
                    self._fill(account, order, reach, market.last, maker=True)

    def _trigger(self, account: Account, order: Order) -> None:
        """A stop becomes what it stands for; what can no longer be paid for expires."""
        order.worked = order.updated = self.world.now()
        rules = self.world.rules(SPOT, order.symbol)
        if order.buys and not order.price:
            lacking = cut(order.quantity * self._touch(order)) - order.locked
            if lacking > account.balance(rules.quote).free:
                self.end(account, order, "EXPIRED")
                return
        self._work(account, order, rules)

    def _tell(self, account: Account, order: Order, what: str, trade: Trade | None = None) -> None:
        if not self.world.listeners:
            return
        now = self.world.now()
        self.world.push(account.name, SPOT, execution_report(order, what, trade, now))
        rules = self.world.rules(SPOT, order.symbol)
        self.world.push(account.name, SPOT, account_position(account, (rules.base, rules.quote), now))


def _filter(name: str) -> Refusal:
    return Refusal(-1013, f"Filter failure: {name}")
