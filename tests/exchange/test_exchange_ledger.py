"""The books balance whatever is done, and the arithmetic is the one that is written down."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from exchange.core import Exchange
from exchange.ledger import Position, cut
from exchange.wire import Refusal
from hypothesis import given
from hypothesis import strategies as st

AMOUNTS = st.integers(1, 500).map(lambda steps: Decimal(steps) / 1000)
PRICES = st.integers(4_000_000, 6_000_000).map(lambda cents: Decimal(cents) / 100)
SIDES = st.sampled_from(["BUY", "SELL"])
ROUNDING = Fraction(1, 10**6)
"""What rounding may cost over a run of executions, in quote currency."""


def at_noon() -> Exchange:
    exchange = Exchange(clock_ms=lambda: 1_700_000_000_000, funds={"USDT": "1000000", "BTC": "10"}, wallet="1000000")
    exchange.trade_at("BTCUSDT", "50000")
    return exchange


def refused(deed: Callable[[], object]) -> int:
    """The code with which it was refused; 0 where it was not."""
    try:
        deed()
    except Refusal as refusal:
        return refusal.code
    return 0


@given(st.lists(st.tuples(SIDES, AMOUNTS, PRICES), min_size=1, max_size=20))
def test_a_position_and_its_profit_are_those_of_the_cash_that_flowed(runs: list[tuple[str, Decimal, Decimal]]) -> None:
    position, realized, cash, amount = Position(), Fraction(0), Fraction(0), Decimal(0)
    for side, quantity, price in runs:
        realized += Fraction(position.apply(side, quantity, price))
        signed = quantity if side == "BUY" else -quantity
        amount += signed
        cash -= Fraction(signed) * Fraction(price)
        assert position.amount == amount
        assert abs(cash + Fraction(amount) * Fraction(position.entry) - realized) < ROUNDING


@given(
    st.lists(
        st.tuples(SIDES, st.sampled_from(["MARKET", "LIMIT", "STOP_LOSS", "TAKE_PROFIT"]), AMOUNTS, PRICES, PRICES),
        max_size=15,
    )
)
def test_spot_money_is_only_moved_by_executions_and_locked_by_open_orders(
    runs: list[tuple[str, str, Decimal, Decimal, Decimal]],
) -> None:
    exchange = at_noon()
    account = exchange.world.accounts["main"]
    for side, kind, quantity, price, traded in runs:
        order = {"symbol": "BTCUSDT", "side": side, "type": kind, "quantity": str(quantity)}
        order |= {"price": str(price), "timeInForce": "GTC"} if kind == "LIMIT" else {}
        order |= {"stopPrice": str(price)} if kind in ("STOP_LOSS", "TAKE_PROFIT") else {}
        assert refused(lambda order=order: exchange.spot.place(account, order)) in (0, -2010, -1013)
        exchange.trade_at("BTCUSDT", traded, most=Decimal("0.2"))
        base, quote = Decimal(10), Decimal(1000000)
        for trade in account.trades:
            paid = cut(trade.quantity * trade.price)
            fee = cut((trade.quantity if trade.side == "BUY" else paid) * Decimal("0.001"))
            base += trade.quantity - fee if trade.side == "BUY" else -trade.quantity
            quote += -paid if trade.side == "BUY" else paid - fee
        held = {asset: account.balance(asset) for asset in ("BTC", "USDT")}
        assert (held["BTC"].total, held["USDT"].total) == (base, quote)
        open_orders = [order for order in account.orders if order.open]
        assert held["BTC"].locked == sum((o.left for o in open_orders if not o.buys), Decimal(0))
        assert held["USDT"].locked == sum((o.locked for o in open_orders if o.buys), Decimal(0))
        assert min(each for balance in held.values() for each in (balance.free, balance.locked)) >= 0


@given(st.lists(st.tuples(SIDES, AMOUNTS, PRICES, st.booleans()), max_size=20))
def test_the_wallet_is_the_sum_of_its_incomes_and_positions_of_their_executions(
    runs: list[tuple[str, Decimal, Decimal, bool]],
) -> None:
    exchange = at_noon()
    account = exchange.world.accounts["main"]
    for side, quantity, price, reduces in runs:
        order = {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": str(quantity)}
        before = account.position("BTCUSDT").amount
        order |= {"reduceOnly": str(reduces).lower()}
        assert refused(lambda order=order: exchange.linear.place(account, order)) in (0, -2022, -4164)
        after = account.position("BTCUSDT").amount
        assert not reduces or (abs(after) <= abs(before) and after * before >= 0)
        exchange.trade_at("BTCUSDT", price)
    assert account.wallet == 1000000 + sum((income.amount for income in account.incomes), Decimal(0))
    signed = sum((t.quantity if t.side == "BUY" else -t.quantity for t in account.trades), Decimal(0))
    assert account.position("BTCUSDT").amount == signed


def test_the_same_deeds_make_the_same_ledger() -> None:
    def story() -> dict[str, object]:
        exchange = at_noon()
        for price in ("49000", "51000", "50500"):
            exchange.incidents.inject_order("spot", "BTCUSDT", "BUY", "0.01", "49500")
            exchange.incidents.inject_order("linear", "BTCUSDT", "SELL", "0.01")
            exchange.trade_at("BTCUSDT", price)
        return exchange.ledger()

    assert story() == story()
