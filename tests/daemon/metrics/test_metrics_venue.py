"""What is counted where a venue is asked is shown as it stands at each scrape, and not at all without a venue."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from prometheus_client import generate_latest

from daemon.metrics import Metrics, VenueCounts, Vocabulary
from domain.clock import SteppedClock
from domain.errors import VenueBusy
from venues.budget import Budget, BudgetCounts
from venues.profiles import Allowance
from venues.stream import StreamCounts

OF_BUDGETS = {"requests", "waits", "refused", "busy", "bans", "foreign_units"}
OF_STREAMS = {"stream_connections", "stream_failures", "stream_silences", "stream_rings"}
ALLOWANCE = Allowance(units=10.0, window_s=60.0, used_header="used", header_per_unit=1.0)


def watching(account: BudgetCounts, candles: BudgetCounts | None = None, stream: StreamCounts | None = None) -> Metrics:
    metrics = Metrics(currency="USDT", words=Vocabulary())
    metrics.venue.watch(
        VenueCounts(account=account, candles=candles, stream=stream or StreamCounts(), rejections=("spike",))
    )
    return metrics


def told(metrics: Metrics) -> dict[str, float]:
    """Every series of the venue by its name with labels."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    pairs = (line.removeprefix("ratchet_venue_").rpartition(" ") for line in lines if line.startswith("ratchet_venue_"))
    return {name: float(value) for name, _, value in pairs}


def test_every_series_of_a_venue_is_there_at_zero_before_anything_was_asked() -> None:
    shown = told(watching(BudgetCounts(), BudgetCounts()))
    budgets = {f'{name}_total{{budget="{budget}"}}' for name in OF_BUDGETS for budget in ("account", "candles")}
    assert shown == dict.fromkeys(budgets | {f"{name}_total" for name in OF_STREAMS}, 0.0)


def test_one_allowance_for_account_and_candles_is_the_accounts_and_counted_once() -> None:
    shown = told(watching(BudgetCounts(asked=7)))
    assert shown['requests_total{budget="account"}'] == 7
    assert not [name for name in shown if "candles" in name]


def test_without_a_venue_there_are_no_such_series() -> None:
    metrics = Metrics(currency="USD", words=Vocabulary())
    assert told(metrics) == {}
    assert b"# TYPE ratchet_venue_bans_total counter" in generate_latest(metrics.registry)


async def test_a_budget_that_is_asked_told_and_banned_is_shown_as_it_stands() -> None:
    clock = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    budget = Budget("V", ALLOWANCE, clock)
    metrics = watching(budget.counts)
    await budget.take(2)
    budget.heard(200, {"Used": "5"}, "")
    with pytest.raises(VenueBusy):
        await budget.take(9)
    assert told(metrics) == told(metrics) | {
        'requests_total{budget="account"}': 1.0,
        'refused_total{budget="account"}': 1.0,
        'foreign_units_total{budget="account"}': 3.0,
        'bans_total{budget="account"}': 0.0,
    }
    budget.heard(418, {"Retry-After": "60"}, "")
    assert told(metrics)['bans_total{budget="account"}'] == 1


def test_the_stream_is_shown_as_it_stands() -> None:
    stream = StreamCounts()
    metrics = watching(BudgetCounts(), stream=stream)
    stream.connections, stream.failures, stream.silences, stream.rings = 4, 2, 1, 9
    shown = told(metrics)
    assert [shown[f"stream_{name}_total"] for name in ("connections", "failures", "silences", "rings")] == [4, 2, 1, 9]
