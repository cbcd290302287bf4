"""A futures account at the test exchange on bars of a minute; while these pass, the exchange has many a trouble."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from exchange.keys import MAIN, ApiKey
from exchange.process import RunningExchange
from ratchet_command import count, ratchet, until, verified_by_command
from venue_daemon import DOWN, UP, Market, key_of
from venue_ledger import our_trades
from venue_place import Place, free_port

LONG, SHORT = ("BTCUSDT", "SOLUSDT"), ("ETHUSDT", "BNBUSDT")
FOREIGN = "XRPUSDT"
SYMBOLS = (*LONG, *SHORT, FOREIGN)
BAR_S = 75.0
"""A bar of a minute has closed and was acted on within this."""
CANARY = ApiKey("canary-key-8c1f3a5d7e", "canary-secret-2b9d4f6a0c", MAIN)
BAN_S, SKEW_MS = 4, 800


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Somebody else's position is there before the daemon is."""
    folder = tmp_path_factory.mktemp("venue-linear")
    with RunningExchange(port=free_port(), seed=5, state=folder / "exchange.diary") as exchange:
        found = Place(folder, exchange, Market(exchange), "linear", SYMBOLS, key=CANARY)
        exchange.do("add_key", key=CANARY.key, secret=CANARY.secret, account=CANARY.account)
        found.market.open(SYMBOLS, "1m")
        exchange.do("inject_position", symbol=FOREIGN, amount="500")
        found.foreign[FOREIGN] = Decimal(500)
        try:
            found.started().until_ready()
            yield found
        finally:
            found.close()


def test_a_position_that_is_not_ours_blocks_its_instrument_from_the_start(place: Place) -> None:
    assert place.daemon.held("unknown_position", FOREIGN)
    (hold,) = place.daemon.shown()["holds"]
    assert (hold["cause"], hold["scope"], hold["effect"]) == ("unknown_position", FOREIGN, "no_entries")
    assert count(place.daemon.journal, "SELECT count(*) FROM incidents WHERE kind = 'reconcile_position'") == 1


def test_longs_and_shorts_rest_behind_a_stop_and_a_target_of_their_size(place: Place) -> None:
    """One of the entries gets less than it wanted: its stop and target are as small."""
    for symbol in SYMBOLS:
        place.market.move(symbol, DOWN if symbol in SHORT else UP)
    place.exchange.add_fault("partial", method="POST", path="/fapi/v1/order", share="0.4")
    for symbol in (*LONG, *SHORT):
        until(lambda symbol=symbol: place.daemon.resting_stop(symbol), f"a stop for {symbol}", BAR_S)
        until(lambda symbol=symbol: place.daemon.orders(symbol, "target", "accepted"), f"a target for {symbol}")
        (entry,) = place.daemon.orders(symbol, "entry")
        assert entry["side"] == ("sell" if symbol in SHORT else "buy")
        held = abs(Decimal(place.ledger["positions"][symbol]["amount"]))
        assert held == Decimal(entry["filled"])
        resting = [place.daemon.orders(symbol, leg, "accepted") for leg in ("stop", "target")]
        assert [[Decimal(order["quantity"]) for order in orders] for orders in resting] == [[held], [held]]
    filled = [place.daemon.orders(symbol, "entry")[0] for symbol in (*LONG, *SHORT)]
    assert sorted(entry["state"] for entry in filled) == ["expired", "filled", "filled", "filled"]
    assert place.daemon.metrics()["ratchet_unprotected_positions"] == 0
    assert place.daemon.orders(FOREIGN, "entry") == []
    place.demand_same()


def test_a_target_that_rests_is_filled_at_the_venue_and_its_stop_is_taken_back(place: Place) -> None:
    (target,) = place.daemon.orders("BTCUSDT", "target", "accepted")
    place.market.trade("BTCUSDT", Decimal(target["limit_price"]) + 1)
    place.daemon.until_ended("BTCUSDT", "target")
    until(lambda: place.resting("BTCUSDT") == [], "nothing rests any more")
    sold = [each for each in our_trades(place.ledger) if (each["symbol"], each["side"]) == ("BTCUSDT", "SELL")]
    assert {each["client_id"] for each in sold} == {target["client_order_id"]}
    assert all(each["maker"] for each in sold)
    place.demand_same()


def test_a_short_is_bought_back_at_its_stop_and_its_target_is_taken_back(place: Place) -> None:
    stop = place.daemon.until_protected("ETHUSDT")
    place.market.trade("ETHUSDT", Decimal(stop["stop_price"]) * Decimal("1.001"))
    place.daemon.until_ended("ETHUSDT", "stop")
    until(lambda: place.resting("ETHUSDT") == [], "nothing rests any more")
    place.demand_same()


def test_funding_is_booked_as_it_is_charged(place: Place) -> None:
    place.exchange.fund("SOLUSDT", "0.0003")
    (income,) = [
        each for each in place.ledger["incomes"] if each["type"] == "FUNDING_FEE" and each["symbol"] == "SOLUSDT"
    ]
    booked = "SELECT count(*) FROM cash_events WHERE kind = 'funding'"
    until(lambda: count(place.daemon.journal, booked), "the funding is booked")
    place.demand_same()
    assert Decimal(income["amount"]) < 0


def test_while_a_ban_lasts_nothing_is_asked(place: Place) -> None:
    place.exchange.add_fault("banned", seconds=BAN_S)
    until(lambda: place.exchange.ledger()["shut"], "the ban begins")
    until(lambda: "IP banned" in place.daemon.err, "it is logged")
    shut = place.exchange.ledger()["shut"][0]["until"]
    until(lambda: place.exchange.ledger()["now"] > shut, "the ban ends")
    calls = place.exchange.ledger()["calls"]
    until(lambda: place.exchange.ledger()["calls"] != calls, "the venue is asked again")
    assert sum(place.exchange.ledger()["calls_while_shut"].values()) == 0
    until(lambda: place.daemon.held("unknown_position", FOREIGN), "nothing was forgotten over it")


def test_an_exchange_that_dies_and_comes_back_is_followed_again(place: Place) -> None:
    listening = place.exchange.streams()["open"]
    place.exchange.kill()
    until(lambda: "ExchangeNotAvailable" in place.daemon.err, "the daemon finds it gone")
    place.exchange.start()
    until(lambda: place.exchange.streams()["open"] >= listening, "the daemon listens again")
    assert place.daemon.process.poll() is None
    place.demand_same()


def test_an_answer_that_repeats_the_request_shows_no_secret(place: Place) -> None:
    """What this leaves in logs is looked for at the end."""
    fault = place.exchange.add_fault("echoed", path="openOrders|openAlgoOrders")
    until(lambda: place.exchange.ledger()["faults"][fault - 1]["hit"], "the echo is heard")


def test_the_stop_follows_at_the_next_bar_and_a_clock_gone_astray_holds_entries(place: Place) -> None:
    """Where several exits may rest, the new stop is placed before the old one is taken back."""
    first = place.daemon.until_protected("SOLUSDT")
    place.market.move("SOLUSDT", Decimal("1.012"))
    place.exchange.switch(skew_ms=SKEW_MS)
    until(lambda: place.daemon.held("skew"), "the venue's clock is measured", BAR_S)
    assert abs(place.daemon.metrics()["ratchet_clock_skew_seconds"] - SKEW_MS / 1000) < 0.2

    def risen() -> bool:
        stop = place.daemon.resting_stop("SOLUSDT")
        return stop is not None and Decimal(stop["stop_price"]) > Decimal(first["stop_price"])

    until(risen, "the stop follows", BAR_S)
    until(lambda: not place.daemon.waiting(), "every answer is there")
    second = place.daemon.until_protected("SOLUSDT")
    asked = [(each["method"], each["client_id"]) for each in place.requests()]
    assert asked.index(("POST", second["client_order_id"])) < asked.index(("DELETE", first["client_order_id"]))
    place.exchange.switch(skew_ms=0)
    place.demand_same()


def test_flatten_leaves_nothing_of_ours_and_all_of_what_is_not(place: Place) -> None:
    assert place.daemon.command("flatten", "--why", "a test").status == 0
    for symbol in ("SOLUSDT", "BNBUSDT"):
        place.daemon.until_ended(symbol, "command")
        until(lambda symbol=symbol: place.resting(symbol) == [], "nothing rests any more")
    assert set(place.ledger["positions"]) == {FOREIGN}
    assert [each for each in place.requests() if each["symbol"] == FOREIGN] == []
    place.demand_same()


def test_a_key_that_is_revoked_halts_until_a_person_has_looked(place: Place) -> None:
    place.exchange.do("revoke", key=CANARY.key)
    until(lambda: place.daemon.held("venue"), "the halt")
    (hold,) = [each for each in place.daemon.shown()["holds"] if each["cause"] == "venue"]
    assert (hold["effect"], hold["latched"]) == ("halt", True)
    assert place.daemon.metrics()['ratchet_holds_latched{cause="venue"}'] == 1
    assert place.daemon.stop() < 20
    assert place.daemon.status == 0
    again = place.started()
    assert again.status == 78
    assert "refuses the account's key" in again.sentence


def test_no_secret_is_in_anything_that_was_told_or_written(place: Place) -> None:
    """The exchange repeats what it was sent, key and signature, and the command line is given the key as a reason."""
    given = key_of(CANARY)
    commands = [
        ratchet(*words, state=place.daemon.state, extra=given)
        for words in (
            ("check", "-c", str(place.daemon.file)),
            ("status", "--json"),
            ("config", "show", "-c", str(place.daemon.file)),
        )
    ]
    told = [command.out + command.err for command in commands]
    for life in place.lives:
        told += [life.out, life.err, *(message for _, message in life.manager.heard)]
    assert leaks("\n".join(told).encode()) == []
    files = [path for path in place.daemon.state.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"journal.sqlite", "venue.sqlite"}
    assert {path: leaks(path.read_bytes()) for path in files if leaks(path.read_bytes())} == {}
    verified_by_command(place.daemon.journal, place.daemon.state)


def leaks(text: bytes) -> list[str]:
    return [secret for secret in (CANARY.key, CANARY.secret) if secret.encode() in text]
