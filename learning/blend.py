"""How the filter's opinion enters a decision."""

from __future__ import annotations

from enum import StrEnum

from domain.decisions import MlView
from domain.errors import InvalidInput
from domain.numbers import significant

SCORE_BELOW_MINIMUM = "score_below_minimum"
PROBABILITY_BELOW_THRESHOLD = "probability_below_threshold"


class Mode(StrEnum):
    SCORE_ENHANCEMENT = "score_enhancement"
    """The score is a weighted mean of technical score and probability."""
    FILTER = "filter"
    """The score stays technical; below the threshold there is no trade."""
    REPLACE = "replace"
    """The score is the probability, judged by the threshold alone."""
    OFF = "off"


def blend(technical: float, ml: MlView, mode: Mode, *, technical_weight: float = 0.7) -> float:
    """The score a decision is made with, in [0, 1], at six significant digits.

    An unknown opinion leaves the technical score as it is, in every mode. Raises `InvalidInput` when the score or
    the weight lies outside [0, 1].
    """
    if not (0 <= technical <= 1 and 0 <= technical_weight <= 1):
        raise InvalidInput(f"technical score {technical} and technical weight {technical_weight} must lie in [0, 1]")
    if ml.probability is None or mode in (Mode.OFF, Mode.FILTER):
        return significant(technical)
    if mode is Mode.REPLACE:
        return significant(ml.probability)
    return significant(technical_weight * technical + (1 - technical_weight) * ml.probability)


def accepts(score: float, ml: MlView, mode: Mode, *, minimum_score: float) -> str | None:
    """None when a decision with this blended score may go on, else the reason why not.

    In `REPLACE` a known probability is held against the threshold only: a minimum made for technical confidences
    says nothing about a chance of profit. While the opinion is unknown every mode asks for the minimum score.
    """
    known = ml.probability is not None and mode is not Mode.OFF
    if not (known and mode is Mode.REPLACE) and not score >= minimum_score:
        return SCORE_BELOW_MINIMUM
    if known and mode in (Mode.FILTER, Mode.REPLACE) and ml.probability is not None and ml.probability < ml.threshold:
        return PROBABILITY_BELOW_THRESHOLD
    return None
