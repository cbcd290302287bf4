"""OKX's words (API v5) for spot and linear swaps; stops are algo orders with a list of their own.

Sources: www.okx.com/docs-v5, Place order, Place algo order, Order details, Fill details, Bills details; fields as in
the comments of ccxt 4.5.90. Tried offline only: what is sent was captured, what comes back was never received.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.errors import VenueRejected, VenueUnavailable
from domain.orders import OrderState
from venues.answers import (
    Row,
    amount,
    flag,
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
    to_ms,
    whole,
)
from venues.book import Book, contracts
from venues.errors import NoSuchOrder
from venues.records import Holdings, KeyRights, MarketKind, OrderRequest, Payment, VenueOrder, VenueTrade
from venues.vendor import Vendor
from venues.words import Settings, as_far_as_filled, pages

WAITING = "algo-"
"""What the venue's number of a waiting stop is marked with: it may equal the number of an order in the book."""
_STATES: Mapping[str, OrderState] = {
    "live": OrderState.ACCEPTED,
    "partially_filled": OrderState.PARTIALLY_FILLED,
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELLED,
    "mmp_canceled": OrderState.CANCELLED,
}
_ALGO_STATES: Mapping[str, OrderState] = {
    "live": OrderState.ACCEPTED,
    "pause": OrderState.ACCEPTED,
    "partially_effective": OrderState.ACCEPTED,
    "effective": OrderState.FILLED,
    "canceled": OrderState.CANCELLED,
    "order_failed": OrderState.REJECTED,
    "partially_failed": OrderState.REJECTED,
}
_STOP_KINDS = ("conditional", "oco", "trigger")
_RECENT = timedelta(days=3)
_BILLS_RECENT = timedelta(days=7)
_FUNDING_BILL, _TRANSFER_BILL, _TRADE_BILLS = "8", "1", frozenset({"2", "3", "5", "9"})
_MOST = 100
_RIGHTS_ROUTE = "GET /api/v5/account/config"


class Okx:
    """Spot in cash, or linear swaps in cross margin and net mode."""

    def __init__(self, vendor: Vendor, book: Book, market: MarketKind) -> None:
        self._vendor = vendor
        self._book = book
        self._spot = market is MarketKind.SPOT
        self._kind = "SPOT" if self._spot else "SWAP"

    async def place(self, request: OrderRequest) -> VenueOrder:
        parameters: dict[str, object] = {
            **self._named(request.symbol),
            "tdMode": "cash" if self._spot else "cross",
            "side": request.side.value,
            "sz": contracts(request.quantity, self._book.market(request.symbol)),
            "clOrdId": request.client_order_id,
        }
        if self._spot and request.limit_price is None:
            parameters["tgtCcy"] = "base_ccy"
        if not self._spot:
            parameters["reduceOnly"] = request.reduce_only
        if request.stop_price is not None:
            return await self._place_stop(request, request.stop_price, parameters)
        parameters["ordType"] = "market"
        if request.limit_price is not None:
            parameters |= {"px": plain(request.limit_price), "ordType": "ioc" if request.at_once else "limit"}
        made = self._made(await self._vendor.ask("privatePostTradeOrder", parameters, asking=False))
        return self._taken(request, text(made, "ordId"), made)

    async def _place_stop(self, request: OrderRequest, price: Decimal, parameters: dict[str, object]) -> VenueOrder:
        # clOrdId stays too: without one the vendor library adds an id and a tag of its own.
        parameters |= {
            "algoClOrdId": request.client_order_id,
            "ordType": "trigger",
            "triggerPx": plain(price),
            "triggerPxType": "last",
            "orderPx": "-1" if request.limit_price is None else plain(request.limit_price),
        }
        answer = await self._vendor.ask("privatePostTradeOrderAlgo", parameters, asking=False)
        made = self._made(answer)
        return self._taken(request, f"{WAITING}{text(made, 'algoId')}", made)

    def _taken(self, request: OrderRequest, venue_order_id: str, made: Row) -> VenueOrder:
        """The venue only says that it took the order; what becomes of it is asked for."""
        said = optional_text(made, "clOrdId") or optional_text(made, "algoClOrdId")
        if said not in (None, request.client_order_id):
            raise VenueUnavailable("the answer to a new order is about another one")
        at = moment(made, "ts") if optional_text(made, "ts") else self._vendor.now
        return VenueOrder(
            symbol=request.symbol,
            venue_order_id=venue_order_id,
            client_order_id=request.client_order_id,
            side=request.side,
            state=OrderState.ACCEPTED,
            quantity=request.quantity,
            filled=Decimal(0),
            at=at,
            reduce_only=request.reduce_only,
        )

    async def cancel(self, symbol: str, client_order_id: str) -> bool:
        """A stop first, because it may become an order of the book in between, not the reverse."""
        stop = await self._algo_row(algoClOrdId=client_order_id)
        if stop is not None and await self._cancel_stop(symbol, text(stop, "algoId")):
            return True
        became = None if stop is None else optional_text(stop, "ordId")
        named = {"clOrdId": client_order_id} if became is None else {"ordId": became}
        try:
            parameters = {**self._named(symbol), **named}
            answer = await self._vendor.ask("privatePostTradeCancelOrder", parameters, asking=False)
            text(self._made(answer), "ordId")
        except NoSuchOrder:
            return False
        return True

    async def _cancel_stop(self, symbol: str, algo_id: str) -> bool:
        try:
            listed = [{**self._named(symbol), "algoId": algo_id}]
            self._made(await self._vendor.ask("privatePostTradeCancelAlgos", listed, asking=False))
        except NoSuchOrder:
            return False
        return True

    async def order(self, symbol: str, client_order_id: str) -> VenueOrder | None:
        found = await self._in_book(symbol, clOrdId=client_order_id)
        if found is not None:
            return found
        stop = await self._algo_row(algoClOrdId=client_order_id)
        return None if stop is None else await self._followed(stop, symbol)

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueOrder | None:
        if venue_order_id.startswith(WAITING):
            stop = await self._algo_row(algoId=venue_order_id.removeprefix(WAITING))
            return None if stop is None else await self._followed(stop, symbol)
        return await self._in_book(symbol, ordId=venue_order_id)

    async def _in_book(self, symbol: str, **named: str) -> VenueOrder | None:
        try:
            answer = await self._vendor.ask("privateGetTradeOrder", {**self._named(symbol), **named})
        except NoSuchOrder:
            return None
        return self._order_of(self._one(answer), symbol)

    async def _algo_row(self, **named: str) -> Row | None:
        try:
            return self._one(await self._vendor.ask("privateGetTradeOrderAlgo", named))
        except NoSuchOrder:
            return None

    async def _followed(self, row: Row, symbol: str) -> VenueOrder:
        """A stop, or the order of the book that it became, under the stop's id."""
        became = optional_text(row, "ordId")
        if became is None or state(row, "state", _ALGO_STATES) is not OrderState.FILLED:
            return self._waiting_of(row, symbol)
        found = await self._in_book(symbol, ordId=became)
        if found is None:
            raise VenueUnavailable(f"the order {became} that a stop in {symbol} became is not told of")
        return replace(found, client_order_id=text(row, "algoClOrdId"))

    async def open_orders(self) -> Sequence[VenueOrder]:
        """Those that wait for a trigger, then those of the book: one that moves over in between is told twice."""
        stops: list[VenueOrder] = []
        for kind in _STOP_KINDS:
            parameters = {"instType": self._kind, "ordType": kind}
            rows = await self._all("privateGetTradeOrdersAlgoPending", parameters, "algoId")
            # A foreign stop on a fraction of the position has no quantity.
            sized = [row for row in rows if optional_text(row, "sz") is not None]
            named = [(row, self._book.symbol(text(row, "instId"))) for row in sized]
            stops += [self._waiting_of(row, symbol) for row, symbol in named if symbol is not None]
        rows = await self._all("privateGetTradeOrdersPending", {"instType": self._kind}, "ordId")
        named = [(row, self._book.symbol(text(row, "instId"))) for row in rows]
        return [*stops, *(self._order_of(row, symbol) for row, symbol in named if symbol is not None)]

    def _order_of(self, row: Row, symbol: str) -> VenueOrder:
        market = self._book.market(symbol)
        filled = (optional_amount(row, "accFillSz") or Decimal(0)) * market.contract_size
        with whole(f"an order in {symbol}"):
            return VenueOrder(
                symbol=symbol,
                venue_order_id=text(row, "ordId"),
                # An order that a stop became carries the stop's id, and its own only where it was given one.
                client_order_id=optional_text(row, "algoClOrdId") or optional_text(row, "clOrdId"),
                side=side(row),
                state=as_far_as_filled(state(row, "state", _STATES), filled),
                quantity=amount(row, "sz") * market.contract_size,
                filled=filled,
                at=moment(row, "uTime", "cTime"),
                reduce_only=flag(row, "reduceOnly"),
            )

    def _waiting_of(self, row: Row, symbol: str) -> VenueOrder:
        now = state(row, "state", _ALGO_STATES)
        if now is OrderState.FILLED:
            raise VenueUnavailable(f"a stop in {symbol} has ended, and what it became is not told")
        with whole(f"a stop in {symbol}"):
            return VenueOrder(
                symbol=symbol,
                venue_order_id=f"{WAITING}{text(row, 'algoId')}",
                client_order_id=optional_text(row, "algoClOrdId"),
                side=side(row),
                state=now,
                quantity=amount(row, "sz") * self._book.market(symbol).contract_size,
                filled=Decimal(0),
                at=moment(row, "uTime", "cTime"),
                reduce_only=flag(row, "reduceOnly"),
            )

    async def trades(self, symbol: str, since: datetime, now: datetime) -> Sequence[VenueTrade]:
        route = "privateGetTradeFills" if now - since < _RECENT else "privateGetTradeFillsHistory"
        parameters = {"instType": self._kind, **self._named(symbol), "begin": str(to_ms(since))}
        return [self._trade_of(row, symbol) for row in await self._all(route, parameters, "billId")]

    def _trade_of(self, row: Row, symbol: str) -> VenueTrade:
        with whole(f"an execution in {symbol}"):
            return VenueTrade(
                # Numbers of executions are unique within one instrument only.
                trade_id=f"{symbol}-{text(row, 'tradeId')}",
                venue_order_id=text(row, "ordId"),
                symbol=symbol,
                side=side(row),
                quantity=amount(row, "fillSz") * self._book.market(symbol).contract_size,
                price=amount(row, "fillPx"),
                fee=-amount(row, "fee"),
                fee_currency=text(row, "feeCcy"),
                at=moment(row, "fillTime", "ts"),
            )

    async def payments(self, since: datetime, now: datetime) -> Sequence[Payment]:
        if self._spot:
            return ()
        route = "privateGetAccountBills" if now - since < _BILLS_RECENT else "privateGetAccountBillsArchive"
        rows = await self._all(route, {"begin": str(to_ms(since))}, "billId")
        return [self._payment_of(row) for row in rows if text(row, "type") not in _TRADE_BILLS]

    def _payment_of(self, row: Row) -> Payment:
        kinds = {_FUNDING_BILL: "funding", _TRANSFER_BILL: "deposit"}
        venue_id = optional_text(row, "instId")
        return Payment(
            payment_id=text(row, "billId"),
            kind=kinds.get(text(row, "type"), "other"),
            symbol=None if venue_id is None else self._book.symbol(venue_id),
            currency=text(row, "ccy"),
            amount=amount(row, "balChg"),
            at=moment(row, "ts"),
        )

    async def holdings(self, now: datetime) -> Holdings:
        account = self._one(await self._vendor.ask("privateGetAccountBalance"))
        rows = rows_of(inner(account, "details"), "the balances")
        if not rows:
            raise VenueUnavailable("the account names no balance at all, not even of 0")
        totals = {text(row, "ccy"): amount(row, "cashBal") for row in rows}
        held = {currency: total for currency, total in totals.items() if total}
        positions = {} if self._spot else await self._positions()
        return Holdings(at=now, totals=held, positions=positions)

    async def _positions(self) -> dict[str, Decimal]:
        rows = self._data(await self._vendor.ask("privateGetAccountPositions", {"instType": self._kind}))
        found: dict[str, Decimal] = {}
        for row in rows:
            symbol = self._book.symbol(text(row, "instId"))
            size = amount(row, "pos")
            if symbol is None or not size:
                continue
            if optional_text(row, "posSide") not in (None, "net"):
                raise VenueUnavailable(f"the position in {symbol} is one of two sides; the account left net mode")
            found[symbol] = size * self._book.market(symbol).contract_size
        return found

    async def rights(self) -> KeyRights:
        account = self._one(await self._vendor.ask("privateGetAccountConfig"))
        said = optional_text(account, "perm")
        if said is None:
            return KeyRights(trade=None, withdraw=None, transfer=None, said_by=f"{_RIGHTS_ROUTE} names no rights")
        rights = {right.strip() for right in said.split(",")}
        # The right to withdraw includes funds transfers out of the account; a right to transfer alone does not exist.
        withdraw = "withdraw" in rights
        return KeyRights(trade="trade" in rights, withdraw=withdraw, transfer=withdraw, said_by=_RIGHTS_ROUTE)

    async def settings(self) -> Settings:
        account = self._one(await self._vendor.ask("privateGetAccountConfig"))
        return Settings(both_sides=not self._spot and text(account, "posMode") != "net_mode", leverage={})

    def _named(self, symbol: str) -> dict[str, str]:
        return {"instId": self._book.ids[symbol]}

    async def _all(self, route: str, parameters: Mapping[str, str], number: str) -> list[Row]:
        """Every page of a list that is told newest first."""
        found: list[Row] = []
        after: str | None = None
        for _ in pages():
            at = {} if after is None else {"after": after}
            rows = self._data(await self._vendor.ask(route, {**parameters, "limit": str(_MOST), **at}))
            found += rows
            if len(rows) < _MOST:
                break
            if text(rows[-1], number) == after:
                raise VenueUnavailable(f"the list of {route} does not go on after {after}")
            after = text(rows[-1], number)
        return found

    @staticmethod
    def _data(answer: object) -> Sequence[Row]:
        return rows_of(inner(row_of(answer, "an answer"), "data"), "the data of an answer")

    def _one(self, answer: object) -> Row:
        rows = self._data(answer)
        if len(rows) != 1:
            raise VenueUnavailable(f"{len(rows)} rows where one was asked for")
        return rows[0]

    def _made(self, answer: object) -> Row:
        """The one row of an answer to something that was to be done; its own code says whether it was."""
        row = self._one(answer)
        code = optional_text(row, "sCode")
        if code is None:
            raise VenueUnavailable("the answer does not say whether it was done")
        if code != "0":
            raise VenueRejected(f"refused with the code {code}: {optional_text(row, 'sMsg') or ''}")
        return row
