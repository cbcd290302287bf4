"""A real Prometheus scrapes a replay while it runs, and its answers move with the account."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from ratchet_command import count, ended, running, until

BARS = 450
BARS_A_SECOND = 45
MOVING = (
    "ratchet_scans_total",
    "ratchet_bars_total",
    "ratchet_equity",
    "ratchet_online_updates_total",
    "ratchet_online_log_loss",
    "ratchet_journal_sequence",
    "ratchet_last_scan_timestamp_seconds",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Prometheus:
    """A running server, asked over its API."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self._base}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def value(self, expression: str) -> float | None:
        """The one value of an expression now; None while there is none."""
        answer = httpx.get(f"{self._base}/api/v1/query", params={"query": expression}, timeout=10).json()
        result = answer["data"]["result"]
        return float(result[0]["value"][1]) if result else None


@contextmanager
def prometheus_scraping(target: int, folder: Path) -> Iterator[Prometheus]:
    command = shutil.which("prometheus")
    if command is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    port, config = free_port(), folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        f"scrape_configs: [{{job_name: ratchet, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    )
    arguments = (
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([command, *arguments], stdout=log, stderr=log)
    try:
        api = Prometheus(port)
        until(lambda: api.ready() or process.poll() is not None, "Prometheus is ready")
        assert process.poll() is None, (folder / "log").read_text()[-2_000:]
        yield api
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_prometheus_sees_a_replay_move(market_data: Path, tmp_path: Path) -> None:
    metrics, state = free_port(), tmp_path / "state"
    speed = ("--speed", str(BARS_A_SECOND * 3_600), "--metrics-port", str(metrics))
    what = ("--instruments", "BTCUSDT,ETHUSDT,XRPUSDT", "--max-bars", str(BARS))
    arguments = ("run", "--replay", str(market_data / "crypto"), "--timeframe", "1h", "--json", *what, *speed)
    with prometheus_scraping(metrics, tmp_path) as prometheus, running(*arguments, state=state) as replay:

        def scanned() -> float:
            return prometheus.value("ratchet_scans_total") or 0

        until(lambda: scanned() > 0 or replay.poll() is not None, "the first scans are scraped")
        early = scanned()
        assert early < BARS
        until(lambda: scanned() > early + 50 or replay.poll() is not None, "more scans are scraped while it plays")
        assert replay.poll() is None
        assert prometheus.value("ratchet_live_clock") == 0
        document = ended(replay).document
        for name in MOVING:
            assert (prometheus.value(f"count(max_over_time({name}[2m]) > min_over_time({name}[2m]))") or 0) >= 1, name
        last = prometheus.value("max_over_time(ratchet_scans_total[2m])")
        assert last is not None
        assert 0.9 * BARS <= last <= count(Path(document["journal"]), "SELECT count(*) FROM scans")
        assert prometheus.value('max_over_time(ratchet_equity{currency="USDT"}[2m])') is not None
