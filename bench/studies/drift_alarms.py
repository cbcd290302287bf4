"""`python -m bench.studies.drift_alarms [--runs N]`: false alarms where nothing changed, and delays where it did.

The market is simulated, because only there is it known that nothing changed. Outcomes either do not overlap ("iid") or
come from six instruments with random-walk prices, a stop and a target for each decision, and about 45 labels alive at
a time. "mixed" has correlations of 0.5 and sides that turn, "one way" of 0.8 and purchases only. A forecast is the true
chance of its decision: the drift of the price along the label's life is set so that target before stop has that chance.
The ranking is then an AUC of 0.60. A change alters the chances and not the forecasts. Seven outcomes are a day. The
watch is fed every outcome; features and calibration are tested every 100 on the latest 1,000 and 2,000.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

import numpy as np

from domain.clock import EPOCH
from learning.drift.calibration import calibration_drift
from learning.drift.detectors import AdaptiveWindow, PageHinkley
from learning.drift.features import feature_drift
from learning.drift.findings import DriftFinding, DriftKind, agreement
from learning.drift.stretches import DriftSample, Stretches
from learning.drift.watch import STREAMS, DriftWatch, WatchSettings
from learning.table import Floats, Ints, SampleTable

OUTCOMES = 10_000
CHANGE_AFTER = 4_000
OUTCOMES_A_DAY = 7
INSTRUMENTS = 6
ALIVE = 37.0
STOP = 5.0
OVERSHOOT = 0.5826
"""How far a walk in steps of 1 passes a barrier on average."""
LOG_ODDS_SPREAD = 0.36
"""Of the forecasts: an AUC of 0.60."""
DAY = timedelta(days=1) / timedelta(microseconds=1)
CHECK_EVERY, FEATURE_ROWS, CALIBRATION_ROWS, REFERENCE_ROWS = 100, 1_000, 2_000, 2_000
SOON = 2_000
AGREEMENT_DAYS = (30, 90, 180)
"""Windows in which two findings of different kinds agree."""

Change = Callable[[Floats], Floats]


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """How instruments move: the correlation of their returns, and whether all decisions are purchases."""

    correlation: float
    one_way: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """Outcomes in the order in which they resolved: times in days, forecasts, and the first one after the change."""

    decided: Floats
    resolved: Floats
    instrument: Ints
    label: Ints
    forecast: Floats
    changed_at: int


WORLDS: dict[str, Walk | None] = {
    "iid": None,
    "mixed": Walk(correlation=0.5, one_way=False),
    "one way": Walk(correlation=0.8, one_way=True),
}


def _rate(before: float, after: float) -> Change:
    return lambda chances: chances * after / before


def _flip(base: float) -> Change:
    middle = math.log(base / (1 - base))
    return lambda chances: 1 / (1 + np.exp(np.log(chances / (1 - chances)) - 2 * middle))


CHANGES: dict[str, tuple[float, Change]] = {
    "AUC .60 to .40, win rate .50": (0.5, _flip(0.5)),
    "AUC .60 to .40, win rate .25": (0.25, _flip(0.25)),
    "win rate .50 to .40": (0.5, _rate(0.5, 0.4)),
    "win rate .50 to .30": (0.5, _rate(0.5, 0.3)),
    "win rate .33 to .25": (0.33, _rate(0.33, 0.25)),
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.studies.drift_alarms", description=__doc__)
    parser.add_argument("--runs", type=int, default=60, help="stories for each line (default 60)")
    runs = parser.parse_args(arguments).runs
    for line in chain(_false_alarms(runs), _delays(runs)):
        print(line, flush=True)


def _false_alarms(runs: int) -> Iterator[str]:
    streams = [f"{subject} {detector}" for subject in ("win", "brier", "hit") for detector in ("adwin", "page_hinkley")]
    columns = [*streams, "features", "calibration", *(_agreed(days) for days in AGREEMENT_DAYS)]
    yield f"\n### False alarms in {OUTCOMES:,} outcomes without any change, mean of {runs}\n"
    yield f"| outcomes | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for world, walk in WORLDS.items():
        for base in (0.5, 0.25):
            every, each = Counter[str](), Counter[str]()
            for seed in range(runs):
                story = _story(seed, base, walk, None)
                every.update(_one_by_one(story))
                each.update(_alarms(story, seed))
            if walk is not None:
                cells = [f"{every[name] / runs:.2f}" for name in streams]
                cells += [""] * (len(columns) - len(streams))
                yield f"| {world}, win rate {base}, fed one by one | {' | '.join(cells)} |"
            cells = [f"{each[name] / runs:.2f}" for name in columns]
            yield f"| {world}, win rate {base} | {' | '.join(cells)} |"


def _delays(runs: int) -> Iterator[str]:
    columns = ["win", "brier", "hit", "calibration", *(_agreed(days) for days in AGREEMENT_DAYS)]
    yield f"\n### Outcomes until a change is found: median, and share found within {SOON:,}, of {runs}\n"
    yield f"| change | outcomes | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 2) + "|"
    for name, (base, change) in CHANGES.items():
        for world, walk in WORLDS.items():
            delays: dict[str, list[float]] = {column: [] for column in columns}
            for seed in range(runs):
                story = _story(seed, base, walk, change)
                found = _first_after(story, seed)
                for column in columns:
                    delays[column].append(found.get(column, math.inf))
            yield f"| {name} | {world} | {' | '.join(_told(delays[column]) for column in columns)} |"


def _told(delays: Sequence[float]) -> str:
    middle = float(np.median(delays))
    soon = sum(delay < SOON for delay in delays) / len(delays)
    return f"{'never' if math.isinf(middle) else f'{middle:,.0f}'} ({soon:.0%})"


def _alarms(story: Story, seed: int) -> Counter[str]:
    """How often each detector began to alarm; one that goes on alarming counts once."""
    counted: Counter[str] = Counter()
    before: set[str] = set()
    for _, findings, agreed in _followed(story, seed):
        now = {finding.kind.value for finding in findings if finding.kind is not DriftKind.ERRORS}
        now |= agreed
        counted.update(now - before)
        before = now
        counted.update(_name(finding) for finding in findings if finding.kind is DriftKind.ERRORS)
    return counted


def _first_after(story: Story, seed: int) -> dict[str, float]:
    """Outcomes from the change to the first alarm of each kind."""
    first: dict[str, float] = {}
    for place, findings, agreed in _followed(story, seed):
        if place < story.changed_at:
            continue
        names = {finding.subject if finding.kind is DriftKind.ERRORS else finding.kind.value for finding in findings}
        for name in names | agreed:
            first.setdefault(name, place - story.changed_at)
    return first


def _followed(story: Story, seed: int) -> Iterator[tuple[int, list[DriftFinding], set[str]]]:
    """At each check: outcomes so far, what was found since the last one, and in which windows findings agree."""
    table, row_of = _table(story, seed)
    reference = table.take(slice(0, REFERENCE_ROWS))
    forecasts = story.forecast[np.argsort(row_of)]
    watched = _watched(story)
    known: list[DriftFinding] = []
    upcoming = next(watched, None)
    for place in range(REFERENCE_ROWS, OUTCOMES + 1, CHECK_EVERY):
        now = EPOCH + timedelta(days=float(story.resolved[place - 1]))
        fresh: list[DriftFinding] = []
        while upcoming is not None and upcoming[0] < place:
            fresh.append(upcoming[1])
            upcoming = next(watched, None)
        rows = np.sort(row_of[max(0, place - CALIBRATION_ROWS) : place])
        tested = (
            calibration_drift(table.take(rows), forecasts[rows]).finding(now),
            feature_drift(reference, table.take(np.sort(row_of[place - FEATURE_ROWS : place]))).finding(now),
        )
        fresh.extend(finding for finding in tested if finding is not None)
        known.extend(fresh)
        windows = {_agreed(days): timedelta(days=days) for days in AGREEMENT_DAYS}
        yield place, fresh, {name for name, window in windows.items() if agreement(known, now=now, window=window)}


def _watched(story: Story) -> Iterator[tuple[int, DriftFinding]]:
    """What the watch found and after how many outcomes."""
    watch = DriftWatch()
    for place in range(len(story.label)):
        for finding in watch.update(_sample(story, place, overlap=True)):
            yield place, finding


def _one_by_one(story: Story) -> Counter[str]:
    """Alarms of each detector alone when every outcome is fed to it as an observation of its own."""
    limits, stretches, counted = WatchSettings(), Stretches(), Counter[str]()
    makers: dict[str, Callable[[], AdaptiveWindow | PageHinkley]] = {
        "adwin": lambda: AdaptiveWindow(delta=limits.adwin_delta, scale=limits.scale),
        "page_hinkley": lambda: PageHinkley(allowance=limits.allowance, limit=limits.limit, minimum=limits.minimum),
    }
    running = {(subject, name): make() for subject in STREAMS for name, make in makers.items()}
    for place in range(len(story.label)):
        alone = stretches.add(_sample(story, place, overlap=False))
        values = {} if alone is None else alone._asdict()
        for (subject, name), detector in running.items():
            turn = detector.add(values[subject]) if subject in values else 0.0
            if turn:
                counted[f"{subject} {name}"] += turn * STREAMS[subject] >= 0
                running[subject, name] = makers[name]()
    return counted


def _sample(story: Story, place: int, *, overlap: bool) -> DriftSample:
    """One outcome; without `overlap` it poses as a label that lived for no time."""
    resolved = EPOCH + timedelta(days=float(story.resolved[place]))
    return DriftSample(
        decided_at=EPOCH + timedelta(days=float(story.decided[place])) if overlap else resolved,
        resolved_at=resolved,
        label=int(story.label[place]),
        forecast=float(story.forecast[place]),
    )


def _agreed(days: int) -> str:
    return f"agreement in {days} days"


def _name(finding: DriftFinding) -> str:
    return f"{finding.subject} {finding.detector}"


def _table(story: Story, seed: int) -> tuple[SampleTable, Ints]:
    """The story as a table by decision, and the row of each outcome. Five features, none of which ever changes."""
    count = len(story.label)
    order = np.argsort(story.decided, kind="stable")
    row_of: Ints = np.empty(count, dtype=np.int64)
    row_of[order] = np.arange(count)
    draw = np.random.default_rng(seed)
    odds = np.log(story.forecast / (1 - story.forecast))[order]
    gone = np.where(draw.random(count) < 0.1, np.nan, draw.normal(size=count))
    noise = draw.normal(size=count)
    slow = np.convolve(noise, np.full(200, 0.07), mode="full")[:count]
    features = np.stack([odds, gone, slow, noise, draw.integers(0, 8, count).astype(np.float64)], axis=1)
    empty = np.full(count, "")
    table = SampleTable(
        decision_id=np.array([f"d{row:06}" for row in range(count)]),
        decided_at=(story.decided[order] * DAY).astype(np.int64),
        resolved_at=(story.resolved[order] * DAY).astype(np.int64),
        instrument=story.instrument[order].astype(np.str_),
        side=np.ones(count, dtype=np.int64),
        strategy=empty,
        r_net=np.where(story.label[order] == 1, 1.0, -1.0),
        label=story.label[order],
        weight=np.ones(count),
        source=empty,
        features=features,
        names=("f_odds", "f_gone", "f_slow", "f_noise", "f_code"),
        schema="study",
    )
    return table, row_of


def _story(seed: int, base: float, walk: Walk | None, change: Change | None) -> Story:
    draw = np.random.default_rng(seed)
    if walk is not None:
        return _overlapping(draw, base, walk, change)
    forecast = _forecasts(base, draw.normal(size=OUTCOMES))
    chance = forecast.copy()
    if change is not None:
        chance[CHANGE_AFTER:] = change(forecast[CHANGE_AFTER:])
    decided = np.arange(OUTCOMES) / OUTCOMES_A_DAY
    return Story(
        decided=decided,
        resolved=decided + 0.5 / OUTCOMES_A_DAY,
        instrument=np.arange(OUTCOMES) % INSTRUMENTS,
        label=(draw.random(OUTCOMES) < chance).astype(np.int64),
        forecast=forecast,
        changed_at=CHANGE_AFTER if change is not None else OUTCOMES,
    )


def _forecasts(base: float, scores: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-(math.log(base / (1 - base)) + LOG_ODDS_SPREAD * scores)))
    return found


def _overlapping(draw: np.random.Generator, base: float, walk: Walk, change: Change | None) -> Story:
    target = (STOP + OVERSHOOT) * (1 - base) / base - OVERSHOOT
    life = STOP * target
    rate = ALIVE / life / INSTRUMENTS
    longest = int(10 * life)
    bars = int(OUTCOMES / (rate * INSTRUMENTS) * 1.1 + longest + 6 * life)
    changes_at = CHANGE_AFTER / (rate * INSTRUMENTS) + 2 * life if change is not None else math.inf
    common = draw.normal(size=bars)
    parts: list[tuple[Ints, Ints, Ints, Ints, Floats]] = []
    for instrument in range(INSTRUMENTS):
        own = draw.normal(size=bars)
        path = np.cumsum(math.sqrt(walk.correlation) * common + math.sqrt(1 - walk.correlation) * own)
        at: Ints = np.flatnonzero(draw.random(bars - longest - 1) < rate)
        turned = np.cumsum(draw.random(bars) < 1 / 40)[at] % 2
        side = np.ones(len(at)) if walk.one_way else np.where(turned == 1, 1.0, -1.0)
        forecast = _forecasts(base, _lasting(draw, len(at), math.exp(-1 / max(1.0, rate * 10))))
        chance = forecast if change is None else np.where(at >= changes_at, change(forecast), forecast)
        label, ended = _touched(path, at, side, _drift_for(chance, target), target, longest)
        parts.append((at, at + ended, np.full(len(at), instrument), label, forecast))
    decided, resolved, which, label, forecast = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((which, decided, resolved))
    order = order[decided[order] > 1.5 * life][:OUTCOMES]
    days = rate * INSTRUMENTS / OUTCOMES_A_DAY
    late = decided[order] >= changes_at
    return Story(
        decided=decided[order] * days,
        resolved=resolved[order] * days,
        instrument=which[order],
        label=label[order],
        forecast=forecast[order],
        changed_at=int(np.argmax(late)) if late.any() else OUTCOMES,
    )


def _lasting(draw: np.random.Generator, count: int, memory: float) -> Floats:
    steps = math.sqrt(1 - memory * memory) * draw.normal(size=count)
    found = np.empty(count)
    value = float(draw.normal())
    for place in range(count):
        value = memory * value + steps[place]
        found[place] = value
    return found


def _drift_for(chance: Floats, target: float) -> Floats:
    """The drift of a walk at which it meets the target before the stop with this chance (its scale function)."""
    drifts = np.linspace(-0.5, 0.5, 4_000)
    low, high = np.exp(2 * drifts * (STOP + OVERSHOOT)), np.exp(-2 * drifts * (target + OVERSHOOT))
    found: Floats = np.interp(np.clip(chance, 0.02, 0.98), (1 - low) / (high - low), drifts)
    return found


def _touched(path: Floats, at: Ints, side: Floats, drift: Floats, target: float, longest: int) -> tuple[Ints, Ints]:
    """Label and life in bars of each decision: the first touch of target or stop; at `longest` it is a loss."""
    label, ended = np.zeros(len(at), dtype=np.int64), np.full(len(at), longest, dtype=np.int64)
    alive, passed, step = np.arange(len(at)), 0, int(1.5 * STOP * target)
    while len(alive) and passed < longest:
        ahead = passed + 1 + np.arange(step)
        moved = path[np.minimum(at[alive][:, None] + ahead, len(path) - 1)] - path[at[alive]][:, None]
        moved = moved * side[alive][:, None] + drift[alive][:, None] * ahead
        touched = (moved <= -STOP) | (moved >= target)
        done, first = touched.any(axis=1), touched.argmax(axis=1)
        label[alive[done]] = moved[np.flatnonzero(done), first[done]] > 0
        ended[alive[done]] = passed + 1 + first[done]
        alive, passed = alive[~done], passed + step
    return label, np.minimum(ended, longest)


if __name__ == "__main__":
    main()
