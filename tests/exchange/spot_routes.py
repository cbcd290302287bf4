"""The private spot routes: /api/v3 and the few of /sapi/v1 that a trading client asks."""

from __future__ import annotations

from typing import Any

from exchange.keys import ApiKey
from exchange.ledger import SPOT, Account, Order, Trade
from exchange.markets import DAY
from exchange.routing import Access, Call, Route, Table
from exchange.shared_world import World
from exchange.spot import SpotDesk, check_client_id
from exchange.wire import ZERO, Refusal, Reply, as_json, eight, needed, whole

ORDER_PARAMETERS = frozenset(
    {
        "symbol",
        "side",
        "type",
        "timeInForce",
        "quantity",
        "quoteOrderQty",
        "price",
        "newClientOrderId",
        "stopPrice",
        "icebergQty",
        "newOrderRespType",
        "selfTradePreventionMode",
        "strategyId",
        "strategyType",
    }
)
REPLACE_PARAMETERS = ORDER_PARAMETERS | {
    "cancelReplaceMode",
    "cancelOrderId",
    "cancelOrigClientOrderId",
    "cancelNewClientOrderId",
}
MOST_ROWS = 1000
DEFAULT_ROWS = 500


class SpotRoutes:
    def __init__(self, world: World, desk: SpotDesk) -> None:
        self.world, self.desk = world, desk

    def table(self) -> Table:
        trade, signed = Access.TRADE, Access.SIGNED
        return {
            ("POST", "/api/v3/order"): Route(
                self._place, trade, tells="placement", orders=True, allowed=ORDER_PARAMETERS
            ),
            ("POST", "/api/v3/order/test"): Route(lambda call: {}, trade, allowed=ORDER_PARAMETERS),
            ("DELETE", "/api/v3/order"): Route(self._cancel, trade, orders=True),
            ("POST", "/api/v3/order/cancelReplace"): Route(
                self._replace, trade, tells="placement", orders=True, allowed=REPLACE_PARAMETERS
            ),
            ("DELETE", "/api/v3/openOrders"): Route(self._cancel_all, trade, orders=True),
            ("GET", "/api/v3/order"): Route(self._order, signed, 4, tells="order"),
            ("GET", "/api/v3/openOrders"): Route(self._open, signed, 6, tells="open_orders"),
            ("GET", "/api/v3/allOrders"): Route(self._all, signed, 20, tells="orders"),
            ("GET", "/api/v3/myTrades"): Route(self._trades, signed, 20, tells="trades"),
            ("GET", "/api/v3/account"): Route(self._account, signed, 20, tells="balances"),
            ("GET", "/sapi/v1/account/apiRestrictions"): Route(self._restrictions, signed),
            ("GET", "/sapi/v1/system/status"): Route(lambda call: {"status": 0, "msg": "normal"}),
            ("GET", "/sapi/v1/capital/config/getall"): Route(self._coins, signed, 10),
            ("GET", "/sapi/v1/margin/allPairs"): Route(lambda call: [], Access.KEY),
            ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(lambda call: [], signed),
            ("GET", "/sapi/v1/margin/allAssets"): Route(lambda call: [], Access.KEY),
            ("GET", "/dapi/v1/exchangeInfo"): Route(lambda call: {"symbols": []}),
        }

    def _place(self, call: Call) -> dict[str, Any]:
        order, trades = self.desk.place(call.account, call.parameters)
        return placed(order, trades, call.parameters.get("newOrderRespType"))

    def _cancel(self, call: Call) -> dict[str, Any]:
        parameters = call.parameters
        order = self.desk.cancel(
            call.account,
            needed(parameters, "symbol"),
            whole(parameters, "orderId"),
            parameters.get("origClientOrderId"),
        )
        return cancelled(order, parameters.get("newClientOrderId") or f"cancel{order.order_id}")

    def _cancel_all(self, call: Call) -> list[dict[str, Any]]:
        symbol = needed(call.parameters, "symbol")
        self.world.rules(SPOT, symbol)
        mine = self.world.open_orders(SPOT, call.account.name, symbol)
        if not mine:
            raise Refusal(-2011, "Unknown order sent.")
        for order in mine:
            self.desk.end(call.account, order, "CANCELED")
        return [cancelled(order, f"cancel{order.order_id}") for order in mine]

    def _replace(self, call: Call) -> dict[str, Any]:
        """STOP_ON_FAILURE: nothing is placed unless the old one was taken back; the new one may still be refused."""
        parameters = call.parameters
        mode = needed(parameters, "cancelReplaceMode")
        if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
            raise Refusal(-1145, "Invalid cancelReplaceMode.")
        said: dict[str, Any] = {"cancelResult": "SUCCESS", "newOrderResult": "NOT_ATTEMPTED"}
        said |= {"cancelResponse": None, "newOrderResponse": None}
        symbol, old = needed(parameters, "symbol"), parameters.get("cancelOrigClientOrderId")
        failed = False
        try:
            order = self.desk.cancel(call.account, symbol, whole(parameters, "cancelOrderId"), old)
            said["cancelResponse"] = cancelled(order, parameters.get("cancelNewClientOrderId") or f"c{order.order_id}")
        except Refusal as refusal:
            failed = True
            said |= {"cancelResult": "FAILURE", "cancelResponse": {"code": refusal.code, "msg": refusal.message}}
        if not failed or mode == "ALLOW_FAILURE":
            try:
                new, trades = self.desk.place(call.account, parameters)
                said |= {"newOrderResult": "SUCCESS", "newOrderResponse": placed(new, trades, "RESULT")}
            except Refusal as refusal:
                failed = True
                said |= {"newOrderResult": "FAILURE"}
                said["newOrderResponse"] = {"code": refusal.code, "msg": refusal.message}
        if failed:
            partly = "SUCCESS" in (said["cancelResult"], said["newOrderResult"])
            raise ReplaceFailed(-2021 if partly else -2022, said, 409 if partly else 400)
        return said

    def _order(self, call: Call) -> dict[str, Any]:
        parameters = call.parameters
        symbol = needed(parameters, "symbol")
        self.world.rules(SPOT, symbol)
        order_id, client_id = whole(parameters, "orderId"), parameters.get("origClientOrderId")
        order = self.desk.find(call.account, symbol, order_id, client_id)
        if order is None:
            raise Refusal(-2013, "Order does not exist.")
        return queried(order)

    def _open(self, call: Call) -> list[dict[str, Any]]:
        symbol = call.parameters.get("symbol")
        if symbol:
            self.world.rules(SPOT, symbol)
        return [queried(order) for order in self.world.open_orders(SPOT, call.account.name, symbol)]

    def _all(self, call: Call) -> list[dict[str, Any]]:
        symbol = needed(call.parameters, "symbol")
        self.world.rules(SPOT, symbol)
        since, until, limit = span(call, DAY)
        first = whole(call.parameters, "orderId")
        mine = self._mine(call.account, symbol)
        if first is not None:
            return [queried(order) for order in mine if order.order_id >= first][:limit]
        found = [queried(order) for order in mine if since <= order.created <= until]
        return found[:limit] if "startTime" in call.parameters else found[-limit:]

    def _trades(self, call: Call) -> list[dict[str, Any]]:
        parameters = call.parameters
        symbol = needed(parameters, "symbol")
        self.world.rules(SPOT, symbol)
        since, until, limit = span(call, DAY)
        order_id, first = whole(parameters, "orderId"), whole(parameters, "fromId")
        timed = "startTime" in parameters or "endTime" in parameters
        if timed and (order_id is not None or first is not None):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        mine = [
            trade
            for trade in call.account.traded(SPOT, symbol)
            if since <= trade.time <= until
            and (order_id is None or trade.order_id == order_id)
            and (first is None or trade.trade_id >= first)
        ]
        forward = "startTime" in parameters or first is not None or order_id is not None
        return [executed(trade) for trade in (mine[:limit] if forward else mine[-limit:])]

    def _mine(self, account: Account, symbol: str | None) -> list[Order]:
        if symbol is not None:
            self.world.rules(SPOT, symbol)
        return [order for order in account.orders if order.market == SPOT and symbol in (None, order.symbol)]

    def _account(self, call: Call) -> dict[str, Any]:
        key = call.key
        held = sorted(call.account.spot.items())
        return {
            "makerCommission": 10,
            "takerCommission": 10,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "canTrade": key.trade if key else False,
            "canWithdraw": key.withdraw if key else False,
            "canDeposit": True,
            "updateTime": call.now,
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": eight(balance.free), "locked": eight(balance.locked)}
                for asset, balance in held
            ],
            "permissions": ["SPOT"],
            "uid": 1,
        }

    def _restrictions(self, call: Call) -> dict[str, Any]:
        key = call.key
        if not isinstance(key, ApiKey):
            raise Refusal(-2014, "API-key format invalid.", status=401)
        return {
            "ipRestrict": False,
            "createTime": 0,
            "enableReading": True,
            "enableSpotAndMarginTrading": key.trade,
            "enableFutures": key.futures and key.trade,
            "enableWithdrawals": key.withdraw,
            "enableInternalTransfer": key.transfer,
            "permitsUniversalTransfer": key.transfer,
            "enableMargin": False,
            "enableVanillaOptions": False,
            "enablePortfolioMarginTrading": False,
        }

    def _coins(self, call: Call) -> list[dict[str, Any]]:
        named = {name for rules in self.world.spot_rules.values() for name in (rules.base, rules.quote)}
        return [
            {
                "coin": name,
                "name": name,
                "depositAllEnable": True,
                "withdrawAllEnable": True,
                "trading": True,
                "isLegalMoney": False,
                "networkList": [],
            }
            for name in sorted(named)
        ]


class ReplaceFailed(Refusal):
    """A cancel-and-replace of which a part or everything failed; `data` says which."""

    def __init__(self, code: int, data: dict[str, Any], status: int) -> None:
        text = "Order cancel-replace partially failed." if code == -2021 else "Order cancel-replace failed."
        super().__init__(code, text, status)
        self.data = data

    def reply(self) -> Reply:
        return as_json({"code": self.code, "msg": self.message, "data": self.data}, status=self.status)


def span(call: Call, longest: int) -> tuple[int, int, int]:
    """First and last millisecond and the most rows that a list may have."""
    since, until = whole(call.parameters, "startTime"), whole(call.parameters, "endTime")
    if since is not None and until is not None and until - since > longest:
        hours = longest // 3600000
        raise Refusal(-1127, f"More than {hours} hours between startTime and endTime.")
    limit = whole(call.parameters, "limit")
    return since or 0, call.now if until is None else until, min(limit or DEFAULT_ROWS, MOST_ROWS)


def queried(order: Order) -> dict[str, Any]:
    """An order as look-ups tell it."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": eight(order.price),
        "origQty": eight(order.quantity),
        "executedQty": eight(order.filled),
        "cummulativeQuoteQty": eight(order.paid),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.kind,
        "side": order.side,
        "stopPrice": eight(order.stop_price),
        "icebergQty": eight(ZERO),
        "time": order.created,
        "updateTime": order.updated,
        "isWorking": bool(order.worked),
        "workingTime": order.worked or -1,
        "origQuoteOrderQty": eight(order.quote_quantity),
        "selfTradePreventionMode": "NONE",
    }


def placed(order: Order, trades: list[Trade], wanted: str | None) -> dict[str, Any]:
    """The answer to a placement, as short or long as it was wanted."""
    short = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.updated,
    }
    wanted = wanted or ("FULL" if order.kind in ("MARKET", "LIMIT") else "ACK")
    if wanted == "ACK":
        return short
    told = queried(order)
    dropped = ("time", "updateTime", "isWorking", "icebergQty")
    full = short | {name: value for name, value in told.items() if name not in dropped}
    if wanted == "RESULT":
        return full
    fills = [
        {
            "price": eight(trade.price),
            "qty": eight(trade.quantity),
            "commission": eight(trade.fee),
            "commissionAsset": trade.fee_asset,
            "tradeId": trade.trade_id,
        }
        for trade in trades
    ]
    return full | {"fills": fills}


def cancelled(order: Order, cancel_id: str) -> dict[str, Any]:
    """The answer to a cancellation; the order's own id moves to `origClientOrderId`."""
    check_client_id(cancel_id, "newClientOrderId")
    told = placed(order, [], "RESULT")
    return told | {"origClientOrderId": order.client_id, "clientOrderId": cancel_id}


def executed(trade: Trade) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": eight(trade.price),
        "qty": eight(trade.quantity),
        "quoteQty": eight(trade.paid),
        "commission": eight(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.time,
        "isBuyer": trade.side == "BUY",
        "isMaker": trade.maker,
        "isBestMatch": True,
    }
