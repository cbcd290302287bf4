"""The verdict: same rows, net expected value, a reason a person understands."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from domain.errors import InvalidInput
from learning.judgement.ranking import auc
from learning.judgement.verdict import Opinion, Verdict, judge

ROWS = 600
BLOCKS = np.arange(ROWS) // 10


def results(seed: int = 1, rows: int = ROWS, win: float = 0.42) -> tuple[np.ndarray, np.ndarray]:
    """Targets at 1.5 R against stops at 1 R, costs 0.1 R."""
    y = (np.random.default_rng(seed).random(rows) < win).astype(np.int64)
    return np.where(y == 1, 1.4, -1.1), y


def knowing(y: np.ndarray, share: float, seed: int = 2, threshold: float = 0.5) -> Opinion:
    """Right about a `share` of the rows, and guessing about the others."""
    rng = np.random.default_rng(seed)
    said = np.where(rng.random(len(y)) < share, y, rng.integers(0, 2, len(y)))
    return Opinion(p=np.where(said == 1, 0.6, 0.3) + rng.uniform(-0.05, 0.05, len(y)), threshold=threshold)


def judged(r: Any, y: Any, challenger: Opinion, champion: Opinion | None = None, **changed: Any) -> Verdict:
    blocks = changed.pop("blocks", np.arange(len(r)) // 10)
    return judge(r, y, challenger, champion, blocks, **{"alpha": 0.001, "seed": 1} | changed)


def test_a_model_that_knows_something_replaces_no_filter() -> None:
    r, y = results()
    found = judged(r, y, knowing(y, 0.6))
    assert found.deploy
    assert found.reason.startswith("better than unfiltered: gain +")
    assert found.reason.endswith("at 99.9%")
    assert found.spent == 0.001
    assert found.ev_gain == pytest.approx(found.ev_filtered - found.ev_unfiltered)
    assert found.ev_champion is None
    assert found.gain_bound > 0
    assert found.auc_ci.low < found.auc < found.auc_ci.high


def test_the_figures_are_those_of_the_rows() -> None:
    r, y = results()
    challenger, champion = knowing(y, 0.5), knowing(y, 0.1, seed=5, threshold=0.35)
    found = judged(r, y, challenger, champion)
    takes, stands = challenger.p >= 0.5, champion.p >= 0.35
    assert (found.resolved, found.taken, found.champion_taken) == (ROWS, takes.sum(), stands.sum())
    assert found.coverage == pytest.approx(takes.mean())
    assert found.ev_filtered == pytest.approx(r[takes].mean())
    assert found.ev_champion == pytest.approx(r[stands].mean())
    assert found.ev_unfiltered == pytest.approx(r.mean())
    assert found.ev_gain == pytest.approx(r[takes].mean() - r[stands].mean())
    assert found.per_signal_gain == pytest.approx((r[takes].sum() - r[stands].sum()) / ROWS)
    assert found.auc == auc(challenger.p, y)
    assert found.champion_auc == auc(champion.p, y)
    assert found.brier == pytest.approx(((challenger.p - y) ** 2).mean())
    assert found.base_rate == pytest.approx(y.mean())
    assert found.log_loss < found.base_rate_log_loss


def test_a_model_that_knows_nothing_is_kept_out_and_the_reason_says_by_how_much() -> None:
    r, y = results()
    found = judged(r, y, knowing(y, 0.0), alpha=0.003)
    assert not found.deploy
    assert found.reason == (
        f"stayed unfiltered: improvement below threshold (gain {found.ev_gain:+.2f} R a trade, "
        f"lower bound {found.gain_bound:+.2f} at 99.7%)"
    )
    assert found.spent == 0.003
    kept = judged(r, y, knowing(y, 0.1), knowing(y, 0.1, seed=3), alpha=0.05)
    assert kept.reason.startswith("kept current model: improvement below threshold (gain ")


def test_a_better_mean_that_may_be_chance_is_not_deployed() -> None:
    r, y = results()
    found = judged(r, y, knowing(y, 0.12))
    assert found.ev_gain > 0 > found.gain_bound
    assert not found.deploy
    assert "improvement below threshold (gain +" in found.reason


def test_the_champion_itself_is_no_challenger() -> None:
    r, y = results()
    found = judged(r, y, knowing(y, 0.6), knowing(y, 0.6))
    assert not found.deploy
    assert found.ev_gain == 0


def test_a_better_average_that_gives_up_profit_is_not_deployed() -> None:
    """Everything pays; the challenger picks the best third and leaves the rest of the money where it is."""
    r, y = results(win=0.8)
    picky = np.zeros(ROWS)
    picky[np.flatnonzero(y == 1)[: ROWS // 3]] = 1
    found = judged(r, y, Opinion(p=0.2 + 0.6 * picky, threshold=0.5), blocks=BLOCKS)
    spread = np.random.default_rng(1).permutation(ROWS)
    shuffled = judged(r[spread], y[spread], Opinion(p=(0.2 + 0.6 * picky)[spread], threshold=0.5))
    assert not found.deploy
    assert shuffled.gain_bound > 0 > shuffled.per_signal_gain
    assert not shuffled.deploy
    assert shuffled.reason.startswith("stayed unfiltered: what it leaves out paid more than what it adds (gain +")


@pytest.mark.parametrize(
    ("rows", "changed", "reason"),
    [
        (143, {}, "not deployed: 143 of 200 resolved signals"),
        (0, {}, "not deployed: 0 of 200 resolved signals"),
        (300, {"threshold": 0.9}, "not deployed: it takes 0 of 300 signals, at least 30 are needed"),
        (300, {"blocks": np.arange(300) // 16}, "not deployed: too few independent blocks: 19 of 20"),
        (300, {"alpha": 0.0}, "not deployed: the error that a year of verdicts may take is spent"),
    ],
)
def test_what_is_turned_away_unseen_spends_nothing(rows: int, changed: dict[str, Any], reason: str) -> None:
    r, y = results(rows=rows)
    challenger = knowing(y, 0.8, threshold=changed.pop("threshold", 0.5))
    found = judged(r, y, challenger, **changed)
    assert not found.deploy
    assert found.reason == reason
    assert (found.spent, found.ev_gain, found.gain_bound) == (0, None, None)
    assert found.resolved == rows
    json.dumps(found.document(), allow_nan=False)


def test_a_champion_that_takes_nothing_must_be_beaten_by_a_profit() -> None:
    r, y = results(win=0.42)
    nothing = Opinion(p=np.full(ROWS, 0.3), threshold=0.9)
    assert judged(r, y, knowing(y, 0.6), nothing).deploy
    losing = judged(r, y, knowing(y, 0.0), nothing)
    assert losing.ev_champion is None
    assert not losing.deploy


def test_opinions_on_other_rows_cannot_be_compared() -> None:
    """The planted bug "deploy if better": the champion's figures from another, worse window."""
    r, y = results()
    earlier = knowing(y[:400], 0.1)
    with pytest.raises(InvalidInput, match="must be the same samples"):
        judged(r, y, knowing(y, 0.3), earlier)
    with pytest.raises(InvalidInput, match="must be the same samples"):
        judged(r, y, earlier)
    with pytest.raises(InvalidInput, match="same samples"):
        judged(r, y[:400], knowing(y, 0.3))
    with pytest.raises(InvalidInput, match="blocks"):
        judged(r, y, knowing(y, 0.3), blocks=np.arange(400) // 10)


def test_too_few_signals_are_no_excuse_for_comparing_other_rows() -> None:
    r, y = results(rows=100)
    with pytest.raises(InvalidInput, match="must be the same samples"):
        judged(r, y, knowing(y[:90], 0.3))
    with pytest.raises(InvalidInput, match="must be the same samples"):
        judged(r, y, knowing(y, 0.3), knowing(y[:90], 0.3))


def test_labels_that_ignore_costs_or_side_are_refused() -> None:
    r, y = results()
    with pytest.raises(InvalidInput, match="whether its R was above 0"):
        judged(-r, y, knowing(y, 0.3))
    scratch = r.copy()
    scratch[0] = 0.0
    with pytest.raises(InvalidInput, match="whether its R was above 0"):
        judged(scratch, np.where(np.arange(ROWS) == 0, 1, y), knowing(y, 0.3))


def test_mirrored_results_turn_a_good_model_into_a_bad_one() -> None:
    """With targets as far as stops and no costs, the mirror of a market is the same market."""
    _, y = results(win=0.5)
    even = np.where(y == 1, 1.0, -1.0)
    challenger = knowing(y, 0.6)
    good, bad = judged(even, y, challenger), judged(-even, 1 - y, challenger)
    assert good.deploy
    assert not bad.deploy
    assert bad.ev_gain == pytest.approx(-good.ev_gain)
    assert bad.auc == pytest.approx(1 - good.auc)


def test_the_document_is_plain_json_with_intervals_as_pairs() -> None:
    r, y = results()
    found = judged(r, y, knowing(y, 0.6))
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    assert document["ev_gain_ci"] == [found.ev_gain_ci.low, found.ev_gain_ci.high]
    assert document["deploy"] is True
    one_place = Opinion(p=np.where(BLOCKS < 4, 0.9, 0.1), threshold=0.5)
    narrow = judged(r + 0.0, y, Opinion(p=np.where(BLOCKS < 2, 0.9, 0.1), threshold=0.5), minimum_taken=10)
    assert narrow.gain_bound == -np.inf
    assert narrow.document()["gain_bound"] is None
    assert "no lower bound at 99.9%" in narrow.reason
    assert not judged(r, y, one_place).deploy


def test_opinions_hold_probabilities() -> None:
    with pytest.raises(InvalidInput, match="outside"):
        Opinion(p=np.array([1.2]), threshold=0.5)
    with pytest.raises(InvalidInput, match="missing"):
        Opinion(p=np.array([np.nan]), threshold=0.5)
    with pytest.raises(InvalidInput, match="threshold"):
        Opinion(p=np.array([0.2]), threshold=1.5)


@pytest.mark.parametrize("alpha", [-0.1, 0.6])
def test_an_error_that_is_no_chance_is_refused(alpha: float) -> None:
    r, y = results()
    with pytest.raises(InvalidInput, match="alpha"):
        judged(r, y, knowing(y, 0.3), alpha=alpha)
