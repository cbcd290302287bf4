"""An account at the test exchange through the real vendor library: orders, executions, balances, spot and futures."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from exchange.core import Exchange
from exchange.faults import FaultKind
from exchange.in_process import InProcessSession
from exchange.keys import READ_KEY, WITHDRAW_KEY
from venue_accounts import HERE, MachineClock, credentials, order, our_id

from domain.errors import ConfigurationRefused, InvalidInput, VenueRejected
from domain.orders import OrderKind, OrderState, Side
from venues.account import CcxtAccount
from venues.opening import open_account
from venues.records import MarketKind

BTC = "BTCUSDT"


async def test_a_market_order_fills_and_is_found_by_both_of_its_ids(account: CcxtAccount) -> None:
    made = await account.place(order(1))
    assert (made.state, made.filled, made.client_order_id) == (OrderState.FILLED, Decimal("0.01"), our_id(1))
    assert await account.order(BTC, our_id(1)) == made
    found = await account.order_by_venue_id(BTC, made.venue_order_id)
    assert found is not None
    assert found.client_order_id == our_id(1)


async def test_an_order_that_never_was_is_none_by_either_id(account: CcxtAccount) -> None:
    assert await account.order(BTC, our_id(404)) is None
    assert await account.order_by_venue_id(BTC, "999999") is None


async def test_a_stop_rests_is_listed_and_fills_under_its_own_id(
    account: CcxtAccount, exchange: Exchange, kind: MarketKind, venue_clock: MachineClock
) -> None:
    since = venue_clock.now() - timedelta(minutes=1)
    await account.place(order(1))
    reducing = kind is MarketKind.LINEAR
    stop = await account.place(order(2, Side.SELL, "0.005", stop="49000", reduce_only=reducing))
    assert (stop.state, stop.filled, stop.reduce_only) == (OrderState.ACCEPTED, 0, reducing)
    assert [each.client_order_id for each in await account.open_orders()] == [our_id(2)]

    exchange.trade_at(BTC, "48900")
    filled = await account.order(BTC, our_id(2))
    assert filled is not None
    assert (filled.state, filled.filled, filled.side) == (OrderState.FILLED, Decimal("0.005"), Side.SELL)
    assert await account.open_orders() == []
    entry, exit_ = await account.trades(BTC, since)
    assert (exit_.quantity, exit_.price, exit_.side) == (Decimal("0.005"), Decimal(48900), Side.SELL)
    owners = [await account.order_by_venue_id(BTC, trade.venue_order_id) for trade in (entry, exit_)]
    assert [owner.client_order_id for owner in owners if owner is not None] == [our_id(1), our_id(2)]


async def test_a_stop_is_sent_to_the_venue_as_a_stop_market_order(
    account: CcxtAccount, exchange: Exchange, kind: MarketKind
) -> None:
    await account.place(order(1))
    await account.place(order(2, Side.SELL, "0.009", stop="49000", reduce_only=kind is MarketKind.LINEAR))
    main = exchange.ledger()["accounts"]["main"]
    if kind is MarketKind.SPOT:
        (told,) = [each for each in main["orders"] if each["client_id"] == our_id(2)]
        assert (told["type"], told["stop_price"], told["quantity"]) == ("STOP_LOSS", "49000", "0.009")
    else:
        (told,) = main["algo_orders"]
        assert (told["type"], told["stop_price"], told["quantity"]) == ("STOP_MARKET", "49000", "0.009")
        assert told["reduce_only"] is True


async def test_a_stop_limit_becomes_a_limit_order_of_the_same_id(
    account: CcxtAccount, exchange: Exchange, kind: MarketKind
) -> None:
    await account.place(order(1))
    await account.place(
        order(2, Side.SELL, "0.009", stop="49000", limit="49500", reduce_only=kind is MarketKind.LINEAR)
    )
    exchange.trade_at(BTC, "48900")
    (resting,) = await account.open_orders()
    found = await account.order(BTC, our_id(2))
    assert found is not None
    assert (found.state, found.client_order_id) == (OrderState.ACCEPTED, our_id(2))
    assert found.venue_order_id == resting.venue_order_id
    assert await account.cancel(BTC, our_id(2)) is True
    assert await account.open_orders() == []


async def test_a_limit_order_waits_and_is_taken_back_once(account: CcxtAccount) -> None:
    made = await account.place(order(3, limit="40000"))
    assert made.state is OrderState.ACCEPTED
    assert await account.cancel(BTC, our_id(3)) is True
    assert await account.cancel(BTC, our_id(3)) is False
    ended = await account.order(BTC, our_id(3))
    assert ended is not None
    assert ended.state is OrderState.CANCELLED


async def test_a_waiting_stop_is_taken_back_and_an_unknown_order_is_not(account: CcxtAccount, kind: MarketKind) -> None:
    await account.place(order(1))
    await account.place(order(2, Side.SELL, "0.009", stop="49000", reduce_only=kind is MarketKind.LINEAR))
    assert await account.cancel(BTC, our_id(2)) is True
    assert await account.cancel(BTC, our_id(404)) is False
    ended = await account.order(BTC, our_id(2))
    assert ended is not None
    assert ended.state is OrderState.CANCELLED


async def test_what_does_not_fill_at_once_expires_where_that_was_asked(account: CcxtAccount) -> None:
    made = await account.place(order(4, limit="40000", at_once=True))
    assert (made.state, made.filled) == (OrderState.EXPIRED, 0)


async def test_a_partial_fill_is_a_state_of_its_own(account: CcxtAccount, exchange: Exchange) -> None:
    exchange.faults.add(FaultKind.PARTIAL, share=0.5)
    made = await account.place(order(5, limit="50000"))
    assert (made.state, made.filled) == (OrderState.PARTIALLY_FILLED, Decimal("0.005"))


async def test_orders_of_others_are_told_with_their_own_ids(account: CcxtAccount, exchange: Exchange) -> None:
    foreign = order(6, limit="40000")
    await account.place(type(foreign)(**{**_fields(foreign), "client_order_id": "web_123"}))
    (told,) = await account.open_orders()
    assert told.client_order_id == "web_123"


async def test_a_price_or_quantity_between_two_steps_is_not_sent_rounded(
    account: CcxtAccount, exchange: Exchange
) -> None:
    for bad in (order(7, quantity="0.0100001"), order(7, limit="40000.001"), order(7, quantity="0.0000001")):
        with pytest.raises(VenueRejected, match=r"no multiple of|less than"):
            await account.place(bad)
    assert exchange.ledger()["accounts"]["main"]["orders"] == []


async def test_an_order_with_prices_that_its_kind_has_not_is_not_sent(account: CcxtAccount) -> None:
    fields = _fields(order(8, limit="40000"))
    for kind in (OrderKind.MARKET, OrderKind.STOP, OrderKind.STOP_LIMIT):
        with pytest.raises(VenueRejected, match="wrong prices"):
            await account.place(type(order(8))(**{**fields, "kind": kind}))


async def test_an_id_that_the_venue_does_not_take_is_refused_by_name(account: CcxtAccount) -> None:
    for bad in ("x" * 37, "white space", ""):
        with pytest.raises(VenueRejected, match="newClientOrderId"):
            await account.place(type(order(9))(**{**_fields(order(9)), "client_order_id": bad}))


async def test_an_instrument_that_was_not_opened_is_no_question_for_the_venue(account: CcxtAccount) -> None:
    with pytest.raises(InvalidInput, match="XRPUSDT is not among the instruments of this account"):
        await account.order("XRPUSDT", our_id(1))


async def test_executions_are_told_oldest_first_and_once(
    account: CcxtAccount, exchange: Exchange, venue_clock: MachineClock
) -> None:
    since = venue_clock.now() - timedelta(days=3)
    for number in range(5):
        await account.place(order(10 + number))
    exchange.faults.add(FaultKind.TRADES_REPEATED)
    exchange.faults.add(FaultKind.TRADES_REORDERED)
    told = await account.trades(BTC, since)
    assert len(told) == 5
    assert [trade.at for trade in told] == sorted(trade.at for trade in told)
    ledger = exchange.ledger()["accounts"]["main"]["trades"]
    assert sum(trade.quantity for trade in told) == sum(Decimal(each["quantity"]) for each in ledger)


async def test_more_executions_than_one_page_are_all_told(
    account: CcxtAccount, exchange: Exchange, venue_clock: MachineClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("venues.binance.MOST_ROWS", 4)
    since = venue_clock.now() - timedelta(days=3)
    for number in range(11):
        await account.place(order(20 + number, quantity="0.002"))
    told = await account.trades(BTC, since)
    assert [trade.trade_id for trade in told] == [f"BTCUSDT-{each['trade_id']}" for each in _trades(exchange)]
    assert len(told) == 11


async def test_the_fee_keeps_its_currency(account: CcxtAccount, kind: MarketKind, venue_clock: MachineClock) -> None:
    since = venue_clock.now() - timedelta(minutes=1)
    await account.place(order(1))
    (bought,) = await account.trades(BTC, since)
    if kind is MarketKind.SPOT:
        assert (bought.fee, bought.fee_currency) == (Decimal("0.00001"), "BTC")
    else:
        assert (bought.fee, bought.fee_currency) == (Decimal("0.2"), "USDT")


async def test_holdings_are_the_exchanges_to_the_last_digit(
    account: CcxtAccount, exchange: Exchange, kind: MarketKind
) -> None:
    await account.place(order(1, quantity="0.01"))
    held = await account.holdings()
    main = exchange.ledger()["accounts"]["main"]
    if kind is MarketKind.SPOT:
        assert (held.totals["BTC"], held.positions) == (Decimal("0.00999"), {})
    else:
        assert held.totals == {"USDT": Decimal(main["wallet"])}
        assert held.positions == {BTC: Decimal("0.01")}


async def test_funding_is_a_payment_and_what_a_fill_tells_is_not_told_again(
    account: CcxtAccount, exchange: Exchange, kind: MarketKind, venue_clock: MachineClock
) -> None:
    since = venue_clock.now() - timedelta(minutes=1)
    await account.place(order(1))
    exchange.incidents.fund(BTC, Decimal("0.0001"))
    paid = await account.payments(since)
    if kind is MarketKind.SPOT:
        assert paid == []
    else:
        ((funding),) = paid
        assert (funding.kind, funding.amount, funding.currency, funding.symbol) == (
            "funding",
            Decimal("-0.05"),
            "USDT",
            BTC,
        )


async def test_the_rights_of_a_key_are_as_the_venue_says(
    account: CcxtAccount, kind: MarketKind, session: InProcessSession, venue_clock: MachineClock
) -> None:
    own = await account.rights()
    assert (own.trade, own.withdraw, own.transfer) == (True, False, False)
    assert own.said_by == "GET /sapi/v1/account/apiRestrictions"
    for key, trade, withdraw in ((WITHDRAW_KEY, True, True), (READ_KEY, False, False)):
        other = await open_account(
            venue="binance",
            market=kind,
            symbols=[BTC],
            credentials=credentials(key),
            clock=venue_clock,
            base_url=HERE,
            session=session,
        )
        rights = await other.rights()
        assert (rights.trade, rights.withdraw, rights.transfer) == (trade, withdraw, withdraw)
        await other.close()


async def test_the_markets_are_the_venues_own_rules(account: CcxtAccount, kind: MarketKind) -> None:
    market = account.markets[BTC]
    assert list(account.markets) == ["BTCUSDT", "ETHUSDT"]
    assert (market.base, market.quote, market.contract_size) == ("BTC", "USDT", 1)
    if kind is MarketKind.SPOT:
        assert (market.tick, market.lot, market.min_notional) == (Decimal("0.01"), Decimal("0.00001"), 5)
        assert market.max_leverage == 1
    else:
        assert (market.tick, market.lot, market.min_notional) == (Decimal("0.1"), Decimal("0.001"), 100)
        assert market.max_leverage == 20


async def test_an_instrument_that_is_not_traded_refuses_the_configuration(
    session: InProcessSession, kind: MarketKind, venue_clock: MachineClock
) -> None:
    with pytest.raises(ConfigurationRefused, match=r"Binance does not trade NOPEUSDT \((spot|linear)\); it has"):
        await open_account(
            venue="binance",
            market=kind,
            symbols=[BTC, "NOPEUSDT"],
            credentials=credentials(),
            clock=venue_clock,
            base_url=HERE,
            session=session,
        )


def _fields(request: object) -> dict[str, object]:
    return {name: getattr(request, name) for name in type(request).__slots__}


def _trades(exchange: Exchange) -> list[dict[str, object]]:
    return exchange.ledger()["accounts"]["main"]["trades"]
