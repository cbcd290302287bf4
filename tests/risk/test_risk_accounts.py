"""Account rules: whose leverage, which close-out, what may be traded; a jurisdiction is tightened, never loosened."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from risk_builders import D, denied, exposure, pair, proposal, share, snapshot

from domain.errors import InvalidRecord
from domain.instruments import AssetClass, Instrument
from domain.orders import Side
from risk.accounts import US_RAISED_DEPOSITS, AccountRules, Jurisdiction, LeverageClass, rules_of
from risk.breakers import MarginMarked
from risk.limits import Limits
from risk.margin import margin_level, margin_mark, margin_required
from risk.room import room
from risk.rules.account import FirstInFirstOut, LeverageCap, MarginCloseOut, NoHedge, same_market

ESMA, US = rules_of("esma_retail"), rules_of("us_retail_forex")
FREE = D(1000)
WIDE = Limits(max_gross_exposure=D(100), max_per_currency_exposure=D(100))


def metal(base: str) -> Instrument:
    return pair(base, "USD", asset_class=AssetClass.METAL, max_leverage=FREE)


def index(symbol: str) -> Instrument:
    return share(symbol, "USD", asset_class=AssetClass.INDEX, max_leverage=FREE)


@pytest.mark.parametrize(
    ("instrument", "leverage"),
    [
        (pair("EUR", "USD", max_leverage=FREE), 30),
        (pair("GBP", "CHF", max_leverage=FREE), 30),
        (pair("CAD", "JPY", max_leverage=FREE), 30),
        (pair("AUD", "USD", max_leverage=FREE), 20),
        (pair("EUR", "NOK", max_leverage=FREE), 20),
        (metal("XAU"), 20),
        (metal("XAG"), 10),
        (metal("XPT"), 10),
        (index("SPX"), 20),
        (index("^GSPC"), 20),
        (index("AXJO"), 20),
        (index("NIFTY"), 10),
        (index("^RUT"), 10),
        (share("SAP", "EUR", max_leverage=FREE), 5),
        (pair("BTC", "USD", asset_class=AssetClass.CRYPTO, max_leverage=FREE), 2),
        (pair("EUR", "USD", max_leverage=D(25)), 25),
    ],
    ids=lambda each: each.symbol if isinstance(each, Instrument) else str(each),
)
def test_leverage_in_the_union_follows_annex_i(instrument: Instrument, leverage: int) -> None:
    assert ESMA.leverage_of(instrument) == leverage


@pytest.mark.parametrize(
    ("base", "quote", "deposit"),
    [
        ("EUR", "USD", "0.02"),
        ("USD", "CAD", "0.02"),
        ("EUR", "DKK", "0.02"),
        ("AUD", "USD", "0.03"),
        ("GBP", "USD", "0.05"),
        ("USD", "JPY", "0.05"),
        ("EUR", "NOK", "0.07"),
        ("USD", "SGD", "0.05"),
        ("GBP", "TRY", "0.25"),
        ("USD", "MXN", "0.10"),
    ],
)
def test_leverage_in_the_states_follows_the_deposits_of_the_notice(base: str, quote: str, deposit: str) -> None:
    """A deposit of 3% is a leverage of 33.33...: the deposit demanded may not come out smaller by rounding."""
    leverage = US.leverage_of(pair(base, quote, max_leverage=FREE))
    assert D(1) / leverage >= D(deposit)
    assert D(1) / leverage == pytest.approx(D(deposit), rel=D("1e-20"))


def test_raised_deposits_are_never_below_the_rules_own() -> None:
    assert all(share_ >= D("0.02") for share_ in US_RAISED_DEPOSITS.values())


def test_an_account_without_a_jurisdiction_has_no_rules_but_its_own() -> None:
    none = rules_of("none")
    assert none == AccountRules() == rules_of(Jurisdiction.NONE)
    assert none.leverage_of(pair(max_leverage=FREE)) == FREE
    assert rules_of("none", leverage_caps={LeverageClass.CRYPTO: D(3)}).leverage_of(
        pair("BTC", asset_class=AssetClass.CRYPTO, max_leverage=FREE)
    ) == D(3)


def test_a_jurisdiction_may_be_made_stricter() -> None:
    strict = rules_of(
        "esma_retail", leverage_caps={LeverageClass.MAJOR_PAIR: D(10)}, margin_close_out=D(1), fifo=True, no_hedge=True
    )
    assert strict.leverage_of(pair()) == 10
    assert strict.leverage_of(metal("XAU")) == 20
    assert strict.digest() != ESMA.digest() != AccountRules().digest()


@pytest.mark.parametrize(
    ("jurisdiction", "looser", "told"),
    [
        ("esma_retail", {"leverage_caps": {LeverageClass.MAJOR_PAIR: D(31)}}, "leverage_caps of major_pair is 31"),
        ("esma_retail", {"leverage_caps": {LeverageClass.CRYPTO: D(0)}}, "leverage_caps of crypto is 0"),
        ("esma_retail", {"margin_close_out": D("0.49")}, "margin_close_out is 0.49; at least 0.5"),
        ("esma_retail", {"margin_close_out": None}, "margin_close_out is None"),
        ("us_retail_forex", {"fifo": False}, "fifo cannot be off"),
        ("us_retail_forex", {"no_hedge": False}, "no_hedge cannot be off"),
        ("us_retail_forex", {"permitted_classes": None}, "permitted_classes may only be among forex"),
        ("us_retail_forex", {"permitted_classes": frozenset({AssetClass.CRYPTO})}, "permitted_classes"),
        ("none", {"margin_after_entry": D(0)}, "margin_after_entry is 0"),
        ("none", {"price_collars": {AssetClass.FOREX: D("NaN")}}, "price_collars of forex is NaN"),
        ("none", {"max_quantities": {"EURUSD": D(-1)}}, "max_quantities of EURUSD is -1"),
        ("moon", {}, "'moon' is no jurisdiction; allowed are none, esma_retail, us_retail_forex"),
    ],
)
def test_rules_that_are_looser_than_the_jurisdiction_cannot_exist(
    jurisdiction: str, looser: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidRecord, match="account rules: ") as caught:
        rules_of(jurisdiction, **looser)
    assert told in str(caught.value)


def test_a_nan_cap_is_not_a_cap() -> None:
    with pytest.raises(InvalidRecord, match="must be above 0"):
        AccountRules(leverage_caps={LeverageClass.CRYPTO: D("NaN")})


CHANGES: dict[str, Any] = {
    "jurisdiction": Jurisdiction.ESMA_RETAIL,
    "holding": "hedging",
    "fifo": True,
    "no_hedge": True,
    "leverage_caps": {LeverageClass.EQUITY: D(2)},
    "margin_close_out": D("0.7"),
    "margin_after_entry": D(2),
    "permitted_classes": frozenset({AssetClass.FOREX}),
    "permitted_instruments": frozenset({"EURUSD"}),
    "forbidden_instruments": frozenset({"EURUSD"}),
    "price_collars": {AssetClass.FOREX: D("0.01")},
    "max_quantities": {"EURUSD": D(5)},
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_rule_enters_the_digest(name: str) -> None:
    changed = ESMA if name == "jurisdiction" else AccountRules(**{name: CHANGES[name]})
    assert changed.digest() != AccountRules().digest()


def test_the_list_of_changes_is_complete() -> None:
    assert set(CHANGES) == {declared.name for declared in fields(AccountRules)}


@pytest.mark.parametrize(
    ("account", "wanted", "exposures", "rule", "article"),
    [
        (ESMA, proposal(quantity=D(4_000_000), risk_amount=D(40_000)), (), "leverage_cap", "Decision (EU) 2018/796"),
        (ESMA, proposal(), (exposure(risk=D(99_560)),), "margin_close_out", "Decision (EU) 2018/796 Art. 2(b)"),
        (US, proposal(quantity=D(6_000_000), risk_amount=D(60_000)), (), "leverage_cap", "Section 12"),
        (US, proposal(side=Side.SELL), (exposure(pair()),), "no_hedge", "NFA Compliance Rule 2-43(b)"),
        (US, proposal(side=Side.SELL), (exposure(pair("USD", "EUR"), side=Side.SELL),), "no_hedge", "2-43(b)"),
        (US, proposal(), (exposure(pair()),), "fifo", "NFA Compliance Rule 2-43(b)"),
    ],
)
def test_a_denial_names_the_rule_and_where_it_is_written(
    account: AccountRules, wanted: Any, exposures: Any, rule: str, article: str
) -> None:
    rules = {each.name: each for each in (FirstInFirstOut(), LeverageCap(), MarginCloseOut(), NoHedge())}
    denial = rules[rule].check(wanted, snapshot(*exposures, account=account))
    assert denial is not None
    assert article in denial.detail
    assert denial.numbers


def test_a_class_that_is_not_permitted_is_named_with_the_jurisdiction() -> None:
    coin = pair("BTC", "USD", asset_class=AssetClass.CRYPTO)
    denial = denied(proposal(instrument=coin), snapshot(account=US))
    assert (denial.rule, denial.reason) == ("permission", "not_permitted")
    assert denial.detail == "BTCUSD is crypto; this account may trade forex (us_retail_forex)"


def test_one_market_is_known_whichever_way_round_it_is_written() -> None:
    assert same_market(pair("EUR", "USD"), pair("EUR", "USD", symbol="EUR/USD")) == 1
    assert same_market(pair("EUR", "USD"), pair("USD", "EUR")) == -1
    assert same_market(pair("EUR", "USD"), pair("EUR", "GBP")) == 0
    assert same_market(share("AAPL", "USD"), share("AAPL", "USD")) == 1
    assert same_market(share("AAPL", "USD"), share("USD", "AAPL")) == 0


def test_the_margin_level_is_equity_over_what_open_positions_need() -> None:
    held = exposure(pair(max_leverage=FREE), quantity=D(90_000), price=D(1))
    coming = exposure(pair("GBP"), in_flight=True)
    foreign = exposure(pair("AUD", max_leverage=FREE), quantity=D(20_000), price=D(1), unknown=True)
    at = snapshot(held, coming, foreign, account=ESMA, equity=D(8_000))
    assert margin_required(at) == 3_000 + 1_000
    assert margin_level(at) == 2
    assert margin_mark(at) == MarginMarked(at=at.now, equity=D(8_000), required=D(4_000), close_out=D("0.5"))
    assert margin_level(snapshot(coming, account=ESMA)) is None
    assert margin_mark(snapshot(held)) is None


def test_the_room_knows_the_accounts_leverage_and_close_out() -> None:
    free = pair(max_leverage=FREE)
    wide = {"equity": D(1_000), "state": snapshot().state}
    # equity 1,000: at 150% margin may be 666.67, times 30
    assert room(snapshot(**wide, account=ESMA, limits=WIDE), free, Side.BUY) == pytest.approx(D(20_000))
    # at 100% close-out, with 1% at risk: 990 of margin are allowed, but 150% after the entry is stricter
    assert room(snapshot(**wide, account=US, limits=WIDE), free, Side.BUY) == pytest.approx(D("33333.33"), abs=1)
    stern = AccountRules(margin_close_out=D(2), leverage_caps={LeverageClass.MAJOR_PAIR: D(10)})
    assert room(snapshot(**wide, account=stern, limits=WIDE), free, Side.BUY) == (1_000 - 10) / 2 * 10
