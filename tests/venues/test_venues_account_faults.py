"""Every way in which a question to the exchange can go wrong ends in the error that says what to do."""

from __future__ import annotations

import traceback
from datetime import timedelta
from decimal import Decimal

import pytest
from exchange.core import Exchange
from exchange.faults import FaultKind
from exchange.in_process import InProcessSession
from exchange.keys import REVOCABLE_KEY, TRADE_KEY, ApiKey
from venue_accounts import HERE, SYMBOLS, MachineClock, credentials, order, our_id

from domain.errors import (
    ConfigurationRefused,
    RatchetError,
    VenueBusy,
    VenueForbids,
    VenueRejected,
    VenueUnavailable,
)
from domain.orders import Side
from venues.account import CcxtAccount
from venues.opening import open_account
from venues.records import MarketKind

BTC = "BTCUSDT"
LOST = (
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.STATUS_BEFORE,
    FaultKind.STATUS_AFTER,
    FaultKind.TRUNCATED,
    FaultKind.EMPTY_OBJECT,
    FaultKind.HTML,
)
"""Faults after which nobody knows whether it was executed, and two (…_BEFORE) that look the same."""


async def _opened(kind: MarketKind, session: InProcessSession, clock: MachineClock, key: ApiKey) -> CcxtAccount:
    return await open_account(
        venue="binance",
        market=kind,
        symbols=SYMBOLS,
        credentials=credentials(key),
        clock=clock,
        base_url=HERE,
        session=session,
    )


def _placed(exchange: Exchange) -> list[str]:
    return [each["client_id"] for each in exchange.ledger()["accounts"]["main"]["orders"]]


@pytest.mark.parametrize("fault", LOST, ids=str)
async def test_an_order_whose_answer_is_lost_is_unknown_and_sent_once(
    account: CcxtAccount, exchange: Exchange, fault: FaultKind
) -> None:
    exchange.faults.add(fault, method="POST")
    calls = len(exchange.ledger()["requests"])
    with pytest.raises(VenueUnavailable):
        await account.place(order(1))
    executed = fault not in (FaultKind.DROP_BEFORE, FaultKind.STATUS_BEFORE)
    assert _placed(exchange) == ([our_id(1)] if executed else [])
    assert len(exchange.ledger()["requests"]) == calls + 1
    found = await account.order(BTC, our_id(1))
    assert (found is not None) == executed


@pytest.mark.parametrize("fault", [*LOST, FaultKind.MAINTENANCE, FaultKind.REJECT], ids=str)
async def test_no_fault_makes_a_question_say_that_an_order_is_absent(
    account: CcxtAccount, exchange: Exchange, fault: FaultKind
) -> None:
    await account.place(order(1, limit="40000"))
    exchange.faults.add(fault, method="GET", times=None)
    for question in (
        account.order(BTC, our_id(1)),
        account.order_by_venue_id(BTC, "1000"),
        account.open_orders(),
        account.holdings(),
    ):
        with pytest.raises((VenueUnavailable, VenueBusy)):
            await question


async def test_a_cancel_whose_answer_is_lost_is_unknown(account: CcxtAccount, exchange: Exchange) -> None:
    await account.place(order(1, limit="40000"))
    exchange.faults.add(FaultKind.DROP_AFTER, method="DELETE", skip=1 if account.abilities.shorts else 0)
    with pytest.raises(VenueUnavailable):
        await account.cancel(BTC, our_id(1))
    assert await account.open_orders() == []


async def test_a_page_in_html_with_404_is_not_taken_for_no_such_order(account: CcxtAccount, exchange: Exchange) -> None:
    exchange.faults.add(FaultKind.HTML, method="GET", status=404, before=True, times=None)
    with pytest.raises(VenueUnavailable):
        await account.order(BTC, our_id(404))


async def test_a_refusal_is_definite_and_names_its_reason(account: CcxtAccount, exchange: Exchange) -> None:
    with pytest.raises(VenueRejected, match=r"(?i)insufficient"):
        await account.place(order(1, quantity="50"))
    exchange.faults.add(FaultKind.REJECT, method="POST", code=-1013, message="Filter failure: PRICE_FILTER")
    with pytest.raises(VenueRejected, match="PRICE_FILTER"):
        await account.place(order(2))
    assert _placed(exchange) == []


async def test_a_second_order_of_an_open_id_is_a_reason_to_ask_not_a_refusal(
    account: CcxtAccount, exchange: Exchange
) -> None:
    await account.place(order(1, limit="40000"))
    with pytest.raises(VenueUnavailable):
        await account.place(order(1, limit="40000"))
    assert _placed(exchange) == [our_id(1)]


@pytest.mark.parametrize(("fault", "seconds"), [(FaultKind.LIMITED, 10), (FaultKind.BANNED, 120)], ids=str)
async def test_while_a_ban_is_on_nothing_is_asked_not_even_for_exits(
    account: CcxtAccount, exchange: Exchange, venue_clock: MachineClock, fault: FaultKind, seconds: int
) -> None:
    exchange.faults.add(fault, method="GET", seconds=seconds)
    with pytest.raises(VenueBusy) as told:
        await account.open_orders()
    assert seconds - 2 < told.value.wait_s <= seconds
    asked = exchange.ledger()["calls"]
    for question in (
        account.holdings(),
        account.order(BTC, our_id(1)),
        account.cancel(BTC, our_id(1)),
        account.place(order(1, Side.SELL)),
        account.measure_clock(),
    ):
        with pytest.raises(VenueBusy, match="asked not to be called") as again:
            await question
        assert 0 < again.value.wait_s <= seconds
    assert exchange.ledger()["calls"] == asked
    assert exchange.ledger()["calls_while_shut"] == {"418": 0, "429": 0}
    assert account.budget.counts.bans == 1
    venue_clock.shift += timedelta(seconds=seconds + 1)
    assert account.budget.ban_left_s == 0


async def test_too_many_orders_and_an_overloaded_venue_did_nothing(account: CcxtAccount, exchange: Exchange) -> None:
    for code, status in ((-1015, 400), (-1008, 503)):
        exchange.faults.add(FaultKind.REJECT, method="POST", code=code, message="too many", status=status)
        with pytest.raises(VenueBusy):
            await account.place(order(1))


async def test_maintenance_is_busy_for_orders_and_questions(account: CcxtAccount, exchange: Exchange) -> None:
    exchange.faults.maintenance = True
    with pytest.raises(VenueBusy):
        await account.place(order(1))
    with pytest.raises(VenueBusy):
        await account.holdings()
    assert _placed(exchange) == []


async def test_a_revoked_key_is_a_persons_business_even_after_it_worked(
    kind: MarketKind, exchange: Exchange, session: InProcessSession, venue_clock: MachineClock
) -> None:
    account = await _opened(kind, session, venue_clock, REVOCABLE_KEY)
    await account.place(order(1))
    exchange.revoke(REVOCABLE_KEY.key)
    for question in (account.holdings(), account.place(order(2)), account.order(BTC, our_id(1))):
        with pytest.raises(VenueForbids):
            await question
    await account.close()


async def test_a_wrong_secret_is_a_refusal_of_the_key_or_of_the_order_never_a_fill(
    exchange: Exchange, session: InProcessSession, venue_clock: MachineClock
) -> None:
    wrong = ApiKey(TRADE_KEY.key, "another-secret", TRADE_KEY.account)
    account = await _opened(MarketKind.SPOT, session, venue_clock, wrong)
    with pytest.raises(RatchetError):
        await account.place(order(1))
    assert _placed(exchange) == []
    await account.close()


async def test_an_empty_balance_or_position_list_is_not_an_empty_account(
    account: CcxtAccount, exchange: Exchange, kind: MarketKind
) -> None:
    await account.place(order(1))
    exchange.faults.add(FaultKind.BALANCES_EMPTY, method="GET")
    with pytest.raises(VenueUnavailable, match="not even"):
        await account.holdings()
    if kind is MarketKind.LINEAR:
        exchange.faults.add(FaultKind.POSITIONS_EMPTY, method="GET", path=".*positionRisk")
        with pytest.raises(VenueUnavailable, match="not told is not flat"):
            await account.holdings()
    assert await account.holdings()


async def test_a_clock_that_the_venue_finds_wrong_is_measured_before_the_next_question(
    account: CcxtAccount, exchange: Exchange
) -> None:
    exchange.faults.skew_ms = 30_000
    with pytest.raises(VenueBusy):
        await account.place(order(1))
    assert _placed(exchange) == []
    await account.place(order(2))
    assert _placed(exchange) == [our_id(2)]
    assert timedelta(seconds=29) < account.skew < timedelta(seconds=31)


async def test_our_clock_going_back_an_hour_is_made_up_for(
    account: CcxtAccount, exchange: Exchange, venue_clock: MachineClock
) -> None:
    venue_clock.shift = timedelta(hours=-1)
    with pytest.raises(VenueBusy):
        await account.holdings()
    assert await account.holdings()
    assert abs(account.skew - timedelta(hours=1)) < timedelta(seconds=1)


async def test_half_of_a_round_trip_is_allowed_for(exchange: Exchange, venue_clock: MachineClock) -> None:
    session = InProcessSession(exchange, latency_ms=(100, 100))
    account = await _opened(MarketKind.SPOT, session, venue_clock, TRADE_KEY)
    assert abs(await account.measure_clock()) < timedelta(milliseconds=30)
    await account.close()


async def test_no_message_and_no_traceback_holds_a_secret(account: CcxtAccount, exchange: Exchange) -> None:
    exchange.faults.add(FaultKind.ECHOED, times=None)
    questions = (
        account.place(order(1)),
        account.cancel(BTC, our_id(1)),
        account.order(BTC, our_id(1)),
        account.open_orders(),
        account.holdings(),
        account.rights(),
    )
    for question in questions:
        with pytest.raises(RatchetError) as told:
            await question
        text = "".join(traceback.format_exception(told.value))
        assert told.value.__cause__ is None
        assert told.value.__context__ is None
        for hidden in (TRADE_KEY.key, TRADE_KEY.secret, "signature="):
            assert hidden not in text.replace("signature=***", "")
    exchange.faults.clear()
    session_lost = exchange.faults.add(FaultKind.DROP_BEFORE, times=None)
    assert session_lost
    with pytest.raises(VenueUnavailable) as told:
        await account.holdings()
    assert "signature" not in str(told.value)
    assert TRADE_KEY.key not in str(told.value)


async def test_an_open_order_list_that_lies_is_told_as_it_is_and_the_order_still_found(
    account: CcxtAccount, exchange: Exchange
) -> None:
    await account.place(order(1, limit="40000"))
    exchange.faults.add(FaultKind.OPEN_ORDERS_HIDDEN, times=None)
    assert await account.open_orders() == []
    assert await account.order(BTC, our_id(1)) is not None


async def test_a_venue_that_cannot_be_reached_is_unavailable(
    account: CcxtAccount, session: InProcessSession, exchange: Exchange
) -> None:
    session.unreachable = True
    for question in (account.place(order(1)), account.holdings(), account.measure_clock()):
        with pytest.raises(VenueUnavailable):
            await question


async def test_an_empty_list_of_markets_is_no_reason_to_refuse_the_configuration(
    session: InProcessSession, exchange: Exchange, venue_clock: MachineClock, kind: MarketKind
) -> None:
    for fault in (FaultKind.EMPTY_OBJECT, FaultKind.TRUNCATED):
        exchange.faults.add(fault, path=".*exchangeInfo")
        with pytest.raises(VenueUnavailable):
            await _opened(kind, session, venue_clock, TRADE_KEY)


async def test_the_account_of_a_live_host_is_refused_before_anything_is_asked(
    session: InProcessSession, exchange: Exchange, venue_clock: MachineClock, kind: MarketKind
) -> None:
    before = exchange.ledger()["calls"]
    for host in (
        "https://api.binance.com",
        "https://fapi.binance.com",
        "https://example.org",
        "http://testnet.binance.vision",
    ):
        with pytest.raises(ConfigurationRefused):
            await open_account(
                venue="binance",
                market=kind,
                symbols=[BTC],
                credentials=credentials(),
                clock=venue_clock,
                base_url=host,
                session=session,
            )
    assert exchange.ledger()["calls"] == before


async def test_exits_may_use_the_reserve_that_entries_may_not(
    account: CcxtAccount, exchange: Exchange, kind: MarketKind
) -> None:
    await account.place(order(1))
    budget = account.budget
    free = 0.8 * (1200 if kind is MarketKind.SPOT else 2400) - budget.used
    await budget.take(free - 0.01)
    with pytest.raises(VenueBusy, match="our budget of"):
        await account.place(order(2))
    with pytest.raises(VenueBusy, match="our budget of"):
        await account.open_orders()
    made = await account.place(order(3, Side.SELL, "0.009", reduce_only=kind is MarketKind.LINEAR))
    assert made.filled == Decimal("0.009")
    assert await account.cancel(BTC, our_id(404)) is False


async def test_the_venues_own_count_corrects_ours(
    account: CcxtAccount, exchange: Exchange, session: InProcessSession, venue_clock: MachineClock, kind: MarketKind
) -> None:
    other = await _opened(kind, session, venue_clock, TRADE_KEY)
    for _ in range(10):
        await other.holdings()
    assert other.budget.used > account.budget.used
    await account.holdings()
    assert account.budget.counts.foreign_units > 0
    assert account.budget.used >= 10 * (4 if kind is MarketKind.SPOT else 10)
    await other.close()
