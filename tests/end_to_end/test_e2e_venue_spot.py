"""A spot account at the test exchange, traded by the daemon: entries, stops, targets, parts, trailing, restarts."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from decimal import Decimal

import pytest
from exchange.process import RunningExchange
from ratchet_command import count, until, verified_by_command
from venue_daemon import UP, Market
from venue_ledger import our_trades
from venue_place import Place, free_port

SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "ADAUSDT")
STOP, TARGET = Decimal("0.9885"), Decimal("1.031")
"""From the price of an entry just beyond its stop, and just beyond its target."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The daemon begins at a venue that does not answer; then the exchange does."""
    port = free_port()
    exchange = RunningExchange(port=port, seed=3)
    exchange.port = port  # known before it listens
    found = Place(tmp_path_factory.mktemp("venue-spot"), exchange, Market(exchange), "spot", SYMBOLS)
    daemon = found.started()
    try:
        until(lambda: any("EXTEND_TIMEOUT_USEC=" in told for _, told in daemon.manager.heard), "it says that it waits")
        with exchange:
            found.market.open(SYMBOLS, "1s")
            daemon.until_ready()
            yield found
    finally:
        found.close()


def test_a_venue_that_is_down_is_waited_for_and_the_service_manager_is_told(place: Place) -> None:
    heard = [told for _, told in place.daemon.manager.heard]
    ready = next(number for number, told in enumerate(heard) if told.startswith("READY=1"))
    waits = [told for told in heard[:ready] if "EXTEND_TIMEOUT_USEC=" in told]
    assert waits
    assert all("STATUS=the venue does not answer: " in told for told in waits)
    assert place.daemon.logged("venue_awaited")
    assert count(place.daemon.journal, "SELECT count(*) FROM intents") == 0


def test_an_entry_rests_behind_a_stop_of_what_was_bought_less_the_fee_kept_in_it(place: Place) -> None:
    place.enter("BTCUSDT", "ADAUSDT")
    for symbol, step in (("BTCUSDT", "0.00001"), ("ADAUSDT", "0.1")):
        bought = place.trade(symbol, "BUY")
        assert bought["fee_asset"] == symbol.removesuffix("USDT")
        left = Decimal(bought["quantity"]) - Decimal(bought["fee"])
        stop = place.daemon.until_protected(symbol)
        assert Decimal(stop["quantity"]) == left // Decimal(step) * Decimal(step)
        assert abs(Decimal(stop["stop_price"]) / Decimal(bought["price"]) - Decimal("0.99")) < Decimal("0.0005")
        assert [each["status"] for each in place.ledger["orders"] if each["client_id"] == stop["client_order_id"]] == [
            "NEW"
        ]
    place.demand_same()


def test_no_position_counts_as_bare_for_the_fee_that_was_kept_in_it(place: Place) -> None:
    until(lambda: place.daemon.metrics()["ratchet_open_positions"] == 2, "both are told")
    assert place.daemon.metrics()["ratchet_unprotected_positions"] == 0


def test_a_fall_through_the_stop_sells_at_the_venue_and_leaves_dust(place: Place) -> None:
    entered = place.trade("BTCUSDT", "BUY")
    stop = place.daemon.until_protected("BTCUSDT")
    place.market.move("BTCUSDT", STOP)
    place.daemon.until_ended("BTCUSDT", "stop")
    sold = place.trade("BTCUSDT", "SELL")
    assert sold["client_id"] == stop["client_order_id"]
    dust = Decimal(entered["quantity"]) - Decimal(entered["fee"]) - Decimal(sold["quantity"])
    assert 0 < dust < Decimal("0.00001")
    assert Decimal(place.ledger["balances"]["BTC"]["free"]) == dust
    place.demand_same()


def test_a_target_is_watched_for_its_stop_taken_back_and_the_position_sold(place: Place) -> None:
    stop = place.daemon.until_protected("ADAUSDT")
    place.market.move("ADAUSDT", TARGET)
    place.daemon.until_ended("ADAUSDT", "target")
    by_id = {order["client_id"]: order for order in place.ledger["orders"]}
    assert by_id[stop["client_order_id"]]["status"] == "CANCELED"
    sold = by_id[place.trade("ADAUSDT", "SELL")["client_id"]]
    assert (sold["type"], sold["status"]) == ("MARKET", "FILLED")
    place.demand_same()


def test_an_entry_that_is_filled_in_part_is_protected_to_what_was_bought(place: Place) -> None:
    fault = place.exchange.add_fault("partial", method="POST", path="/api/v3/order", share="0.4")
    place.enter("BNBUSDT")
    place.exchange.clear_fault(fault)
    (entry,) = place.daemon.orders("BNBUSDT", "entry")
    assert entry["state"] == "expired"
    assert Decimal(0) < Decimal(entry["filled"]) < Decimal(entry["quantity"])
    bought = place.trade("BNBUSDT", "BUY")
    assert bought["quantity"] == entry["filled"]
    left = Decimal(bought["quantity"]) - Decimal(bought["fee"])
    assert Decimal(place.daemon.until_protected("BNBUSDT")["quantity"]) == left // Decimal("0.001") * Decimal("0.001")
    place.demand_same()


def test_what_a_stop_could_not_sell_is_sold_by_the_daemon_at_once(place: Place) -> None:
    """The venue gives a stop less than it wants, and refuses another one at a price that was passed already."""
    price = place.market.prices["BNBUSDT"] * STOP
    place.exchange.trade_at("BNBUSDT", str(price.quantize(Decimal("0.01"))), most="0.5")
    place.market.trade("BNBUSDT", price)
    place.daemon.until_ended("BNBUSDT", "unprotected")
    sold = [each for each in our_trades(place.ledger) if (each["symbol"], each["side"]) == ("BNBUSDT", "SELL")]
    assert [each["quantity"] for each in sold][:-1] == ["0.5"]
    assert sold[-1]["client_id"] == place.daemon.orders("BNBUSDT", "close", "filled")[0]["client_order_id"]
    place.demand_same()


def test_a_rise_takes_the_stop_with_it_and_one_stop_rests_at_a_time(place: Place) -> None:
    place.enter("ETHUSDT")
    first = place.daemon.until_protected("ETHUSDT")
    for _ in range(2):
        place.market.move("ETHUSDT", Decimal("1.008"))
        place.daemon.until_scans(1)
    risen = Decimal(first["stop_price"]) * Decimal("1.01")
    until(
        lambda: (stop := place.daemon.resting_stop("ETHUSDT")) and Decimal(stop["stop_price"]) > risen,
        "the stop follows",
    )
    until(lambda: len(place.resting("ETHUSDT")) == 1 and place.agrees(), "one stop rests, the one we know of")
    assert place.daemon.orders("ETHUSDT", "stop")[0]["state"] == "cancelled"
    place.demand_same()


def test_halt_sends_nothing_leaves_the_stop_and_flatten_after_resume_sells_everything(place: Place) -> None:
    place.enter("ADAUSDT")
    daemon = place.daemon
    assert daemon.command("halt", "--why", "a test").status == 0
    stops = place.resting("ADAUSDT"), place.resting("ETHUSDT")
    requests = len(place.requests())
    place.market.move("BTCUSDT", UP)
    daemon.until_scans(2)
    assert len(place.requests()) == requests
    assert (place.resting("ADAUSDT"), place.resting("ETHUSDT")) == stops
    assert daemon.command("resume", "--why", "the test goes on").status == 0
    assert daemon.command("flatten", "--instrument", "ADAUSDT", "--why", "a test").status == 0
    daemon.until_ended("ADAUSDT", "command")
    assert place.resting("ADAUSDT") == []
    place.demand_same()


def test_stopped_and_killed_and_started_again_positions_and_stops_are_what_they_were(place: Place) -> None:
    """Nothing is sent before reconciliation succeeds, however the market jumps meanwhile."""
    place.enter("BNBUSDT")
    stops = [place.resting(symbol) for symbol in ("ETHUSDT", "BNBUSDT")]
    assert all(len(stop) == 1 for stop in stops)
    assert place.daemon.stop() < 20
    assert place.daemon.status == 0
    again = place.started()
    again.until_ready()
    again.until_scans(1)
    assert place.resting("BNBUSDT") == stops[1]
    until(lambda: len(place.resting("ETHUSDT")) == 1, "its stop rests, trailed meanwhile or not")
    again.stop(signal.SIGKILL)
    place.market.move("BNBUSDT", STOP * Decimal("0.995"))
    requests = len(place.requests())
    barrier = place.exchange.add_fault("status_before", path="/api/v3/(account|openOrders)", times=None)
    third = place.started()
    until(
        lambda: any("STATUS=waiting to reconcile" in told for _, told in third.manager.heard),
        "it says that it waits to reconcile",
    )
    place.market.move("BTCUSDT", UP)
    assert third.manager.times_of("READY=1") == []
    assert len(place.requests()) == requests
    place.exchange.clear_fault(barrier)
    third.until_ready()
    third.until_ended("BNBUSDT", "stop")
    until(lambda: len(place.resting("ETHUSDT")) == 1, "its stop rests")
    place.demand_same()
    assert third.stop() < 20
    verified_by_command(third.journal, third.state)
