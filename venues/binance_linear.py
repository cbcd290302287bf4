"""Binance's words for USD-M futures: stops wait in a list of their own until they become orders of the book.

Sources: developers.binance.com, USD-M futures: New Algo Order, Query Algo Order, Account Information V3, Get Income
History; fields as in the comments of ccxt 4.5.90.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.errors import VenueUnavailable
from domain.identity import ORDER_PREFIX
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
    to_ms,
    whole,
)
from venues.binance import MOST_ROWS, Binance, order_parameters
from venues.errors import NoSuchOrder
from venues.records import Holdings, OrderRequest, Payment, VenueOrder
from venues.words import Settings, pages, windows

WAITING = "algo-"
"""What the venue's number of a waiting stop is marked with: it may equal the number of an order in the book."""
_ALGO_STATES: Mapping[str, OrderState] = {
    "NEW": OrderState.ACCEPTED,
    "TRIGGERING": OrderState.ACCEPTED,
    "TRIGGERED": OrderState.ACCEPTED,
    "FINISHED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "EXPIRED": OrderState.EXPIRED,
    "REJECTED": OrderState.REJECTED,
}
_TYPES: Mapping[OrderKind, str] = {
    OrderKind.MARKET: "MARKET",
    OrderKind.LIMIT: "LIMIT",
    OrderKind.STOP: "STOP_MARKET",
    OrderKind.STOP_LIMIT: "STOP",
}
_TOLD_WITH_THE_FILL = frozenset({"REALIZED_PNL", "COMMISSION"})
_PAYMENTS: Mapping[str, str] = {"FUNDING_FEE": "funding", "TRANSFER": "deposit"}
_WEEK = timedelta(days=7)


class BinanceLinear(Binance):
    """One-way perpetual futures settled in what they are quoted in."""

    orders = "fapiPrivate"
    trades_route = "fapiPrivateGetUserTrades"
    longest_span = _WEEK
    trade_right = "enableFutures"

    async def place(self, request: OrderRequest) -> VenueOrder:
        parameters = order_parameters(request, self._book.ids[request.symbol], _TYPES)
        if request.reduce_only:
            parameters["reduceOnly"] = "true"
        if request.stop_price is not None:
            return await self._place_stop(request, parameters)
        parameters["newOrderRespType"] = "RESULT"
        answer = await self._vendor.ask("fapiPrivatePostOrder", parameters, asking=False)
        return self.order_of(row_of(answer, "a new order"), request.symbol)

    async def _place_stop(self, request: OrderRequest, parameters: dict[str, str]) -> VenueOrder:
        parameters["clientAlgoId"] = parameters.pop("newClientOrderId")
        parameters["algoType"] = "CONDITIONAL"
        parameters["triggerPrice"] = plain(request.stop_price or Decimal(0))
        parameters["workingType"] = "CONTRACT_PRICE"
        answer = await self._vendor.ask("fapiPrivatePostAlgoOrder", parameters, asking=False)
        return self._waiting_of(row_of(answer, "a new stop"), request.symbol)

    async def cancel(self, symbol: str, client_order_id: str) -> bool:
        """Wherever it is: a stop first, because it may become an order of the book in between, not the reverse."""
        try:
            parameters = {"clientAlgoId": client_order_id}
            answer = await self._vendor.ask("fapiPrivateDeleteAlgoOrder", parameters, asking=False)
        except NoSuchOrder:
            return await self._cancel_in_book_or_child(symbol, client_order_id)
        text(row_of(answer, "a cancelled stop"), "algoId")
        return True

    async def _cancel_in_book_or_child(self, symbol: str, client_order_id: str) -> bool:
        if await self.cancel_in_book(symbol, client_order_id):
            return True
        stop = await self._algo_row(clientAlgoId=client_order_id)
        became = None if stop is None else optional_text(stop, "actualOrderId")
        if became is None:
            return False
        try:
            parameters = {"symbol": self._book.ids[symbol], "orderId": became}
            answer = await self._vendor.ask("fapiPrivateDeleteOrder", parameters, asking=False)
        except NoSuchOrder:
            return False
        text(row_of(answer, "a cancelled order"), "orderId")
        return True

    async def order(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        try:
            found = await self.order_in_book(symbol, origClientOrderId=client_order_id)
        except NoSuchOrder:
            stop = await self._algo_row(clientAlgoId=client_order_id)
            return None if stop is None else await self._followed(stop, symbol)
        return replace(found, client_order_id=client_order_id)

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueOrder | None:
        if venue_order_id.startswith(WAITING):
            stop = await self._algo_row(algoId=venue_order_id.removeprefix(WAITING))
            return None if stop is None else await self._followed(stop, symbol)
        try:
            found = await self.order_in_book(symbol, orderId=venue_order_id)
        except NoSuchOrder:
            return None
        if (found.client_order_id or "").startswith(ORDER_PREFIX):
            return found
        return await self._with_id_of_its_stop(found)

    async def _with_id_of_its_stop(self, found: VenueOrder) -> VenueOrder:
        """An order that a stop became, under the stop's id; one that was none stays as it is."""
        rows = rows_of(
            await self._vendor.ask(
                "fapiPrivateGetAllAlgoOrders", {"symbol": self._book.ids[found.symbol], "limit": MOST_ROWS}
            ),
            "the stops",
        )
        for row in rows:
            if optional_text(row, "actualOrderId") == found.venue_order_id:
                return replace(found, client_order_id=text(row, "clientAlgoId"))
        return found

    async def open_orders(self) -> Sequence[VenueOrder]:
        """Those that wait for a trigger, then those of the book: one that moves over in between is told twice, not
        left out. A foreign stop that closes whatever is there has no quantity and is not told."""
        waiting = rows_of(await self._vendor.ask("fapiPrivateGetOpenAlgoOrders"), "the open stops")
        named = [(row, self._book.symbol(text(row, "symbol"))) for row in waiting if not flag(row, "closePosition")]
        stops = [self._waiting_of(row, symbol) for row, symbol in named if symbol is not None]
        book = await self.open_in_book()
        return [*stops, *(order for order in book if order.client_order_id not in _ids(stops))]

    def orders_of(self, rows: Sequence[Row]) -> list[VenueOrder]:
        return super().orders_of([row for row in rows if not flag(row, "closePosition")])

    async def _algo_row(self, **named: str) -> Row | None:
        try:
            return row_of(await self._vendor.ask("fapiPrivateGetAlgoOrder", named), "a stop")
        except NoSuchOrder:
            return None

    async def _followed(self, row: Row, symbol: str) -> VenueOrder:
        """A stop, or the order of the book that it became, under the stop's id."""
        became = optional_text(row, "actualOrderId")
        if became is None:
            return self._waiting_of(row, symbol)
        try:
            found = await self.order_in_book(symbol, orderId=became)
        except NoSuchOrder:
            found = None
        if found is None:
            raise VenueUnavailable(f"the order {became} that a stop in {symbol} became is not told of")
        return replace(found, client_order_id=text(row, "clientAlgoId"), reduce_only=flag(row, "reduceOnly"))

    def _waiting_of(self, row: Row, symbol: str) -> VenueOrder:
        now = state(row, "algoStatus", _ALGO_STATES)
        if now is OrderState.FILLED:
            raise VenueUnavailable(f"a stop in {symbol} has ended, and what it became is not told")
        with whole(f"a stop in {symbol}"):
            return VenueOrder(
                symbol=symbol,
                venue_order_id=f"{WAITING}{text(row, 'algoId')}",
                client_order_id=optional_text(row, "clientAlgoId"),
                side=side(row),
                state=now,
                quantity=amount(row, "quantity"),
                filled=Decimal(0),
                at=moment(row, "updateTime", "createTime"),
                reduce_only=flag(row, "reduceOnly"),
            )

    def trade_side(self, row: Row) -> Side:
        return side(row)

    async def payments(self, since: datetime, now: datetime) -> Sequence[Payment]:
        found: dict[str, Payment] = {}
        for start, end in windows(since, now, _WEEK):
            for row in await self._incomes(start, end):
                paid = self._payment_of(row)
                if paid is not None:
                    found[paid.payment_id] = paid
        return tuple(found.values())

    async def _incomes(self, start: int, end: int | None) -> Sequence[Row]:
        """One window's rows; where it is too full, on from the time of the last, which is then told twice."""
        found: list[Row] = []
        for _ in pages():
            within = {"startTime": start} if end is None else {"startTime": start, "endTime": end}
            answer = await self._vendor.ask("fapiPrivateGetIncome", {**within, "limit": MOST_ROWS})
            rows = rows_of(answer, "the income")
            found += rows
            if len(rows) < MOST_ROWS:
                break
            last = max(to_ms(moment(row, "time")) for row in rows)
            if last <= start:
                raise VenueUnavailable(f"more than {MOST_ROWS} incomes at one moment cannot be told apart")
            start = last
        return found

    def _payment_of(self, row: Row) -> Payment | None:
        kind = text(row, "incomeType")
        if kind in _TOLD_WITH_THE_FILL:
            return None
        venue_id = optional_text(row, "symbol")
        return Payment(
            payment_id=f"{kind}-{text(row, 'tranId')}",
            kind=_PAYMENTS.get(kind, "other"),
            symbol=None if venue_id is None else self._book.symbol(venue_id),
            currency=text(row, "asset"),
            amount=amount(row, "income"),
            at=moment(row, "time"),
        )

    async def holdings(self, now: datetime) -> Holdings:
        """Wallets, where profit is once it is realized, and the position of every traded instrument, 0 included: the
        older route is asked because a list that leaves out what is flat cannot be told from one that is cut short."""
        account = row_of(await self._vendor.ask("fapiPrivateV3GetAccount"), "the account")
        assets = rows_of(inner(account, "assets"), "the wallets")
        if not assets:
            raise VenueUnavailable("the account names no wallet at all, not even one of 0")
        wallets = {text(row, "asset"): amount(row, "walletBalance") for row in assets}
        positions = {symbol: amount(row, "positionAmt") for symbol, row in (await self._positions()).items()}
        return Holdings(
            at=now,
            totals={asset: held for asset, held in wallets.items() if held},
            positions={symbol: held for symbol, held in positions.items() if held},
        )

    async def _positions(self) -> Mapping[str, Row]:
        rows = rows_of(await self._vendor.ask("fapiPrivateV2GetPositionRisk"), "the positions")
        found: dict[str, Row] = {}
        for row in rows:
            symbol = self._book.symbol(text(row, "symbol"))
            if symbol is None:
                continue
            if optional_text(row, "positionSide") not in (None, "BOTH"):
                raise VenueUnavailable(f"the position in {symbol} is one of two sides; the account left one-way mode")
            found[symbol] = row
        missing = sorted(set(self._book.ids) - set(found))
        if missing:
            raise VenueUnavailable(f"the positions lack {', '.join(missing)}; a position not told is not flat")
        return found

    async def settings(self) -> Settings:
        answer = row_of(await self._vendor.ask("fapiPrivateGetPositionSideDual"), "the position mode")
        inner(answer, "dualSidePosition")
        if flag(answer, "dualSidePosition"):
            return Settings(both_sides=True, leverage={})
        rows = await self._positions()
        return Settings(both_sides=False, leverage={symbol: amount(row, "leverage") for symbol, row in rows.items()})


def _ids(orders: Sequence[VenueOrder]) -> frozenset[str]:
    return frozenset(order.client_order_id for order in orders if order.client_order_id is not None)
