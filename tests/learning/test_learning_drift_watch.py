"""The watch on outcomes: quiet without change, awake to one, the same after a restart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput, InvalidRecord
from learning.drift.detectors import AdaptiveWindow, PageHinkley
from learning.drift.findings import DriftFinding, DriftKind
from learning.drift.stretches import DriftSample, Stretches
from learning.drift.watch import DriftWatch, WatchSettings

START = datetime(2024, 1, 1, tzinfo=UTC)


def outcome(hour: float, label: int, forecast: float | None = None, *, life: float = 0.5) -> DriftSample:
    """A sample resolved at this hour, decided `life` hours before."""
    resolved = START + timedelta(hours=hour)
    return DriftSample(
        decided_at=resolved - timedelta(hours=life), resolved_at=resolved, label=label, forecast=forecast
    )


def outcomes(
    labels: Sequence[int], forecasts: Sequence[float] | None = None, *, life: float = 0.5
) -> list[DriftSample]:
    said = [None] * len(labels) if forecasts is None else forecasts
    return [outcome(hour, label, p, life=life) for hour, (label, p) in enumerate(zip(labels, said, strict=True))]


def found(samples: Sequence[DriftSample]) -> list[tuple[int, DriftFinding]]:
    watch = DriftWatch()
    return [(place, finding) for place, sample in enumerate(samples) for finding in watch.update(sample)]


def drawn(seed: int, *chances: tuple[int, float]) -> list[int]:
    draw = np.random.default_rng(seed)
    return [int(draw.random() < chance) for count, chance in chances for _ in range(count)]


def ranked(seed: int, *strengths: tuple[int, float]) -> tuple[list[int], list[float]]:
    """Labels and forecasts whose log-odds are 0.4 of the true ones; strength -1 turns the ranking round."""
    draw = np.random.default_rng(seed)
    labels, forecasts = [], []
    for count, strength in strengths:
        for score in draw.normal(size=count):
            labels.append(int(draw.random() < 1 / (1 + np.exp(-0.4 * strength * score))))
            forecasts.append(float(1 / (1 + np.exp(-0.4 * score))))
    return labels, forecasts


@pytest.mark.parametrize("seed", range(3))
def test_independent_outcomes_without_change_raise_nothing(seed: int) -> None:
    labels, forecasts = ranked(seed, (4000, 1.0))
    assert found(outcomes(labels, forecasts)) == []


@pytest.mark.parametrize(("before", "after"), [(0.5, 0.2), (0.3, 0.7)])
def test_a_changed_win_rate_is_found_in_either_direction(before: float, after: float) -> None:
    alarms = found(outcomes(drawn(1, (1000, before), (400, after))))
    assert [finding.subject for _, finding in alarms] == ["win"]
    place, finding = alarms[0]
    assert 1000 < place < 1200
    assert (finding.before < finding.after) == (before < after)
    assert finding.kind is DriftKind.ERRORS
    assert finding.at == START + timedelta(hours=place)


def test_one_change_is_found_once_and_the_next_one_again() -> None:
    alarms = found(outcomes(drawn(2, (1000, 0.5), (1500, 0.2), (1500, 0.6))))
    assert [finding.subject for _, finding in alarms] == ["win", "win"]
    assert [place // 1000 for place, _ in alarms] == [1, 2]
    later = [place for place, _ in alarms]
    assert later[1] > 2500


def test_a_ranking_turned_round_is_found_by_hits_and_brier_but_not_by_wins() -> None:
    alarms = found(outcomes(*ranked(3, (1500, 1.5), (600, -1.5))))
    assert {finding.subject for _, finding in alarms} == {"hit", "brier"}
    assert all(place > 1500 for place, _ in alarms)


def test_a_champion_that_gets_better_is_no_alarm() -> None:
    assert found(outcomes(*ranked(4, (1500, -1.5), (1500, 1.5)))) == []


def test_a_changed_base_rate_alone_does_not_move_the_hits() -> None:
    draw = np.random.default_rng(5)
    forecasts = [float(p) for p in draw.uniform(0.3, 0.7, size=3000)]
    labels = drawn(6, (1500, 0.5), (1500, 0.15))
    subjects = {finding.subject for _, finding in found(outcomes(labels, forecasts))}
    assert "win" in subjects
    assert "hit" not in subjects


@pytest.mark.parametrize("seed", range(4))
def test_labels_that_overlap_do_not_count_as_evidence_of_their_own(seed: int) -> None:
    """Each fair coin is told 40 times, by labels alive together: as 40 coins it alarms, as stretches it does not."""
    coins = drawn(seed, (120, 0.5))
    labels = [coin for coin in coins for _ in range(40)]
    assert found(outcomes(labels, life=40)) == []
    assert len(found(outcomes(labels, life=0.5))) > 3


def test_a_stretch_ends_with_the_first_sample_decided_after_it_began() -> None:
    stretches = Stretches()
    assert stretches.add(outcome(10, 1, 0.8, life=5)) is None
    assert stretches.add(outcome(11, 0, 0.6, life=5)) is None
    assert stretches.add(outcome(14, 1, None, life=4.5)) is None
    ended = stretches.add(outcome(15, 0, 0.1, life=5))
    assert ended is not None
    assert ended.win == pytest.approx(2 / 3)
    assert ended.brier == pytest.approx((0.2**2 + 0.6**2) / 2)
    assert ended.hit == pytest.approx((0.5 + 1) / 2)
    assert stretches.count == 1


def test_without_overlap_every_sample_is_a_stretch() -> None:
    watch = DriftWatch.restored(outcomes(drawn(7, (100, 0.5))))
    assert (watch.samples, watch.stretches) == (100, 99)


def test_a_restored_watch_goes_on_as_the_one_that_was_never_stopped() -> None:
    samples = outcomes(*ranked(8, (900, 1.5), (500, -1.5)))
    whole = found(samples)
    assert whole
    for cut in (1, 700, whole[0][0] - 1):
        watch = DriftWatch.restored(samples[:cut])
        rest = [(place, each) for place in range(cut, len(samples)) for each in watch.update(samples[place])]
        assert rest == [(place, each) for place, each in whole if place >= cut]


def test_a_silent_champion_leaves_only_the_wins_to_watch() -> None:
    alarms = found(outcomes(drawn(9, (600, 0.6), (300, 0.1))))
    assert {finding.subject for _, finding in alarms} == {"win"}


BOUNDED = st.lists(
    st.tuples(st.integers(0, 1), st.none() | st.floats(0, 1), st.floats(0, 60), st.floats(0, 9)), max_size=150
)


@settings(deadline=None, max_examples=60)
@given(rows=BOUNDED, repeat=st.integers(1, 4))
def test_no_stream_of_labels_and_forecasts_makes_the_watch_fail(
    rows: list[tuple[int, float | None, float, float]], repeat: int
) -> None:
    watch = DriftWatch(WatchSettings(minimum=2, scale=2, limit=1.0))
    hour = 0.0
    for label, forecast, life, step in rows * repeat:
        hour += step
        names = [(each.subject, each.detector) for each in watch.update(outcome(hour, label, forecast, life=life))]
        assert len(names) == len(set(names))
    assert watch.samples == len(rows) * repeat


@settings(deadline=None, max_examples=40)
@given(values=st.lists(st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1), max_size=300))
def test_detectors_take_any_bounded_stream_and_mirror_it(values: list[float]) -> None:
    """A stream and its mirror image are found to have changed at the same values, in opposite directions."""
    for make in (
        lambda: PageHinkley(allowance=0.25, limit=4.0, minimum=5),
        lambda: AdaptiveWindow(delta=0.2, scale=5),
    ):
        one, other = make(), make()
        # Eighths, so that the mirror image is exact and no rounding decides.
        eighths = [round(8 * value) / 8 for value in values]
        turns = [(one.add(value), other.add(1 - value)) for value in eighths]
        assert all(up * down <= 0 for up, down in turns)


def test_page_hinkley_speaks_when_the_excess_adds_up_to_its_limit() -> None:
    """Mean 0.5, spread 0.5: each 1 is one sigma, less 0.25 allowed; the sixth passes the limit of 4."""
    detector = PageHinkley(allowance=0.25, limit=4.0, minimum=1000)
    assert not any(detector.add(float(place % 2)) for place in range(1000))
    assert [detector.add(1.0) for _ in range(6)] == [0, 0, 0, 0, 0, 1]


def test_page_hinkley_speaks_of_a_fall_with_the_other_sign() -> None:
    detector = PageHinkley(allowance=0.25, limit=4.0, minimum=1000)
    assert not any(detector.add(float(place % 2)) for place in range(1000))
    assert [detector.add(0.0) for _ in range(6)] == [0, 0, 0, 0, 0, -1]


@pytest.mark.parametrize(
    "settings_given",
    [{"adwin_delta": 0.0}, {"allowance": -0.1}, {"limit": 0.0}, {"minimum": 1}, {"scale": 1}, {"limit": float("nan")}],
)
def test_settings_that_make_no_sense_are_refused(settings_given: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        WatchSettings(**settings_given)  # type: ignore[arg-type]  # wrong on purpose


def test_samples_that_cannot_be_are_refused() -> None:
    for label, forecast, life in ((2, 0.5, 1.0), (1, 1.5, 1.0), (1, float("nan"), 1.0), (1, 0.5, -1.0)):
        with pytest.raises(InvalidInput):
            outcome(1, label, forecast, life=life)
    with pytest.raises(InvalidRecord):
        DriftSample(decided_at=datetime(2024, 1, 1), resolved_at=START, label=1, forecast=None)  # noqa: DTZ001 - without a zone on purpose


def test_importing_the_watch_does_not_import_river_or_scipy() -> None:
    code = "import sys, learning.drift.watch, learning.drift.features, learning.drift.calibration, learning.triggers; "
    code += "print([name for name in ('river', 'scipy', 'sklearn') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_findings_come_in_the_order_of_their_times() -> None:
    alarms = found(outcomes(drawn(11, (600, 0.7), (600, 0.2), (600, 0.7))))
    assert len(alarms) > 1
    assert all(one.at <= other.at for (_, one), (_, other) in pairwise(alarms))
