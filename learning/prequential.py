"""Test, then learn: how well the probabilities said before each label fit the label that came.

Log-loss and Brier are set beside those of the running base rate on the same labels, which is what knowing nothing
but the share of winners would have scored. The AUC ranks by how far the log-odds lay above those of the base rate
at that moment: ranked by the probability itself, a running base rate alone scores below 0.5 (each winner raises it
just before the losers that remain). It is read from a histogram, so that the state stays small; bins are narrow
(0.004 of log-odds) near the base rate, where weak models live, and wide far away. Scores in one bin count as ties.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import InvalidInput

BINS = 257
_HALF_WAY = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreLine:
    """Means over `scored` labels, None where nothing was scored (`auc`: where one class is missing).

    Losses are in nats. `accuracy` is the share of labels on the side of the threshold that the probability was on.
    """

    scored: int
    log_loss: float | None
    base_rate_log_loss: float | None
    brier: float | None
    base_rate_brier: float | None
    auc: float | None
    accuracy: float | None
    positive_rate: float | None


class Prequential:
    """Running sums over (probability, label) pairs in the order they came; small enough to store at every label."""

    __slots__ = (
        "_base_brier",
        "_base_loss",
        "_brier",
        "_correct",
        "_loss",
        "_negative_bins",
        "_positive_bins",
        "_positives",
        "scored",
    )

    def __init__(self) -> None:
        self.scored = 0
        self._positives = 0
        self._correct = 0
        self._loss = 0.0
        self._base_loss = 0.0
        self._brier = 0.0
        self._base_brier = 0.0
        self._positive_bins: dict[int, int] = {}
        self._negative_bins: dict[int, int] = {}

    def add(self, probability: float, label: int, *, base_rate: float, threshold: float) -> None:
        """Score one label; `probability` and `base_rate` lie inside (0, 1) and were known before the label."""
        self.scored += 1
        self._positives += label
        self._correct += int((probability >= threshold) == (label == 1))
        self._loss -= math.log(probability if label else 1.0 - probability)
        self._base_loss -= math.log(base_rate if label else 1.0 - base_rate)
        self._brier += (probability - label) ** 2
        self._base_brier += (base_rate - label) ** 2
        bins = self._positive_bins if label else self._negative_bins
        place = _bin_of(probability, base_rate)
        bins[place] = bins.get(place, 0) + 1

    def line(self) -> ScoreLine:
        """The means so far."""
        count = self.scored

        def mean(total: float) -> float | None:
            return total / count if count else None

        return ScoreLine(
            scored=count,
            log_loss=mean(self._loss),
            base_rate_log_loss=mean(self._base_loss),
            brier=mean(self._brier),
            base_rate_brier=mean(self._base_brier),
            auc=self._auc(),
            accuracy=mean(self._correct),
            positive_rate=mean(self._positives),
        )

    def state(self) -> list[object]:
        """Everything as numbers that JSON keeps exactly; `restored` reads it back."""
        return [
            self.scored,
            self._positives,
            self._correct,
            self._loss,
            self._base_loss,
            self._brier,
            self._base_brier,
            list(self._positive_bins),
            list(self._positive_bins.values()),
            list(self._negative_bins),
            list(self._negative_bins.values()),
        ]

    @classmethod
    def restored(cls, state: Sequence[object]) -> Prequential:
        """The sums `state` was taken from; raises `InvalidInput` when it is not such a state."""
        fresh = cls()
        try:
            scored, positives, correct, loss, base_loss, brier, base_brier, *bins = state
            fresh.scored, fresh._positives, fresh._correct = _whole(scored), _whole(positives), _whole(correct)
            fresh._loss, fresh._base_loss = _real(loss), _real(base_loss)
            fresh._brier, fresh._base_brier = _real(brier), _real(base_brier)
            positive_places, positive_counts, negative_places, negative_counts = bins
            fresh._positive_bins = _paired(positive_places, positive_counts)
            fresh._negative_bins = _paired(negative_places, negative_counts)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"a checkpoint's scores cannot be read: {error}") from error
        return fresh

    def _auc(self) -> float | None:
        """P(score of a winner > score of a loser), ties half; None while one of them is missing."""
        negatives = self.scored - self._positives
        if not self._positives or not negatives:
            return None
        below, wins = 0, 0.0
        for place in range(BINS):
            losers = self._negative_bins.get(place, 0)
            wins += self._positive_bins.get(place, 0) * (below + losers / 2)
            below += losers
        return wins / (self._positives * negatives)


def _bin_of(probability: float, base_rate: float) -> int:
    """The bin of the log-odds above the base rate's: x / (|x| + 0.5) runs from -1 to 1, 0 in the middle bin."""
    above = math.log(probability / (1.0 - probability)) - math.log(base_rate / (1.0 - base_rate))
    return round(above / (abs(above) + _HALF_WAY) * (BINS // 2)) + BINS // 2


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _real(value: object) -> float:
    if not isinstance(value, float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite sum")
    return value


def _paired(places: object, counts: object) -> dict[int, int]:
    if not isinstance(places, list) or not isinstance(counts, list) or len(places) != len(counts):
        raise ValueError("a histogram needs as many places as counts")
    return {_whole(place): _whole(count) for place, count in zip(places, counts, strict=True)}
