"""The private futures routes under /fapi."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from exchange.ledger import LINEAR, Account, AlgoOrder, Order, Trade, cut
from exchange.linear import LinearDesk
from exchange.linear_account import LinearAccountRoutes
from exchange.markets import DAY
from exchange.routing import Access, Call, Route, Table
from exchange.shared_world import World
from exchange.spot_routes import span
from exchange.wire import Refusal, needed, needed_number, plain, whole

Row = TypeVar("Row")
WEEK = 7 * DAY
ALGO_OPEN = frozenset({"NEW", "TRIGGERING"})


class LinearRoutes:
    def __init__(self, world: World, desk: LinearDesk) -> None:
        self.world, self.desk = world, desk

    def table(self) -> Table:
        trade, signed = Access.TRADE, Access.SIGNED
        return {
            ("POST", "/fapi/v1/order"): Route(self._place, trade, tells="placement", orders=True),
            ("PUT", "/fapi/v1/order"): Route(self._amend, trade, orders=True),
            ("DELETE", "/fapi/v1/order"): Route(self._cancel, trade, orders=True),
            ("DELETE", "/fapi/v1/allOpenOrders"): Route(self._cancel_all, trade, orders=True),
            ("GET", "/fapi/v1/order"): Route(self._order, signed, tells="order"),
            ("GET", "/fapi/v1/openOrder"): Route(self._open_order, signed, tells="order"),
            ("GET", "/fapi/v1/openOrders"): Route(self._open, signed, tells="open_orders"),
            ("GET", "/fapi/v1/allOrders"): Route(self._all, signed, 5, tells="orders"),
            ("GET", "/fapi/v1/userTrades"): Route(self._trades, signed, 5, tells="trades"),
            ("POST", "/fapi/v1/algoOrder"): Route(self._place_algo, trade, orders=True),
            ("DELETE", "/fapi/v1/algoOrder"): Route(self._cancel_algo, trade, orders=True),
            ("DELETE", "/fapi/v1/algoOpenOrders"): Route(self._cancel_all_algos, trade, orders=True),
            ("GET", "/fapi/v1/algoOrder"): Route(self._algo, signed, tells="order"),
            ("GET", "/fapi/v1/openAlgoOrders"): Route(self._open_algos, signed, tells="open_orders"),
            ("GET", "/fapi/v1/allAlgoOrders"): Route(self._all_algos, signed, 5, tells="orders"),
            **LinearAccountRoutes(self.world, self.desk).table(),
        }

    # Orders in the book

    def _place(self, call: Call) -> dict[str, Any]:
        return queried(self.desk.place(call.account, call.parameters))

    def _found(self, call: Call, *, open_only: bool = False) -> Order | None:
        parameters = call.parameters
        symbol = needed(parameters, "symbol")
        self.world.rules(LINEAR, symbol)
        order_id, client_id = whole(parameters, "orderId"), parameters.get("origClientOrderId")
        return self.desk.find(call.account, symbol, order_id, client_id, open_only=open_only)

    def _amend(self, call: Call) -> dict[str, Any]:
        order = self._found(call, open_only=True)
        if order is None:
            raise Refusal(-2013, "Order does not exist.")
        parameters = call.parameters
        self.desk.amend(call.account, order, needed_number(parameters, "quantity"), needed_number(parameters, "price"))
        return queried(order)

    def _cancel(self, call: Call) -> dict[str, Any]:
        order = self._found(call, open_only=True)
        if order is None:
            raise Refusal(-2011, "Unknown order sent.")
        self.desk.end(call.account, order, "CANCELED")
        return queried(order)

    def _cancel_all(self, call: Call) -> dict[str, Any]:
        symbol = needed(call.parameters, "symbol")
        self.world.rules(LINEAR, symbol)
        for order in self.world.open_orders(LINEAR, call.account.name, symbol):
            self.desk.end(call.account, order, "CANCELED")
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _order(self, call: Call) -> dict[str, Any]:
        order = self._found(call)
        if order is None:
            raise Refusal(-2013, "Order does not exist.")
        return queried(order)

    def _open_order(self, call: Call) -> dict[str, Any]:
        order = self._found(call, open_only=True)
        if order is None:
            raise Refusal(-2013, "Order does not exist.")
        return queried(order)

    def _mine(self, account: Account, symbol: str | None) -> list[Order]:
        if symbol is not None:
            self.world.rules(LINEAR, symbol)
        return [order for order in account.orders if order.market == LINEAR and symbol in (None, order.symbol)]

    def _open(self, call: Call) -> list[dict[str, Any]]:
        symbol = call.parameters.get("symbol")
        if symbol:
            self.world.rules(LINEAR, symbol)
        return [queried(order) for order in self.world.open_orders(LINEAR, call.account.name, symbol)]

    def _all(self, call: Call) -> list[dict[str, Any]]:
        mine = self._mine(call.account, needed(call.parameters, "symbol"))
        first = whole(call.parameters, "orderId")
        since, until, limit = week(call)
        if first is not None:
            return [queried(order) for order in mine if order.order_id >= first][:limit]
        return rows(call, [order for order in mine if since <= order.created <= until], limit, queried)

    def _trades(self, call: Call) -> list[dict[str, Any]]:
        parameters = call.parameters
        symbol = needed(parameters, "symbol")
        self.world.rules(LINEAR, symbol)
        order_id, first = whole(parameters, "orderId"), whole(parameters, "fromId")
        if first is not None and ("startTime" in parameters or "endTime" in parameters):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        since, until, limit = week(call)
        mine = list(call.account.traded(LINEAR, symbol))
        if order_id is not None:
            mine = [trade for trade in mine if trade.order_id == order_id]
        if first is not None:
            return [executed(trade) for trade in mine if trade.trade_id >= first][:limit]
        return rows(call, [trade for trade in mine if since <= trade.time <= until], limit, executed)

    # Conditional orders

    def _place_algo(self, call: Call) -> dict[str, Any]:
        return self.algo_told(call.account, self.desk.place_algo(call.account, call.parameters))

    def _found_algo(self, call: Call) -> AlgoOrder | None:
        parameters = call.parameters
        return self.desk.find_algo(call.account, whole(parameters, "algoId"), parameters.get("clientAlgoId"))

    def _cancel_algo(self, call: Call) -> dict[str, Any]:
        algo = self._found_algo(call)
        if algo is None or algo.status not in ALGO_OPEN:
            raise Refusal(-2011, "Unknown order sent.")
        self.desk.end_algo(call.account, algo, "CANCELED")
        return {"algoId": algo.algo_id, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}

    def _cancel_all_algos(self, call: Call) -> dict[str, Any]:
        for algo in self._algos(call.account, needed(call.parameters, "symbol")):
            if algo.status in ALGO_OPEN:
                self.desk.end_algo(call.account, algo, "CANCELED")
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def _algo(self, call: Call) -> dict[str, Any]:
        algo = self._found_algo(call)
        if algo is None:
            raise Refusal(-2013, "Order does not exist.")
        return self.algo_told(call.account, algo)

    def _algos(self, account: Account, symbol: str | None) -> list[AlgoOrder]:
        if symbol is not None:
            self.world.rules(LINEAR, symbol)
        return [algo for algo in account.algos if symbol in (None, algo.symbol)]

    def _open_algos(self, call: Call) -> list[dict[str, Any]]:
        symbol = call.parameters.get("symbol")
        if symbol is not None:
            self.world.rules(LINEAR, symbol)
        mine = self.world.open_algos(call.account.name, symbol)
        return [self.algo_told(call.account, algo) for algo in mine]

    def _all_algos(self, call: Call) -> list[dict[str, Any]]:
        mine = self._algos(call.account, needed(call.parameters, "symbol"))
        first = whole(call.parameters, "algoId")
        since, until, limit = week(call)
        if first is not None:
            return [self.algo_told(call.account, algo) for algo in mine if algo.algo_id >= first][:limit]
        chosen = [algo for algo in mine if since <= algo.created <= until]
        return rows(call, chosen, limit, lambda algo: self.algo_told(call.account, algo))

    def algo_told(self, account: Account, algo: AlgoOrder) -> dict[str, Any]:
        """A conditional order, with what the order that it became got."""
        told = {
            "algoId": algo.algo_id,
            "clientAlgoId": algo.client_id,
            "algoType": "CONDITIONAL",
            "orderType": algo.kind,
            "symbol": algo.symbol,
            "side": algo.side,
            "positionSide": "BOTH",
            "timeInForce": algo.time_in_force,
            "quantity": plain(algo.quantity),
            "algoStatus": algo.status,
            "triggerPrice": plain(algo.trigger_price),
            "price": plain(algo.price),
            "icebergQuantity": None,
            "selfTradePreventionMode": "NONE",
            "workingType": algo.working_type,
            "priceMatch": "NONE",
            "closePosition": algo.close_position,
            "priceProtect": False,
            "reduceOnly": algo.reduce_only,
            "createTime": algo.created,
            "updateTime": algo.updated,
            "triggerTime": algo.triggered,
            "goodTillDate": 0,
            "actualOrderId": "",
            "actualPrice": "0",
        }
        if algo.actual_order_id is not None:
            actual = self.desk.find(account, algo.symbol, algo.actual_order_id, None)
            if actual is not None:
                told |= {"actualOrderId": str(actual.order_id), "actualPrice": plain(actual.average)}
                told |= {"actualQty": plain(actual.filled), "actualType": actual.kind}
        return told


def week(call: Call) -> tuple[int, int, int]:
    """First and last millisecond and the most rows: without an end seven days from the start, without both the last
    seven days."""
    since, until, limit = span(call, WEEK)
    parameters = call.parameters
    if "startTime" not in parameters:
        since = until - WEEK
    elif "endTime" not in parameters:
        until = min(until, since + WEEK)
    return since, until, limit


def rows(call: Call, found: list[Row], limit: int, tell: Callable[[Row], dict[str, Any]]) -> list[dict[str, Any]]:
    chosen = found[:limit] if "startTime" in call.parameters else found[-limit:]
    return [tell(row) for row in chosen]


def queried(order: Order) -> dict[str, Any]:
    average = plain(cut(order.average))
    return {
        "orderId": order.order_id,
        "symbol": order.symbol,
        "status": order.status,
        "clientOrderId": order.client_id,
        "price": plain(order.price),
        "avgPrice": average,
        "origQty": plain(order.quantity),
        "executedQty": plain(order.filled),
        "cumQty": plain(order.filled),
        "cumQuote": plain(order.paid),
        "timeInForce": order.time_in_force,
        "type": order.kind,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": order.side,
        "positionSide": "BOTH",
        "stopPrice": plain(order.stop_price),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": order.kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
        "time": order.created,
        "updateTime": order.updated,
    }


def executed(trade: Trade) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "side": trade.side,
        "price": plain(trade.price),
        "qty": plain(trade.quantity),
        "realizedPnl": plain(trade.realized),
        "quoteQty": plain(trade.paid),
        "commission": plain(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.time,
        "positionSide": "BOTH",
        "buyer": trade.side == "BUY",
        "maker": trade.maker,
    }
