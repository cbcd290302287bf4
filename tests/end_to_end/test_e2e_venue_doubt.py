"""A spot account at the test exchange where not everything is ours, not every answer comes, and everything is wiped."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from exchange.process import RunningExchange
from ratchet_command import count, until, verified_by_command
from venue_daemon import UP, Market
from venue_place import Place

SYMBOLS = ("LTCUSDT", "XRPUSDT", "SOLUSDT", "DOGEUSDT")
BEFORE = Decimal(5)
"""LTC that lay in the account before the daemon ever saw it."""
FOREIGN_ID = "web_by_hand"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Somebody else's coins and order lie in the account before the daemon comes."""
    with RunningExchange(seed=4) as exchange:
        found = Place(tmp_path_factory.mktemp("venue-doubt"), exchange, Market(exchange), "spot", SYMBOLS)
        found.foreign["LTC"] = BEFORE
        exchange.do("deposit", asset="LTC", amount=str(BEFORE))
        found.market.open(SYMBOLS, "1s")
        order = {"market": "spot", "symbol": "LTCUSDT", "side": "BUY", "quantity": "1", "price": "60"}
        exchange.do("inject_order", **order, client_id=FOREIGN_ID)
        try:
            found.started().until_ready()
            yield found
        finally:
            found.close()


def test_what_others_left_there_is_never_touched(place: Place) -> None:
    """An order and coins from before: counted once as incidents, and neither cancelled nor sold."""
    place.enter("LTCUSDT")
    assert place.daemon.command("flatten", "--instrument", "LTCUSDT", "--why", "a test").status == 0
    place.daemon.until_ended("LTCUSDT", "command")
    bought, sold = place.trade("LTCUSDT", "BUY"), place.trade("LTCUSDT", "SELL")
    ours = Decimal(bought["quantity"]) - Decimal(bought["fee"]) - Decimal(sold["quantity"])
    assert Decimal(place.ledger["balances"]["LTC"]["free"]) == BEFORE + ours
    (foreign,) = [order for order in place.ledger["orders"] if order["client_id"] == FOREIGN_ID]
    assert foreign["status"] == "NEW"
    assert all(request["client_id"] != FOREIGN_ID for request in place.requests())
    incidents = "SELECT count(*) FROM incidents WHERE kind = 'reconcile_foreign_order'"
    assert count(place.daemon.journal, incidents) == 1
    until(lambda: place.daemon.metrics()['ratchet_reconcile_mismatches_total{kind="foreign_order"}'], "it is counted")
    place.demand_same()


def test_coins_that_arrive_from_nowhere_block_their_instrument_and_are_left_alone(place: Place) -> None:
    place.exchange.do("deposit", asset="XRP", amount="100")
    until(lambda: place.daemon.held("unknown_position", "XRPUSDT"), "XRPUSDT is held")
    sent = place.daemon.sent()
    place.market.move("XRPUSDT", UP)
    place.daemon.until_scans(3)
    assert place.daemon.sent() == sent
    denied = "SELECT reason FROM decisions WHERE instrument = 'XRPUSDT'"
    assert count(place.daemon.journal, f"SELECT count(*) FROM ({denied} AND status = 'denied')") == 1
    assert place.daemon.metrics()['ratchet_reconcile_mismatches_total{kind="position"}'] > 0
    place.exchange.do("deposit", asset="XRP", amount="-100")
    until(lambda: not place.daemon.held("unknown_position", "XRPUSDT"), "the hold ends with what caused it")
    place.demand_same()


def test_an_order_whose_answer_is_lost_is_unknown_then_adopted_and_never_sent_again(place: Place) -> None:
    hidden = place.exchange.add_fault("order_hidden", times=None)
    place.exchange.add_fault("drop_after", method="POST", path="/api/v3/order")
    place.daemon.until_scans(1)
    place.market.move("SOLUSDT", UP)
    until(lambda: place.daemon.metrics()["ratchet_orders_unknown"] == 1, "an order is unknown")
    place.exchange.clear_fault(hidden)
    place.daemon.until_protected("SOLUSDT")
    until(lambda: place.daemon.metrics()["ratchet_orders_unknown"] == 0, "no order is unknown")
    placed = [order for order in place.ledger["orders"] if order["symbol"] == "SOLUSDT" and order["side"] == "BUY"]
    assert len(placed) == 1
    place.demand_same()


def test_a_position_whose_stop_is_refused_for_five_seconds_is_sold(place: Place) -> None:
    place.exchange.add_fault(
        "reject", method="POST", path="/api/v3/order", skip=1, times=3, code=-2010, message="no stop"
    )
    place.daemon.until_scans(1)
    place.market.move("DOGEUSDT", UP)
    place.daemon.until_ended("DOGEUSDT", "unprotected")
    place.demand_same()


def test_maintenance_is_waited_out_and_is_no_reason_to_be_restarted(place: Place) -> None:
    """Nothing is sent meanwhile, however the market jumps; the watchdog is fed although every scan fails."""
    daemon = place.daemon
    place.exchange.switch(maintenance=True)
    until(lambda: "maintenance" in daemon.err, "it is logged")
    requests, beats = len(place.requests()), len(daemon.manager.times_of("WATCHDOG=1"))
    place.market.move("LTCUSDT", UP)
    until(lambda: len(daemon.manager.times_of("WATCHDOG=1")) > beats + 5, "the watchdog is fed")
    assert daemon.logged("watchdog_starved") == []
    assert len(place.requests()) == requests
    place.exchange.switch(maintenance=False)
    daemon.until_scans(2)
    place.demand_same()


def test_an_account_that_was_wiped_is_held_until_a_person_begins_it_anew(place: Place) -> None:
    place.enter("DOGEUSDT")
    place.demand_same()
    place.exchange.do("reset_account")
    until(lambda: place.daemon.held("venue"), "the hold of a wiped account")
    (hold,) = [each for each in place.daemon.shown()["holds"] if each["cause"] == "venue"]
    assert (hold["effect"], hold["latched"]) == ("halt", True)
    assert "the account was reset, or it is another one" in hold["detail"]
    requests = len(place.requests())
    place.market.move("LTCUSDT", UP)
    place.daemon.until_scans(2)
    assert len(place.requests()) == requests
    assert place.daemon.stop() < 20
    again = place.started()
    again.until_ready()
    assert again.held("venue")
    assert len(place.requests()) == requests
    assert again.command("account", "rebase", "--why", "the testnet was reset").status == 0
    until(lambda: not again.held("venue"), "the hold is cleared")
    assert again.stop() < 20
    verified_by_command(again.journal, again.state)
