"""The online filter: a logistic regression that learns each label the moment it lands.

river's StandardScaler and LogisticRegression, one row at a time. Three departures from their plain pipeline, each
for a reason that a test names. Only features that are present are shown to them: one NaN would stay in the
scaler's mean for ever. Values far outside what was seen are drawn in before they reach scaler or weights: one
absurd value would otherwise blind the filter for hundreds of labels. The intercept is the log-odds of the share
of winners so far instead of a learned weight, so that a filter that has learned nothing says the base rate.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any

from domain.decisions import FeatureVector, MlClass, MlView, Sample, SampleSource
from domain.errors import InvalidInput
from domain.numbers import significant
from learning.prequential import Prequential, ScoreLine

FORMAT = 1
FAMILY = "online-logistic"
_BUCKET = 100
_TOP_WEIGHTS = 10
_WINSORISE_AFTER = 30


class ThresholdMode(StrEnum):
    DEFAULT = "default"
    CONSERVATIVE = "conservative"
    AGGRESSIVE = "aggressive"


THRESHOLDS: Mapping[ThresholdMode, float] = {
    ThresholdMode.DEFAULT: 0.50,
    ThresholdMode.CONSERVATIVE: 0.65,
    ThresholdMode.AGGRESSIVE: 0.35,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OnlineSettings:
    """How the online filter learns and when it may speak.

    It is silent until `minimum_labels` labels, `minimum_per_class` of each kind. The step size at label t is
    `learning_rate` / sqrt(t + 1); `l2` draws weights to 0. The default step is small: trades tell little and
    overlap, and on real candles larger steps fitted noise (docs/adr/0006 has the table). Standardised inputs are
    cut at `clip_sigmas`, raw ones beyond `largest_input` count as missing. Probabilities are kept
    `clip_probability` away from 0 and 1.
    `threshold` (for instance a break-even probability) replaces the mode's.
    """

    minimum_labels: int = 100
    minimum_per_class: int = 20
    learning_rate: float = 0.005
    l2: float = 0.05
    threshold_mode: ThresholdMode = ThresholdMode.DEFAULT
    threshold: float | None = None
    clip_probability: float = 0.01
    clip_sigmas: float = 4.0
    winsorise_sigmas: float = 8.0
    largest_input: float = 1e9

    def __post_init__(self) -> None:
        if self.minimum_labels < 1 or self.minimum_per_class < 1:
            raise InvalidInput("the online filter needs at least 1 label, and 1 of each class, before it may speak")
        if not (0 < self.learning_rate <= 1 and 0 <= self.l2 <= 1):
            raise InvalidInput(f"learning rate {self.learning_rate} must lie in (0, 1] and l2 {self.l2} in [0, 1]")
        if not 0 < self.clip_probability < 0.5:
            raise InvalidInput(f"clip_probability is {self.clip_probability}; it must lie in (0, 0.5)")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise InvalidInput(f"threshold is {self.threshold}; it must lie in (0, 1)")
        if not (0 < self.clip_sigmas <= self.winsorise_sigmas and 0 < self.largest_input <= 1e12):
            raise InvalidInput("0 < clip_sigmas <= winsorise_sigmas and 0 < largest_input <= 1e12 are needed")

    @property
    def acting_threshold(self) -> float:
        return THRESHOLDS[self.threshold_mode] if self.threshold is None else self.threshold


@dataclass(frozen=True, kw_only=True, slots=True)
class OnlineReport:
    """What the filter learned from. `overall` scores every label, `speaking` those since it may speak.

    `updates` counts what was learned, `refused_*` what was not. `top_weights` are the largest by size, per
    standard deviation of the feature, in log-odds.
    """

    model: str
    labels: int
    updates: int
    refused_schema: int
    refused_empty: int
    by_source: Mapping[str, int]
    may_speak: bool
    why_silent: str
    overall: ScoreLine
    speaking: ScoreLine
    top_weights: tuple[tuple[str, float], ...]


class OnlineFilter:
    """P(net R > 0) of a signal from its frozen features, learned label by label; same labels, same bits."""

    def __init__(self, settings: OnlineSettings | None = None, *, schema: str) -> None:
        self._settings = OnlineSettings() if settings is None else settings
        self._schema = schema
        self._scaler, self._model = _fresh_parts(self._settings)
        self._labels = 0
        self._winners = 0
        self._weight_total = 0.0
        self._weight_winners = 0.0
        self._refused_schema = 0
        self._refused_empty = 0
        self._by_source = dict.fromkeys((source.value for source in SampleSource), 0)
        self._overall = Prequential()
        self._speaking = Prequential()

    @property
    def schema(self) -> str:
        """The hash of the features it learned from."""
        return self._schema

    @property
    def labels(self) -> int:
        """How many labels it learned from."""
        return self._labels

    @property
    def model(self) -> str:
        """The model version: the family and the hundreds of labels it has seen."""
        return f"{FAMILY}-{self._labels // _BUCKET * _BUCKET}"

    def predict(self, features: FeatureVector) -> MlView:
        """The opinion on one signal; `UNKNOWN`, with the reason, where there is none. Changes nothing."""
        if features.schema != self._schema:
            return self._silent("feature schema changed")
        usable = self._usable(features)
        if not usable:
            return self._silent("no usable feature")
        probability = self._probability(usable)
        if probability is None:
            return self._silent("the model's probability is not a number")
        why = self._why_silent()
        if why:
            return self._silent(why, forecast=probability)
        threshold = self._settings.acting_threshold
        return MlView(
            verdict=MlClass.PROFITABLE if probability >= threshold else MlClass.UNPROFITABLE,
            probability=probability,
            confidence=significant(2 * abs(probability - 0.5)),
            threshold=threshold,
            model=self.model,
            seen=self._labels,
            forecast=probability,
            base_rate=self._base_rate(),
        )

    def learn(self, sample: Sample, said: MlView | None = None) -> bool:
        """Score the label against what was said before it, then learn it; False (counted) when refused.

        `said` is the opinion given when the decision was taken, and it is what is scored: between decision and label
        the model may have learned the labels of decisions taken beside this one, which tell of the same stretch of
        market, so its opinion at the moment of the label would be scored on what it all but knows. Without `said`
        (a stream whose labels come at once) the present opinion is scored.

        Samples are learned in the order of the calls. Of another schema, or without one usable feature, they are
        refused and leave the model as it was.
        """
        if sample.features.schema != self._schema:
            self._refused_schema += 1
            return False
        usable = self._usable(sample.features)
        if not usable:
            self._refused_empty += 1
            return False
        self._score(self.predict(sample.features) if said is None else said, sample.label)
        self._labels += 1
        self._winners += sample.label
        self._weight_total += sample.weight
        self._weight_winners += sample.weight * sample.label
        self._by_source[sample.source.value] += 1
        self._scaler.learn_one(self._drawn_in(usable))
        self._model.intercept = _logit(self._base_rate())
        self._model.learn_one(self._standardised(usable), bool(sample.label), w=sample.weight)
        return True

    def report(self) -> OnlineReport:
        """What was learned so far, and how well it was foreseen."""
        why = self._why_silent()
        weights = sorted(self._model.weights.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
        return OnlineReport(
            model=self.model,
            labels=self._labels,
            updates=self._labels,
            refused_schema=self._refused_schema,
            refused_empty=self._refused_empty,
            by_source={name: count for name, count in self._by_source.items() if count},
            may_speak=not why,
            why_silent=why,
            overall=self._overall.line(),
            speaking=self._speaking.line(),
            top_weights=tuple((name, significant(float(weight))) for name, weight in weights[:_TOP_WEIGHTS]),
        )

    def checkpoint(self) -> str:
        """The whole state as one line of JSON; floats are written so that they read back as the same bits."""
        return self.snapshot()()

    def snapshot(self) -> Callable[[], str]:
        """The state of now, taken apart from the filter; called, it gives the checkpoint, which takes longer."""
        scaler, weights = self._scaler, self._model.weights
        names = list(scaler.counts)
        state = {
            "format": FORMAT,
            "family": FAMILY,
            "schema": self._schema,
            "counts": [self._labels, self._winners, self._refused_schema, self._refused_empty],
            "weight_sums": [self._weight_total, self._weight_winners],
            "by_source": dict(self._by_source),
            "steps": self._model.optimizer.n_iterations,
            "features": names,
            "seen": list(scaler.counts.values()),
            "means": [scaler.means[name] for name in names],
            "variances": [scaler.vars[name] for name in names],
            "weight_names": None if list(weights) == names else list(weights),
            "weights": list(weights.values()),
            "overall": self._overall.state(),
            "speaking": self._speaking.state(),
        }
        return lambda: _COMPACT.encode(state)

    @classmethod
    def restore(cls, text: str, settings: OnlineSettings | None = None, *, schema: str) -> OnlineFilter:
        """The filter `checkpoint` was taken from; it continues bit for bit.

        Raises `InvalidInput` when the text is no checkpoint of this kind or was made with another feature schema:
        then begin a new filter and learn the stored samples of the present schema.
        """
        try:
            state = json.loads(text)
            if (state["format"], state["family"]) != (FORMAT, FAMILY):
                raise InvalidInput(
                    f"a checkpoint of {state['family']} format {state['format']} is not {FAMILY} {FORMAT}"
                )
            if state["schema"] != schema:
                raise InvalidInput(
                    f"the checkpoint learned feature schema {state['schema']}, the features are {schema}"
                )
            restored = cls(settings, schema=schema)
            restored._take(state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(f"an online filter's checkpoint cannot be read: {error!r}") from error
        return restored

    def _take(self, state: Mapping[str, Any]) -> None:
        self._labels, self._winners, self._refused_schema, self._refused_empty = map(int, state["counts"])
        self._weight_total, self._weight_winners = map(float, state["weight_sums"])
        self._by_source = {source.value: int(state["by_source"][source.value]) for source in SampleSource}
        self._overall = Prequential.restored(state["overall"])
        self._speaking = Prequential.restored(state["speaking"])
        names = [str(name) for name in state["features"]]
        weight_names = names if state["weight_names"] is None else [str(name) for name in state["weight_names"]]
        self._scaler.counts.update(dict(zip(names, map(int, state["seen"]), strict=True)))
        self._scaler.means.update(dict(zip(names, _finite(state["means"]), strict=True)))
        self._scaler.vars.update(dict(zip(names, _finite(state["variances"]), strict=True)))
        weights = dict(zip(weight_names, _finite(state["weights"]), strict=True))
        # river offers no way to set weights; its attribute is a mapping like any other.
        vars(self._model)["_weights"] = import_module("river.utils").VectorDict(weights)
        self._model.optimizer.n_iterations = int(state["steps"])
        if self._labels:
            self._model.intercept = _logit(self._base_rate())

    def _why_silent(self) -> str:
        settings = self._settings
        if self._labels < settings.minimum_labels:
            return f"{self._labels} of {settings.minimum_labels} labels"
        for name, count in (("winners", self._winners), ("losers", self._labels - self._winners)):
            if count < settings.minimum_per_class:
                return f"{count} of {settings.minimum_per_class} {name}"
        return ""

    def _silent(self, why: str, *, forecast: float | None = None) -> MlView:
        return MlView(
            verdict=MlClass.UNKNOWN,
            probability=None,
            confidence=None,
            threshold=self._settings.acting_threshold,
            model=self.model,
            seen=self._labels,
            why=why,
            forecast=forecast,
            base_rate=None if forecast is None else self._base_rate(),
        )

    def _base_rate(self) -> float:
        """The weighted share of winners so far, one win and one loss assumed beforehand; inside (0, 1)."""
        return (self._weight_winners + 1.0) / (self._weight_total + 2.0)

    def _usable(self, features: FeatureVector) -> dict[str, float]:
        limit = self._settings.largest_input
        return {
            name: value for name, value in features.values.items() if value is not None and -limit <= value <= limit
        }

    def _drawn_in(self, usable: dict[str, float]) -> dict[str, float]:
        """Inputs as the scaler may see them: at most `winsorise_sigmas` from the mean once that is known."""
        scaler, sigmas = self._scaler, self._settings.winsorise_sigmas
        counts, means, variances = scaler.counts, scaler.means, scaler.vars
        drawn = usable
        for name, value in usable.items():
            if counts[name] < _WINSORISE_AFTER:
                continue
            mean, variance = means[name], variances[name]
            distance = value - mean
            if variance > 0 and distance * distance > sigmas * sigmas * variance:
                if drawn is usable:
                    drawn = dict(usable)
                drawn[name] = mean + math.copysign(sigmas * math.sqrt(variance), distance)
        return drawn

    def _standardised(self, usable: dict[str, float]) -> dict[str, float]:
        """Known features in standard deviations from their mean, cut at `clip_sigmas`."""
        counts, limit = self._scaler.counts, self._settings.clip_sigmas
        # The scaler would remember a name it is merely asked about.
        known = {name: value for name, value in usable.items() if name in counts}
        scaled: dict[str, float] = self._scaler.transform_one(known)
        if scaled and (max(scaled.values()) > limit or min(scaled.values()) < -limit):
            return {name: min(max(value, -limit), limit) for name, value in scaled.items()}
        return scaled

    def _probability(self, usable: dict[str, float]) -> float | None:
        """P(winner) at six significant digits, kept off 0 and 1; None when it is not a number."""
        raw = float(self._model.predict_proba_one(self._standardised(usable))[True])
        if not math.isfinite(raw):
            return None
        edge = self._settings.clip_probability
        return significant(min(max(raw, edge), 1.0 - edge))

    def _score(self, said: MlView, label: int) -> None:
        if said.forecast is None or said.base_rate is None:
            return
        self._overall.add(said.forecast, label, base_rate=said.base_rate, threshold=said.threshold)
        if said.verdict is not MlClass.UNKNOWN:
            self._speaking.add(said.forecast, label, base_rate=said.base_rate, threshold=said.threshold)


_COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _fresh_parts(settings: OnlineSettings) -> tuple[Any, Any]:
    # river takes most of a second to import (through scipy.stats): only who builds a filter pays.
    linear_model = import_module("river.linear_model")
    optim = import_module("river.optim")
    scaler = import_module("river.preprocessing").StandardScaler()
    step = optim.schedulers.InverseScaling(settings.learning_rate, power=0.5)
    model = linear_model.LogisticRegression(
        optimizer=optim.SGD(step), l2=settings.l2, intercept_lr=0.0, clip_gradient=10.0
    )
    return scaler, model


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def _finite(values: list[float]) -> list[float]:
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a scaler statistic or weight is not finite")
    return numbers
