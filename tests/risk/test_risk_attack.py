"""What a hostile reviewer found in the risk rules: each test failed once, and says what would have been lost."""

from __future__ import annotations

import pytest
from risk_builders import D, denied, exposure, judged, pair, proposal, snapshot

from domain.errors import InvalidRecord
from domain.orders import Approval, Side
from risk.accounts import AccountRules, Holding, rules_of
from risk.limits import Limits
from risk.margin import margin_mark, margin_required
from risk.room import room

ESMA = rules_of("esma_retail")
WIDE = Limits(max_gross_exposure=D(100), max_per_currency_exposure=D(100), max_open_risk=D("0.5"))


def test_with_every_stop_hit_the_floating_profit_is_gone_too():
    # 100,000 were paid in, 1,100,000 float, and its stop would give all of that back: 100,000 must carry the margin.
    winner = exposure(pair("GBP"), quantity=D(5_000_000), price=D("1.25"), risk=D(0))
    account = rules_of("esma_retail", margin_close_out=D(1))
    state = snapshot(winner, equity=D(1_200_000), balance=D(100_000), account=account, limits=WIDE)
    wanted = proposal(quantity=D(600_000), risk_amount=D(6_300), correlations={"GBPUSD": 0.1})
    # margin: 6,250,000 / 30 + 660,000 / 30 = 230,333: covered by the equity of now, not by what the stops leave
    no = denied(wanted, state)
    assert (no.rule, no.reason) == ("margin_close_out", "margin_close_out")


def test_room_leaves_nothing_that_the_margin_with_every_stop_hit_forbids():
    winner = exposure(pair("GBP"), quantity=D(5_000_000), price=D("1.25"), risk=D(0))
    account = rules_of("esma_retail", margin_close_out=D(1))
    state = snapshot(winner, equity=D(1_200_000), balance=D(100_000), account=account, limits=WIDE)
    assert room(state, pair(), Side.BUY) == 0


def test_room_is_left_where_the_profit_was_taken():
    holder = exposure(pair("GBP"), quantity=D(5_000_000), price=D("1.25"), risk=D(0))
    account = rules_of("esma_retail", margin_close_out=D(1))
    state = snapshot(holder, equity=D(1_200_000), balance=D(1_200_000), account=account, limits=WIDE)
    assert room(state, pair(), Side.BUY) > 0


def test_a_profit_that_does_not_matter_denies_nothing():
    winner = exposure(pair("GBP"), quantity=D(10_000), price=D("1.25"), risk=D(0))
    state = snapshot(winner, equity=D(101_000), balance=D(100_000), account=ESMA)
    assert isinstance(judged(proposal(correlations={"GBPUSD": 0.1}), state), Approval)


def test_what_nets_at_the_venue_needs_the_margin_of_what_is_left_of_it():
    # Ours is +100,000; somebody sold 60,000 there by hand: the venue holds 40,000 and bills its margin alone.
    ours = exposure(pair("GBP"), quantity=D(100_000))
    theirs = exposure(pair("GBP"), side=Side.SELL, quantity=D(60_000), risk=D(0), unknown=True)
    state = snapshot(ours, theirs, equity=D(1_000), account=rules_of("esma_retail", margin_close_out=D("0.5")))
    assert margin_required(state) == D(40_000) * D("1.25") / 30
    mark = margin_mark(state)
    assert mark is not None
    assert mark.equity >= mark.close_out * mark.required


def test_where_opposed_positions_lie_beside_each_other_both_need_margin():
    ours = exposure(pair("GBP"), quantity=D(100_000))
    theirs = exposure(pair("GBP"), side=Side.SELL, quantity=D(60_000), risk=D(0), unknown=True)
    state = snapshot(ours, theirs, account=rules_of("esma_retail", holding=Holding.HEDGING))
    assert margin_required(state) == D(160_000) * D("1.25") / 30


@pytest.mark.parametrize("looser", [None, D("0.5")])
def test_the_margin_an_entry_must_leave_cannot_be_less_than_the_presets(looser):
    with pytest.raises(InvalidRecord, match="margin_after_entry"):
        rules_of("esma_retail", margin_after_entry=looser)


def test_the_margin_an_entry_must_leave_may_be_more_and_without_a_jurisdiction_none():
    assert rules_of("esma_retail", margin_after_entry=D(2)).margin_after_entry == 2
    assert AccountRules().margin_after_entry is None
