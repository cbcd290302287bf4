"""What calls for a new model, as sentences: pure, told by the figures it is given.

Figures are held against what knowing nothing would score: accuracy against always saying the more frequent class,
success against the break-even share, either against the figures at deployment. A gap counts only when it is wide and
significant for the labels' effective number, which overlap makes far smaller than their count.

Three numbers that are easily confused: an online model may speak from 100 labels (`MINIMUM_TO_BEGIN`); a batch model is
trained from 500 (`minimum_samples`, which --min-samples lowers, to no less than those 100); and a trigger with fewer
than 50 samples since the last training (`minimum_new`) only reports, for it would train on what is known already.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import NormalDist

from domain.clock import require_utc
from domain.errors import InvalidInput
from learning.drift.findings import DriftFinding, in_force

MINIMUM_TO_BEGIN = 100
"""Labels from which a model may say anything at all."""


class TriggerKind(StrEnum):
    NEVER_TRAINED = "never_trained"
    MONTHLY = "monthly"
    EXPIRY = "expiry"
    DRIFT = "drift"
    ACCURACY = "accuracy"
    SUCCESS = "success"
    PERFORMANCE = "performance"


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A share in [0, 1] of `samples` samples that are worth `effective` independent ones (at most as many)."""

    value: float
    samples: int
    effective: float

    def __post_init__(self) -> None:
        if not 0 <= self.value <= 1:
            raise InvalidInput(f"a share is {self.value}; it must lie in [0, 1]")
        if not 0 <= self.effective <= self.samples:
            raise InvalidInput(
                f"{self.samples} samples cannot be worth {self.effective}; 0 to {self.samples} is allowed"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """A reason to train, at `at` with `new` samples since the last training. It only reports unless `trains`."""

    kind: TriggerKind
    at: datetime
    reason: str
    trains: bool
    new: int

    def __post_init__(self) -> None:
        require_utc(self.at, "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerSettings:
    """When triggers fire.

    `window` is the stretch of samples that a training reads and the figures are of. `margin` is the least gap, as a
    share (0.02 is two percentage points), `degradation` the least relative loss since deployment; either must also be
    significant at `alpha`, one-sided, and rest on `minimum_effective` independent samples. `accuracy_floor` and
    `success_floor` are absolute values, off by default: at a reward/risk of 3 a share of 0.27 breaks even, so a success
    of 0.50 says nothing by itself. The same trigger rests for `cooldown` unless there is new evidence.
    """

    minimum_samples: int = 500
    minimum_new: int = 50
    window: timedelta = timedelta(days=90)
    retrain_after: timedelta = timedelta(days=30)
    expires_after: timedelta = timedelta(days=30)
    drift_window: timedelta = timedelta(days=30)
    cooldown: timedelta = timedelta(days=1)
    margin: float = 0.02
    degradation: float = 0.10
    alpha: float = 0.01
    minimum_effective: float = 20.0
    accuracy_floor: float | None = None
    success_floor: float | None = None

    def __post_init__(self) -> None:
        if self.minimum_samples < MINIMUM_TO_BEGIN or self.minimum_new < 1:
            raise InvalidInput(
                f"minimum_samples {self.minimum_samples} must be {MINIMUM_TO_BEGIN} or more, "
                f"minimum_new {self.minimum_new} 1 or more"
            )
        for name in ("window", "retrain_after", "expires_after", "drift_window"):
            if getattr(self, name) <= timedelta(0):
                raise InvalidInput(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.cooldown < timedelta(0):
            raise InvalidInput(f"cooldown is {self.cooldown}; it must not be below 0")
        if not (0 <= self.margin < 1 and 0 < self.degradation < 1):
            raise InvalidInput(f"margin {self.margin} must lie in [0, 1), degradation {self.degradation} in (0, 1)")
        if not 0 < self.alpha <= 0.5 or not 1 <= self.minimum_effective < math.inf:
            raise InvalidInput(f"alpha {self.alpha} must lie in (0, 0.5], minimum_effective be 1 or more")
        for floor in (self.accuracy_floor, self.success_floor):
            if floor is not None and not 0 < floor < 1:
                raise InvalidInput(f"a floor is {floor}; it must lie in (0, 1) or be None")


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerState:
    """What is known when triggers are asked.

    `trained_at` is when the last training ended, whatever came of it; `champion_trained_at` when the champion's
    training ended (its age counts), None without a champion. `samples` lie in the window, `new` came since the last
    training (all of them before the first). `accuracy` is the share of labels on the side the champion said and
    `base_rate` the share of winners among the same samples; `success` the share of winners among signals that were let
    through, `break_even` the share that merely pays its costs. `deployed_*` are the same figures at deployment.
    `findings` are those of drift, and `fired` the triggers that fired before.
    """

    samples: int
    new: int
    trained_at: datetime | None = None
    champion_trained_at: datetime | None = None
    accuracy: Share | None = None
    base_rate: float | None = None
    success: Share | None = None
    break_even: float | None = None
    deployed_accuracy: Share | None = None
    deployed_success: Share | None = None
    findings: tuple[DriftFinding, ...] = ()
    fired: tuple[Trigger, ...] = ()

    def __post_init__(self) -> None:
        if self.samples < 0 or self.new < 0:
            raise InvalidInput(f"{self.samples} samples, {self.new} of them new: neither may be below 0")
        for name in ("trained_at", "champion_trained_at"):
            moment = getattr(self, name)
            if moment is not None:
                require_utc(moment, name)
        if self.base_rate is not None and not 0 <= self.base_rate <= 1:
            raise InvalidInput(f"base_rate is {self.base_rate}; it must lie in [0, 1] or be missing")
        if self.break_even is not None and not self.break_even > 0:
            raise InvalidInput(f"break_even is {self.break_even}; it must be above 0 or be missing")


def due(state: TriggerState, settings: TriggerSettings, now: datetime) -> tuple[Trigger, ...]:
    """The triggers that fire at `now`, each kind once, in the order of `TriggerKind`.

    Keep what is given back in `fired`. A kind that fired within the cooldown fires again only on new evidence: a drift
    found since, `minimum_new` more samples, or that training has become possible.
    """
    require_utc(now, "now")
    short = _too_few(state, settings)
    found: list[Trigger] = []
    for kind, reason in _reasons(state, settings, now):
        told = f"{reason}; it only reports: {short}" if short else reason
        trigger = Trigger(kind=kind, at=now, reason=told, trains=not short, new=state.new)
        if not _rests(trigger, state, settings):
            found.append(trigger)
    return tuple(found)


def _too_few(state: TriggerState, settings: TriggerSettings) -> str:
    if state.new < settings.minimum_new:
        return f"{state.new} new samples since the last training, {settings.minimum_new} are needed"
    if state.samples < settings.minimum_samples:
        return f"{state.samples} samples in the last {settings.window.days} days, {settings.minimum_samples} are needed"
    return ""


def _rests(trigger: Trigger, state: TriggerState, settings: TriggerSettings) -> bool:
    earlier = [fired for fired in state.fired if fired.kind is trigger.kind and fired.at <= trigger.at]
    if not earlier:
        return False
    last = max(earlier, key=lambda fired: fired.at)
    if trigger.at - last.at >= settings.cooldown or (trigger.trains and not last.trains):
        return False
    if trigger.kind is TriggerKind.DRIFT:
        return not any(last.at < finding.at <= trigger.at for finding in state.findings)
    return not trigger.new - last.new >= settings.minimum_new


def _reasons(state: TriggerState, settings: TriggerSettings, now: datetime) -> Iterator[tuple[TriggerKind, str]]:
    if state.trained_at is None:
        yield TriggerKind.NEVER_TRAINED, "no model was ever trained"
    elif now - state.trained_at >= settings.retrain_after:
        yield TriggerKind.MONTHLY, f"the last training was {(now - state.trained_at).days} days ago"
    if state.champion_trained_at is not None and now - state.champion_trained_at >= settings.expires_after:
        age = (now - state.champion_trained_at).days
        yield TriggerKind.EXPIRY, f"the model is {age} days old and expires after {settings.expires_after.days}"
    drift = _drift(state, settings, now)
    if drift:
        yield TriggerKind.DRIFT, drift
    for kind, reason in (
        (TriggerKind.ACCURACY, _accuracy(state, settings)),
        (TriggerKind.SUCCESS, _success(state, settings)),
        (TriggerKind.PERFORMANCE, _performance(state, settings)),
    ):
        if reason:
            yield kind, reason


def _drift(state: TriggerState, settings: TriggerSettings, now: datetime) -> str:
    """The newest finding in force that no training has answered."""
    trained_at = state.trained_at
    open_ones = [
        finding
        for finding in in_force(state.findings, now=now, window=settings.drift_window)
        if trained_at is None or finding.at > trained_at
    ]
    if not open_ones:
        return ""
    newest = max(open_ones, key=lambda finding: finding.at)
    return f"drift of {newest.kind.value}: {newest.told}"


def _accuracy(state: TriggerState, settings: TriggerSettings) -> str:
    if state.accuracy is None:
        return ""
    floor = _below_floor("accuracy", state.accuracy, settings.accuracy_floor, settings)
    if floor or state.base_rate is None:
        return floor
    majority = max(state.base_rate, 1 - state.base_rate)
    return _below("accuracy", state.accuracy, majority, "always saying the more frequent class", settings)


def _success(state: TriggerState, settings: TriggerSettings) -> str:
    if state.success is None:
        return ""
    floor = _below_floor("success rate", state.success, settings.success_floor, settings)
    if floor or state.break_even is None:
        return floor
    return _below("success rate", state.success, min(state.break_even, 1.0), "break-even", settings)


def _below_floor(name: str, share: Share, floor: float | None, settings: TriggerSettings) -> str:
    if floor is None or share.value >= floor or share.effective < settings.minimum_effective:
        return ""
    return f"{name} {share.value:.1%} of {share.samples} is below the {floor:.1%} asked for"


def _below(name: str, share: Share, known: float, what: str, settings: TriggerSettings) -> str:
    """The reason when a share lies below a known one by more than margin and chance."""
    if share.effective < settings.minimum_effective or known - share.value < settings.margin:
        return ""
    error = math.sqrt(known * (1 - known) / share.effective)
    if known - share.value <= _sigmas(settings) * error:
        return ""
    worth = f"{share.samples} samples worth {share.effective:.0f}"
    return f"{name} {share.value:.1%} over {worth} is below {what}, {known:.1%}, by more than chance"


def _performance(state: TriggerState, settings: TriggerSettings) -> str:
    pairs = (
        ("accuracy", state.accuracy, state.deployed_accuracy),
        ("success rate", state.success, state.deployed_success),
    )
    for name, share, deployed in pairs:
        if share is None or deployed is None or not deployed.value:
            continue
        if min(share.effective, deployed.effective) < settings.minimum_effective:
            continue
        lost = 1 - share.value / deployed.value
        if lost < settings.degradation:
            continue
        total = share.effective + deployed.effective
        pooled = (share.value * share.effective + deployed.value * deployed.effective) / total
        error = math.sqrt(pooled * (1 - pooled) * (1 / share.effective + 1 / deployed.effective))
        if deployed.value - share.value > _sigmas(settings) * error:
            return f"{name} fell {lost:.0%}, from {deployed.value:.1%} at deployment to {share.value:.1%}"
    return ""


def _sigmas(settings: TriggerSettings) -> float:
    return NormalDist().inv_cdf(1 - settings.alpha)
