"""Every series exists before its first event, stays within its budget, and is told in base units."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from daemon.metrics import OTHER, Metrics, VenueCounts, Vocabulary
from domain.decisions import DecisionStatus, ExitCause, OutcomeKind, SampleSource
from domain.errors import InvalidRecord
from domain.holds import Effect, HoldCause, new_hold
from domain.orders import OrderState
from venues.budget import BudgetCounts
from venues.stream import StreamCounts

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
WORDS = Vocabulary(
    instruments=("BTC/USDT", "EUR_USD"),
    reasons=("approved", "spread", "max_positions"),
    jobs=("scan", "reconcile"),
    sources=("headlines",),
    incidents=("late_appearance",),
    rejections=("gap", "duplicate"),
    candle_rejections=("spike", "missing"),
    mismatches=("quantity",),
)


def metrics_of(words: Vocabulary = WORDS) -> Metrics:
    return Metrics(currency="USD", words=words)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    found = metrics.registry.get_sample_value(name, labels)
    assert found is not None, f"there is no series {name}{labels}"
    return found


def full_vocabulary() -> Vocabulary:
    def words(prefix: str, count: int) -> tuple[str, ...]:
        return tuple(f"{prefix}_{number}" for number in range(count))

    return Vocabulary(
        instruments=words("I", 80),
        reasons=words("reason", 64),
        jobs=words("job", 32),
        sources=words("source", 16),
        incidents=words("incident", 32),
        rejections=words("rejection", 32),
        candle_rejections=words("candle", 16),
        mismatches=words("mismatch", 32),
    )


def test_the_fullest_vocabulary_stays_under_two_thousand_series(tmp_path: Path) -> None:
    metrics = metrics_of(full_vocabulary())
    metrics.service.built(version="0.1.0", config_digest="abc", sqlite="3.40.1", live=True)
    metrics.service.watch_files(state=tmp_path, journal=tmp_path / "journal.sqlite")
    metrics.venue.watch(
        VenueCounts(account=BudgetCounts(), candles=BudgetCounts(), stream=StreamCounts(), rejections=())
    )
    series = [line for line in generate_latest(metrics.registry).decode().splitlines() if not line.startswith("#")]
    assert len(series) < 2000
    instruments = {match for line in series for match in re.findall(r'instrument="([^"]*)"', line)}
    assert len(instruments) == 51
    assert OTHER in instruments


def test_every_label_combination_of_every_counter_is_there_at_zero_before_any_event() -> None:
    metrics = metrics_of()
    for status in DecisionStatus:
        for reason in (*WORDS.reasons, OTHER):
            assert value(metrics, "ratchet_decisions_total", outcome=status, reason=reason) == 0
    for state in ("denied", *OrderState):
        assert value(metrics, "ratchet_orders_total", outcome=state) == 0
    for cause in ExitCause:
        assert value(metrics, "ratchet_trades_closed_total", exit=cause) == 0
    for kind in OutcomeKind:
        assert value(metrics, "ratchet_outcomes_total", kind=kind) == 0
    for source in SampleSource:
        assert value(metrics, "ratchet_samples_total", source=source) == 0
    for instrument in (*WORDS.instruments, OTHER):
        for kind in (*WORDS.candle_rejections, OTHER):
            assert value(metrics, "ratchet_candles_rejected_total", instrument=instrument, kind=kind) == 0
    for job in (*WORDS.jobs, OTHER):
        for outcome in ("done", "failed", "missed", "late"):
            assert value(metrics, "ratchet_job_runs_total", job_name=job, outcome=outcome) == 0


def test_events_do_not_make_new_series() -> None:
    metrics = metrics_of()
    metrics.service.built(version="1", config_digest="a", sqlite="3", live=False)
    before = generate_latest(metrics.registry).decode().count("\n")
    metrics.trading.decided(DecisionStatus.DENIED, "a reason nobody announced")
    metrics.trading.bar_closed("UNHEARD", 1.0)
    metrics.service.incident("unheard")
    metrics.service.data_rejected("unheard", 3)
    metrics.service.candles_rejected("EUR_USD", "unheard", 2)
    metrics.service.candles_rejected("UNHEARD", "spike")
    metrics.service.mismatched("unheard")
    metrics.service.job_ran("unheard", "failed", 1.0)
    metrics.service.built(version="2", config_digest="b", sqlite="3", live=False)
    metrics.learning.texts("unheard", 2, 5.0)
    assert generate_latest(metrics.registry).decode().count("\n") == before
    assert value(metrics, "ratchet_decisions_total", outcome="denied", reason=OTHER) == 1
    assert value(metrics, "ratchet_data_rejected_total", kind=OTHER) == 3
    assert value(metrics, "ratchet_candles_rejected_total", instrument="EUR_USD", kind=OTHER) == 2
    assert value(metrics, "ratchet_candles_rejected_total", instrument=OTHER, kind="spike") == 1
    assert value(metrics, "ratchet_job_runs_total", job_name=OTHER, outcome="failed") == 1
    assert value(metrics, "ratchet_build_info", version="2", config_digest="b", sqlite="3") == 1


def test_names_and_units_follow_the_conventions() -> None:
    for family in metrics_of().registry.collect():
        if family.name.startswith(("process_", "python_")):
            continue
        assert re.fullmatch(r"ratchet_[a-z0-9_]+", family.name)
        assert family.documentation.endswith(".")
        assert not re.search(r"(_ms|_millis|_percent|_pct|_age)(_|$)", family.name)
        if family.type == "counter":
            assert {sample.name for sample in family.samples} <= {family.name + "_total"}


def test_two_daemons_in_one_process_share_nothing() -> None:
    first, second = metrics_of(), metrics_of()
    first.trading.filled()
    assert value(first, "ratchet_fills_total") == 1
    assert value(second, "ratchet_fills_total") == 0


def test_a_figure_that_was_never_measured_is_missing_and_not_zero() -> None:
    metrics = metrics_of()
    for name in ("online_log_loss", "online_base_rate_log_loss", "online_brier", "online_auc"):
        assert math.isnan(value(metrics, f"ratchet_{name}"))
    for name in ("drawdown_ratio", "exposure_ratio", "clock_skew_seconds"):
        assert math.isnan(value(metrics, f"ratchet_{name}"))
    metrics.learning.measured(labels=12, log_loss=0.6, base_rate_log_loss=0.65, brier=0.2, auc=None)
    assert value(metrics, "ratchet_online_log_loss") == 0.6
    assert math.isnan(value(metrics, "ratchet_online_auc"))


def test_a_scan_tells_its_time_and_its_bars() -> None:
    metrics = metrics_of()
    metrics.trading.scan_every(3600)
    metrics.trading.scanned(seconds=0.02, at=1_767_000_000.0, bars=6)
    metrics.trading.bar_closed("EUR_USD", 1_767_000_000.0)
    assert value(metrics, "ratchet_scans_total") == 1
    assert value(metrics, "ratchet_bars_total") == 6
    assert value(metrics, "ratchet_scan_duration_seconds_bucket", le="0.025") == 1
    assert value(metrics, "ratchet_scan_duration_seconds_bucket", le="0.01") == 0
    assert value(metrics, "ratchet_last_scan_timestamp_seconds") == 1_767_000_000.0
    assert value(metrics, "ratchet_last_bar_timestamp_seconds", instrument="EUR_USD") == 1_767_000_000.0
    assert value(metrics, "ratchet_last_bar_timestamp_seconds", instrument="BTC/USDT") == 0


def test_orders_fills_and_slippage_are_counted() -> None:
    metrics = metrics_of()
    metrics.trading.order_moved(OrderState.PENDING)
    metrics.trading.order_moved(OrderState.REJECTED)
    metrics.trading.order_denied()
    metrics.trading.orders_now(open_=3, unknown=1, oldest_unknown_at=1_767_000_000.0)
    metrics.trading.slipped(0.0002)
    metrics.trading.slipped(-0.01)
    assert value(metrics, "ratchet_orders_total", outcome="rejected") == 1
    assert value(metrics, "ratchet_orders_total", outcome="denied") == 1
    assert value(metrics, "ratchet_open_orders") == 3
    assert value(metrics, "ratchet_oldest_unknown_order_timestamp_seconds") == 1_767_000_000.0
    assert value(metrics, "ratchet_slippage_ratio_sum") == pytest.approx(0.0002)
    assert value(metrics, "ratchet_slippage_ratio_bucket", le="0.0") == 1
    metrics.trading.orders_now(open_=0, unknown=0, oldest_unknown_at=None)
    assert value(metrics, "ratchet_oldest_unknown_order_timestamp_seconds") == 0


def test_ratios_are_told_between_zero_and_one_and_money_names_its_currency() -> None:
    metrics = metrics_of()
    metrics.account.valued(equity=9_000.0, peak=10_000.0, drawdown=0.1, exposure=4_500.0, positions=2)
    assert value(metrics, "ratchet_equity", currency="USD") == 9_000
    assert value(metrics, "ratchet_drawdown_ratio") == 0.1
    assert value(metrics, "ratchet_exposure_ratio") == 0.5
    metrics.account.valued(equity=0.0, peak=10_000.0, drawdown=1.0, exposure=0.0, positions=0)
    assert math.isnan(value(metrics, "ratchet_exposure_ratio"))


def test_holds_are_shown_by_cause_and_effect_and_the_mode_is_the_strongest_on_the_whole_account() -> None:
    metrics = metrics_of()
    news = new_hold(HoldCause.NEWS, Effect.NO_ENTRIES, since=NOW, detail="rates", until=NOW + timedelta(hours=1))
    stale = new_hold(HoldCause.STALE_DATA, Effect.HALT, since=NOW, detail="", scope="EUR_USD", condition="a new bar")
    drawdown = new_hold(HoldCause.DRAWDOWN, Effect.REDUCE_ONLY, since=NOW, detail="10%", latched=True)

    def modes() -> list[str]:
        names = ("free", *(effect.label for effect in Effect))
        return [name for name in names if value(metrics, "ratchet_mode", mode=name) == 1]

    assert modes() == ["free"]
    metrics.account.holds_now([news, stale])
    assert modes() == ["no_entries"]
    assert value(metrics, "ratchet_holds", cause="stale_data", effect="halt") == 1
    metrics.account.holds_now([news, stale, replace(stale, hold_id="2", scope="BTC/USDT"), drawdown])
    assert modes() == ["reduce_only"]
    assert value(metrics, "ratchet_holds", cause="stale_data", effect="halt") == 2
    assert value(metrics, "ratchet_holds_latched", cause="drawdown") == 1
    metrics.account.holds_now([])
    assert modes() == ["free"]
    assert value(metrics, "ratchet_holds", cause="stale_data", effect="halt") == 0
    assert value(metrics, "ratchet_holds_latched", cause="drawdown") == 0


def test_a_job_that_failed_does_not_move_its_last_success() -> None:
    metrics = metrics_of()
    metrics.service.job_ran("scan", "done", 100.0)
    metrics.service.job_ran("scan", "failed", 200.0)
    assert value(metrics, "ratchet_job_last_success_timestamp_seconds", job_name="scan") == 100.0
    assert value(metrics, "ratchet_job_runs_total", job_name="scan", outcome="failed") == 1


def test_disk_and_journal_sizes_are_measured_when_asked_for(tmp_path: Path) -> None:
    metrics = metrics_of()
    journal = tmp_path / "journal.sqlite"
    metrics.service.watch_files(state=tmp_path, journal=journal)
    assert value(metrics, "ratchet_state_disk_free_bytes") > 0
    assert value(metrics, "ratchet_wal_bytes") == 0
    (tmp_path / "journal.sqlite-wal").write_bytes(b"x" * 4096)
    assert value(metrics, "ratchet_wal_bytes") == 4096


def test_a_disk_that_cannot_be_asked_shows_as_missing_and_the_rest_is_still_told(tmp_path: Path) -> None:
    metrics = metrics_of()
    gone = tmp_path / "gone"
    metrics.service.watch_files(state=gone, journal=gone / "journal.sqlite")
    assert math.isnan(value(metrics, "ratchet_state_disk_free_bytes"))
    assert b"ratchet_scans_total 0.0" in generate_latest(metrics.registry)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"reasons": tuple(f"r{number}" for number in range(121))}, "121 reasons are too many"),
        ({"candle_rejections": tuple(f"r{number}" for number in range(17))}, "17 candle_rejections are too many"),
        ({"jobs": ("scan", "scan")}, "stands twice"),
        ({"sources": ("https://example.org/feed",)}, "cannot be a label value"),
        ({"incidents": ("other",)}, "cannot be a label value"),
        ({"instruments": ("",)}, "cannot be a label value"),
    ],
)
def test_a_vocabulary_that_would_make_bad_labels_is_refused(words: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(InvalidRecord, match=message):
        Vocabulary(**words)
