"""The online filter: a model that learns each label the moment it lands, and its opinion on the next signal.

The model is one of `learning.learners`, a logistic regression unless another one is named. Here is what they share:
when it may speak, what its opinion looks like, how it is scored, and the checkpoint that commits with the sample.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.decisions import FeatureVector, MlClass, MlView, Sample, SampleSource
from domain.errors import Impossible, InvalidInput
from domain.numbers import significant
from learning.learners import OnlineLearner, learner_named
from learning.learners.contract import Folded, SaidBefore
from learning.learners.inputs import Usable, usable
from learning.learners.settings import OnlineSettings, ThresholdMode
from learning.prequential import Prequential, ScoreLine

__all__ = ["OnlineFilter", "OnlineReport", "OnlineSettings", "ThresholdMode"]

FORMAT = 1
FAMILIES = "online-"
_BUCKET = 100
_TOP_WEIGHTS = 10


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
        self._learner: OnlineLearner = learner_named(self._settings)
        self._family = FAMILIES + self._learner.name.replace("_", "-")
        self._labels = 0
        self._winners = 0
        self._refused_schema = 0
        self._refused_empty = 0
        self._by_source = dict.fromkeys((source.value for source in SampleSource), 0)
        self._overall = Prequential()
        self._speaking = Prequential()
        self._to_fold = False

    @property
    def schema(self) -> str:
        """The hash of the features it learned from."""
        return self._schema

    @property
    def labels(self) -> int:
        """How many labels it learned from."""
        return self._labels

    @property
    def base_rate(self) -> float:
        """The weighted share of winners so far, one win and one loss assumed beforehand; inside (0, 1)."""
        return self._learner.base.rate

    @property
    def model(self) -> str:
        """The model version: the family and the hundreds of labels it has seen."""
        return f"{self._family}-{self._labels // _BUCKET * _BUCKET}"

    @property
    def needs_refold(self) -> bool:
        """Whether `restore` could not bring the whole model back: then `refold` is due before anything is learned."""
        return self._to_fold

    def predict(self, features: FeatureVector) -> MlView:
        """The opinion on one signal; `UNKNOWN`, with the reason, where there is none. Changes nothing."""
        if features.schema != self._schema:
            return self._silent("feature schema changed")
        shown = usable(features, self._settings.largest_input)
        if not shown:
            return self._silent("no usable feature")
        if self._to_fold:
            return self._silent("the model's samples are not folded again yet")
        return self._opinion(shown)

    def learn(self, sample: Sample, said: MlView | None = None) -> bool:
        """Score the label against what was said before it, then learn it; False (counted) when refused.

        `said` is the opinion given when the decision was taken, and it is what is scored: between decision and label
        the model may have learned the labels of decisions taken beside this one, which tell of the same stretch of
        market, so its opinion at the moment of the label would be scored on what it all but knows. Without `said`
        (a stream whose labels come at once) the present opinion is scored. What an online model of another family
        said is not this one's, and is not scored.

        Samples are learned in the order of the calls. Of another schema, or without one usable feature, they are
        refused and leave the model as it was. Raises `Impossible` where `refold` is due.
        """
        if self._to_fold:
            raise Impossible("a label came before the model's samples were folded again")
        if sample.features.schema != self._schema:
            self._refused_schema += 1
            return False
        shown = usable(sample.features, self._settings.largest_input)
        if not shown:
            self._refused_empty += 1
            return False
        own = self._own(self._opinion(shown) if said is None else said)
        if own is not None:
            self._score(own, sample.label)
        self._labels += 1
        self._winners += sample.label
        self._by_source[sample.source.value] += 1
        self._learner.learn_one(shown, sample.label, sample.weight, _forecast_of(own))
        return True

    def learn_batch(self, samples: Sequence[Sample], said: Sequence[MlView | None] | None = None) -> int:
        """`learn` each sample in turn, `said` in the same order; how many were taken.

        It is nothing but those calls, so labels that wait for a batch of ten are learned as if each had come alone.
        Raises `InvalidInput` when there are not as many opinions as samples; then none was learned.
        """
        views: Sequence[MlView | None] = [None] * len(samples) if said is None else said
        if len(views) != len(samples):
            raise InvalidInput(f"a batch of {len(samples)} samples came with {len(views)} opinions on them")
        return sum(self.learn(sample, view) for sample, view in zip(samples, views, strict=True))

    def refold(self, samples: Iterable[Sample]) -> None:
        """Bring a model back that has no state of its own, from the samples it learned, in the order it learned them.

        `samples` are those of the journal, as many as there are; the ones that were refused then are passed over now.
        Scores, counts and calibration came with the checkpoint and stay. Does nothing where nothing is due. Raises
        `InvalidInput` when these are not the samples that were learned: then begin a new filter and learn them.
        """
        learner = self._learner
        if not (self._to_fold and isinstance(learner, Folded)):
            return
        for sample in samples:
            if sample.features.schema == self._schema:
                shown = usable(sample.features, self._settings.largest_input)
                if shown:
                    learner.refold_one(shown, sample.label, sample.weight)
        learner.refolded()
        self._to_fold = False

    def report(self) -> OnlineReport:
        """What was learned so far, and how well it was foreseen."""
        why = self._why_silent()
        weights = sorted(self._learner.weights().items(), key=lambda pair: (-abs(pair[1]), pair[0]))
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
        state = {
            "format": FORMAT,
            "family": self._family,
            "schema": self._schema,
            "counts": [self._labels, self._winners, self._refused_schema, self._refused_empty],
            "weight_sums": None,  # the learner's, in the place it has had since the first checkpoint
            "by_source": dict(self._by_source),
            **self._learner.state(),
            "overall": self._overall.state(),
            "speaking": self._speaking.state(),
        }
        return lambda: _COMPACT.encode(state)

    @classmethod
    def restore(cls, text: str, settings: OnlineSettings | None = None, *, schema: str) -> OnlineFilter:
        """The filter `checkpoint` was taken from; it continues bit for bit, after `refold` where `needs_refold`.

        Raises `InvalidInput` when the text is no checkpoint of this kind or was made with another feature schema or
        learner: then begin a new filter and learn the stored samples of the present schema.
        """
        try:
            state = json.loads(text)
            restored = cls(settings, schema=schema)
            if (state["format"], state["family"]) != (FORMAT, restored._family):
                raise InvalidInput(
                    f"a checkpoint of {state['family']} format {state['format']} is not {restored._family} {FORMAT}"
                )
            if state["schema"] != schema:
                raise InvalidInput(
                    f"the checkpoint learned feature schema {state['schema']}, the features are {schema}"
                )
            restored._take(state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(f"an online filter's checkpoint cannot be read: {error!r}") from error
        return restored

    def _take(self, state: Mapping[str, Any]) -> None:
        self._labels, self._winners, self._refused_schema, self._refused_empty = map(int, state["counts"])
        self._by_source = {source.value: int(state["by_source"][source.value]) for source in SampleSource}
        self._overall = Prequential.restored(state["overall"])
        self._speaking = Prequential.restored(state["speaking"])
        self._learner.take(state)
        self._to_fold = isinstance(self._learner, Folded) and self._labels > 0

    def _opinion(self, shown: Usable) -> MlView:
        probability = self._probability(shown)
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
            base_rate=self.base_rate,
        )

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
            base_rate=None if forecast is None else self.base_rate,
        )

    def _probability(self, shown: Usable) -> float | None:
        """P(winner) at six significant digits, kept off 0 and 1; None when it is not a number."""
        raw = self._learner.predict_one(shown)
        if raw is None:
            return None
        edge = self._settings.clip_probability
        return significant(min(max(raw, edge), 1.0 - edge))

    def _own(self, said: MlView) -> MlView | None:
        """What was said, unless an online model of another family said it (before the configuration changed)."""
        foreign = said.model.startswith(FAMILIES) and not said.model.startswith(self._family)
        return None if foreign else said

    def _score(self, said: MlView, label: int) -> None:
        if said.forecast is None or said.base_rate is None:
            return
        self._overall.add(said.forecast, label, base_rate=said.base_rate, threshold=said.threshold)
        if said.verdict is not MlClass.UNKNOWN:
            self._speaking.add(said.forecast, label, base_rate=said.base_rate, threshold=said.threshold)


_COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _forecast_of(said: MlView | None) -> SaidBefore | None:
    if said is None or said.forecast is None or said.base_rate is None:
        return None
    return SaidBefore(said.forecast, said.base_rate)
