"""Portfolios, orders and limits for property tests, and the limits computed apart from the rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st
from risk_builders import D, pair, proposal, share

from domain.instruments import AssetClass, Instrument
from domain.orders import Side
from risk.accounts import AccountRules, Jurisdiction, LeverageClass, rules_of
from risk.limits import ALLOWED, Limits
from risk.snapshot import Exposure, Proposal, Snapshot

INSTRUMENTS = (
    pair("EUR", "USD"),
    pair("GBP", "USD"),
    pair("USD", "JPY"),
    pair("EUR", "GBP"),
    pair("USD", "EUR"),
    pair(
        "BTC",
        "USD",
        asset_class=AssetClass.CRYPTO,
        lot=D("0.00001"),
        min_quantity=D("0.00001"),
        max_leverage=D(1),
        min_notional=D(10),
    ),
    pair(
        "XAU",
        "USD",
        asset_class=AssetClass.METAL,
        lot=D("0.01"),
        min_quantity=D("0.01"),
        max_leverage=D(20),
        shortable=False,
    ),
    share("TCS", "INR", max_leverage=D(2)),
    share("AAPL", "USD", lot=D(1), fee_rate=D("0.001")),
)
RATES = {"USD": D(1), "EUR": D("1.1"), "JPY": D("0.0066"), "GBP": D("1.25"), "INR": D("0.0125")}
"""Dollars for one unit of each quote currency."""
sides = st.sampled_from(Side)
instruments = st.sampled_from(INSTRUMENTS)
rates = st.sampled_from([D(1), D("0.0066"), D("1.25"), 1 / D(150), D("150.37")])


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """The defaults with up to six of them drawn anew."""
    names = draw(st.lists(st.sampled_from(sorted(ALLOWED)), max_size=6, unique=True))
    return changed_limits(draw, Limits(), names)


def changed_limits(draw: st.DrawFn, start: Limits, names: list[str]) -> Limits:
    values = {name: getattr(start, name) for name in ALLOWED}
    for name in names:
        values[name] = draw(st.sampled_from(choices(name)))
    values["risk_per_trade_min"] = min(values["risk_per_trade_min"], values["risk_per_trade_max"])
    values["bet_scale_min"] = min(values["bet_scale_min"], values["bet_scale_max"])
    return Limits(**values)


def choices(name: str) -> list[Any]:
    """A few allowed values around the default, in ascending order."""
    default, allowed = getattr(Limits(), name), ALLOWED[name]
    if default is None:
        return [D(1), D(1000), D(100000), None]
    scaled = [default * factor for factor in (D("0.1"), D("0.5"), D("0.9"), D(1), D(2), D(5))]
    cut = sorted({min(max(value, allowed.low), allowed.high) for value in scaled})
    if isinstance(default, int):
        return sorted({max(int(value), int(allowed.low)) for value in cut})
    return [value for value in cut if value > 0]


def tightened(start: Limits, name: str, data: st.DataObject) -> Limits:
    value = data.draw(st.sampled_from(choices(name)))
    now = getattr(start, name)
    if now is None:
        assume(value is not None)
    elif value is None or (value >= now if ALLOWED[name].greater_is_looser else value <= now):
        assume(False)
    together = {name: value}
    if name == "risk_per_trade_max":
        together["risk_per_trade_min"] = min(start.risk_per_trade_min, value)
    if name == "bet_scale_max":
        together["bet_scale_min"] = min(start.bet_scale_min, value)
    later = replace(start, **together)
    assert later.loosened_from(start) == ()
    return later


def around(price: D) -> st.SearchStrategy[D]:
    return st.sampled_from(["0.5", "0.8", "0.95", "1", "1", "1", "1.2", "10"]).map(lambda factor: price * D(factor))


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """An order of a drawn size; many are too large, so that the gate has something to deny."""
    side = draw(sides)
    entry = D(draw(st.integers(90, 110)))
    instrument: Instrument = draw(instruments)
    lots = draw(st.integers(1, 30) | st.integers(1, 400))
    value = D(draw(st.sampled_from([1000, 10000, 60000])))
    quantity = max(instrument.quantity(value / entry), instrument.lot) * lots / 20
    quantity = max(instrument.quantity(quantity), instrument.lot)
    distance = entry * D(draw(st.sampled_from(["0.002", "0.01", "0.05"])))
    fx_rate = RATES[instrument.quote] if instrument.base != "USD" else 1 / entry
    return {
        "instrument": instrument,
        "side": side,
        "entry_price": entry,
        "stop_price": entry - side.sign * distance,
        "target_price": entry + side.sign * 3 * distance,
        "mid": entry,
        "half_spread": D(0),
        "fx_rate": fx_rate,
        "quantity": quantity,
        "risk_amount": quantity * distance * fx_rate,
        "recent_mids": draw(st.lists(around(entry), min_size=2, max_size=7).map(tuple)),
        "correlation": draw(st.sampled_from([-0.9, 0.0, 0.0, 0.5, 0.5, 0.85])),
        "settled": draw(st.sampled_from(["filled", "in_flight", "unknown"])),
    }


def as_proposal(order: dict[str, Any], number: int, at: Snapshot) -> Proposal:
    wanted = {name: value for name, value in order.items() if name not in ("correlation", "settled")}
    correlations = dict.fromkeys(at.open_instruments, order["correlation"])
    return proposal(decision_id=f"decision-{number}", correlations=correlations, **wanted)


def as_exposure(wanted: Proposal, settled: str) -> Exposure:
    return Exposure(
        instrument=wanted.instrument,
        side=wanted.side,
        quantity=wanted.quantity,
        price=wanted.entry_price,
        fx_rate=wanted.fx_rate,
        risk=wanted.risk_amount,
        unknown=settled == "unknown",
        in_flight=settled == "in_flight",
    )


@st.composite
def accounts(draw: st.DrawFn) -> AccountRules:
    """An account of each jurisdiction and of none, with some rules of its own."""
    jurisdiction = draw(st.sampled_from(Jurisdiction))
    own: dict[str, Any] = {}
    if draw(st.booleans()):
        own["margin_close_out"] = draw(st.sampled_from([D(1), D(2), D(10)]))
    if draw(st.booleans()):
        own["margin_after_entry"] = draw(st.sampled_from([D("1.5"), D(4), D(20)]))
    for row in draw(st.lists(st.sampled_from(LeverageClass), max_size=3, unique=True)):
        own.setdefault("leverage_caps", {})[row] = draw(st.sampled_from([D("0.5"), D(1), D(2)]))
    for name in ("fifo", "no_hedge"):
        if draw(st.booleans()):
            own[name] = True
    if draw(st.booleans()):
        own["forbidden_instruments"] = draw(st.frozensets(st.sampled_from(["EURUSD", "TCS", "BTCUSD"])))
    return rules_of(jurisdiction, **own)


def settled(draw: st.DrawFn, at: Snapshot) -> Snapshot:
    """The snapshot after the venue answered some of the orders under way: filled, filled in part, or gone."""
    found: list[Exposure] = []
    for each in at.exposures:
        answer = draw(st.sampled_from(["none", "filled", "part", "gone"])) if not each.certain else "none"
        held = replace(each, unknown=False, in_flight=False)
        lot = each.instrument.lot
        if answer == "part" and each.quantity > lot:
            part = lot * draw(st.integers(1, int(each.quantity / lot) - 1))
            share_held = part / each.quantity
            found.append(replace(held, quantity=part, risk=each.risk * share_held))
            found.append(replace(each, quantity=each.quantity - part, risk=each.risk * (1 - share_held)))
        elif answer != "gone":
            found.append(held if answer == "filled" else each)
    return replace(at, exposures=tuple(found))


def assert_within_limits(at: Snapshot) -> None:
    """Computed apart from the rules, in exact fractions, all orders counted as if they filled."""
    bounds, equity = at.limits, Fraction(at.equity)
    gross, margin, risk = Fraction(0), Fraction(0), Fraction(0)
    for each in at.exposures:
        value = Fraction(each.quantity) * Fraction(each.price) * Fraction(each.fx_rate)
        gross += value
        margin += value / Fraction(at.account.leverage_of(each.instrument))
        risk += Fraction(each.risk)
        assert value <= Fraction(bounds.max_order_value) * equity + TOLERANCE
        assert Fraction(each.risk) <= Fraction(bounds.risk_per_trade_max) * equity + TOLERANCE
        assert bounds.max_order_quantity is None or each.quantity <= bounds.max_order_quantity
        assert each.side is Side.BUY or each.instrument.shortable
    assert len({each.instrument.symbol for each in at.exposures}) <= bounds.max_positions
    assert risk <= Fraction(bounds.max_open_risk) * equity + TOLERANCE
    assert gross <= Fraction(bounds.max_gross_exposure) * equity + TOLERANCE
    assert margin <= Fraction(bounds.max_margin_use) * equity + TOLERANCE
    for exposure_to in currency_bets(at.exposures):
        assert exposure_to <= Fraction(bounds.max_per_currency_exposure) * equity + TOLERANCE
    assert_account_rules_hold(at, margin, risk)


TOLERANCE = Fraction(1, 10**15)


def currency_bets(exposures: Iterable[Exposure]) -> list[Fraction]:
    """The size of the net bet on each currency if all that is under way fills; a share at home is no such bet."""
    net: dict[str, Fraction] = defaultdict(Fraction)
    for each in exposures:
        value = each.side.sign * Fraction(each.quantity) * Fraction(each.price) * Fraction(each.fx_rate)
        if each.instrument.asset_class is not AssetClass.EQUITY:
            net[each.instrument.base] += value
            net[each.instrument.quote] -= value
        elif each.instrument.quote != "USD":
            net[each.instrument.quote] += value
    return [abs(value) for value in net.values()]


def assert_account_rules_hold(at: Snapshot, margin: Fraction, risk: Fraction) -> None:
    """The account's rules at the margin and the open risk of all exposures, in account currency."""
    account, equity = at.account, Fraction(at.equity)
    if account.leverage_caps:
        assert margin <= equity + TOLERANCE
    if account.margin_after_entry is not None:
        assert Fraction(account.margin_after_entry) * margin <= equity + TOLERANCE
    if account.margin_close_out is not None:
        assert Fraction(account.margin_close_out) * margin <= equity - risk + TOLERANCE
    symbols, bets = defaultdict[frozenset[str], set[str]](set), defaultdict[frozenset[str], set[int]](set)
    for each in at.exposures:
        instrument = each.instrument
        assert instrument.symbol not in account.forbidden_instruments
        assert account.permitted_classes is None or instrument.asset_class in account.permitted_classes
        market = frozenset({instrument.base, instrument.quote})
        symbols[market].add(instrument.symbol)
        bets[market].add(each.side.sign * (1 if instrument.base < instrument.quote else -1))
    assert not account.fifo or all(len(names) == 1 for names in symbols.values())
    assert not account.no_hedge or all(len(ways) == 1 for ways in bets.values())
