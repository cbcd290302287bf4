"""Binance's words for orders, executions and balances: what spot and USD-M futures have in common, and spot itself.

Sources: developers.binance.com, REST API of spot and of derivatives; fields as in the comments of ccxt 4.5.90.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from domain.errors import VenueUnavailable
from domain.orders import OrderKind, OrderState, Side
from venues.answers import (
    Row,
    amount,
    flag,
    inner,
    moment,
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
from venues.records import Holdings, KeyRights, OrderRequest, Payment, VenueOrder, VenueTrade
from venues.vendor import Vendor
from venues.words import Settings, as_far_as_filled, pages, windows

MOST_ROWS = 1000
STATES: Mapping[str, OrderState] = {
    "NEW": OrderState.ACCEPTED,
    "PENDING_NEW": OrderState.ACCEPTED,
    "PENDING_CANCEL": OrderState.ACCEPTED,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}
MOST_ASKED_SINGLY = 6
"""Up to so many instruments, asking for the open orders of each weighs less than asking for all (6 against 80)."""

_RIGHTS_ROUTE = "GET /sapi/v1/account/apiRestrictions"


class Binance(ABC):
    """What both markets share. The route names are the vendor library's: kind of address, method, path."""

    orders: ClassVar[str]
    """The kind of address under which orders of the book lie."""
    trades_route: ClassVar[str]
    longest_span: ClassVar[timedelta]
    """The longest time that one question for executions may cover."""
    trade_right: ClassVar[str]
    """The key's right without which no order of this market is taken."""

    def __init__(self, vendor: Vendor, book: Book) -> None:
        self._vendor = vendor
        self._book = book

    async def order_in_book(self, symbol: str, **named: str) -> VenueOrder:
        """One order of the book by `orderId` or `origClientOrderId`; raises `NoSuchOrder`."""
        answer = await self._vendor.ask(f"{self.orders}GetOrder", {"symbol": self._book.ids[symbol], **named})
        return self.order_of(row_of(answer, "an order"), symbol)

    async def cancel_in_book(self, symbol: str, client_order_id: str) -> bool:
        parameters = {"symbol": self._book.ids[symbol], "origClientOrderId": client_order_id}
        try:
            answer = await self._vendor.ask(f"{self.orders}DeleteOrder", parameters, asking=False)
        except NoSuchOrder:
            return False
        text(row_of(answer, "a cancelled order"), "orderId")
        return True

    async def open_in_book(self) -> list[VenueOrder]:
        """The open orders of the instruments we trade: each asked for by itself where they are few, which weighs far
        less, one after the other, so that a ban stops the rest."""
        route, names = f"{self.orders}GetOpenOrders", sorted(self._book.ids.values())
        if len(names) > MOST_ASKED_SINGLY:
            return self.orders_of(rows_of(await self._vendor.ask(route), "the open orders"))
        found: list[VenueOrder] = []
        for name in names:
            found += self.orders_of(rows_of(await self._vendor.ask(route, {"symbol": name}), "the open orders"))
        return found

    def orders_of(self, rows: Sequence[Row]) -> list[VenueOrder]:
        """The orders in instruments that we trade."""
        named = [(row, self._book.symbol(text(row, "symbol"))) for row in rows]
        return [self.order_of(row, symbol) for row, symbol in named if symbol is not None]

    def order_of(self, row: Row, symbol: str) -> VenueOrder:
        filled = amount(row, "executedQty")
        with whole(f"an order in {symbol}"):
            return VenueOrder(
                symbol=symbol,
                venue_order_id=text(row, "orderId"),
                client_order_id=optional_text(row, "clientOrderId"),
                side=side(row),
                state=as_far_as_filled(state(row, "status", STATES), filled),
                quantity=amount(row, "origQty"),
                filled=filled,
                at=moment(row, "updateTime", "transactTime", "time"),
                reduce_only=flag(row, "reduceOnly"),
            )

    async def trades(self, symbol: str, since: datetime, now: datetime) -> Sequence[VenueTrade]:
        """In windows of time; where one is too full, on from its last execution by number, to the end."""
        found: list[VenueTrade] = []
        for start, end in windows(since, now, self.longest_span):
            within = {"startTime": start} if end is None else {"startTime": start, "endTime": end}
            rows = await self._trade_rows(symbol, within)
            found += [self.trade_of(row, symbol) for row in rows]
            if len(rows) >= MOST_ROWS:
                return found + await self._trades_from(symbol, self._last_number(rows) + 1)
        return found

    async def _trades_from(self, symbol: str, number: int) -> list[VenueTrade]:
        found: list[VenueTrade] = []
        for _ in pages():
            rows = await self._trade_rows(symbol, {"fromId": number})
            found += [self.trade_of(row, symbol) for row in rows]
            if len(rows) < MOST_ROWS:
                break
            if self._last_number(rows) < number:
                raise VenueUnavailable(f"the executions in {symbol} after number {number} are older ones")
            number = self._last_number(rows) + 1
        return found

    async def _trade_rows(self, symbol: str, within: Mapping[str, int]) -> Sequence[Row]:
        parameters = {"symbol": self._book.ids[symbol], "limit": MOST_ROWS, **within}
        return rows_of(await self._vendor.ask(self.trades_route, parameters), "the executions")

    @staticmethod
    def _last_number(rows: Sequence[Row]) -> int:
        return max(int(amount(row, "id")) for row in rows)

    def trade_of(self, row: Row, symbol: str) -> VenueTrade:
        with whole(f"an execution in {symbol}"):
            return VenueTrade(
                # Numbers of executions are unique within one symbol only.
                trade_id=f"{symbol}-{text(row, 'id')}",
                venue_order_id=text(row, "orderId"),
                symbol=symbol,
                side=self.trade_side(row),
                quantity=amount(row, "qty"),
                price=amount(row, "price"),
                fee=amount(row, "commission"),
                fee_currency=text(row, "commissionAsset"),
                at=moment(row, "time"),
            )

    @abstractmethod
    def trade_side(self, row: Row) -> Side: ...

    async def rights(self) -> KeyRights:
        if not self._vendor.has_route("sapi"):
            return KeyRights(trade=None, withdraw=None, transfer=None, said_by=f"the demo has no {_RIGHTS_ROUTE}")
        try:
            row = row_of(await self._vendor.ask("sapiGetAccountApiRestrictions"), "the key's rights")
        except NotOffered as error:
            return KeyRights(trade=None, withdraw=None, transfer=None, said_by=f"no {_RIGHTS_ROUTE} here: {error}")
        for field in ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer", self.trade_right):
            inner(row, field)
        return KeyRights(
            trade=flag(row, self.trade_right),
            withdraw=flag(row, "enableWithdrawals"),
            transfer=flag(row, "enableInternalTransfer") or flag(row, "permitsUniversalTransfer"),
            said_by=_RIGHTS_ROUTE,
        )


class BinanceSpot(Binance):
    """Stops rest among the other orders; what is held are assets."""

    orders = "private"
    trades_route = "privateGetMyTrades"
    longest_span = timedelta(hours=24)
    trade_right = "enableSpotAndMarginTrading"

    async def place(self, request: OrderRequest) -> VenueOrder:
        parameters = order_parameters(request, self._book.ids[request.symbol], _SPOT_TYPES)
        parameters["newOrderRespType"] = "RESULT"
        if request.stop_price is not None:
            parameters["stopPrice"] = plain(request.stop_price)
        answer = await self._vendor.ask("privatePostOrder", parameters, asking=False)
        return self.order_of(row_of(answer, "a new order"), request.symbol)

    async def cancel(self, symbol: str, client_order_id: str) -> bool:
        return await self.cancel_in_book(symbol, client_order_id)

    async def order(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        try:
            found = await self.order_in_book(symbol, origClientOrderId=client_order_id)
        except NoSuchOrder:
            return None
        # A cancelled order may be told under the id of its cancel; it was asked for by its own.
        return replace(found, client_order_id=client_order_id)

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueOrder | None:
        try:
            return await self.order_in_book(symbol, orderId=venue_order_id)
        except NoSuchOrder:
            return None

    async def open_orders(self) -> Sequence[VenueOrder]:
        return await self.open_in_book()

    def trade_side(self, row: Row) -> Side:
        inner(row, "isBuyer")
        return Side.BUY if flag(row, "isBuyer") else Side.SELL

    async def payments(self, since: datetime, now: datetime) -> Sequence[Payment]:
        del since, now
        return ()

    async def holdings(self, now: datetime) -> Holdings:
        answer = row_of(await self._vendor.ask("privateGetAccount"), "the account")
        rows = rows_of(inner(answer, "balances"), "the balances")
        if not rows:
            raise VenueUnavailable("the account names no balance at all, not even of 0")
        totals: dict[str, Decimal] = {}
        for row in rows:
            held = amount(row, "free") + amount(row, "locked")
            if held:
                totals[text(row, "asset")] = held
        return Holdings(at=now, totals=totals, positions={})

    async def settings(self) -> Settings:
        return Settings(both_sides=False, leverage={})


def order_parameters(request: OrderRequest, venue_id: str, types: Mapping[OrderKind, str]) -> dict[str, str]:
    """What an order of either market carries."""
    parameters = {
        "symbol": venue_id,
        "side": request.side.value.upper(),
        "type": types[request.kind],
        "quantity": plain(request.quantity),
        "newClientOrderId": request.client_order_id,
    }
    if request.limit_price is not None:
        parameters["price"] = plain(request.limit_price)
        parameters["timeInForce"] = "IOC" if request.at_once else "GTC"
    return parameters


_SPOT_TYPES: Mapping[OrderKind, str] = {
    OrderKind.MARKET: "MARKET",
    OrderKind.LIMIT: "LIMIT",
    OrderKind.STOP: "STOP_LOSS",
    OrderKind.STOP_LIMIT: "STOP_LOSS_LIMIT",
}
