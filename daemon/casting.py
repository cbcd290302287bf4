"""Which models speak and which are only heard: the journal's standing, with the bundles behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from daemon.config import Config
from domain.errors import InvalidInput
from domain.holds import Effect, HoldCause, new_hold
from domain.learning import ONLINE, Prediction
from journal.batch import Batch
from journal.reader import Reader
from learning.blending import ForecastBlend
from learning.drift import calibration, features
from learning.drift.findings import DriftFinding, DriftKind, agreement, in_force
from learning.filter import BATCH, BLEND_KEY, Cast, Said, SignalFilter
from learning.online import OnlineFilter
from learning.registry.bundle import LoadedModel, load_bundle
from learning.registry.state import Standing, standing_of
from trading.drift import DriftKeeper, finding_of
from trading.holds import HoldBook

MODELS: Final = "models"
"""The folder of an account's bundles, beside its journal."""

BLENDED: Final = (BATCH, ONLINE)
SOUND: Final = "the champion can be loaded, has not expired and does not drift"


@dataclass(frozen=True, kw_only=True, slots=True)
class Casting:
    """Who speaks and who listens in; `fault` says why the champion cannot, empty where it can."""

    standing: Standing
    cast: Cast
    fault: str


def standing_in(read: Reader, config: Config, *, until: datetime | None = None) -> Standing:
    """Who speaks by the journal's account of it, or who spoke at the moment `until`."""
    lifetime = timedelta(days=config.training.expires_after_days)
    events = (each for each in read.model_events() if until is None or each.at <= until)
    return standing_of(events, lifetime=lifetime)


def casting_of(read: Reader, config: Config, models: Path, *, schema: str) -> Casting:
    """The models of the present standing, verified and loaded. One that only listens in is left out where it cannot."""
    standing = standing_in(read, config)
    faults: list[str] = []

    def loaded(model_id: str | None) -> LoadedModel | None:
        if model_id is None or model_id == ONLINE:
            return None
        record = read.model(model_id)
        if record is None:
            faults.append(f"the journal has no model {model_id}")
            return None
        try:
            return load_bundle(models, model_id, sha256=record.sha256, schema=schema)
        except InvalidInput as fault:
            faults.append(str(fault))
            return None

    champion = loaded(standing.champion)
    fault = faults[0] if faults else ""
    cast = Cast(
        champion=champion,
        challenger=loaded(standing.challenger),
        previous=loaded(standing.previous),
        online_speaks=(config.learning.online == "speaks" or standing.champion == ONLINE) and not fault,
    )
    return Casting(standing=standing, cast=cast, fault=fault)


def filter_of(read: Reader, config: Config, models: Path, online: OnlineFilter) -> tuple[SignalFilter, Casting]:
    """Who speaks about signals, and what was said of those that are not resolved."""
    casting = casting_of(read, config, models, schema=online.schema)
    model = SignalFilter(online, blend=stored_blend(read), cast=casting.cast, blends=config.learning.blend)
    model.restore(unresolved_said(read.predictions(open_only=True)))
    return model, casting


def drift_of(read: Reader, casting: Casting) -> DriftKeeper:
    """The watch on the present champion, folded again from what it said and what became of it."""
    keeper = DriftKeeper()
    watch_over(keeper, read, casting)
    return keeper


def watch_over(keeper: DriftKeeper, read: Reader, casting: Casting) -> None:
    """Watch whoever speaks now; who spoke before that is not looked at any more."""
    champion, since = casting.cast.champion, casting.standing.since
    if champion is None or since is None:
        keeper.begin(None)
        return
    judged = (each for each in read.judged(champion.model_id) if each.decided_at >= since)
    keeper.begin(champion.model_id, judged)
    kinds = {features.DETECTOR: DriftKind.FEATURES, calibration.DETECTOR: DriftKind.CALIBRATION}
    keeper.findings.extend(
        finding_of(event, kinds[event.detector])
        for event in read.drift_events()
        if event.at >= since and event.detector in kinds
    )


def begin_blend(batch: Batch) -> None:
    """Let a new champion begin with a blend that prefers nobody, from the transaction in which it begins."""
    batch.put_state(BLEND_KEY, ForecastBlend(BLENDED).checkpoint())


def stored_blend(read: Reader) -> ForecastBlend:
    """The blend as it was at the last label, else one that prefers nobody."""
    stored = read.state(BLEND_KEY)
    return ForecastBlend(BLENDED) if stored is None else ForecastBlend.restore(stored, BLENDED)


def unresolved_said(predictions: list[Prediction]) -> Mapping[str, tuple[Said, ...]]:
    """What was said of each decision that has no label yet, by decision."""
    found: dict[str, list[Said]] = {}
    for each in predictions:
        said = Said(model_id=each.model_id, role=each.role, forecast=each.forecast, threshold=each.threshold)
        found.setdefault(each.decision_id, []).append(said)
    return {decision_id: tuple(said) for decision_id, said in found.items()}


def hold_to_technical(
    holds: HoldBook, casting: Casting, findings: Sequence[DriftFinding], now: datetime, batch: Batch
) -> None:
    """While the champion cannot be loaded, has expired or drifts, only the technical score counts, at reduced risk."""
    why = casting.fault
    if not why and agreement(findings, now=now):
        why = f"two kinds of drift agree: {'; '.join(each.told for each in in_force(findings, now=now))}"
    if not why and casting.standing.expired(now):
        why = f"the champion {casting.standing.champion} was not confirmed since {casting.standing.confirmed_at}"
    if not why:
        holds.release(HoldCause.MODEL, None, now, SOUND, batch)
    elif not holds.has(HoldCause.MODEL, None):
        hold = new_hold(HoldCause.MODEL, Effect.SAFE, since=now, condition=SOUND, detail=why)
        holds.set(hold, batch)
