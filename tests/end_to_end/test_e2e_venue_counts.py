"""What a daemon's metrics page says of its venue: requests, refusals, bans, the push stream, candles not believed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from exchange.process import RunningExchange
from ratchet_command import until
from venue_daemon import Market, VenueDaemon
from venue_place import Place

SYMBOLS = ("BTCUSDT", "ETHUSDT")
BAN_S = 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with RunningExchange(seed=8) as exchange:
        found = Place(tmp_path_factory.mktemp("venue-counts"), exchange, Market(exchange), "spot", SYMBOLS)
        found.market.open(SYMBOLS, "1s")
        try:
            found.started().until_ready()
            yield found
        finally:
            found.close()


def of_account(daemon: VenueDaemon, name: str) -> float:
    return daemon.metrics()[f'ratchet_venue_{name}_total{{budget="account"}}']


def of_stream(daemon: VenueDaemon, name: str) -> float:
    return daemon.metrics()[f"ratchet_venue_stream_{name}_total"]


def rejected(daemon: VenueDaemon) -> dict[str, float]:
    shown = daemon.metrics().items()
    return {name: value for name, value in shown if name.startswith("ratchet_candles_rejected_total")}


def test_before_anything_went_wrong_every_count_of_it_is_there_at_zero(place: Place) -> None:
    daemon = place.daemon
    assert of_account(daemon, "requests") > 0
    for name in ("waits", "refused", "busy", "bans"):
        assert of_account(daemon, name) == 0
    assert [of_stream(daemon, name) for name in ("connections", "failures", "silences")] == [1, 0, 0]
    assert len(rejected(daemon)) == (len(SYMBOLS) + 1) * 14
    assert set(rejected(daemon).values()) == {0.0}
    assert not [name for name in daemon.metrics() if 'budget="candles"' in name], "account and candles ask one host"


def test_a_candle_that_is_no_number_is_counted_for_its_instrument_and_logged_with_it(place: Place) -> None:
    place.exchange.add_fault("candles_broken", path="klines", times=1)
    until(lambda: sum(rejected(place.daemon).values()), "it is counted")
    (line,) = place.daemon.logged("candles_rejected")
    counted = f'ratchet_candles_rejected_total{{instrument="{line["instrument"]}",kind="unreadable"}}'
    assert {name: value for name, value in rejected(place.daemon).items() if value} == {counted: 1.0}
    assert (line["instrument"] in SYMBOLS, line["kind"], line["count"]) == (True, "unreadable", 1)


def test_a_stream_that_breaks_is_counted_and_connected_again(place: Place) -> None:
    until(lambda: place.exchange.streams()["open"], "the stream is open")
    assert place.exchange.drop_streams()
    until(lambda: of_stream(place.daemon, "connections") >= 2, "it connects again")
    assert of_stream(place.daemon, "failures") >= 1
    assert of_stream(place.daemon, "rings") >= 2


def test_a_ban_is_counted_while_it_lasts(place: Place) -> None:
    place.exchange.add_fault("banned", seconds=BAN_S)
    until(lambda: of_account(place.daemon, "bans") == 1, "the ban is counted")
    until(lambda: of_account(place.daemon, "refused") > 0, "what is not asked for it is counted")
    assert of_account(place.daemon, "busy") >= 1  # whatever was under way when it began was refused too
    shut = place.exchange.ledger()["shut"][0]["until"]
    until(lambda: place.exchange.ledger()["now"] > shut, "the ban ends")
    asked = of_account(place.daemon, "requests")
    until(lambda: of_account(place.daemon, "requests") > asked, "the venue is asked again")
    assert of_account(place.daemon, "bans") == 1
