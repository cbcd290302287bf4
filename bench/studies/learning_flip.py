"""`python -m bench.studies.learning_flip [--runs N]`: the planted edge turns round; how late that is found.

Decisions of the invented market of `learning_market`, whose feature `f_seen` tells where the price drifts. A champion
is trained on the first year by the product's own trainer and deployed, whatever its verdict said: what is asked is not
whether it should speak but what happens when it stops being right. From then on the account goes on week by week. The
drift watch is fed with each label as it lands and with what the champion said of it. The champion is judged as the
daemon's daily evaluation does, every `--evaluate-every` days. A finding of drift asks for a training, as every Sunday.

In "turned" the edge is reversed half a year after the deployment. In "steady" nothing changes, and every finding or
rollback is a false alarm. Outcomes are counted from the first one that was decided after the turn.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from bench.studies.learning_market import (
    START,
    WEEK,
    CycleAccount,
    Market,
    auc_told,
    cycle_account,
    known_at,
    microseconds,
    samples_of,
)
from daemon.config import Config
from daemon.jobs.learning import BACK_ERROR, BACK_RESOLVED, BACK_TAKEN
from domain.clock import EPOCH
from learning.drift.findings import DriftFinding, agreement
from learning.drift.stretches import DriftSample
from learning.drift.watch import DriftWatch
from learning.judgement.blocks import time_blocks
from learning.judgement.verdict import Opinion, judge
from learning.registry.bundle import LoadedModel
from learning.table import Floats, Ints, SampleTable

TRAINED, TURNS, ENDS = 52, 78, 130
"""Weeks: when the champion is deployed, when the edge turns, when the story ends."""
STRENGTH = 0.09


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """What one run came to; outcomes are counted from the turn, None where it never came."""

    seed: int
    turned: bool
    outcomes: int
    auc_before: float | None
    auc_after: float | None
    findings: tuple[str, ...]
    false_findings: int
    found_after: int | None
    trained_after: int | None
    back_after: int | None
    back_before: bool
    safe_after: int | None
    replaced_after: int | None


def config_of_study() -> Config:
    """The defaults but for the window, as in `learning_quiet`."""
    training = {"window_days": 365, "retention_days": 730, "small_below": 2_000}
    return Config.model_validate({"training": training})


def story_of(seed: int, folder: Path, *, turned: bool, samples_a_week: float, cycles: bool, every: timedelta) -> Story:
    """One run; `cycles` also goes through the weekly trainings after a finding, which takes most of the time."""
    market = Market(
        weeks=ENDS, samples_a_week=samples_a_week, strength=STRENGTH, noise=1.0, turns_at=TURNS if turned else None
    )
    table = samples_of(market, seed)
    with cycle_account(folder, config_of_study()) as account:
        now = START + TRAINED * WEEK
        champion = account.deploy(known_at(table, now), now)
        return _followed(account, table, champion, seed, turned=turned, cycles=cycles, every=every)


def _followed(
    account: CycleAccount,
    table: SampleTable,
    champion: LoadedModel,
    seed: int,
    *,
    turned: bool,
    cycles: bool,
    every: timedelta,
) -> Story:
    since, turn = microseconds(START + TRAINED * WEEK), microseconds(START + TURNS * WEEK)
    after = table.take(table.decided_at >= since)
    p = champion.probabilities(after)
    order = np.argsort(after.resolved_at, kind="stable")
    resolved = after.resolved_at[order]
    late = after.decided_at[order] >= turn
    first_late = int(np.argmax(late)) if late.any() else len(order)
    findings = _findings(after, p, order)
    back = _back_at(after, p, champion.threshold, every)

    def outcomes_until(at: datetime | None) -> int | None:
        if at is None or microseconds(at) < turn:
            return None
        return int((resolved <= microseconds(at)).sum()) - first_late

    genuine = [each for each in findings if turned and microseconds(each.at) >= int(resolved[first_late])]
    found_at = genuine[0].at if genuine else None
    safe_at = next((each.at for each in findings if agreement(findings, now=each.at)), None)
    trained_at, replaced_at = (None, None)
    if turned and found_at is not None and cycles:
        trained_at, replaced_at = _trained_after(account, table, champion.model_id, found_at)
    return Story(
        seed=seed,
        turned=turned,
        outcomes=len(after),
        auc_before=_auc(after, p, after.decided_at < turn),
        auc_after=_auc(after, p, after.decided_at >= turn),
        findings=tuple(each.told for each in findings),
        false_findings=len(findings) - len(genuine),
        found_after=outcomes_until(found_at),
        trained_after=outcomes_until(trained_at),
        back_after=outcomes_until(back) if turned else None,
        back_before=back is not None and (not turned or microseconds(back) < turn),
        safe_after=outcomes_until(safe_at),
        replaced_after=outcomes_until(replaced_at),
    )


def _auc(table: SampleTable, p: Floats, rows: np.ndarray) -> float | None:
    part = table.take(rows)
    found: float | None = auc_told(p[rows], part.label, part.decided_at, part.resolved_at)["auc"]
    return found


def _findings(table: SampleTable, p: Floats, order: Ints) -> list[DriftFinding]:
    """What the champion's watch found, fed as labels landed."""
    watch = DriftWatch()
    found: list[DriftFinding] = []
    for row in order.tolist():
        sample = DriftSample(
            decided_at=_at(table.decided_at[row]),
            resolved_at=_at(table.resolved_at[row]),
            label=int(table.label[row]),
            forecast=float(p[row]),
        )
        found.extend(watch.update(sample))
    return found


def _back_at(table: SampleTable, p: Floats, threshold: float, every: timedelta) -> datetime | None:
    """The first daily evaluation at which no filter at all is better than the champion beyond chance: the daemon's rule
    (`daemon.jobs.learning`), on everything the champion has spoken about since it was deployed."""
    day = START + TRAINED * WEEK
    while day < START + ENDS * WEEK:
        day += every
        rows = np.flatnonzero(table.resolved_at <= microseconds(day))
        if len(rows) < BACK_RESOLVED:
            continue
        known = table.take(rows)
        verdict = judge(
            known.r_net,
            known.label,
            Opinion(p=np.ones(len(rows)), threshold=0.0),
            Opinion(p=p[rows], threshold=threshold),
            time_blocks(known.decided_at, known.resolved_at),
            alpha=BACK_ERROR,
            minimum_resolved=BACK_RESOLVED,
            minimum_taken=BACK_TAKEN,
            seed=0,
        )
        if verdict.deploy:
            return day
    return None


def _trained_after(
    account: CycleAccount, table: SampleTable, champion: str, found_at: datetime
) -> tuple[datetime | None, datetime | None]:
    """When the training that the finding asked for had its model, and when one trained since replaced the champion."""
    trained: datetime | None = None
    now = found_at + timedelta(hours=1)
    week = START + (int((found_at - START) / WEEK) + 1) * WEEK
    while now < START + ENDS * WEEK:
        answer = account.cycle(known_at(table, now), now)
        if trained is None and answer["model"] is not None:
            trained = now
        if account.standing.champion != champion:
            return trained, now
        now, week = week, week + WEEK
    return trained, None


def _at(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=int(micros))


def told(stories: Sequence[Story]) -> Iterator[str]:
    """The table, and all of it as one line of JSON."""
    yield "| what, in outcomes from the turn | median | share that ever did | of |"
    yield "|---|---|---|---|"
    turned, steady = [each for each in stories if each.turned], [each for each in stories if not each.turned]
    for name, field in (
        ("drift found", "found_after"),
        ("hold `safe` (two kinds agree)", "safe_after"),
        ("challenger trained", "trained_after"),
        ("champion rolled back to no filter", "back_after"),
        ("champion replaced by a new model", "replaced_after"),
    ):
        values = [getattr(each, field) for each in turned]
        there = sorted(value for value in values if value is not None)
        # The median counts stories in which it never came as the longest ones.
        middle = there[(len(values) - 1) // 2] if values and len(there) > (len(values) - 1) // 2 else None
        yield f"| {name} | {middle} | {len(there)} | {len(values)} |"
    outcomes = sum(each.outcomes for each in steady)
    alarms = sum(each.false_findings for each in steady)
    backs = sum(each.back_before for each in steady)
    rate = 10_000 * alarms / outcomes if outcomes else float("nan")
    yield f"| false findings per 10,000 outcomes, nothing changed | {rate:.2f} | {alarms} | {outcomes} outcomes |"
    yield f"| good champion rolled back, nothing changed | | {backs} | {len(steady)} |"
    yield json.dumps({"study": "learning_flip", "stories": [asdict(each) for each in stories]})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.studies.learning_flip", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="stories with the turn, and as many without (default 20)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--a-week", type=float, default=49.0, help="decisions a week (default 49)")
    parser.add_argument(
        "--evaluate-every", type=int, default=1, help="days between evaluations (default 1, the daemon's)"
    )
    parser.add_argument("--no-cycles", action="store_true", help="leave out the trainings after a finding")
    options = parser.parse_args(arguments)
    stories: list[Story] = []
    with tempfile.TemporaryDirectory(prefix="ratchet-study-") as folder:
        for seed in range(options.first, options.first + options.runs):
            for turned in (True, False):
                story = story_of(
                    seed,
                    Path(folder) / "account",
                    turned=turned,
                    samples_a_week=options.a_week,
                    cycles=not options.no_cycles,
                    every=timedelta(days=options.evaluate_every),
                )
                stories.append(story)
                print(json.dumps(asdict(story)), file=sys.stderr, flush=True)
    for line in told(stories):
        print(line)


if __name__ == "__main__":
    main()
