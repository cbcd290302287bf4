"""The instruments of one venue by our names, by the vendor library's and by the venue's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from domain.errors import InvalidInput, VenueRejected, VenueUnavailable
from domain.orders import OrderKind
from venues.answers import decimal, plain, whole
from venues.records import MarketKind, OrderRequest, VenueMarket

ONE = Decimal(1)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Book:
    """The traded instruments: `markets` by our symbol, `ids` the venue's own name of each."""

    markets: Mapping[str, VenueMarket]
    ids: Mapping[str, str]

    def market(self, symbol: str) -> VenueMarket:
        if symbol not in self.markets:
            known = ", ".join(sorted(self.markets))
            raise InvalidInput(f"{symbol} is not among the instruments of this account ({known})")
        return self.markets[symbol]

    def symbol(self, venue_id: str) -> str | None:
        """Our symbol for the venue's own name; None for what is not traded here."""
        return next((symbol for symbol, each in self.ids.items() if each == venue_id), None)

    def settled_in(self) -> Sequence[str]:
        """The quote currencies, each once, in a fixed order."""
        return sorted({market.quote for market in self.markets.values()})


def book_of(listed: Iterable[Mapping[str, Any]], symbols: Sequence[str], kind: MarketKind, venue: str) -> Book:
    """The book of `symbols` from the vendor's `listed` markets; raises `InvalidInput` naming those not traded.

    A list with nothing tradable in it is `VenueUnavailable`: it says nothing about any instrument.
    """
    tradable: dict[str, list[Mapping[str, Any]]] = {}
    for each in listed:
        if _traded(each, kind):
            tradable.setdefault(f"{each['base']}{each['quote']}", []).append(each)
    if not tradable:
        raise VenueUnavailable(f"the list of what {venue} trades ({kind}) is empty")
    missing = [symbol for symbol in symbols if len(tradable.get(symbol, ())) != 1]
    if missing:
        shown = ", ".join(sorted(tradable)[:8])
        raise InvalidInput(
            f"{venue} does not trade {', '.join(missing)} ({kind}); it has {len(tradable)} instruments such as {shown}"
        )
    chosen = {symbol: tradable[symbol][0] for symbol in dict.fromkeys(symbols)}
    return Book(
        markets={symbol: _market(symbol, each) for symbol, each in chosen.items()},
        ids={symbol: str(each["id"]) for symbol, each in chosen.items()},
    )


def demand_fit(request: OrderRequest, market: VenueMarket) -> None:
    """Raise `VenueRejected` for an order that would have to be rounded, or that lacks or has too many prices."""
    _whole_steps(request, "quantity", request.quantity, market.lot)
    if request.quantity < market.min_quantity:
        raise VenueRejected(f"{request.client_order_id}: {request.quantity} is less than {market.min_quantity}")
    limited = request.kind in (OrderKind.LIMIT, OrderKind.STOP_LIMIT)
    stopped = request.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
    if (request.limit_price is not None) != limited or (request.stop_price is not None) != stopped:
        raise VenueRejected(f"{request.client_order_id}: a {request.kind} order with the wrong prices was not sent")
    for name, price in (("limit price", request.limit_price), ("stop price", request.stop_price)):
        if price is not None:
            _whole_steps(request, name, price, market.tick)


def contracts(quantity: Decimal, market: VenueMarket) -> str:
    """A base quantity in the venue's own unit, for the wire."""
    return plain(quantity / market.contract_size)


def _whole_steps(request: OrderRequest, name: str, value: Decimal, step: Decimal) -> None:
    if not value.is_finite() or value <= 0 or value % step:
        raise VenueRejected(
            f"{request.client_order_id}: the {name} {value} is no multiple of {step} above 0 and was not sent rounded"
        )


def _traded(each: Mapping[str, Any], kind: MarketKind) -> bool:
    if each.get("active") is False or not each.get("base") or not each.get("quote"):
        return False
    if kind is MarketKind.SPOT:
        return each.get("spot") is True
    return each.get("swap") is True and each.get("linear") is True and each.get("settle") == each.get("quote")


def _market(symbol: str, each: Mapping[str, Any]) -> VenueMarket:
    size = _number(each.get("contractSize")) or ONE
    limits, precision = each["limits"], each["precision"]
    lot = _needed(symbol, "lot", precision["amount"]) * size
    market_most = _number(limits.get("market", {}).get("max"))
    with whole(f"the market {symbol}"):
        return VenueMarket(
            symbol=symbol,
            vendor_symbol=str(each["symbol"]),
            base=str(each["base"]),
            quote=str(each["quote"]),
            tick=_needed(symbol, "tick", precision["price"]),
            lot=lot,
            min_quantity=(_number(limits["amount"].get("min")) or ZERO) * size or lot,
            min_notional=_number(limits["cost"].get("min")) or ZERO,
            taker_fee=_needed(symbol, "taker fee", each.get("taker")),
            maker_fee=_needed(symbol, "maker fee", each.get("maker")),
            contract_size=size,
            max_leverage=max(ONE, _number(limits.get("leverage", {}).get("max")) or ONE),
            market_lot=market_most * size if market_most else None,
        )


def _needed(symbol: str, name: str, value: object) -> Decimal:
    number = _number(value)
    if number is None:
        raise VenueUnavailable(f"the venue's list of markets names no {name} of {symbol}")
    return number


def _number(value: object) -> Decimal | None:
    return None if value is None else decimal(value, "of a market")
