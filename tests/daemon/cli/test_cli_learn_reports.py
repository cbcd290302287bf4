"""`ratchet learn evaluate | full | drift`: what was said at decisions, judged once its labels are there; only read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import cli_account  # noqa: F401 - lets the journal's story be found
import numpy as np
import pytest
import typer
from journal_story import START, decision_at, outcome_of_decision, sample_of_decision
from typer.testing import CliRunner

from daemon.cli.learn_reports import register_reports
from daemon.config import load
from daemon.cycles import Account
from daemon.learn.evaluate import (
    comprehensive,
    comprehensive_evaluation,
    daily_figures,
    drift,
    evaluate,
    heard_in,
    newest_moment,
    training_now,
)
from domain.decisions import DecisionStatus, FeatureVector, OutcomeKind, SampleSource
from domain.learning import (
    DriftEvent,
    Evaluation,
    EvaluationKind,
    ModelEvent,
    ModelEventKind,
    ModelRecord,
    Prediction,
    PredictionRole,
    require_json,
)
from journal import Batch, Durability, Journal, Reader
from learning.registry.state import standing_of
from learning.table import table_of
from signals.features import SCHEMA_HASH

CHAMPION = "logistic-aaa"
DAYS = 60
DEPLOYED_AFTER = 30
DAY = timedelta(days=1)
CONFIG = load([], environ={}).config
DEPLOYED_AT = START + DEPLOYED_AFTER * DAY
LAST = START + (DAYS + 1) * DAY

Fill = Callable[[Journal], None]


def tell_days(journal: Journal) -> None:
    """A decision a day, each resolved two hours later, with a forecast of the online learner that knows a little."""
    draw, batch = np.random.default_rng(4), Batch()
    for day in range(DAYS):
        r = float(draw.normal())
        decision = decision_at(START + day * DAY, status=DecisionStatus.DENIED)
        forecast = round(float(1 / (1 + np.exp(-r - draw.normal()))), 6)
        values = {f"f_{name}": round(float(draw.normal()), 6) for name in ("a", "b")} | {"f_regime": float(day % 9)}
        decision = replace(
            decision,
            features=FeatureVector(schema=SCHEMA_HASH, values=values),
            ml=replace(decision.ml, forecast=forecast),
        )
        batch.add(decision)
        batch.add(replace(outcome_of_decision(decision, OutcomeKind.SHADOW), r_net=r))
        sample = sample_of_decision(decision, SampleSource.SHADOW)
        batch.add(replace(sample, r_net=r, label=int(r > 0), features=decision.features))
    journal.commit(batch)


def tell_champion(journal: Journal) -> None:
    """A champion, deployed by a verdict after half of the days; it was heard before that, too, and was right then."""
    batch = Batch()
    batch.add(
        ModelRecord(
            model_id=CHAMPION,
            created_at=DEPLOYED_AT - DAY,
            family="logistic",
            sha256="a" * 64,
            schema=SCHEMA_HASH,
            samples=20,
            trained_from=START,
            trained_until=START + 20 * DAY,
            threshold=0.5,
            seed=1,
            document={"importances": {"f_a": 0.01, "f_b": 0.3}, "scores": {"importance_stability": 0.7}},
        )
    )
    for number, kind in enumerate((ModelEventKind.REGISTERED, ModelEventKind.DEPLOYED)):
        event_id = f"event-{number}"
        batch.add(
            ModelEvent(event_id=event_id, at=DEPLOYED_AT, model_id=CHAMPION, kind=kind, reason="better", by="daemon")
        )
    verdict = {"deploy": True, "spent": 0.01, "auc": 0.8, "auc_ci": [0.75, 0.85], "resolved": 250}
    verdict |= {"ev_filtered": 0.1, "brier": 0.2, "log_loss": 0.6}
    training = {"trials": 3, "reason": "deployed", "chosen": "logistic", "samples": 60}
    told = (("verdict", EvaluationKind.VERDICT, verdict), ("training", EvaluationKind.TRAINING, training))
    for name, kind, document in told:
        batch.add(Evaluation(evaluation_id=name, at=DEPLOYED_AT, kind=kind, model_id=CHAMPION, document=document))
    for sample in journal.read.samples():
        forecast = (0.9 if sample.label else 0.1) if sample.decided_at < DEPLOYED_AT else (0.4 if sample.label else 0.6)
        batch.add(
            Prediction(
                decision_id=sample.decision_id,
                model_id=CHAMPION,
                role=PredictionRole.CHAMPION,
                forecast=forecast,
                threshold=0.5,
                at=sample.decided_at,
            )
        )
    for event_id, at in (("old", LAST - 40 * DAY), ("new", LAST - 5 * DAY)):
        batch.add(
            DriftEvent(
                event_id=event_id,
                at=at,
                detector="adwin",
                stream="win",
                value=0.3,
                critical=0.5,
                detail=f"{event_id} win",
            )
        )
    journal.commit(batch)


def of(folder: Path) -> Account:
    return Account(folder=folder, config=CONFIG, schema=SCHEMA_HASH, bar=timedelta(hours=1))


@pytest.fixture(scope="module")
def days() -> Reader:
    journal = Journal.open("sqlite://")
    tell_days(journal)
    return journal.read


@pytest.fixture(scope="module")
def deployed() -> Reader:
    journal = Journal.open("sqlite://")
    tell_days(journal)
    tell_champion(journal)
    return journal.read


# -- what is judged -------------------------------------------------------------------------------------------


def test_without_a_champion_the_online_learners_word_is_judged_and_nothing_is_deployed(
    days: Reader, tmp_path: Path
) -> None:
    found = evaluate(days, of(tmp_path))
    assert (found["model"], found["deployed"]) == ("online", False)
    assert found["sentence"].startswith("nothing is deployed: no model has beaten unfiltered trading")
    assert found["sentence"].endswith("which is heard and not followed")
    assert found["report"]["samples"] == DAYS
    heard = heard_in(days, of(tmp_path), standing_of(days.model_events()))
    said = {each.decision_id: each.ml.forecast for each in days.decisions()}
    assert heard.said.p.tolist() == [said[name] for name in heard.table.decision_id.tolist()]
    require_json(found, "an evaluation")


def test_an_online_learner_that_speaks_by_configuration_is_said_to(days: Reader, tmp_path: Path) -> None:
    config = load([], environ={}, flags=["learning.online=speaks"]).config
    assert evaluate(days, replace(of(tmp_path), config=config))["sentence"].endswith("the configuration lets it")


def test_a_champion_is_judged_by_what_it_said_since_it_was_deployed(deployed: Reader, tmp_path: Path) -> None:
    found = evaluate(deployed, of(tmp_path))
    report = found["report"]
    assert (found["model"], found["deployed"]) == (CHAMPION, True)
    since = [each for each in deployed.judged(CHAMPION) if each.decided_at >= DEPLOYED_AT]
    assert report["samples"] == len(since) < DAYS
    # Before that it was always right, after it always wrong: one row from before would show.
    assert report["figures"]["auc"]["value"] == 0
    assert report["figures"]["accuracy"]["value"] == 0
    assert report["deployment"]["auc"] == {"value": 0.8, "interval": [0.75, 0.85]}
    assert list(report["importances"]["features"]) == ["f_b", "f_a"]
    assert report["importances"]["across_folds"] == 0.7
    assert "regime" in report["groups"]


def test_labels_meet_the_forecasts_of_their_own_decisions(deployed: Reader, tmp_path: Path) -> None:
    heard = heard_in(deployed, of(tmp_path), standing_of(deployed.model_events()))
    judged = {each.decision_id: each for each in deployed.judged(CHAMPION)}
    for name, p, label in zip(heard.table.decision_id.tolist(), heard.said.p, heard.table.label, strict=True):
        assert (judged[name].forecast, judged[name].label) == (p, label)


def test_samples_of_other_features_are_no_part_of_it(days: Reader, tmp_path: Path) -> None:
    found = evaluate(days, replace(of(tmp_path), schema="another"))
    assert found["report"]["samples"] == 0
    assert found["report"]["why"] == "no forecast has met its label yet: there is nothing to judge"


def test_an_empty_journal_gives_words(tmp_path: Path) -> None:
    read = Journal.open("sqlite://").read
    assert newest_moment(read) is None
    found = comprehensive(read, of(tmp_path), LAST)
    assert found["evaluation"]["report"]["combined"]["score"] is None
    assert found["quality"]["imbalance"] is None
    assert found["training"]["would_train"] is False
    assert found["drift"]["features"]["why"].startswith("no trained model is deployed")
    require_json(found, "a comprehensive evaluation")


# -- drift, trials, the monthly evaluation --------------------------------------------------------------------


def test_drift_is_of_the_last_thirty_days(deployed: Reader, tmp_path: Path) -> None:
    found = drift(deployed, of(tmp_path), LAST)
    assert [each["told"] for each in found["findings"]] == ["new win"]
    assert (found["findings"][0]["before"], found["findings"][0]["after"]) == (0.5, 0.3)
    assert found["features"]["reference_rows"] == 20
    assert found["features"]["recent_rows"] == DAYS - 20
    assert "500 are needed" in found["features"]["why"]
    assert found["calibration"]["samples"] == evaluate(deployed, of(tmp_path))["report"]["samples"]
    require_json(found, "drift")


def test_features_of_a_training_window_are_held_against_what_came_since(
    deployed: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.learn.evaluate.collected_samples", lambda *_: _many())
    found = drift(deployed, of(tmp_path), LAST)["features"]
    assert (found["why"], found["reference_rows"], found["recent_rows"]) == ("", 600, 700)
    assert found["drifted"] == ["f_moved"]
    assert [each["feature"] for each in found["features"]] == ["f_moved", "f_still"]


def _many() -> Any:
    """600 rows of the champion's training window, and 700 after it in which one feature has moved."""
    journal = Journal.open("sqlite://")
    tell_days(journal)
    one = table_of(journal.read.samples(), SCHEMA_HASH).take(slice(0, 1))
    inside = np.linspace(0, 19.9, 600)
    days = np.concatenate([inside, np.linspace(21, 60, 700)])
    decided = int(one.decided_at[0]) + (days * 86_400_000_000).astype(np.int64)
    draw = np.random.default_rng(0)
    features = draw.normal(size=(1300, 2)) + np.outer(np.arange(1300) >= 600, [1.0, 0.0])
    repeated = {
        name: np.repeat(getattr(one, name), 1300)
        for name in ("instrument", "side", "strategy", "r_net", "label", "weight", "source")
    }
    return replace(
        one,
        decision_id=np.arange(1300).astype(np.str_),
        decided_at=decided,
        resolved_at=decided + 1,
        features=features,
        names=("f_moved", "f_still"),
        **repeated,
    )


def test_a_training_now_is_told_without_training(deployed: Reader, tmp_path: Path) -> None:
    found = comprehensive(deployed, of(tmp_path), LAST)
    assert found["training"]["samples"] == DAYS
    assert found["training"]["would_train"] is False
    assert any("500 are needed" in fault for fault in found["training"]["faults"])
    after = sum(each.resolved_at > DEPLOYED_AT for each in deployed.samples())
    assert found["training"]["new"] == after < DAYS
    assert found["training"]["families"] == [CONFIG.training.families[0]]
    assert found["trials"]["trainings"] == 1
    assert found["trials"]["trials"] == 3
    assert found["trials"]["error_spent_this_year"] == 0.01
    assert not list(tmp_path.iterdir())


def test_what_was_spent_over_a_year_ago_is_no_longer_counted(deployed: Reader, tmp_path: Path) -> None:
    assert comprehensive(deployed, of(tmp_path), LAST + 400 * DAY)["trials"]["error_spent_this_year"] == 0


def test_without_samples_a_training_has_nothing(tmp_path: Path) -> None:
    read = Journal.open("sqlite://").read
    found = training_now(read, of(tmp_path), LAST, table_of([], SCHEMA_HASH))
    assert (found["samples"], found["new"], found["last_trained_at"]) == (0, 0, None)


def test_the_monthly_evaluation_can_be_journaled(deployed: Reader, tmp_path: Path) -> None:
    found = comprehensive_evaluation(deployed, of(tmp_path), LAST)
    assert (found.kind, found.model_id, found.at) == (EvaluationKind.COMPREHENSIVE, CHAMPION, LAST)
    assert comprehensive_evaluation(deployed, of(tmp_path), LAST) == found
    journal, batch = Journal.open("sqlite://"), Batch()
    batch.add(found)
    journal.commit(batch)
    assert journal.read.evaluations(EvaluationKind.COMPREHENSIVE) == [found]


def test_a_days_figures_are_those_of_the_report(deployed: Reader, tmp_path: Path) -> None:
    found, report = daily_figures(deployed, of(tmp_path)), evaluate(deployed, of(tmp_path))["report"]
    assert found["samples"] == report["samples"]
    assert found["accuracy"] == report["figures"]["accuracy"]["value"]
    assert found["score"] == report["combined"]["score"]
    require_json(found, "daily figures")


def test_the_moment_is_that_of_the_newest_label(days: Reader) -> None:
    assert newest_moment(days) == max(each.resolved_at for each in days.samples())


# -- the verbs ------------------------------------------------------------------------------------------------


def ran(folder: Path, *arguments: str, fill: tuple[Fill, ...] = (tell_days, tell_champion)) -> str:
    """What a verb prints about an account's journal on disk, which it leaves as it was."""
    file = folder / "paper-main" / "journal.sqlite"
    file.parent.mkdir(parents=True)
    with Journal.open(file, durability=Durability.NORMAL) as journal:
        for each in fill:
            each(journal)
        before = journal.read.counts()
    app = typer.Typer()
    register_reports(app)
    done = CliRunner().invoke(app, [*arguments, "--journal", str(file)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with Journal.open(file, read_only=True) as journal:
        assert journal.read.counts() == before
    return done.stdout


@pytest.mark.parametrize("verb", ["evaluate", "full", "drift"])
def test_a_verb_prints_one_json_document(verb: str, tmp_path: Path) -> None:
    found = json.loads(ran(tmp_path, verb, "--json"))
    known = {
        "evaluate": {"model", "deployed", "since", "sentence", "report", "attribution"},
        "full": {"at", "quality", "evaluation", "drift", "trials", "training", "history"},
        "drift": {"from", "until", "findings", "features", "calibration"},
    }
    assert set(found) == known[verb]


def test_evaluate_shows_figures_targets_and_groups(tmp_path: Path) -> None:
    shown = ran(tmp_path, "evaluate")
    for text in (CHAMPION, "score is", "degradation", "cannot be told", "success rate", "regime", "exit cause", "f_b"):
        assert text in shown, text
    assert len(shown.splitlines()) <= 60


def test_evaluate_of_an_empty_account_says_that_there_is_nothing(tmp_path: Path) -> None:
    shown = ran(tmp_path, "evaluate", fill=())
    assert "no forecast has met its label yet" in shown
    assert "nothing is deployed" in shown
    assert " 0.000" not in shown


def test_full_is_one_page(tmp_path: Path) -> None:
    shown = ran(tmp_path, "full")
    for text in ("samples", "quality", "drift found", "a training now", "would not begin", "tried so far"):
        assert text in shown, text
    assert len(shown.splitlines()) <= 50


def test_drift_shows_its_findings(tmp_path: Path) -> None:
    shown = ran(tmp_path, "drift")
    assert "new win" in shown
    assert "old win" not in shown
    assert "are needed" in shown
