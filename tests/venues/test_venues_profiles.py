"""The capability table, and that reading it costs nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from venue_accounts import MachineClock, credentials, our_id

from domain.errors import ConfigurationRefused
from domain.orders import OrderKind
from venues.hosts import DEMO_HOSTS
from venues.opening import open_account, open_market
from venues.profiles import PROFILES, REFUSED, NoDemo, Profile, demand_profile, known_venues
from venues.records import MarketKind

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("module", ["venues.profiles", "venues.hosts", "venues.opening", "venues.credentials"])
def test_the_table_is_read_without_the_vendor_library(module: str) -> None:
    script = f"import sys, {module}; sys.exit('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: f"{profile.venue}-{profile.market}")
def test_a_profile_is_whole(profile: Profile) -> None:
    assert profile.demo_host in {demo.host for demo in DEMO_HOSTS}
    assert profile.demo_header == next(demo.header for demo in DEMO_HOSTS if demo.host == profile.demo_host)
    assert profile.order_id.demand(profile.title, our_id(1)) == our_id(1)
    assert OrderKind.STOP in profile.kinds
    spot = profile.market is MarketKind.SPOT
    assert (profile.shorts, profile.reduce_only, profile.stacks_exits) == (not spot, not spot, not spot)
    assert (profile.one_way is None) == spot
    assert profile.abilities.receive_window == profile.receive_window


def test_every_market_of_a_known_venue_is_either_traded_or_refused() -> None:
    known = known_venues()
    assert known.keys() == PROFILES.keys() | REFUSED.keys()
    for venue in {venue for venue, _ in known}:
        assert {kind for name, kind in known if name == venue} == set(MarketKind)


@pytest.mark.parametrize("refusal", REFUSED.values(), ids=lambda refusal: f"{refusal.venue}-{refusal.market}")
async def test_a_venue_without_a_demo_is_refused_in_one_sentence(refusal: NoDemo, venue_clock: MachineClock) -> None:
    with pytest.raises(ConfigurationRefused) as told:
        await open_account(
            venue=refusal.venue,
            market=refusal.market,
            symbols=["BTCUSDT"],
            credentials=credentials(),
            clock=venue_clock,
        )
    assert refusal.why in str(told.value)
    assert "\n" not in str(told.value)


def test_krakens_closed_futures_demo_is_named_as_the_reason() -> None:
    with pytest.raises(ConfigurationRefused, match=r"demo-futures\.kraken\.com was .* which the venue has closed"):
        demand_profile("krakenfutures", MarketKind.LINEAR)


async def test_an_unknown_venue_is_refused_with_the_allowed_ones(venue_clock: MachineClock) -> None:
    with pytest.raises(ConfigurationRefused, match="'binanse' is not known; allowed are binance, bybit, okx"):
        await open_market(venue="binanse", market=MarketKind.SPOT, clock=venue_clock)


def test_an_id_that_does_not_fit_is_refused_by_the_name_of_its_field() -> None:
    rule = PROFILES["okx", MarketKind.SPOT].order_id
    for bad in ("a" * 33, "with-dash", ""):
        with pytest.raises(ConfigurationRefused, match=r"OKX takes order ids of at most 32 .* in clOrdId"):
            rule.demand("OKX", bad)


async def test_okx_without_its_passphrase_is_refused(venue_clock: MachineClock) -> None:
    with pytest.raises(ConfigurationRefused, match="OKX gives out a passphrase"):
        await open_account(
            venue="okx", market=MarketKind.SPOT, symbols=["BTCUSDT"], credentials=credentials(), clock=venue_clock
        )


@pytest.mark.parametrize("base", ["ftp://127.0.0.1", "127.0.0.1:80", "http://127.0.0.1/?a=b", "http:///x", "x"])
async def test_a_base_address_that_is_none_is_refused(base: str, venue_clock: MachineClock) -> None:
    with pytest.raises(ConfigurationRefused):
        await open_account(
            venue="binance",
            market=MarketKind.SPOT,
            symbols=["BTCUSDT"],
            credentials=credentials(),
            clock=venue_clock,
            base_url=base,
        )


def test_credentials_show_nothing_of_themselves() -> None:
    given = credentials()
    assert repr(given) == str(given) == f"{given}" == "Credentials(***)"
    for bad in ("", "abc", "with\nline", " padded"):
        with pytest.raises(ConfigurationRefused) as told:
            type(given)(key="good-key", secret=bad)
        assert bad == "" or bad not in str(told.value)
