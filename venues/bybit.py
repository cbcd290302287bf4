"""Bybit's words (API v5, unified account) for spot and linear perpetuals.

Sources: bybit-exchange.github.io/docs/v5, Place Order, Get Open & Closed Orders, Get Execution, Get Transaction Log;
fields as in the comments of ccxt 4.5.90. Tried offline only: what is sent was captured, nothing was ever received.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from domain.errors import VenueUnavailable
from domain.orders import OrderState, Side
from venues.answers import (
    Row,
    amount,
    flag,
    from_ms,
    inner,
    moment,
    optional_amount,
    optional_text,
    plain,
    row_of,
    rows_of,
    side,
    state,
    text,
    whole,
)
from venues.book import Book
from venues.errors import NoSuchOrder, NotOffered
from venues.records import Holdings, KeyRights, MarketKind, OrderRequest, Payment, VenueOrder, VenueTrade
from venues.vendor import Vendor
from venues.words import Settings, as_far_as_filled, pages, windows

_STATES: Mapping[str, OrderState] = {
    "New": OrderState.ACCEPTED,
    "Created": OrderState.ACCEPTED,
    "Untriggered": OrderState.ACCEPTED,
    "Triggered": OrderState.ACCEPTED,
    "Active": OrderState.ACCEPTED,
    "PartiallyFilled": OrderState.PARTIALLY_FILLED,
    "Filled": OrderState.FILLED,
    "Cancelled": OrderState.CANCELLED,
    "PartiallyFilledCanceled": OrderState.CANCELLED,
    "Deactivated": OrderState.CANCELLED,
    "Rejected": OrderState.REJECTED,
}
_RISES, _FALLS = 1, 2
_WEEK = timedelta(days=7)
_PAYMENTS: Mapping[str, str] = {
    "SETTLEMENT": "funding",
    "TRANSFER_IN": "deposit",
    "TRANSFER_OUT": "deposit",
}
_TOLD_WITH_THE_FILL = frozenset({"TRADE"})
_WITHDRAWS, _TRANSFERS = frozenset({"Withdraw"}), frozenset({"AccountTransfer", "SubMemberTransferList"})
_RIGHTS_ROUTE = "GET /v5/user/query-api"


class Bybit:
    """One category of the unified account."""

    def __init__(self, vendor: Vendor, book: Book, market: MarketKind) -> None:
        self._vendor = vendor
        self._book = book
        self._spot = market is MarketKind.SPOT
        self._category = "spot" if self._spot else "linear"

    async def place(self, request: OrderRequest) -> VenueOrder:
        answer = await self._vendor.ask("privatePostV5OrderCreate", self._order_parameters(request), asking=False)
        made = self._result(answer)
        if text(made, "orderLinkId") != request.client_order_id:
            raise VenueUnavailable("the answer to a new order is about another one")
        # The venue only says that it took the order; what becomes of it is asked for.
        return VenueOrder(
            symbol=request.symbol,
            venue_order_id=text(made, "orderId"),
            client_order_id=request.client_order_id,
            side=request.side,
            state=OrderState.ACCEPTED,
            quantity=request.quantity,
            filled=Decimal(0),
            at=moment(row_of(answer, "a new order"), "time"),
            reduce_only=request.reduce_only,
        )

    def _order_parameters(self, request: OrderRequest) -> dict[str, object]:
        limited = request.limit_price is not None
        parameters: dict[str, object] = {
            **self._named(request.symbol),
            "side": request.side.value.capitalize(),
            "orderType": "Limit" if limited else "Market",
            "qty": plain(request.quantity),
            "timeInForce": "IOC" if request.at_once or not limited else "GTC",
            "orderLinkId": request.client_order_id,
        }
        if request.limit_price is not None:
            parameters["price"] = plain(request.limit_price)
        if self._spot and not limited:
            parameters["marketUnit"] = "baseCoin"
        if not self._spot:
            parameters["positionIdx"] = 0
            parameters["reduceOnly"] = request.reduce_only
        if request.stop_price is not None:
            parameters |= self._trigger(request, request.stop_price)
        return parameters

    def _trigger(self, request: OrderRequest, price: Decimal) -> dict[str, object]:
        trigger: dict[str, object] = {"triggerPrice": plain(price)}
        if self._spot:
            return {**trigger, "orderFilter": "StopOrder"}
        # A stop buys when the price has risen to it and sells when it has fallen to it.
        return {**trigger, "triggerDirection": _RISES if request.side is Side.BUY else _FALLS, "triggerBy": "LastPrice"}

    async def cancel(self, symbol: str, client_order_id: str) -> bool:
        named: dict[str, object] = {**self._named(symbol), "orderLinkId": client_order_id}
        # On spot an order is taken back from the list that it is in, and only there.
        filters: tuple[dict[str, object], ...] = ({},)
        if self._spot:
            filters = ({"orderFilter": "StopOrder"}, {"orderFilter": "Order"})
        for where in filters:
            try:
                answer = await self._vendor.ask("privatePostV5OrderCancel", {**named, **where}, asking=False)
            except NoSuchOrder:
                continue
            text(self._result(answer), "orderId")
            return True
        return False

    async def order(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        return await self._look_up(symbol, orderLinkId=client_order_id)

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueOrder | None:
        return await self._look_up(symbol, orderId=venue_order_id)

    async def _look_up(self, symbol: str, **named: str) -> VenueOrder | None:
        """Among the open and the latest, then in the history. The venue has no words for "no such order": a whole
        answer with an empty list, twice, is how it says so."""
        for route in ("privateGetV5OrderRealtime", "privateGetV5OrderHistory"):
            try:
                result = self._result(await self._vendor.ask(route, {**self._named(symbol), **named}))
            except NoSuchOrder:
                continue
            for row in rows_of(inner(result, "list"), "the orders"):
                if all(optional_text(row, field) == value for field, value in named.items()):
                    return self._order_of(row, symbol)
        return None

    async def open_orders(self) -> Sequence[VenueOrder]:
        found: list[VenueOrder] = []
        for scope in self._scopes():
            rows = await self._all("privateGetV5OrderRealtime", {**scope, "openOnly": 0, "limit": 50})
            named = [(row, self._book.symbol(text(row, "symbol"))) for row in rows]
            # A stop on the whole position, set in the venue's own pages, has no quantity.
            found += [self._order_of(row, symbol) for row, symbol in named if symbol is not None and amount(row, "qty")]
        return [order for order in found if not order.state.terminal]

    def _order_of(self, row: Row, symbol: str) -> VenueOrder:
        filled = optional_amount(row, "cumExecQty") or Decimal(0)
        with whole(f"an order in {symbol}"):
            return VenueOrder(
                symbol=symbol,
                venue_order_id=text(row, "orderId"),
                client_order_id=optional_text(row, "orderLinkId"),
                side=side(row),
                state=as_far_as_filled(state(row, "orderStatus", _STATES), filled),
                quantity=amount(row, "qty"),
                filled=filled,
                at=moment(row, "updatedTime", "createdTime"),
                reduce_only=flag(row, "reduceOnly"),
                reason=optional_text(row, "rejectReason") or "",
            )

    async def trades(self, symbol: str, since: datetime, now: datetime) -> Sequence[VenueTrade]:
        found: list[VenueTrade] = []
        for start, end in windows(since, now, _WEEK):
            within = {"startTime": start} if end is None else {"startTime": start, "endTime": end}
            rows = await self._all("privateGetV5ExecutionList", {**self._named(symbol), **within, "limit": 100})
            found += [self._trade_of(row, symbol) for row in rows if optional_text(row, "execType") != "Funding"]
        return found

    def _trade_of(self, row: Row, symbol: str) -> VenueTrade:
        market = self._book.market(symbol)
        bought = side(row) is Side.BUY
        kept_in = market.base if self._spot and bought else market.quote
        with whole(f"an execution in {symbol}"):
            return VenueTrade(
                trade_id=text(row, "execId"),
                venue_order_id=text(row, "orderId"),
                symbol=symbol,
                side=side(row),
                quantity=amount(row, "execQty"),
                price=amount(row, "execPrice"),
                fee=optional_amount(row, "execFee") or Decimal(0),
                fee_currency=optional_text(row, "feeCurrency") or kept_in,
                at=moment(row, "execTime"),
            )

    async def payments(self, since: datetime, now: datetime) -> Sequence[Payment]:
        if self._spot:
            return ()
        found: list[Payment] = []
        for start, end in windows(since, now, _WEEK):
            within = {"startTime": start} if end is None else {"startTime": start, "endTime": end}
            parameters = {"accountType": "UNIFIED", **within, "limit": 50}
            rows = await self._all("privateGetV5AccountTransactionLog", parameters)
            found += [self._payment_of(row) for row in rows if text(row, "type") not in _TOLD_WITH_THE_FILL]
        return found

    def _payment_of(self, row: Row) -> Payment:
        kind = text(row, "type")
        venue_id = optional_text(row, "symbol")
        return Payment(
            payment_id=f"{kind}-{text(row, 'id')}",
            kind=_PAYMENTS.get(kind, "other"),
            symbol=None if venue_id is None else self._book.symbol(venue_id),
            currency=text(row, "currency"),
            amount=amount(row, "change"),
            at=moment(row, "transactionTime"),
        )

    async def holdings(self, now: datetime) -> Holdings:
        answer = await self._vendor.ask("privateGetV5AccountWalletBalance", {"accountType": "UNIFIED"})
        accounts = rows_of(inner(self._result(answer), "list"), "the accounts")
        if len(accounts) != 1:
            raise VenueUnavailable(f"{len(accounts)} unified accounts are told of; one was expected")
        coins = rows_of(inner(accounts[0], "coin"), "the balances")
        if not coins:
            raise VenueUnavailable("the account names no balance at all, not even of 0")
        totals = {text(row, "coin"): amount(row, "walletBalance") for row in coins}
        held = {coin: total for coin, total in totals.items() if total}
        if self._spot:
            return Holdings(at=now, totals=held, positions={})
        positions = await self._positions()
        used = sum((optional_amount(row, "totalPositionIM") or Decimal(0) for row in coins), Decimal(0))
        if not positions and used:
            raise VenueUnavailable(f"no position is told of, yet {used} of margin is held for positions")
        return Holdings(at=now, totals=held, positions=positions)

    async def _positions(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for row in await self._position_rows():
            symbol = self._book.symbol(text(row, "symbol"))
            size = amount(row, "size")
            if symbol is not None and size:
                found[symbol] = size * side(row).sign
        return found

    async def _position_rows(self) -> Sequence[Row]:
        rows: list[Row] = []
        for scope in self._scopes():
            rows += await self._all("privateGetV5PositionList", {**scope, "limit": 200})
        if any(_both_sides(row) for row in rows):
            raise VenueUnavailable("a position is one of two sides; the account left one-way mode")
        return rows

    async def rights(self) -> KeyRights:
        try:
            result = self._result(await self._vendor.ask("privateGetV5UserQueryApi"))
        except NotOffered as error:
            return KeyRights(trade=None, withdraw=None, transfer=None, said_by=f"no {_RIGHTS_ROUTE} here: {error}")
        permissions = row_of(inner(result, "permissions"), "the key's rights")
        wallet = _names(permissions.get("Wallet"))
        trades = _names(permissions.get("Spot")) if self._spot else _names(permissions.get("ContractTrade"))
        return KeyRights(
            trade=bool(trades) and amount(result, "readOnly") == 0,
            withdraw=bool(wallet & _WITHDRAWS),
            transfer=bool(wallet & _TRANSFERS),
            said_by=_RIGHTS_ROUTE,
        )

    async def settings(self) -> Settings:
        if self._spot:
            return Settings(both_sides=False, leverage={})
        leverage: dict[str, Decimal] = {}
        for symbol in self._book.markets:
            result = self._result(await self._vendor.ask("privateGetV5PositionList", self._named(symbol)))
            rows = rows_of(inner(result, "list"), "the positions")
            if any(_both_sides(row) for row in rows):
                return Settings(both_sides=True, leverage={})
            said = next((optional_amount(row, "leverage") for row in rows), None)
            if said:
                leverage[symbol] = said
        return Settings(both_sides=False, leverage=leverage)

    def _named(self, symbol: str) -> dict[str, str]:
        return {"category": self._category, "symbol": self._book.ids[symbol]}

    def _scopes(self) -> Sequence[dict[str, str]]:
        """What a list for all instruments must be narrowed to: linear ones to what they settle in."""
        if self._spot:
            return ({"category": self._category},)
        return tuple({"category": self._category, "settleCoin": coin} for coin in self._book.settled_in())

    async def _all(self, route: str, parameters: Mapping[str, object]) -> list[Row]:
        """Every page of a list."""
        found: list[Row] = []
        cursor: str | None = None
        for _ in pages():
            at = {} if cursor is None else {"cursor": cursor}
            result = self._result(await self._vendor.ask(route, {**parameters, **at}))
            rows = rows_of(inner(result, "list"), "a list")
            found += rows
            following = optional_text(result, "nextPageCursor")
            if following is None or following == cursor or not rows:
                break
            cursor = following
        return found

    @staticmethod
    def _result(answer: object) -> Row:
        row = row_of(answer, "an answer")
        from_ms(amount(row, "time"))
        return row_of(inner(row, "result"), "the result of an answer")


def _both_sides(row: Row) -> bool:
    return (optional_amount(row, "positionIdx") or Decimal(0)) != 0


def _names(value: object) -> frozenset[str]:
    return frozenset(str(each) for each in value) if isinstance(value, list) else frozenset()
