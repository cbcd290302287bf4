"""`python -m bench.studies.learning_edge [--bars N] [--seed S]`: does the loop find an edge, deploy it, and earn by it?

The market is simulated: episodes of drift come and go, and trend followers win in them. An external column tells, every
four hours, whether an episode is under way, seen through noise; the sign of the drift stays hidden, so the column means
the same for purchases and sales. The whole daemon replays it in the mode `filter`, with its schedule and its training.

The truth is measured on markets that the loop never saw: a logistic regression over all columns is fitted to one and
asked about another, both replayed without training. The loop's honest AUC is that of what its batch models said when
decisions were taken, as journaled. What follows a deployment is judged on all later signals, by their outcome or their
shadow: those the champion let through against all of them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench.studies.learning_market import auc_told, gain_told, mean_told, microseconds
from daemon.config import Config
from daemon.parts import Sources
from daemon.paths import AccountPaths
from daemon.story import Story, tell
from daemon.wiring import open_journal
from domain.clock import to_epoch
from domain.decisions import DecisionStatus, OutcomeKind
from domain.learning import EvaluationKind, ModelEventKind, PredictionRole
from journal.reader import Reader
from learning.blend import PROBABILITY_BELOW_THRESHOLD
from learning.table import Floats, SampleTable, table_of
from market.external import ExternalFeatures, Fact
from market.simulated import SimulatedFeed
from market.simulated_prices import episodes, stream
from market.simulated_roster import ROSTER
from signals.features import SCHEMA, SCHEMA_HASH, schema_hash

START = datetime(2024, 1, 1, tzinfo=UTC)
COLUMN = "moment"
HOURS_BETWEEN = 4
CURRENCY = "USD"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One market: `noise` is the standard deviation of what blurs the column, whose signal is 0 or 1."""

    seed: int
    bars: int
    instruments: int = 10
    edge: float = 0.7
    noise: float = 0.4
    column: bool = True
    window_days: int = 365


def column_of(plan: Plan) -> ExternalFeatures | None:
    """Whether the bar that begins now lies in an episode, plus noise: a fact every few hours for each instrument."""
    if not plan.column:
        return None
    facts: list[Fact] = []
    begun = to_epoch(START)
    for number, name in enumerate(ROSTER[: plan.instruments]):
        under_way = np.zeros(plan.bars)
        for episode in episodes(stream(plan.seed, 7, number), plan.bars):
            under_way[episode.first : episode.last] = 1.0
        draw = np.random.default_rng([plan.seed, 77, number])
        for bar in range(0, plan.bars, HOURS_BETWEEN):
            seen = float(under_way[bar] + plan.noise * draw.standard_normal())
            facts.append(Fact(begun + bar * 3_600, name.instrument.symbol, COLUMN, seen))
    return ExternalFeatures(facts)


def config_of(plan: Plan, *, training: bool) -> Config:
    """The defaults but for two things: the model is a gate, and the window is longer. A fifth of 90 days, the default,
    is no verdict's 20 blocks where labels take one and a half days."""
    return Config.model_validate(
        {
            "account": {"currency": CURRENCY},
            "learning": {"mode": "filter" if training else "off"},
            "training": {"enabled": training, "window_days": plan.window_days},
        }
    )


def play(plan: Plan, folder: Path, *, training: bool) -> tuple[AccountPaths, Config]:
    """Replay the market with the whole daemon; its journal lies in `folder` afterwards."""
    feed = SimulatedFeed(plan.seed, instruments=plan.instruments, bars=plan.bars, start=START, edge=plan.edge)
    config = config_of(plan, training=training)
    paths = AccountPaths(folder=folder)
    tell(
        Story(
            title="the planted edge",
            config=config,
            feed=feed,
            higher=feed.higher,
            paths=paths,
            currency=CURRENCY,
            sources=Sources(events=feed.calendar, calendar_complete=True, external=column_of(plan), read_news=False),
            quiet=True,
        )
    )
    return paths, config


def table_in(read: Reader, plan: Plan) -> SampleTable:
    """All samples of a journal as columns."""
    return table_of(read.samples(), schema_hash(SCHEMA, (COLUMN,)) if plan.column else SCHEMA_HASH)


# -- the truth --------------------------------------------------------------------------------------------------


def truth_of(plan: Plan, folder: Path, bars: int, markets: int) -> dict[str, Any]:
    """What the features are worth: fitted to half of the separate markets, asked about the other half."""
    tables: list[SampleTable] = []
    for number in range(2 * markets):
        other = Plan(
            **{name: getattr(plan, name) for name in ("instruments", "edge", "noise", "column")},
            seed=plan.seed + 1_000 + number,
            bars=bars,
        )
        paths, config = play(other, folder / f"truth-{number}", training=False)
        with open_journal(config, paths, live=False) as journal:
            tables.append(table_in(journal.read, other))
    fitted, asked = tables[:markets], tables[markets:]
    said = _oracle(fitted, asked)
    found: dict[str, Any] = {"samples": sum(map(len, asked)), "fitted_on": sum(map(len, fitted))}
    found["all_features"] = auc_told(said, *_joined(asked))
    if plan.column:
        place = asked[0].names.index(next(name for name in asked[0].names if COLUMN in name))
        column = np.concatenate([table.features[:, place] for table in asked])
        ranks = np.argsort(np.argsort(column)) / len(column)
        found["column_alone"] = auc_told(0.001 + 0.998 * ranks, *_joined(asked))
    r = np.concatenate([table.r_net for table in asked])
    found["mean_r"] = float(r.mean())
    return found


def _oracle(fitted: Sequence[SampleTable], asked: Sequence[SampleTable]) -> Floats:
    """A ridge-penalised logistic regression, its penalty set beforehand, not by looking at what is asked."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = np.concatenate([table.features for table in fitted])
    middle = np.array([np.median(each[np.isfinite(each)]) if np.isfinite(each).any() else 0.0 for each in known.T])

    def filled(table: SampleTable) -> Floats:
        return np.where(np.isfinite(table.features), table.features, middle)

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2_000))
    model.fit(np.concatenate([filled(table) for table in fitted]), np.concatenate([table.label for table in fitted]))
    found: Floats = model.predict_proba(np.concatenate([filled(table) for table in asked]))[:, 1]
    return found


def _joined(tables: Sequence[SampleTable]) -> tuple[Any, Any, Any]:
    """Labels and times of several markets, one after the other: no block holds rows of two of them."""
    apart = np.int64(20 * 365 * 86_400_000_000)
    return (
        np.concatenate([table.label for table in tables]),
        np.concatenate([table.decided_at + place * apart for place, table in enumerate(tables)]),
        np.concatenate([table.resolved_at + place * apart for place, table in enumerate(tables)]),
    )


# -- what the loop made of it -----------------------------------------------------------------------------------


def loop_of(read: Reader, plan: Plan) -> dict[str, Any]:
    """When who was deployed, how well the batch models ranked, and what the following signals and trades earned."""
    table = table_in(read, plan)
    row_of = {name: row for row, name in enumerate(table.decision_id.tolist())}
    events = read.model_events()
    deployed = [each for each in events if each.kind is ModelEventKind.DEPLOYED]
    trainings = read.evaluations(EvaluationKind.TRAINING)
    verdicts = read.evaluations(EvaluationKind.VERDICT)
    found: dict[str, Any] = {
        "samples": len(table),
        "days": plan.bars / 24,
        "trainings": len(trainings),
        "tested_verdicts": sum(bool(each.document["spent"]) for each in verdicts),
        "events": [
            {
                "day": (each.at - START) / timedelta(days=1),
                "what": each.kind.value,
                "model": each.model_id,
                "why": each.reason,
            }
            for each in events
            if each.kind is not ModelEventKind.REGISTERED
        ],
        "honest_auc": _honest(read, table, row_of),
    }
    if not deployed:
        return {**found, "deployed_on_day": None}
    at = deployed[0].at
    found["deployed_on_day"] = (at - START) / timedelta(days=1)
    found["samples_by_then"] = int((table.resolved_at <= microseconds(at)).sum())
    found["verdict"] = next(each.document for each in reversed(verdicts) if each.at <= at and each.document["deploy"])
    found["following"] = _following(read, table, row_of, at)
    found["trades"] = _trades(read, at)
    return found


def _honest(read: Reader, table: SampleTable, row_of: dict[str, int]) -> dict[str, Any]:
    """What the champion, before there was one the challenger, said of each decision when it was taken."""
    said: dict[int, float] = {}
    by_role: dict[str, int] = {}
    for role in (PredictionRole.CHALLENGER, PredictionRole.CHAMPION):
        for each in read.predictions():
            if each.role is role and each.decision_id in row_of:
                said[row_of[each.decision_id]] = each.forecast
                by_role[role.value] = by_role.get(role.value, 0) + 1
    rows = np.array(sorted(said), dtype=np.int64)
    p = np.array([said[row] for row in rows.tolist()])
    return {**auc_told(p, table.label[rows], table.decided_at[rows], table.resolved_at[rows]), "said": by_role}


def _following(read: Reader, table: SampleTable, row_of: dict[str, int], at: datetime) -> dict[str, Any]:
    """All signals since the first deployment: what the champion took, and what the daemon did not refuse for it."""
    rows = np.flatnonzero(table.decided_at > microseconds(at))
    took = np.zeros(len(table))
    for each in read.predictions():
        if each.role is PredictionRole.CHAMPION and each.decision_id in row_of and each.forecast >= each.threshold:
            took[row_of[each.decision_id]] = 1.0
    passed = np.ones(len(table))
    for decision in read.decisions():
        refused = decision.status is DecisionStatus.FILTERED and decision.reason == PROBABILITY_BELOW_THRESHOLD
        if refused and decision.decision_id in row_of:
            passed[row_of[decision.decision_id]] = 0.0
    later = table.take(rows)
    return {"champion": gain_told(later, took[rows]), "daemon": gain_told(later, passed[rows])}


def _trades(read: Reader, at: datetime) -> dict[str, Any]:
    """Real trades by when they were opened: mean net R before and after."""
    real = [each for each in read.outcomes() if each.kind is OutcomeKind.REAL]
    parts = {
        "before": [each for each in real if each.opened_at <= at],
        "after": [each for each in real if each.opened_at > at],
    }
    found: dict[str, Any] = {}
    for name, trades in parts.items():
        trades.sort(key=lambda each: (each.opened_at, each.outcome_id))
        r = np.array([each.r_net for each in trades])
        times = np.array(
            [[microseconds(each.opened_at), microseconds(each.closed_at)] for each in trades], dtype=np.int64
        )
        found[name] = mean_told(r, times[:, 0], times[:, 1]) if len(trades) else {"count": 0}
    return found


def loop_study(plan: Plan, folder: Path) -> dict[str, Any]:
    """One replay with the loop, and what it made of it."""
    paths, config = play(plan, folder / "loop", training=True)
    with open_journal(config, paths, live=False) as journal:
        return loop_of(journal.read, plan)


def truth_told(truth: dict[str, Any]) -> Iterator[str]:
    """Rows of the table."""
    for name in ("all_features", "column_alone"):
        if name in truth:
            yield _row(f"true AUC, {name.replace('_', ' ')}", truth[name], "auc")


def loop_told(loop: dict[str, Any]) -> Iterator[str]:
    """Rows of the table."""
    yield _row("honest AUC of the loop", loop["honest_auc"], "auc")
    tried = f"{loop['trainings']} trainings, {loop['tested_verdicts']} verdicts tested"
    yield f"| deployed by itself on day | {_number(loop['deployed_on_day'])} | | {tried} |"
    if loop["deployed_on_day"] is None:
        return
    for who in ("champion", "daemon"):
        each = loop["following"][who]
        before = f"| following signals, {who}: "
        yield f"{before}net EV filtered | {_number(each['ev_filtered'])} | | {each['taken']} |"
        yield f"{before}net EV unfiltered | {_number(each['ev_unfiltered'])} | | {each['signals']} |"
        yield f"{before}gain a trade | {_number(each['gain'])} | {each['gain_ci']} | {each['blocks']} blocks |"
    for when in ("before", "after"):
        yield _row(f"real trades {when} deployment, mean net R", loop["trades"][when], "mean")


def _row(name: str, found: dict[str, Any], key: str) -> str:
    return f"| {name} | {_number(found.get(key))} | {found.get('interval')} | {found['count']} |"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.studies.learning_edge", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bars", type=int, default=8_000, help="hourly bars of the loop's market (default 8000)")
    parser.add_argument("--instruments", type=int, default=10)
    parser.add_argument("--edge", type=float, default=0.7, help="how strong the drift is, in [0, 1] (default 0.7)")
    parser.add_argument("--noise", type=float, default=0.4, help="what blurs the column (default 0.4)")
    parser.add_argument("--truth-bars", type=int, default=4_000)
    parser.add_argument("--truth-markets", type=int, default=2, help="markets fitted, and as many asked; 0 for none")
    parser.add_argument("--window-days", type=int, default=365, help="training.window_days (default 365)")
    options = parser.parse_args(arguments)
    plan = Plan(**{name: getattr(options, name) for name in Plan.__slots__ if hasattr(options, name)})
    print("| | value | 95% interval | of |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="ratchet-study-") as folder:
        loop = loop_study(plan, Path(folder))
        print("\n".join(loop_told(loop)), flush=True)
        markets = options.truth_markets
        truth = truth_of(plan, Path(folder), options.truth_bars, markets) if markets else None
    if truth is not None:
        print("\n".join(truth_told(truth)))
    print(json.dumps({"study": "learning_edge", "plan": asdict(plan), "truth": truth, "loop": loop}))


if __name__ == "__main__":
    main()
