"""How members are joined: from what they said of rows not trained on, and never scored on rows weights came from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.families import FAMILIES
from learning.families.ensembles import (
    BLENDING_TAIL,
    CELL_PRIOR,
    REGIME_COLUMNS,
    Ensemble,
    Member,
    combine,
    combined_out_of_fold,
    fallback_of,
)
from learning.families.fitting import fitted
from learning.families.loss import log_loss, losses
from learning.portable.model import PortableModel
from learning.portable.odds import log_odds_of, probability_of
from learning.portable.parts import Linear, Mixture, Regimes, Stack
from learning.portable.preparation import Preparation
from learning.table import Floats, Ints

KINDS = tuple(Ensemble)
NAMES = ("f_member_0", "f_member_1", "f_member_2", *REGIME_COLUMNS)


def reader(column: int, width: int = len(NAMES)) -> Linear:
    """A part whose log-odds are one column: with it the members say again what they said out of fold."""
    weights = np.zeros(width)
    weights[column] = 1.0
    flat = Preparation(centre=np.zeros(width), scale=np.ones(width), fill=np.zeros(width), clip=20.0)
    return Linear(preparation=flat, weights=weights, intercept=0.0)


MEMBERS = tuple(Member(label=f"member {place}", part=reader(place)) for place in range(3))


def said_of(
    rows: int, seed: int, *, noises: tuple[float, ...] = (0.1, 0.6, 3.0)
) -> tuple[Floats, Ints, Floats, Floats]:
    """Members that know the true log-odds up to a noise each; features that repeat them, and two regimes."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-0.3, 0.9, rows)
    odds = np.clip(truth[:, None] + rng.normal(size=(rows, len(noises))) * noises, -13, 13)
    y = (rng.random(rows) < probability_of(truth)).astype(np.int64)
    X = np.column_stack([odds, rng.integers(-1, 2, rows), rng.integers(-1, 2, rows)])
    return probability_of(odds), y, rng.uniform(0.5, 1.5, rows), X


def halves(rows: int) -> tuple[Ints, Ints]:
    return np.arange(rows // 2), np.arange(rows // 2, rows)


def thirds(rows: int) -> list[tuple[Ints, Ints]]:
    every = np.arange(rows)
    return [(np.setdiff1d(every, test), test) for test in np.array_split(every, 3)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_part_says_what_its_own_weights_say_of_out_of_fold_probabilities(kind: Ensemble) -> None:
    """The estimate of an ensemble and the ensemble that is deployed are the same arithmetic."""
    oof, y, w, X = said_of(1_000, 1)
    early, late = halves(1_000)
    share = w[early].sum() / w.sum()
    part = combine(kind, MEMBERS, oof[early], y[early], w[early], X[early], NAMES, effective=200 * share)
    said = combined_out_of_fold(kind, oof, y, w, X, NAMES, [(early, late)], effective=200)
    assert np.isnan(said[early]).all()
    np.testing.assert_allclose(probability_of(part.log_odds(X[late])), said[late], rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_has_a_say_in_what_is_said_of_it(kind: Ensemble) -> None:
    oof, y, w, X = said_of(600, 2)
    folds = thirds(600)
    before = combined_out_of_fold(kind, oof, y, w, X, NAMES, folds, effective=300)
    test = folds[1][1]
    lied = y.copy()
    lied[test] = 1 - y[test]
    after = combined_out_of_fold(kind, oof, lied, w, X, NAMES, folds, effective=300)
    assert np.array_equal(before[test], after[test])
    if kind is not Ensemble.VOTING:
        assert not np.array_equal(before, after)
    everything = np.arange(600)
    with pytest.raises(InvalidInput, match="fold 1: an ensemble may not be scored on rows"):
        combined_out_of_fold(kind, oof, y, w, X, NAMES, [folds[0], (everything, test)], effective=300)


@pytest.mark.parametrize("kind", KINDS)
def test_the_members_are_not_asked_while_they_are_joined(kind: Ensemble) -> None:
    oof, y, w, X = said_of(300, 3)
    elsewhere = X.copy()
    elsewhere[:, :3] = 9.0
    parts = [combine(kind, MEMBERS, oof, y, w, given, NAMES, effective=100) for given in (X, elsewhere)]
    assert np.array_equal(parts[0].log_odds(X), parts[1].log_odds(X))


@pytest.mark.parametrize("kind", [Ensemble.BLENDING, Ensemble.STACKING, Ensemble.BAYESIAN, Ensemble.DYNAMIC])
def test_a_useless_member_is_weighed_down(kind: Ensemble) -> None:
    oof, y, w, X = said_of(3_000, 4)
    folds = thirds(3_000)
    loss = log_loss(combined_out_of_fold(kind, oof, y, w, X, NAMES, folds, effective=1_500), y, w)
    voting = log_loss(combined_out_of_fold("voting", oof, y, w, X, NAMES, folds, effective=1_500), y, w)
    assert loss < voting - 0.01
    assert loss < log_loss(oof[:, 0], y, w) + 0.003


def test_voting_is_the_plain_mean() -> None:
    oof, y, w, X = said_of(50, 5)
    part = combine("voting", MEMBERS, oof, y, w, X, NAMES, effective=50)
    np.testing.assert_allclose(probability_of(part.log_odds(X)), oof.mean(axis=1), atol=1e-12)


def test_a_row_answered_for_twice_gets_the_mean() -> None:
    oof, y, w, X = said_of(90, 6)
    first, second, third = (test for _, test in thirds(90))
    folds = [(first, third), (second, third), (first, second)]
    both = combined_out_of_fold("stacking", oof, y, w, X, NAMES, folds, effective=90)
    each = [combined_out_of_fold("stacking", oof, y, w, X, NAMES, [fold], effective=90) for fold in folds]
    np.testing.assert_allclose(both[third], (each[0][third] + each[1][third]) / 2, atol=1e-15)
    assert np.array_equal(both[second], each[2][second])
    assert np.isnan(both[first]).all()


def test_blending_finds_the_least_loss_that_a_general_optimiser_finds() -> None:
    from scipy.optimize import minimize

    for seed, noises in ((7, (0.5, 0.7, 0.9)), (8, (0.1, 2.0, 3.0)), (9, (1.5, 1.5, 1.5))):
        oof, y, w, X = said_of(400, seed, noises=noises)
        part = combine("blending", MEMBERS, oof, y, w, X, NAMES, effective=400)
        assert isinstance(part, Mixture)
        tail = slice(400 - round(400 * BLENDING_TAIL), None)
        reference = minimize(
            lambda b, rows=tail, oof=oof, y=y, w=w: log_loss(oof[rows] @ b, y[rows], w[rows]),
            np.full(3, 1 / 3),
            method="SLSQP",
            bounds=[(0, 1)] * 3,
            constraints={"type": "eq", "fun": lambda b: b.sum() - 1},
            options={"ftol": 1e-12},
        )
        assert log_loss(oof[tail] @ part.weights, y[tail], w[tail]) <= reference.fun + 2e-6


def test_blending_looks_at_the_newest_rows_only() -> None:
    oof, y, w, X = said_of(200, 10)
    first = combine("blending", MEMBERS, oof, y, w, X, NAMES, effective=200)
    lied = y.copy()
    lied[:140] = 1 - y[:140]
    second = combine("blending", MEMBERS, oof, lied, w, X, NAMES, effective=200)
    lied[140:] = 1 - y[140:]
    third = combine("blending", MEMBERS, oof, lied, w, X, NAMES, effective=200)
    assert isinstance(first, Mixture)
    assert isinstance(second, Mixture)
    assert isinstance(third, Mixture)
    assert np.array_equal(first.weights, second.weights)
    assert not np.array_equal(first.weights, third.weights)


def test_stacking_on_few_effective_samples_stays_near_the_base_rate() -> None:
    oof, y, w, X = said_of(2_000, 11)
    spreads = []
    for effective in (2_000, 20, 1):
        part = combine("stacking", MEMBERS, oof, y, w, X, NAMES, effective=effective)
        assert isinstance(part, Stack)
        spreads.append(float(part.log_odds(X).std()))
    assert spreads[0] > spreads[1] > spreads[2]
    assert spreads[2] < spreads[0] / 2


def test_stacking_mends_members_that_are_too_sure() -> None:
    oof, y, w, X = said_of(3_000, 12, noises=(0.0, 0.3, 0.3))
    sure = probability_of(np.clip(3 * log_odds_of(oof) + 1.0, -13, 13))
    stacked = combined_out_of_fold("stacking", sure, y, w, X, NAMES, thirds(3_000), effective=2_000)
    assert log_loss(stacked, y, w) < log_loss(oof[:, 0], y, w) + 0.003
    assert log_loss(sure[:, 0], y, w) > log_loss(oof[:, 0], y, w) + 0.1


def test_bayesian_weights_are_the_tempered_posterior() -> None:
    oof, y, w, X = said_of(500, 13)
    part = combine("bayesian", MEMBERS, oof, y, w, X, NAMES, effective=40)
    assert isinstance(part, Mixture)
    loss = np.array([log_loss(oof[:, place], y, w) for place in range(3)])
    likelihoods = np.exp(-40 * loss)
    np.testing.assert_allclose(part.weights, likelihoods / likelihoods.sum(), rtol=1e-9)
    doubted = combine("bayesian", MEMBERS, oof, y, w, X, NAMES, effective=0.01)
    assert isinstance(doubted, Mixture)
    np.testing.assert_allclose(doubted.weights, 1 / 3, atol=0.01)


def two_worlds(rows: int, seed: int) -> tuple[Floats, Ints, Floats, Floats]:
    """The first member knows rising markets only, the second falling ones; markets without a trend are rare."""
    rng = np.random.default_rng(seed)
    trend = rng.choice([-1.0, 0.0, 1.0], rows, p=[0.49, 0.02, 0.49])
    truth = rng.normal(0, 1.5, rows)
    blind = rng.normal(0, 1.5, (rows, 3))
    odds = np.where(trend[:, None] == np.array([1.0, -1.0, 7.0]), truth[:, None], blind)
    y = (rng.random(rows) < probability_of(truth)).astype(np.int64)
    X = np.column_stack([odds, trend, np.zeros(rows)])
    return probability_of(odds), y, np.ones(rows), X


def test_dynamic_weights_follow_the_regime_where_members_know_one_each() -> None:
    oof, y, w, X = two_worlds(4_000, 14)
    folds = thirds(4_000)
    by_kind = {
        kind: log_loss(combined_out_of_fold(kind, oof, y, w, X, NAMES, folds, effective=2_000), y, w) for kind in KINDS
    }
    assert by_kind[Ensemble.DYNAMIC] < min(loss for kind, loss in by_kind.items() if kind != Ensemble.DYNAMIC) - 0.03


def test_a_rare_regime_and_an_unknown_one_are_weighed_like_all_rows() -> None:
    oof, y, w, X = two_worlds(1_000, 15)
    everywhere = combine("bayesian", MEMBERS, oof, y, w, X, NAMES, effective=500)
    part = combine("dynamic", MEMBERS, oof, y, w, X, NAMES, effective=500)
    assert isinstance(part, Regimes)
    assert isinstance(everywhere, Mixture)
    row = np.array([[0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, np.nan, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0]])
    rare, unknown, common = part.weights[part.cell(row)]
    here = X[:, 3] == 0
    effective = 500 * w[here].sum() / w.sum()
    own = effective / (effective + CELL_PRIOR)
    loss = losses(oof[here], y[here]).mean(axis=0)
    posterior = np.exp(-effective * (loss - loss.min()))
    np.testing.assert_allclose(rare, own * posterior / posterior.sum() + (1 - own) * everywhere.weights, rtol=1e-9)
    assert np.abs(rare - everywhere.weights).max() < 0.1
    np.testing.assert_array_equal(unknown, everywhere.weights)
    assert common[0] > 0.6


def test_without_regime_columns_the_dynamic_ensemble_is_the_bayesian_one_and_says_so() -> None:
    oof, y, w, X = said_of(200, 16)
    names = ("f_member_0", "f_member_1", "f_member_2", "f_regime_trend", "f_other")
    dynamic, bayesian = (
        combine(kind, MEMBERS, oof, y, w, X, names, effective=100) for kind in (Ensemble.DYNAMIC, Ensemble.BAYESIAN)
    )
    assert isinstance(dynamic, Mixture)
    assert isinstance(bayesian, Mixture)
    assert np.array_equal(dynamic.weights, bayesian.weights)
    sentence = "the samples have no f_regime_volatility: the dynamic ensemble is the bayesian one"
    assert fallback_of("dynamic", names) == sentence
    assert fallback_of("dynamic", NAMES) == fallback_of("bayesian", names) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_one_member_is_itself(kind: Ensemble) -> None:
    oof, y, w, X = said_of(100, 17)
    part = combine(kind, MEMBERS[:1], oof[:, :1], y, w, X, NAMES, effective=100)
    np.testing.assert_allclose(probability_of(part.log_odds(X)), oof[:, 0], atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(4, 60),
    share=st.floats(0.01, 1.0),
    kind=st.sampled_from([Ensemble.VOTING, Ensemble.BLENDING, Ensemble.BAYESIAN, Ensemble.DYNAMIC]),
)
def test_a_mean_never_leaves_the_range_of_its_members(seed: int, rows: int, share: float, kind: Ensemble) -> None:
    rng = np.random.default_rng(seed)
    oof = rng.choice([0.0, 1e-9, 0.2, 0.5, 0.999, 1.0], (rows, 3))  # also members that are certain, and wrong
    y = rng.integers(0, 2, rows)
    X = np.column_stack([np.zeros((rows, 3)), rng.choice([-1, 0, 1, np.nan], (rows, 2))])
    folds = [halves(rows), halves(rows)[::-1]]
    said = combined_out_of_fold(kind, oof, y, rng.uniform(0.1, 9, rows), X, NAMES, folds, effective=share * rows)
    held = np.clip(oof, 1e-6, 1 - 1e-6)
    assert (said >= held.min(axis=1) - 1e-9).all()
    assert (said <= held.max(axis=1) + 1e-9).all()


def test_what_does_not_fit_together_is_refused_with_a_sentence() -> None:
    oof, y, w, X = said_of(20, 18)
    missing = oof.copy()
    missing[3, 1] = np.nan
    refused = (
        ({"kind": "choir"}, "there is no ensemble 'choir'; there are voting, blending, stacking, bayesian, dynamic"),
        ({"members": MEMBERS[:2]}, "2 members, but out-of-fold probabilities of shape"),
        ({"oof": missing}, "an out-of-fold probability is missing"),
        ({"oof": oof + 1}, "an out-of-fold probability is missing or not in"),
        ({"y": y + 1}, "a label is neither 0 nor 1"),
        ({"y": y[1:]}, "for 19 labels"),
        ({"w": w * 0}, "a weight is not a finite number above 0"),
        ({"names": NAMES[1:]}, "do not fit"),
        ({"effective": 0.0}, "effective is 0.0"),
        ({"effective": 21.0}, "are worth more than 0 and at most"),
        ({"kind": "stacking", "y": np.ones_like(y)}, "stacking needs both winners and losers"),
    )
    for change, sentence in refused:
        given_ = {
            "kind": "voting",
            "members": MEMBERS,
            "oof": oof,
            "y": y,
            "w": w,
            "X": X,
            "names": NAMES,
            "effective": 10.0,
        }
        with pytest.raises(InvalidInput, match=sentence):
            combine(**{**given_, **change})  # type: ignore[arg-type]  # one argument is wrong on purpose
    with pytest.raises(InvalidInput, match="fold 0 has no rows to fit"):
        combined_out_of_fold("voting", oof, y, w, X, NAMES, [(np.arange(0), np.arange(3))], effective=10)


@pytest.mark.parametrize("kind", KINDS)
def test_an_ensemble_of_trained_families_is_stored_and_read_bit_for_bit(kind: Ensemble) -> None:
    rng = np.random.default_rng(19)
    X = np.column_stack([rng.normal(size=(400, 3)), rng.integers(-1, 2, (400, 2))])
    y = (rng.random(400) < probability_of(X[:, 0])).astype(np.int64)
    X[rng.random(X.shape) < 0.1] = np.nan
    w, every = np.ones(400), np.arange(400)
    members, said = [], []
    for name, chosen in (("logistic", {}), ("lightgbm", {"n_estimators": 10}), ("svm", {"newest": 200})):
        part = fitted(FAMILIES[name], chosen, X, y, w, every, seed=0)
        members.append(Member(label=name, part=part))
        said.append(probability_of(part.log_odds(X)))
    model = PortableModel(
        names=NAMES, part=combine(kind, members, np.column_stack(said), y, w, X, NAMES, effective=200)
    )
    document, arrays = model.document()
    read = PortableModel.read(json.loads(json.dumps(document)), arrays)
    assert np.array_equal(read.probability(X), model.probability(X))
    assert np.ptp(model.probability(X)) > 0.05
