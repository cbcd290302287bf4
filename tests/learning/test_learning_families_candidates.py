"""What is tried, how it is called, how much it counts; and a family of a user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain.errors import InvalidInput
from learning.families import FAMILIES, families_in
from learning.families.candidates import Candidate, candidates_of, default_candidates
from learning.families.fitting import fitted
from learning.portable.odds import probability_of

INSTALLED = tuple(name for name in FAMILIES if name != "xgboost")

ONE_FEATURE = '''
"""A logistic regression on the first feature only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from learning.families import Family, Setting
from learning.portable.parts import Linear, Part
from learning.portable.preparation import Preparation
from learning.table import Floats, Ints


class FirstFeature(Family):
    name = "first_feature"

    def settings(self, budget: int, rng: np.random.Generator) -> Sequence[Mapping[str, Setting]]:
        return [{"slope": 1.0}, {"slope": 2.0}][:budget]

    def fit(self, X: Floats, y: Ints, w: Floats, settings: Mapping[str, object], seed: int) -> Part:
        preparation = Preparation.fit(X, w)
        first = preparation.apply(X)[:, 0]
        sign = np.sign(np.average(first[y == 1], weights=w[y == 1]) - np.average(first[y == 0], weights=w[y == 0]))
        weights = np.zeros(X.shape[1])
        weights[0] = sign * float(settings["slope"])
        return Linear(preparation=preparation, weights=weights, intercept=0.0)
'''


def test_the_default_search_is_logistic_histogram_boosting_and_their_average() -> None:
    found = default_candidates(3)
    assert [each.label for each in found] == [
        "logistic(C=0.01)",
        "histogram_boosting(l2_regularization=1.0, learning_rate=0.05, max_depth=3, max_iter=100, min_samples_leaf=50)",
        "voting()",
    ]
    assert [each.is_ensemble for each in found] == [False, False, True]


@pytest.mark.parametrize("budget", [3, 4, 7, 12])
def test_all_trials_together_keep_to_the_budget(budget: int) -> None:
    found = default_candidates(budget)
    assert len(found) == budget
    assert len({each.name for each in found}) == budget
    assert len({(each.family, tuple(sorted(each.settings.items()))) for each in found}) == budget


def test_a_budget_that_is_too_small_still_tries_each_once_and_no_more() -> None:
    assert [each.name for each in default_candidates(1)] == ["logistic", "histogram_boosting", "voting"]


def test_what_a_family_cannot_use_of_the_budget_goes_to_the_others() -> None:
    found = default_candidates(23)
    names = [each.family for each in found]
    assert names.count("logistic") == 6  # that is all it has
    assert names.count("histogram_boosting") == 16
    assert names.count("voting") == 1


def test_a_greater_budget_tries_the_same_and_more_and_the_same_seed_the_same() -> None:
    few, many = (candidates_of(INSTALLED, (), budget, seed=5) for budget in (10, 17))
    assert {each.label for each in few} < {each.label for each in many}
    assert few == candidates_of(INSTALLED, (), 10, seed=5)
    assert many != candidates_of(INSTALLED, (), 17, seed=6)


def test_an_ensemble_of_one_family_is_left_out() -> None:
    assert [each.name for each in candidates_of(("svm",), ("voting", "stacking"), 5)] == [
        "svm",
        "svm-2",
        "svm-3",
        "svm-4",
        "svm-5",
    ]


@pytest.mark.parametrize("name", INSTALLED)
def test_every_familys_own_parameters_are_ones_that_it_takes(name: str) -> None:
    family = FAMILIES[name]
    offered = family.settings(1_000, np.random.default_rng(0))
    keys = [tuple(sorted(each.items())) for each in offered]
    assert len(set(keys)) == len(keys) > 3
    assert [dict(each) for each in family.settings(2, np.random.default_rng(0))] == [dict(each) for each in offered[:2]]
    rng = np.random.default_rng(1)
    X, y, w = rng.normal(size=(40, 2)), np.arange(40) % 2, np.ones(40)
    named = family.fit(X, y, w, offered[0], 1).log_odds(X)
    assert np.array_equal(named, family.fit(X, y, w, {}, 1).log_odds(X)), "the first is not the default"
    assert np.isfinite(family.fit(X, y, w, offered[-1], 1).log_odds(X)).all()


def test_a_candidate_does_not_change_after_it_was_made() -> None:
    given = {"C": 0.1}
    candidate = Candidate(name="logistic-2", family="logistic", settings=given)
    given["C"] = 9.0
    assert candidate.label == "logistic-2(C=0.1)"
    with pytest.raises(InvalidInput, match="both need a name"):
        Candidate(name="", family="logistic", settings={})


def test_what_cannot_be_searched_is_refused_with_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="there is no model family 'logistics'"):
        candidates_of(("logistics",), (), 3)
    with pytest.raises(InvalidInput, match="there is no ensemble 'bagging'"):
        candidates_of(("logistic", "svm"), ("bagging",), 3)
    with pytest.raises(InvalidInput, match="named twice: svm, svm"):
        candidates_of(("svm", "svm"), (), 3)
    for names, budget in (((), 3), (("svm",), 0)):
        with pytest.raises(InvalidInput, match="at least 1 of each is needed"):
            candidates_of(names, (), budget)


def test_a_users_file_joins_the_shipped_families_and_is_searched_and_trained(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ONE_FEATURE)
    families = families_in(tmp_path)
    assert tuple(families) == (*FAMILIES, "first_feature")
    found = candidates_of(("logistic", "first_feature"), ("voting",), 5, families=families)
    assert [each.label for each in found] == [
        "logistic(C=0.01)",
        *([found[1].label]),
        "first_feature(slope=1.0)",
        "first_feature-2(slope=2.0)",
        "voting()",
    ]
    rng = np.random.default_rng(2)
    X = rng.normal(size=(600, 3))
    y = (rng.random(600) < 1 / (1 + np.exp(1 - 1.5 * X[:, 0]))).astype(np.int64)
    X[rng.random(X.shape) < 0.1] = np.nan
    part = fitted(families["first_feature"], found[2].settings, X, y, np.ones(600), np.arange(400), seed=0)
    said = probability_of(part.log_odds(X[400:]))
    assert said[y[400:] == 1].mean() > said[y[400:] == 0].mean() + 0.15
    assert abs(said.mean() - y.mean()) < 0.08  # balanced like any other, and moved back
    with pytest.raises(InvalidInput, match="first_feature: all 10 labels are 1"):
        fitted(families["first_feature"], {"slope": 1.0}, X, np.ones_like(y), np.ones(600), np.arange(10), seed=0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "mine.py: it holds 0 families; exactly one subclass of Family is allowed"),
        (ONE_FEATURE + "\n\nclass Second(Family):\n    name = 'second'\n", "it holds 2 families"),
        (ONE_FEATURE.replace("first_feature", "svm"), "a family or ensemble named 'svm' is already there"),
        (ONE_FEATURE.replace("first_feature", "voting"), "a family or ensemble named 'voting' is already there"),
        (
            ONE_FEATURE.replace("def fit", "def fits"),
            r"FirstFeature must define settings\(\), fit\(\) and the text name",
        ),
        (ONE_FEATURE.replace('name = "first_feature"', ""), "must define settings"),
        ("import nowhere_at_all", "mine.py: this model family file cannot be run: No module named"),
        ("def (", "mine.py: this model family file cannot be run"),
    ],
)
def test_a_file_that_is_no_family_is_refused_by_name(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(InvalidInput, match=sentence):
        families_in(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere is not a folder of model families"):
        families_in(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        ("np.zeros(3)", r"first_feature: fit\(\) gives a ndarray, not a part"),
        ("Linear(preparation=preparation, weights=weights[:1], intercept=0.0)", "weights of a linear part"),
        ("1 / 0", "first_feature could not be trained with .*slope.*: division by zero"),
    ],
)
def test_a_users_family_that_gives_no_model_is_told_so(tmp_path: Path, returned: str, sentence: str) -> None:
    made = "Linear(preparation=preparation, weights=weights, intercept=0.0)"
    (tmp_path / "mine.py").write_text(ONE_FEATURE.replace(made, returned))
    X = np.random.default_rng(3).normal(size=(50, 4))
    with pytest.raises(InvalidInput, match=sentence):
        fitted(
            families_in(tmp_path)["first_feature"],
            {"slope": 1.0},
            X,
            np.arange(50) % 2,
            np.ones(50),
            np.arange(50),
            seed=0,
        )
