"""`ratchet learn train`, `status`, `retrain` and `cycle` by the installed command, on small sample files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_account import Ratchet

from learning.parquet import write_samples
from learning.table import SampleTable
from signals.features import SCHEMA_HASH

FIGURES = (
    *("samples", "trials", "model", "auc", "auc_ci", "brier", "threshold"),
    *("ev_filtered", "ev_unfiltered", "ev_gain_ci", "deployed", "reason"),
)
HOUR = 3_600_000_000
START = 1_700_000_000_000_000


def planted(rows: int, *, strength: float = 2.5) -> SampleTable:
    """Decisions six hours apart whose chances one of three features tells."""
    draw = np.random.default_rng(11)
    features = draw.normal(size=(rows, 3))
    chance = 1 / (1 + np.exp(-strength * features[:, 0]))
    label = (draw.random(rows) < chance).astype(np.int64)
    decided_at = START + np.arange(rows, dtype=np.int64) * 6 * HOUR
    return SampleTable(
        decision_id=np.array([f"d{row:05d}" for row in range(rows)]),
        decided_at=decided_at,
        resolved_at=decided_at + 2 * HOUR,
        instrument=np.full(rows, "SIM"),
        side=np.ones(rows, dtype=np.int64),
        strategy=np.full(rows, "trend"),
        r_net=np.where(label == 1, 1.0, -1.1),
        label=label,
        weight=np.ones(rows),
        source=np.full(rows, "backtest"),
        features=features,
        names=("f_a", "f_b", "f_c"),
        schema=SCHEMA_HASH,
    )


def told_json(ratchet: Ratchet, *arguments: str | Path) -> dict[str, Any]:
    done = ratchet("learn", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def refused(ratchet: Ratchet, *arguments: str | Path) -> str:
    """The one sentence with which a verb refuses."""
    done = ratchet("learn", *arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line.removeprefix("ratchet: ")


def test_with_too_few_samples_all_figures_are_there_and_null(ratchet: Ratchet, tmp_path: Path) -> None:
    file = tmp_path / "few.parquet"
    write_samples(planted(60), file)
    answer = told_json(ratchet, "train", "--samples", file)
    assert set(FIGURES) <= set(answer)
    assert (answer["samples"], answer["trials"], answer["deployed"]) == (60, 0, False)
    assert answer["reason"] == "not trained: 60 of 500 resolved samples"
    nothing = set(FIGURES) - {"samples", "trials", "deployed", "reason"}
    assert all(answer[name] is None for name in nothing)


def test_a_planted_edge_is_trained_on_in_an_empty_state_deployed_shown_and_not_learned_twice(
    ratchet: Ratchet, tmp_path: Path
) -> None:
    file = tmp_path / "planted.parquet"
    write_samples(planted(1_600), file)
    answer = told_json(ratchet, "train", "--samples", file, "--families", "logistic", "--budget", "1")
    assert set(FIGURES) <= set(answer)
    assert (answer["samples"], answer["trials"], answer["deployed"]) == (1_600, 1, True)
    low, high = answer["auc_ci"]
    assert 0.8 < low < answer["auc"] < high < 1
    assert answer["ev_gain_ci"][0] > 0
    assert answer["ev_filtered"] > answer["ev_unfiltered"]
    assert 0 < answer["threshold"] < 1
    assert 0 < answer["brier"] < 0.25

    standing = told_json(ratchet, "status")
    assert standing["champion"] == answer["model"]
    assert standing["previous"] is None
    assert standing["last_training"]["told"] == answer["reason"]
    assert standing["last_verdict"]["spent"] > 0
    assert standing["next_verdict_from"] > standing["last_verdict"]["at"]
    assert standing["daemon"] is None
    page = ratchet("learn", "status").stdout
    assert f"champion       {answer['model']} since " in page
    assert f": {answer['reason']}" in page

    sentence = refused(ratchet, "retrain")
    assert sentence.startswith("0 new samples since the training of 20")
    assert sentence.endswith("a training takes 50; --force trains regardless")


@pytest.fixture
def collected(ratchet: Ratchet) -> Ratchet:
    """An account without a journal yet, with samples collected from a backtest."""
    folder = ratchet.state / "paper-main" / "samples"
    folder.mkdir(parents=True)
    write_samples(planted(700), folder / "backtest-a.parquet")
    return ratchet


QUICK = ("--set", "training.families=logistic", "--set", "training.ensembles=[]", "--set", "training.budget=1")


def test_a_cycle_trains_when_something_calls_for_it_and_then_rests(collected: Ratchet) -> None:
    first = told_json(collected, "cycle", *QUICK, "--set", "training.window_days=365")
    assert first["quality"]["ok"] is True
    assert (first["samples"], first["new"], first["trains"]) == (700, 700, True)
    assert [each["kind"] for each in first["triggers"]] == ["never_trained"]
    assert first["decided"] == "training: no model was ever trained"
    assert first["training"]["trials"] == 1
    assert first["training"]["cause"] == first["decided"]
    done = collected("learn", "cycle", *QUICK, "--set", "training.window_days=365")
    assert done.returncode == 0
    assert "not trained: nothing calls for it, 0 samples are new since the last training" in done.stdout
    more = collected.state / "paper-main" / "samples" / "backtest-b.parquet"
    write_samples(planted(760), more)
    samples = told_json(collected, "status", "--set", "training.window_days=365")["samples"]
    assert (samples["journaled"], samples["own"]) == (0, 0)
    assert (samples["in_window"], samples["collected"], samples["new"]) == (760, 760, 60)
    assert samples["from"] == "2023-11-14T22:13:20+00:00"


def test_samples_of_poor_quality_are_not_trained_on_by_a_cycle_and_with_force_say_why(collected: Ratchet) -> None:
    strict = ("--set", "training.minimum_per_class=400", "--set", "training.window_days=365")
    found = told_json(collected, "cycle", *strict)
    assert (found["trains"], found["training"]) == (False, None)
    assert found["quality"]["ok"] is False
    assert "400 are needed" in found["decided"]
    answer = told_json(collected, "retrain", "--force", *strict, "--why", "curiosity")
    assert (answer["trials"], answer["deployed"], answer["cause"]) == (0, False, "curiosity")
    assert "400 are needed" in answer["reason"]


def test_without_any_sample_each_verb_says_so_in_a_sentence(ratchet: Ratchet) -> None:
    assert "there is no journal under" in refused(ratchet, "status")
    assert refused(ratchet, "retrain") == "0 new samples, and a training takes 50; --force trains regardless"
    assert refused(ratchet, "retrain", "--force").startswith("there are no samples to train on")
    assert "there are 0 samples; 500 are needed" in told_json(ratchet, "cycle")["decided"]
