"""Who speaks about a signal, and who is only heard.

The champion speaks: a deployed bundle, blended with the online learner by their recent log-loss, or the online learner
itself where it was deployed (or need not be). Everybody else is asked too and journaled beside the decision: the
challenger, the champion before this one, the online learner. What they said then is what they are judged by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from domain.decisions import FeatureVector, MlClass, MlView, Sample
from domain.errors import InvalidInput
from domain.learning import ONLINE, Prediction, PredictionRole
from domain.numbers import significant
from learning.blending import ForecastBlend
from learning.online import OnlineFilter, OnlineReport
from learning.registry.bundle import LoadedModel

BATCH = "batch"
BLEND_KEY = "forecast_blend"
"""Where the journal keeps the blend of a deployed bundle and the online learner."""
NOT_DEPLOYED = "no model has beaten unfiltered trading on unseen signals yet: the online one is heard, not followed"
_EDGE = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One model's forecast on one signal."""

    model_id: str
    role: PredictionRole
    forecast: float
    threshold: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What the decision is taken with, and what everybody else said."""

    view: MlView
    said: tuple[Said, ...] = ()

    def predictions(self, decision_id: str, at: datetime) -> tuple[Prediction, ...]:
        """As the journal keeps them."""
        return tuple(
            Prediction(
                decision_id=decision_id,
                model_id=each.model_id,
                role=each.role,
                forecast=each.forecast,
                threshold=each.threshold,
                at=at,
            )
            for each in self.said
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cast:
    """The models of the moment. `online_speaks` where the online learner was deployed, or may speak without that."""

    champion: LoadedModel | None = None
    challenger: LoadedModel | None = None
    previous: LoadedModel | None = None
    online_speaks: bool = False


class SignalFilter:
    """The opinion that enters a decision, from everyone who has one."""

    def __init__(self, online: OnlineFilter, *, blend: ForecastBlend, cast: Cast, blends: bool = True) -> None:
        """`blends` False lets a deployed bundle speak alone."""
        self.online = online
        self.blend = blend
        self.cast = cast
        self._blends = blends
        self._open: dict[str, tuple[Said, ...]] = {}
        self.faults: dict[str, str] = {}
        """Models that could not answer when they were last asked, and why."""

    @property
    def schema(self) -> str:
        return self.online.schema

    @property
    def blending(self) -> bool:
        """Whether forecasts of a deployed bundle and of the online learner are mixed now."""
        return self._blends and self.cast.champion is not None

    @property
    def labels(self) -> int:
        return self.online.labels

    def report(self) -> OnlineReport:
        """How the online learner fares."""
        return self.online.report()

    def installed(self, cast: Cast, *, blend: ForecastBlend | None = None) -> None:
        """Other models from now on; a new champion begins with a blend that prefers nobody."""
        self.cast = cast
        if blend is not None:
            self.blend = blend

    def predict(self, features: FeatureVector) -> MlView:
        """The opinion that counts."""
        return self.hear(features).view

    def hear(self, features: FeatureVector) -> Heard:
        """Everybody's opinion on one signal. Changes nothing."""
        online = self.online.predict(features)
        if self.cast.champion is None:
            view = online if self.cast.online_speaks else _unheard(online)
            others = tuple(self._listeners(features))
            return Heard(view=view, said=(_online_said(online), *others) if others and online.forecast else others)
        return self._of_champion(self.cast.champion, features, online)

    def remember(self, decision_id: str, said: tuple[Said, ...]) -> None:
        """Keep what was said until the decision is resolved; the journal has it too."""
        if said:
            self._open[decision_id] = said

    def restore(self, predictions: Mapping[str, tuple[Said, ...]]) -> None:
        """Take over from the journal what was said of decisions that are not resolved."""
        self._open.update(predictions)

    def spoken(self, decision_id: str) -> Said | None:
        """What the champion itself said of a decision that is not resolved yet; None where it said nothing."""
        said = self._open.get(decision_id, ())
        return next((each for each in said if each.role is PredictionRole.CHAMPION), None)

    def learn(self, sample: Sample, said: MlView) -> bool:
        """Let the online learner and the blend take a label in, each scored by what it said at the decision."""
        forecasts = {each.role: each for each in self._open.pop(sample.decision_id, ())}
        batch, online = forecasts.get(PredictionRole.CHAMPION), forecasts.get(PredictionRole.ONLINE)
        champion = self.cast.champion
        if batch is not None and said.base_rate is not None and champion and batch.model_id == champion.model_id:
            members = {BATCH: batch.forecast, ONLINE: None if online is None else online.forecast}
            self.blend.update(members, said.base_rate, sample.label, sample.weight)
        if batch is None:
            return self.online.learn(sample, _as_if_heard(said))
        heard = replace(_unheard(said), forecast=None)
        if online is not None:
            heard = replace(heard, forecast=online.forecast, threshold=online.threshold)
        return self.online.learn(sample, heard)

    def snapshot(self) -> Callable[[], str]:
        """The online learner's checkpoint."""
        return self.online.snapshot()

    # -- the champion -----------------------------------------------------------------------------------------

    def _of_champion(self, champion: LoadedModel, features: FeatureVector, online: MlView) -> Heard:
        others = self._listeners(features)
        if online.forecast is not None:
            others.append(_online_said(online))
        try:
            own = self._asked(champion, features)
        except InvalidInput as fault:
            self.faults[champion.model_id] = str(fault)
            return Heard(view=replace(_unheard(online), why=str(fault)), said=tuple(others))
        mine = Said(
            model_id=champion.model_id,
            role=PredictionRole.CHAMPION,
            forecast=own,
            threshold=champion.threshold,
        )
        # A learner that may not speak by itself yet is no second opinion either.
        probability = self._blended(own, online.probability)
        view = MlView(
            verdict=MlClass.PROFITABLE if probability >= champion.threshold else MlClass.UNPROFITABLE,
            probability=probability,
            confidence=significant(2 * abs(probability - 0.5)),
            threshold=champion.threshold,
            model=champion.model_id,
            seen=self.online.labels,
            forecast=probability,
            base_rate=online.base_rate if online.base_rate is not None else self.online.base_rate,
        )
        return Heard(view=view, said=(mine, *others))

    def _asked(self, model: LoadedModel, features: FeatureVector) -> float:
        """A bundle's own forecast; raises `InvalidInput` where it cannot have one of these features."""
        if features.schema != model.manifest.schema:
            raise InvalidInput(f"model {model.model_id} takes the features {model.manifest.schema}, not others")
        return model.predict(features.values)

    def _blended(self, own: float, online: float | None) -> float:
        if not self._blends:
            return own
        blended = self.blend.blend({BATCH: own, ONLINE: online})
        return own if blended is None else significant(min(max(blended, _EDGE), 1 - _EDGE))

    def _listeners(self, features: FeatureVector) -> list[Said]:
        """Forecasts of those who only listen in; one that cannot answer says nothing."""
        said = []
        for role, model in (
            (PredictionRole.CHALLENGER, self.cast.challenger),
            (PredictionRole.PREVIOUS, self.cast.previous),
        ):
            if model is None:
                continue
            try:
                forecast = self._asked(model, features)
            except InvalidInput as fault:
                self.faults[model.model_id] = str(fault)  # it is judged only by what it said
                continue
            said.append(Said(model_id=model.model_id, role=role, forecast=forecast, threshold=model.threshold))
        return said


def _unheard(view: MlView) -> MlView:
    """The same forecast, kept to be scored, without a verdict."""
    if view.verdict is MlClass.UNKNOWN:
        return view
    return replace(view, verdict=MlClass.UNKNOWN, probability=None, confidence=None, why=NOT_DEPLOYED)


def _as_if_heard(view: MlView) -> MlView:
    """What a gated learner would have said aloud: it is scored, and learns, as one that is followed."""
    if view.why != NOT_DEPLOYED or view.forecast is None:
        return view
    return replace(
        view,
        verdict=MlClass.PROFITABLE if view.forecast >= view.threshold else MlClass.UNPROFITABLE,
        probability=view.forecast,
        confidence=significant(2 * abs(view.forecast - 0.5)),
        why="",
    )


def _online_said(view: MlView) -> Said:
    return Said(model_id=ONLINE, role=PredictionRole.ONLINE, forecast=view.forecast or _EDGE, threshold=view.threshold)
