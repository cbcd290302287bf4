"""The trainer: what is planted is found, what is not there is refused, and the verdict's window is never learned."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_table import AT, HOUR, job_on, model_of, pinned, planted, quick

from domain.errors import InvalidInput
from learning.judgement.verdict import Opinion, Verdict
from learning.registry.bundle import FILES
from learning.table import SampleTable
from learning.training import trainer
from learning.training.job import Pinned, TrainingJob
from learning.training.search import embargo_of
from learning.training.settings import TrainingSettings
from learning.training.trainer import run, unseen_rows


def trained(job: TrainingJob) -> dict[str, Any]:
    return run(job, lambda _step, _done, _of: None)


def relabelled(table: SampleTable, seed: int = 5) -> SampleTable:
    """The same outcomes, dealt anew: no feature tells any of them."""
    order = np.random.default_rng(seed).permutation(len(table))
    return replace(table, r_net=table.r_net[order], label=table.label[order])


def long_lived(rows: int) -> SampleTable:
    """Labels of five days, so that many live through the same market."""
    table = planted(rows)
    return replace(table, resolved_at=table.decided_at + 120 * HOUR)


def changed_from(table: SampleTable, first: int, **columns: Any) -> SampleTable:
    """The table with other values in the rows from `first` on."""
    found = {}
    for name, value in columns.items():
        column = getattr(table, name).copy()
        column[first:] = value
        found[name] = column
    return replace(table, **found)


def bundle_bytes(job: TrainingJob, answer: dict[str, Any]) -> list[bytes]:
    folder = job.models / answer["record"]["model_id"]
    return [(folder / name).read_bytes() for name in FILES]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingJob, dict[str, Any]]:
    job = job_on(tmp_path_factory.mktemp("planted"), planted())
    return job, trained(job)


# -- what comes out -----------------------------------------------------------------------------------------------


def test_a_planted_edge_is_found_and_deployed(found):
    _, answer = found
    assert answer["deploy"] == answer["model"] == answer["record"]["model_id"]
    assert answer["deployed"] is True
    assert answer["reason"].startswith(f"deployed {answer['model']}: better than unfiltered: gain +")
    assert answer["ev_filtered"] > answer["ev_unfiltered"] + 0.3
    assert answer["spent"] == answer["alpha"] == 0.05
    assert answer["against"] is None
    assert answer["auc"] > 0.75


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_labels_deploy_nothing_and_say_why(tmp_path, seed):
    answer = trained(job_on(tmp_path, relabelled(planted(seed=seed), seed), alpha=0.01))
    assert answer["deploy"] is None
    assert answer["reason"].startswith(("stayed unfiltered: ", "not deployed: "))


def test_noise_deploys_nothing(tmp_path):
    answer = trained(job_on(tmp_path, planted(edge=0.0), alpha=0.01))
    assert (answer["deploy"], answer["deployed"]) == (None, False)


def test_without_error_to_spend_even_a_planted_edge_only_challenges(tmp_path):
    answer = trained(job_on(tmp_path, planted(), alpha=0.0))
    assert answer["deploy"] is None
    assert answer["spent"] == 0
    assert answer["challenge"] == answer["model"]
    assert answer["reason"] == "not deployed: the error that a year of verdicts may take is spent"


@pytest.mark.parametrize(
    ("table", "settings", "reason"),
    [
        (planted(150), quick(), "not trained: 150 of 200 resolved samples"),
        (planted(), quick(minimum_per_class=250), "not trained: "),
        (planted(), quick(minimum_resolved=500), "not deployed: 120 of 500 resolved signals"),
        (planted(), quick(minimum_taken=110), "not deployed: it takes "),
        (long_lived(400), quick(minimum_resolved=20, minimum_taken=5), "not deployed: too few independent blocks: "),
    ],
    ids=["samples", "classes", "resolved", "taken", "blocks"],
)
def test_what_is_missing_is_said_in_a_sentence(tmp_path, table, settings, reason):
    answer = trained(job_on(tmp_path, table, settings=settings))
    assert answer["reason"].startswith(reason)
    assert answer["deploy"] is None
    assert "\n" not in answer["reason"]


def test_too_few_of_a_class_are_named(tmp_path):
    table = planted(edge=0.0)
    table = replace(table, r_net=-np.abs(table.r_net), label=np.zeros(len(table), dtype=np.int64))
    answer = trained(job_on(tmp_path, table))
    assert answer["record"] is None
    assert "winners" in answer["reason"]


def test_a_table_whose_rows_were_all_decided_at_once_is_refused_in_a_sentence(tmp_path):
    table = planted()
    table = replace(table, decided_at=np.full(len(table), int(table.decided_at[0])))
    table = replace(table, resolved_at=table.decided_at + HOUR)
    with pytest.raises(InvalidInput, match="decided at one moment"):
        trained(job_on(tmp_path, table))


# -- nothing of the window is learned from -----------------------------------------------------------------------------


def test_every_verdict_row_was_decided_after_the_last_label_learned_from_was_known(found):
    job, answer = found
    table, model = planted(), model_of(*found)
    rows = unseen_rows(table, model, None, job)
    known = table.resolved_at <= int((model.known_until.timestamp()) * 1e6)
    learned = np.flatnonzero(known)[: answer["record"]["samples"]]
    wait = embargo_of(table, job.settings) // timedelta(microseconds=1)
    assert len(rows) == answer["resolved"]
    assert len(learned) == answer["record"]["samples"]
    assert int(table.decided_at[rows].min()) > int(table.resolved_at[learned].max()) + wait


@pytest.mark.parametrize("column", ["features", "outcomes", "ends"])
def test_whatever_happens_in_the_window_the_model_is_the_same_to_the_byte(tmp_path, found, column):
    table = planted()
    first = int(len(table) * 0.8)
    poisoned = {
        "features": lambda: changed_from(table, first, features=1e6),
        "outcomes": lambda: changed_from(table, first, r_net=-1.0, label=0),
        "ends": lambda: changed_from(table, first, resolved_at=table.resolved_at[first:] + 400 * HOUR),
    }[column]()
    job = job_on(tmp_path, poisoned)
    answer = trained(job)
    assert bundle_bytes(job, answer) == bundle_bytes(*found)


def test_what_happens_before_the_window_does_change_it(tmp_path, found):
    table = planted()
    features = table.features.copy()
    features[100:110] *= -1
    job = job_on(tmp_path, replace(table, features=features))
    assert trained(job)["model"] != found[1]["model"]


def test_the_same_job_gives_the_same_answer_wherever_its_files_lie(tmp_path, found):
    assert trained(job_on(tmp_path / "elsewhere", planted())) == found[1]


def test_a_family_is_never_shown_the_window(tmp_path, monkeypatch):
    table = planted()
    seen: list[int] = []
    original = trainer.ground_of

    def watched(known: SampleTable, *rest: Any) -> Any:
        seen.append(int(known.resolved_at.max()))
        return original(known, *rest)

    monkeypatch.setattr(trainer, "ground_of", watched)
    trained(job_on(tmp_path, table))
    assert seen
    assert max(seen) < int(table.decided_at[480])


def test_samples_before_the_window_of_days_are_left_out(tmp_path):
    answer = trained(job_on(tmp_path, planted(), settings=quick(window_days=60)))
    assert answer["samples"] == 241


# -- champions and challengers ------------------------------------------------------------------------------------


def judged_columns(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Opinion, Opinion | None]]:
    """What each verdict was reached on."""
    seen: list[tuple[Any, Opinion, Opinion | None]] = []
    original = trainer.judge

    def watched(r: Any, y: Any, challenger: Opinion, champion: Opinion | None, *rest: Any, **named: Any) -> Verdict:
        seen.append((r, challenger, champion))
        return original(r, y, challenger, champion, *rest, **named)

    monkeypatch.setattr(trainer, "judge", watched)
    return seen


def first_champion(folder: Path, rows: int = 400) -> tuple[TrainingJob, Pinned]:
    job = job_on(folder, planted(900).take(slice(0, rows)))
    return job, pinned(trained(job))


def test_a_champion_and_a_new_model_are_judged_on_the_same_rows_unseen_by_both(tmp_path, monkeypatch):
    table = planted(900)
    _, champion = first_champion(tmp_path)
    seen = judged_columns(monkeypatch)
    job = job_on(tmp_path, table, champion=champion)
    answer = trained(job)
    ((r, new, old),) = seen
    assert old is not None
    rows = unseen_rows(table, model_of(job, answer), None, job)
    np.testing.assert_array_equal(r, table.r_net[rows])
    assert len(new.p) == len(old.p) == len(r) == answer["resolved"]
    assert answer["against"] == champion.model_id
    assert answer["champion_taken"] == int((old.p >= old.threshold).sum())


def test_a_model_no_better_than_the_champion_is_not_deployed(tmp_path):
    _, champion = first_champion(tmp_path, 600)
    answer = trained(job_on(tmp_path, planted(900), champion=champion, alpha=0.01))
    assert answer["model"] != champion.model_id
    assert answer["deploy"] is None
    assert answer["reason"].startswith("kept current model: ")


def test_the_champion_trained_again_from_the_same_samples_is_not_judged_against_itself(tmp_path):
    job = job_on(tmp_path, planted())
    champion = pinned(trained(job))
    answer = trained(replace(job, champion=champion))
    assert (answer["deploy"], answer["challenge"], answer["verdicts"]) == (None, None, [])
    assert answer["reason"] == "kept current model: the same samples gave it again"


def test_one_that_waits_is_judged_again_with_more_samples_and_deployed_in_the_end(tmp_path):
    whole = planted(900)
    first = trained(job_on(tmp_path, whole.take(slice(0, 400)), settings=quick(minimum_resolved=150)))
    assert first["deploy"] is None
    assert first["challenge"] == first["model"]
    waiting = pinned(first)
    again = trained(job_on(tmp_path, whole.take(slice(0, 600)), challenger=waiting, alpha=0.0))
    assert again["challenge"] == waiting.model_id, "promising still, so it goes on waiting"
    last = trained(job_on(tmp_path, whole, challenger=waiting, settings=quick(minimum_resolved=150)))
    assert last["deploy"] == waiting.model_id
    spent = {each["model"]: each["spent"] for each in last["verdicts"]}
    assert spent == {waiting.model_id: 0.05, last["model"]: 0.0}, "one error, spent once"
    resolved = {each["model"]: each["resolved"] for each in last["verdicts"]}
    assert resolved[waiting.model_id] > resolved[last["model"]]


@pytest.mark.parametrize("role", ["champion", "challenger"])
def test_a_bundle_that_is_not_what_the_journal_says_is_refused(tmp_path, role):
    _, pin = first_champion(tmp_path)
    changed = Pinned(model_id=pin.model_id, sha256="0" * 64)
    with pytest.raises(InvalidInput, match="was changed"):
        trained(job_on(tmp_path, planted(), **{role: changed}))


# -- jobs on their way ----------------------------------------------------------------------------------------------


def test_a_job_reads_back_as_it_was_written(tmp_path):
    job = job_on(tmp_path, planted(60), champion=Pinned(model_id="a", sha256="b"), families=tmp_path)
    assert TrainingJob.from_json(job.to_json()) == job


@pytest.mark.parametrize("text", ["", "null", "{}", '{"samples": 1}', "[]"])
def test_what_is_no_job_is_refused(text):
    with pytest.raises(InvalidInput, match="cannot be read"):
        TrainingJob.from_json(text)


@pytest.mark.parametrize("change", [{"alpha": -0.1}, {"alpha": 0.5}, {"alpha": float("nan")}])
def test_a_job_with_no_lawful_error_is_refused(tmp_path, change):
    with pytest.raises(InvalidInput, match="alpha"):
        job_on(tmp_path, planted(60), **change)


@pytest.mark.parametrize(
    "change",
    [
        {"families": ()},
        {"budget": 0},
        {"splits": 2},
        {"verdict_share": 0.9},
        {"minimum_samples": 10},
        {"lag_s": -1},
        {"embargo_s": -1},
        {"window_days": 0},
        {"half_life_days": 0},
        {"threshold": 1.0},
        {"resamples": 10},
        {"small_below": -1},
    ],
)
def test_settings_out_of_range_are_refused(change):
    with pytest.raises(InvalidInput):
        TrainingSettings(**change)


def test_settings_read_back_and_unknown_ones_are_named():
    settings = quick(window_days=90, threshold=0.4)
    assert TrainingSettings.read(settings.document()) == settings
    with pytest.raises(InvalidInput, match="do not know depth"):
        TrainingSettings.read({"depth": 3})


def test_when_it_was_asked_for_is_part_of_a_job_and_its_folder_is_not(tmp_path):
    one, other = job_on(tmp_path / "a", planted(60)), job_on(tmp_path / "b", planted(60))
    assert one.terms() == other.terms()
    assert replace(one, at=AT + timedelta(seconds=1)).terms() != one.terms()
