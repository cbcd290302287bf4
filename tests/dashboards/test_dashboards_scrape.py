"""A real Prometheus scrapes a real daemon's page, and the board's and the alerts' queries answer from it."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from exported_metrics import DASHBOARDS, a_daemons_metrics, exported_series, program, without_variables

from daemon.metrics import Metrics, serve
from domain.decisions import DecisionStatus
from domain.orders import OrderState

WITHIN_S = 60.0


class Prometheus:
    """A running server's API."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = self._client.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def get(self, path: str) -> Any:
        answer = self._client.get(path)
        assert answer.status_code == 200
        return answer.json()["data"]

    def ready(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self._client.close()


def until(holds: Callable[[], bool], what: str) -> None:
    """Ask again and again until `holds`, at most a minute."""
    pause, deadline = threading.Event(), time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s: {what}"
        pause.wait(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def configuration(target: int) -> str:
    """The shipped example, pointed at `target` and hurried, with nobody to alert."""
    example = yaml.safe_load((DASHBOARDS / "prometheus" / "prometheus.yml").read_text())
    example["global"] = {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
    example["rule_files"] = [str(DASHBOARDS / "prometheus" / "rules.yml")]
    example["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{target}"]
    del example["alerting"]
    return yaml.safe_dump(example)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Metrics:
    return a_daemons_metrics(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def prometheus(daemon: Metrics, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    command, folder, port = program("prometheus"), tmp_path_factory.mktemp("prometheus"), free_port()
    endpoint = serve(daemon.registry)
    (folder / "prometheus.yml").write_text(configuration(endpoint.port))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                command,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    api = Prometheus(port)
    try:
        until(lambda: process.poll() is not None or api.ready(), "Prometheus is ready")
        assert process.poll() is None, (folder / "log").read_text()[-2000:]
        until(lambda: bool(api.query('up{job="ratchet"} == 1')), "the daemon is scraped")
        yield api
    finally:
        api.close()
        process.terminate()
        process.wait(timeout=20)
        endpoint.stop()


def test_every_exported_series_arrives_with_the_accounts_label(prometheus: Prometheus, tmp_path: Path) -> None:
    arrived = set(prometheus.get("/api/v1/label/__name__/values"))
    assert set(exported_series(tmp_path)) <= arrived
    labels = prometheus.query("ratchet_scans_total")[0]["metric"]
    assert labels["job"] == "ratchet"
    assert labels["account"] == "main"


def test_what_the_daemon_counts_is_what_prometheus_answers(prometheus: Prometheus, daemon: Metrics) -> None:
    daemon.trading.scanned(seconds=0.02, at=1_767_000_000.0, bars=6)
    daemon.trading.decided(DecisionStatus.DENIED, "spread")
    daemon.service.job_ran("scan", "done", 1_767_000_000.0)
    until(lambda: bool(prometheus.query("ratchet_scans_total == 1")), "the scan is scraped")
    assert prometheus.query('ratchet_decisions_total{outcome="denied",reason="spread"} == 1')
    assert prometheus.query('ratchet_job_runs_total{job_name="scan",outcome="done"} == 1')
    assert prometheus.query("ratchet_bars_total == 6")


def test_the_first_rejected_order_is_seen_as_an_increase(prometheus: Prometheus, daemon: Metrics) -> None:
    until(
        lambda: bool(prometheus.query('count_over_time(ratchet_orders_total{outcome="rejected"}[5m]) >= 2')), "zeroes"
    )
    daemon.trading.order_moved(OrderState.REJECTED)
    until(
        lambda: bool(prometheus.query('increase(ratchet_orders_total{outcome="rejected"}[5m]) > 0')),
        "the first rejection is an increase from 0",
    )


def test_every_query_of_the_board_is_answered(prometheus: Prometheus) -> None:
    board = json.loads((DASHBOARDS / "grafana" / "ratchet.json").read_text())
    answers = {
        target["expr"]: prometheus.query(without_variables(target["expr"]))
        for panel in board["panels"]
        for target in panel.get("targets", [])
    }
    always = [query for query in answers if "rate(" not in query and "increase(" not in query and "> 0" not in query]
    assert [query for query in always if not answers[query]] == []


@pytest.mark.slow
def test_an_unprotected_position_fires_its_alert_and_only_its_alert(prometheus: Prometheus, daemon: Metrics) -> None:
    def firing() -> set[str]:
        alerts = prometheus.get("/api/v1/alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    daemon.trading.unprotected(1)
    until(lambda: "RatchetUnprotectedPosition" in firing(), "the alert fires after its 15 s")
    assert firing() == {"RatchetWatchdog", "RatchetUnprotectedPosition"}
    daemon.trading.unprotected(0)
    until(lambda: firing() == {"RatchetWatchdog"}, "the alert ends")
