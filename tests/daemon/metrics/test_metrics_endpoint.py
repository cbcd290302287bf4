"""The metrics page is served to this machine only, on threads of its own, and lets go of its port."""

from __future__ import annotations

import shutil
import socket
import subprocess
from ipaddress import IPv4Address

import httpx
import pytest

from daemon.metrics import Metrics, Vocabulary, serve
from domain.errors import ConfigurationRefused, NotAvailable


def metrics_of() -> Metrics:
    return Metrics(currency="USD", words=Vocabulary(instruments=("BTC/USDT",), jobs=("scan",)))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_page_is_served_on_a_free_port_and_stops(host: str) -> None:
    metrics = metrics_of()
    metrics.trading.filled()
    endpoint = serve(metrics.registry, host)
    assert endpoint.port > 0
    assert "ratchet_fills_total 1.0" in httpx.get(endpoint.url).text
    endpoint.stop()
    endpoint.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(endpoint.url)


@pytest.mark.parametrize("host", [str(IPv4Address(0)), "::", "192.0.2.1", "example.org", ""])
def test_an_address_that_others_could_reach_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationRefused, match="to this machine only"):
        serve(metrics_of().registry, host)


def test_a_taken_port_is_refused_in_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(NotAvailable, match=f"cannot be served on 127.0.0.1 port {port}"):
            serve(metrics_of().registry, "127.0.0.1", port)


def test_a_scraper_that_reads_nothing_keeps_nobody_else_waiting() -> None:
    endpoint = serve(metrics_of().registry)
    with socket.create_connection(("127.0.0.1", endpoint.port)) as idle:
        idle.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert httpx.get(endpoint.url, timeout=5).status_code == 200
    endpoint.stop()


def test_promtool_finds_nothing_to_say_about_the_page() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    endpoint = serve(metrics_of().registry)
    page = httpx.get(endpoint.url).content
    endpoint.stop()
    answer = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
    assert (answer.returncode, answer.stdout + answer.stderr) == (0, b"")
