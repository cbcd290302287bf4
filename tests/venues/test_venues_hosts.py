"""Only demo hosts are ever spoken to: the list, and every trick that would get around it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigurationRefused
from venues.hosts import DEMO_HOSTS, LIVE_HOSTS, RETIRED_HOSTS, demand_demo

PLAIN = [demo for demo in DEMO_HOSTS if demo.header is None]
SHARED = [demo for demo in DEMO_HOSTS if demo.header is not None]


@pytest.mark.parametrize("demo", PLAIN, ids=lambda demo: demo.host)
def test_every_demo_host_proves_itself_in_one_sentence(demo):
    for scheme in ("https", "wss"):
        proof = demand_demo(f"{scheme}://{demo.host}/api/v3/order?signature=x", {})
        assert proof == f"{demo.host} is {demo.venue}'s {demo.what} host: its accounts hold no real money."
    for port in demo.ports:
        assert demand_demo(f"https://{demo.host}:{port}/", {})
    assert demand_demo(f"https://{demo.host.upper()}/", {})


@pytest.mark.parametrize("demo", SHARED, ids=lambda demo: demo.host)
def test_a_host_shared_with_live_accounts_needs_its_header(demo):
    name, value = demo.header
    url = f"https://{demo.host}/api/v5/trade/order"
    assert f"{name}: {value}" in demand_demo(url, {name.title(): value, "accept": "json"})
    wrong = [{}, {name: "0"}, {name: ""}, {name: " 1"}, {name: value, name.upper(): "0"}, {f"{name}-not": value}]
    for headers in wrong:
        with pytest.raises(ConfigurationRefused, match=f"must carry the header {name}: {value}"):
            demand_demo(url, headers)


@pytest.mark.parametrize("host", sorted(LIVE_HOSTS))
def test_live_hosts_are_refused_by_name(host):
    for headers in ({}, {"x-simulated-trading": "1", "paptrading": "1"}):
        with pytest.raises(ConfigurationRefused, match="live host, where orders move real money"):
            demand_demo(f"https://{host}/api/v3/order", headers)


@pytest.mark.parametrize("host", sorted(RETIRED_HOSTS))
def test_closed_demos_are_refused_because_they_redirect(host):
    with pytest.raises(ConfigurationRefused, match="which the venue has closed"):
        demand_demo(f"https://{host}/derivatives/api/v3", {})


@pytest.mark.parametrize(
    "url",
    [
        "https://testnet.binance.vision.evil.com/api",
        "https://evil.com/testnet.binance.vision",
        "https://evil.com?testnet.binance.vision",
        "https://evil.com#testnet.binance.vision",
        "https://evil.com/@testnet.binance.vision",
        "https://testnet.binance.vision@evil.com/",
        "https://testnet.binance.vision:443@evil.com/",
        "https://user:pass@testnet.binance.vision/",
        "https://@testnet.binance.vision/",
        "https://api.binance.com\\@testnet.binance.vision/",
        "https://testnet.binance.vision\\@evil.com/",
        "https://testnet.binance.vision\\.evil.com/",
        "https://testnet.binance.vision./",
        "https://testnet.binance.vision../",
        "https://.testnet.binance.vision/",
        "https://xtestnet.binance.vision/",
        "https://x.testnet.binance.vision/",
        "https://testnet-binance.vision/",
        "https://binance.vision/",
        "https://testnet.binance.vision%2eevil.com/",
        "https://testnet%2ebinance.vision/",
        "https://t\u0435stnet.binance.vision/",
        "https://testnet.binance.vision\u3002evil.com/",
        "https://testnet\uff0ebinance.vision/",
        "https://xn--tstnet-4of.binance.vision/",
        "https://testnet.binance.vision\t.evil.com/",
        "https://testnet.binance.vision\n/",
        " https://testnet.binance.vision/",
        "https://testnet.binance.vision /",
        "https://testnet.binance.vision:8443/",
        "https://testnet.binance.vision:0/",
        "https://testnet.binance.vision:99999/",
        "https://testnet.binance.vision:x/",
        "https://[testnet.binance.vision]/",
        "http://testnet.binance.vision/",
        "ws://stream.testnet.binance.vision/",
        "ftp://testnet.binance.vision/",
        "file:///testnet.binance.vision",
        "testnet.binance.vision",
        "//testnet.binance.vision/",
        "https:testnet.binance.vision",
        "https:///testnet.binance.vision",
        "https://",
        "",
        "https://127.0.0.1.evil.com/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://0.0.0.0/",
        "https://10.0.0.1/",
        "https://[::]/",
        "https://localhost.evil.com/",
        "https://localhost./",
        "http://localhost@evil.com/",
    ],
)
def test_look_alikes_and_tricks_are_refused_in_one_sentence(url):
    with pytest.raises(ConfigurationRefused) as refused:
        demand_demo(url, {"x-simulated-trading": "1"})
    sentence = str(refused.value)
    assert sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/api",
        "http://localhost/api",
        "ws://localhost:9000/ws",
        "https://127.8.9.10/",
        "http://[::1]:5000/",
    ],
)
def test_this_machine_counts_as_demo_also_without_encryption(url):
    assert "is this machine" in demand_demo(url, {})


def test_a_refusal_shows_neither_signature_nor_password():
    for url in ("https://evil.com/order?signature=secret", "https://me:secret@evil.com/order"):
        with pytest.raises(ConfigurationRefused) as refused:
            demand_demo(url, {})
        assert "secret" not in str(refused.value)


def test_the_lists_are_frozen_and_disjoint():
    hosts = [demo.host for demo in DEMO_HOSTS]
    assert len(set(hosts)) == len(hosts)
    assert not set(hosts) & (set(LIVE_HOSTS) | set(RETIRED_HOSTS))
    assert all(host == host.lower() for host in hosts)
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEMO_HOSTS[0].host = "api.binance.com"  # type: ignore[misc]  # that it cannot be set is what is tested
    with pytest.raises(TypeError):
        LIVE_HOSTS["x"] = "y"  # type: ignore[index]  # that it cannot be set is what is tested


@given(st.text(max_size=30), st.sampled_from(DEMO_HOSTS), st.text(max_size=30))
def test_no_text_around_a_demo_host_makes_another_host_of_it(before, demo, after):
    url = f"https://{before}{demo.host}{after}"
    try:
        proof = demand_demo(url, dict([demo.header]) if demo.header else {})
    except ConfigurationRefused:
        return
    assert proof.split(" ", 1)[0] in {each.host for each in DEMO_HOSTS} | {"localhost"}
    rest = url.removeprefix("https://").lower()
    named = proof.split(" ", 1)[0]
    assert rest.startswith(named)
    assert rest[len(named) :][:1] in ("", "/", "?", "#", ":")
