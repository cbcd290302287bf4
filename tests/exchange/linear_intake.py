"""Reading futures orders: which parameters they need, and the rules of their symbol."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from exchange.ledger import LINEAR, Account, AlgoOrder, Order
from exchange.shared_world import World
from exchange.spot import CLIENT_ID
from exchange.symbols import Rules
from exchange.wire import ZERO, Refusal, flag, needed, needed_number, plain

CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"})
LIMITED = frozenset({"LIMIT", "STOP", "TAKE_PROFIT"})
TIMES_IN_FORCE = frozenset({"GTC", "IOC", "FOK", "GTX"})


def read_order(world: World, account: Account, parameters: Mapping[str, str]) -> Order:
    """A market or limit order; conditional ones have routes of their own."""
    symbol, side, kind = _named(world, parameters)
    if kind in CONDITIONAL:
        text = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
        raise Refusal(-4120, text)
    if kind not in ("MARKET", "LIMIT"):
        raise Refusal(-1116, "Invalid orderType.")
    now = world.now()
    return Order(
        LINEAR,
        symbol,
        0,
        _client_id(world, parameters, "newClientOrderId"),
        account.name,
        side,
        kind,
        needed_number(parameters, "quantity"),
        price=needed_number(parameters, "price") if kind == "LIMIT" else ZERO,
        time_in_force=_time_in_force(parameters) if kind == "LIMIT" else "GTC",
        created=now,
        updated=now,
        reduce_only=flag(parameters, "reduceOnly"),
    )


def read_algo(world: World, account: Account, parameters: Mapping[str, str]) -> AlgoOrder:
    if needed(parameters, "algoType") != "CONDITIONAL":
        raise Refusal(-1130, "Data sent for parameter 'algoType' is not valid.")
    symbol, side, kind = _named(world, parameters)
    if kind not in CONDITIONAL:
        raise Refusal(-1116, "Invalid orderType.")
    closes, reduces = flag(parameters, "closePosition"), flag(parameters, "reduceOnly")
    if closes and (parameters.get("quantity") or reduces or kind in LIMITED):
        raise Refusal(-4136, "Target strategy invalid for orderType, closePosition true.")
    now = world.now()
    algo = AlgoOrder(
        0,
        _client_id(world, parameters, "clientAlgoId"),
        account.name,
        symbol,
        side,
        kind,
        ZERO if closes else needed_number(parameters, "quantity"),
        needed_number(parameters, "triggerPrice"),
        price=needed_number(parameters, "price") if kind in LIMITED else ZERO,
        time_in_force=_time_in_force(parameters) if parameters.get("timeInForce") else "GTC",
        reduce_only=reduces,
        close_position=closes,
        working_type=parameters.get("workingType") or "CONTRACT_PRICE",
        created=now,
        updated=now,
    )
    rules = world.rules(LINEAR, symbol)
    if not closes:
        _check_quantity(algo.quantity, rules)
    if algo.trigger_price % rules.tick or algo.price % rules.tick:
        raise Refusal(-4014, "Price not increased by tick size.")
    if algo.trigger_price == 0:
        raise Refusal(-4006, "Stop price less than or equal to zero.")
    return algo


def check_filters(world: World, order: Order, rules: Rules) -> None:
    _check_quantity(order.quantity, rules)
    if order.price % rules.tick:
        raise Refusal(-4014, "Price not increased by tick size.")
    if order.kind == "LIMIT" and order.price == 0:
        raise Refusal(-4001, "Price less than or equal to zero.")
    last = world.market(order.symbol).last
    if last and order.price > last * rules.band:
        raise Refusal(-4016, f"Limit price can't be higher than {plain(last * rules.band)}.")
    if last and order.price and order.price < last / rules.band:
        raise Refusal(-4024, f"Limit price can't be lower than {plain(last / rules.band)}.")
    worth = order.quantity * (order.price or last)
    if worth and worth < rules.min_notional and not order.reduce_only:
        least = plain(rules.min_notional)
        raise Refusal(-4164, f"Order's notional must be no smaller than {least} (unless you choose reduce only).")


def _check_quantity(quantity: Decimal, rules: Rules) -> None:
    if quantity <= 0:
        raise Refusal(-4003, "Quantity less than or equal to zero.")
    if quantity % rules.step:
        raise Refusal(-1111, "Precision is over the maximum defined for this asset.")
    if quantity > rules.max_quantity:
        raise Refusal(-4005, "Quantity greater than max quantity.")


def _named(world: World, parameters: Mapping[str, str]) -> tuple[str, str, str]:
    symbol = needed(parameters, "symbol")
    world.rules(LINEAR, symbol)
    side, kind = needed(parameters, "side"), needed(parameters, "type")
    if side not in ("BUY", "SELL"):
        raise Refusal(-1117, "Invalid side.")
    if parameters.get("positionSide", "BOTH") != "BOTH":
        raise Refusal(-4061, "Order's position side does not match user's setting.")
    return symbol, side, kind


def _client_id(world: World, parameters: Mapping[str, str], name: str) -> str:
    client_id = parameters.get(name) or f"auto{world.next_id('client', LINEAR, '')}"
    if not CLIENT_ID.fullmatch(client_id):
        raise Refusal(-4015, "Client order id is not valid.")
    return client_id


def _time_in_force(parameters: Mapping[str, str]) -> str:
    given = needed(parameters, "timeInForce")
    if given not in TIMES_IN_FORCE:
        raise Refusal(-1115, "Invalid timeInForce.")
    return given
