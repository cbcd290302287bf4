"""The verdict: does a challenger replace what is in place, on signals that neither was trained on.

Both say something of the very same rows, so no comparison of different windows can be asked for. The rule is net
expected value: ranking and calibration are reported beside it and decide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from domain.errors import InvalidInput
from learning.judgement.blocks import MINIMUM_BLOCKS, count_of
from learning.judgement.bootstrap import RESAMPLES, Gain, paired_gain
from learning.judgement.columns import Column, Floats, Ints, column_of, labels_of, probabilities_of
from learning.judgement.interval import Interval
from learning.judgement.ranking import auc, auc_interval
from learning.judgement.scores import brier, log_loss

_IN_THE_TAIL = 10
_MOST_RESAMPLES = 100_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Opinion:
    """What a model said of each row, and the cut-off from which it takes one: p >= threshold."""

    p: Floats
    threshold: float

    def __post_init__(self) -> None:
        probabilities_of(self.p)
        if not 0 <= self.threshold <= 1:
            raise InvalidInput(f"a threshold of {self.threshold} does not lie in [0, 1]")

    @property
    def takes(self) -> Floats:
        """1 where the row is taken, else 0."""
        found: Floats = (self.p >= self.threshold).astype(np.float64)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Whether the challenger is deployed, why in one sentence, and the figures; None where one is not defined.

    `resolved` rows, of which the challenger takes `taken`, a `coverage` share. `ev_filtered`, `ev_champion` and
    `ev_unfiltered` are the mean R of what the challenger, the champion and nobody's filter takes. `ev_gain` is the
    challenger's EV per trade less the champion's (unfiltered where there is none) with its two-sided interval;
    `gain_bound` is its lower bound at error `alpha`, minus infinity where nothing bounds it. `per_signal_gain` is the
    difference of total R over all rows. `spent` is the error that the test cost: 0 where it was turned away unseen.
    Losses are in nats; `base_rate_log_loss` is what the window's own share of winners would have scored.
    """

    deploy: bool
    reason: str
    alpha: float
    spent: float
    resolved: int
    taken: int
    coverage: float | None
    threshold: float
    champion_taken: int | None
    blocks: int
    effective_blocks: float | None
    auc: float | None
    auc_ci: Interval | None
    champion_auc: float | None
    brier: float | None
    log_loss: float | None
    champion_log_loss: float | None
    base_rate: float | None
    base_rate_log_loss: float | None
    ev_filtered: float | None
    ev_champion: float | None
    ev_unfiltered: float | None
    ev_gain: float | None
    ev_gain_ci: Interval | None
    gain_bound: float | None
    per_signal_gain: float | None

    def document(self) -> dict[str, object]:
        """All of it as plain JSON values; intervals as [low, high], an infinite end as None."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _plain(value) for name, value in found.items()}


def judge(
    r: Column,
    y: Column,
    challenger: Opinion,
    champion: Opinion | None,
    blocks: Ints,
    *,
    alpha: float,
    minimum_resolved: int = 200,
    minimum_taken: int = 30,
    level: float = 0.95,
    seed: int,
) -> Verdict:
    """Deploy the challenger or keep what is in place; no champion means that all signals are taken ("unfiltered").

    `r` in R and `y` its labels, rows in order of decision, all of them unseen by both models; `blocks` as `time_blocks`
    gives them; `alpha` as the error budget allows, 0 where it is spent. Deployed only when there are
    `minimum_resolved` rows, the challenger takes `minimum_taken` of them, the lower bound of its gain in EV per trade
    is above 0, and what it gives up did not pay more than what it adds (`per_signal_gain` of at least 0).

    Raises `InvalidInput` when the columns do not belong to the same rows or a label is not whether R was above 0.
    """
    results = column_of("r", r)
    rows = len(results)
    labels = labels_of(y, rows)
    _check(results, labels, (challenger, champion), alpha)
    count = count_of(blocks, rows) if rows else 0
    takes, standing = challenger.takes, np.ones(rows) if champion is None else champion.takes
    refusal = _refusal(rows, int(takes.sum()), count, alpha, minimum_resolved, minimum_taken)
    gain = None
    if not refusal:
        resamples = min(_MOST_RESAMPLES, max(RESAMPLES, math.ceil(_IN_THE_TAIL / alpha)))
        gain = paired_gain(results, takes, standing, blocks, alpha=alpha, level=level, resamples=resamples, seed=seed)
    ranked = auc_interval(challenger.p, labels, blocks, level=level, seed=seed) if rows else None
    return _verdict(results, labels, challenger, champion, gain, ranked, refusal=refusal, alpha=alpha, blocks=count)


def _verdict(
    results: Floats,
    labels: Floats,
    challenger: Opinion,
    champion: Opinion | None,
    gain: Gain | None,
    ranked: Interval | None,
    *,
    refusal: str,
    alpha: float,
    blocks: int,
) -> Verdict:
    rows, takes = len(results), challenger.takes
    share = float(labels.mean()) if rows else None
    return Verdict(
        deploy=gain is not None and gain.low > 0 and gain.per_signal >= 0,
        reason=refusal if gain is None else _reason(gain, champion),
        alpha=alpha,
        spent=0.0 if gain is None else alpha,
        resolved=rows,
        taken=int(takes.sum()),
        coverage=float(takes.mean()) if rows else None,
        threshold=challenger.threshold,
        champion_taken=None if champion is None else int(champion.takes.sum()),
        blocks=blocks,
        effective_blocks=None if gain is None else gain.effective_blocks,
        auc=_scored(auc, challenger, labels),
        auc_ci=ranked,
        champion_auc=_scored(auc, champion, labels),
        brier=_scored(brier, challenger, labels),
        log_loss=_scored(log_loss, challenger, labels),
        champion_log_loss=_scored(log_loss, champion, labels),
        base_rate=share,
        base_rate_log_loss=None if share is None else log_loss(np.full(rows, share), labels),
        ev_filtered=_mean_taken(results, takes),
        ev_champion=None if champion is None else _mean_taken(results, champion.takes),
        ev_unfiltered=_mean_taken(results, np.ones(rows)),
        ev_gain=None if gain is None else gain.point,
        ev_gain_ci=None if gain is None else gain.interval,
        gain_bound=None if gain is None else gain.low,
        per_signal_gain=None if gain is None else gain.per_signal,
    )


def _check(results: Floats, labels: Floats, opinions: tuple[Opinion | None, ...], alpha: float) -> None:
    if not bool(((results > 0) == (labels == 1)).all()):
        raise InvalidInput("a label is not whether its R was above 0")
    for opinion in opinions:
        if opinion is not None:
            probabilities_of(opinion.p, len(results), "an opinion's p")
    if not 0 <= alpha <= 0.5:
        raise InvalidInput(f"alpha {alpha} must lie in [0, 0.5]")


def _scored(score: Callable[[Floats, Floats], float | None], opinion: Opinion | None, labels: Floats) -> float | None:
    return score(opinion.p, labels) if opinion is not None and len(labels) else None


def _refusal(rows: int, taken: int, blocks: int, alpha: float, minimum_resolved: int, minimum_taken: int) -> str:
    """Why the test is not made, nothing where it is; it looks at no result, so that turning away costs no error."""
    if rows < minimum_resolved:
        return f"not deployed: {rows} of {minimum_resolved} resolved signals"
    if taken < minimum_taken:
        return f"not deployed: it takes {taken} of {rows} signals, at least {minimum_taken} are needed"
    if blocks < MINIMUM_BLOCKS:
        return f"not deployed: too few independent blocks: {blocks} of {MINIMUM_BLOCKS}"
    if alpha * _MOST_RESAMPLES < 1:
        return "not deployed: the error that a year of verdicts may take is spent"
    return ""


def _reason(gain: Gain, champion: Opinion | None) -> str:
    place = f"at {100 * (1 - gain.alpha):.5g}%"
    bound = f"lower bound {gain.low:+.2f} {place}" if math.isfinite(gain.low) else f"no lower bound {place}"
    figures = f"gain {gain.point:+.2f} R a trade, {bound}"
    against = "unfiltered" if champion is None else "the current model"
    stayed = "stayed unfiltered" if champion is None else "kept current model"
    if not gain.low > 0:
        return f"{stayed}: improvement below threshold ({figures})"
    if gain.per_signal < 0:
        return (
            f"{stayed}: what it leaves out paid more than what it adds ({figures}, {gain.per_signal:+.3f} R a signal)"
        )
    return f"better than {against}: {figures}"


def _mean_taken(results: Floats, takes: Floats) -> float | None:
    return float(results[takes > 0].mean()) if bool(takes.any()) else None


def _plain(value: object) -> object:
    if isinstance(value, Interval):
        return [_plain(value.low), _plain(value.high)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
