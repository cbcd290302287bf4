"""Models and what was heard of them: which there are, who speaks, what each said, how that was judged."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.clock import require_utc
from domain.errors import InvalidRecord

ONLINE = "online"
"""What the online learner is called where models are named: it has no bundle and no `ModelRecord`."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_model_name(text: str) -> bool:
    """Whether `text` may name a model or a family: it also names a folder, so it has no separator in it and does not
    begin with a dot."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRecord:
    """A trained model as the journal knows it; its bundle on disk must have the hash `sha256`.

    `schema` identifies the features it was trained on, `samples` counts the rows, decided from `trained_from` to
    `trained_until`. A signal passes at a probability of `threshold` or more. `document` is the bundle's manifest.
    """

    model_id: str
    created_at: datetime
    family: str
    sha256: str
    schema: str
    samples: int
    trained_from: datetime
    trained_until: datetime
    threshold: float
    seed: int
    document: Mapping[str, object]

    def __post_init__(self) -> None:
        require_utc(self.created_at, "created_at")
        if not (is_model_name(self.model_id) and is_model_name(self.family)) or self.model_id == ONLINE:
            raise InvalidRecord(f"{self.model_id!r} of family {self.family!r} cannot name a model with a bundle")
        if not _SHA256.fullmatch(self.sha256):
            raise InvalidRecord(f"model {self.model_id}: {self.sha256!r} is not a SHA-256 of 64 hexadecimal digits")
        if require_utc(self.trained_until, "trained_until") < require_utc(self.trained_from, "trained_from"):
            raise InvalidRecord(f"model {self.model_id} was trained until before it was trained from")
        if self.created_at < self.trained_until:
            raise InvalidRecord(f"model {self.model_id} was made before the last sample it was trained on")
        if not self.schema or self.samples < 1 or not 0 <= self.seed < 2**63:
            raise InvalidRecord(f"model {self.model_id} needs a schema, at least 1 sample and a seed in [0, 2^63)")
        _require_threshold(self.threshold, f"model {self.model_id}")
        require_json(self.document, f"the manifest of model {self.model_id}")


class ModelEventKind(StrEnum):
    REGISTERED = "registered"
    """Its bundle is there and its hash is known."""
    CHALLENGING = "challenging"
    """It scores live signals in the shadow."""
    DEPLOYED = "deployed"
    """It is the champion now; the one before it stays ready to be rolled back to."""
    ROLLED_BACK = "rolled_back"
    """The champion before this one is the champion again: it is the model named, none being unfiltered trading."""
    WITHDRAWN = "withdrawn"
    """A champion, or one that can be rolled back to, may not speak again; nobody takes its place."""
    RETIRED = "retired"
    """A challenger, or a model that never spoke, is out of the running."""
    RENEWED = "renewed"
    """The champion was confirmed and is valid for a full span again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelEvent:
    """Something that changed who speaks, or who may. `model_id` is empty for none, which only a rollback may name.

    `by` is `daemon` or the person who said so; `simulated` where that was the simulated operator of a replay.
    """

    event_id: str
    at: datetime
    model_id: str
    kind: ModelEventKind
    reason: str
    by: str
    simulated: bool = False

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not self.event_id or not self.reason or not self.by:
            raise InvalidRecord(f"a model event {self.kind} needs an id, a reason and somebody who caused it")
        unnamed = self.model_id == "" and self.kind is ModelEventKind.ROLLED_BACK
        if not unnamed and not is_model_name(self.model_id):
            raise InvalidRecord(
                f"the model event {self.event_id} is {self.kind} of {self.model_id!r}, which is no model"
            )


class PredictionRole(StrEnum):
    CHAMPION = "champion"
    CHALLENGER = "challenger"
    PREVIOUS = "previous"
    """The champion before this one, heard so that a rollback can be judged."""
    ONLINE = "online"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """What one model said of one decision when it was taken: P(net R > 0), and the threshold it went by then."""

    decision_id: str
    model_id: str
    role: PredictionRole
    forecast: float
    threshold: float
    at: datetime

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not self.decision_id or not is_model_name(self.model_id):
            raise InvalidRecord(
                f"a prediction needs a decision and a model, not {self.decision_id!r}, {self.model_id!r}"
            )
        if not 0 < self.forecast < 1:
            raise InvalidRecord(
                f"{self.model_id} on {self.decision_id}: a forecast of {self.forecast} is not in (0, 1)"
            )
        _require_threshold(self.threshold, f"{self.model_id} on {self.decision_id}")


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedPrediction:
    """A prediction whose decision has become a sample. `label` is 1 when `r_net`, in R multiples, is above 0."""

    decision_id: str
    forecast: float
    threshold: float
    label: int
    r_net: float
    decided_at: datetime
    resolved_at: datetime


class EvaluationKind(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    VERDICT = "verdict"
    """Whether a challenger may replace the champion."""
    COMPREHENSIVE = "comprehensive"
    TRAINING = "training"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """How a model was judged at one moment; `model_id` is empty where that was about no model in particular."""

    evaluation_id: str
    at: datetime
    kind: EvaluationKind
    model_id: str
    document: Mapping[str, object]

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not self.evaluation_id or not (self.model_id == "" or is_model_name(self.model_id)):
            raise InvalidRecord(
                f"the evaluation {self.evaluation_id!r} of {self.model_id!r} names no evaluation or model"
            )
        require_json(self.document, f"evaluation {self.evaluation_id}")


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftEvent:
    """A detector that spoke: the stream of that name is at `value` now, away from the `critical` it was at before."""

    event_id: str
    at: datetime
    detector: str
    stream: str
    value: float
    critical: float
    detail: str

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not (self.event_id and self.detector and self.stream):
            raise InvalidRecord("a drift event needs an id, a detector and a stream")
        if not (math.isfinite(self.value) and math.isfinite(self.critical)):
            raise InvalidRecord(f"drift event {self.event_id}: {self.value} and {self.critical} are not both finite")


def require_json(value: object, what: str) -> None:
    """Raise `InvalidRecord` unless `value` is the same after it was written as JSON and read back: text keys, lists,
    finite numbers, no tuples."""
    if value is None or isinstance(value, str | bool | int):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidRecord(f"{what} has a number that is {value}; JSON has only finite ones")
    elif isinstance(value, list):
        for each in value:
            require_json(each, what)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if not isinstance(name, str):
                raise InvalidRecord(f"{what} has the key {name!r}; a key is text")
            require_json(each, what)
    else:
        raise InvalidRecord(f"{what} has a {type(value).__name__}, which JSON has no form for")


def _require_threshold(threshold: float, what: str) -> None:
    if not 0 <= threshold <= 1:
        raise InvalidRecord(f"{what}: a threshold of {threshold} does not lie in [0, 1]")
