"""What follows from a training's answer: who is deployed, who goes on challenging, who retires, and why in a sentence.

Pure: an answer and the present standing in, facts for the journal out. The same answer gives the same facts, whenever
it is read, so a cycle that was broken off between its answer and its commit is concluded again without a trace. An
answer that compared with somebody who speaks no more deploys nobody; a cycle without a verdict changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.errors import InvalidInput
from domain.identity import digest
from domain.learning import ONLINE, Evaluation, EvaluationKind, ModelEvent, ModelEventKind, ModelRecord
from learning.registry.state import Place, Standing

DAEMON = "daemon"
UNFILTERED = "unfiltered trading"

_KNOWN = {
    Place.CHAMPION: "which is the current model",
    Place.FORMER: "which a rollback can bring back",
    Place.RETIRED: "which was judged before and let go",
}
"""A model that is trained again from the same samples does not come back by that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """Facts to write down in one transaction. `deployed` names the new champion, None where there is none."""

    record: ModelRecord | None
    events: tuple[ModelEvent, ...]
    evaluations: tuple[Evaluation, ...]
    deployed: str | None
    sentence: str


def concluded(
    answer: Mapping[str, Any], standing: Standing, *, at: datetime, by: str = DAEMON, simulated: bool = False
) -> Conclusion:
    """What a training's answer changes. Raises `InvalidInput` when it is not an answer of `learning.training`,
    or not one to the present standing."""
    try:
        record = _record(answer["record"])
        deploy, challenge = answer["deploy"], answer["challenge"]
        reason, cycle = str(answer["reason"]), str(answer["cycle"])
        against, judged = answer["against"], bool(answer["verdicts"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"a training's answer cannot be read: {error!r}") from error
    new = None if record is None else record.model_id
    place = Place.UNKNOWN if new is None else standing.place(new)
    known = _KNOWN.get(place)
    if known is not None:
        deploy, challenge = (None if each == new else each for each in (deploy, challenge))
        reason = f"the same samples gave {new} again, {known}" if deploy is None else reason
    speaking = None if standing.champion == ONLINE else standing.champion
    if deploy is not None and speaking != against:
        reason = f"{deploy} was judged against {against or UNFILTERED}, and by now {speaking or UNFILTERED} speaks"
        deploy, challenge = None, deploy
    told: list[tuple[str, ModelEventKind, str]] = []
    if record is not None and place is Place.UNKNOWN:
        told.append((record.model_id, ModelEventKind.REGISTERED, f"trained on {record.samples} samples"))
    if judged:
        told.extend(_changes(standing, new if known is None else None, deploy, challenge, reason))
    events = tuple(
        ModelEvent(
            event_id=digest("model_event", cycle, kind, model_id),
            at=at,
            model_id=model_id,
            kind=kind,
            reason=why,
            by=by,
            simulated=simulated,
        )
        for model_id, kind, why in told
    )
    for event in events:
        standing = standing.after(event)
    return Conclusion(
        record=record if place is Place.UNKNOWN else None,
        events=events,
        evaluations=tuple(_evaluations(answer, cycle, at)),
        deployed=deploy,
        sentence=reason,
    )


def _changes(
    standing: Standing, new: str | None, deploy: str | None, challenge: str | None, reason: str
) -> list[tuple[str, ModelEventKind, str]]:
    """Who else was in the running leaves it; the challenger that goes on is only named when it is a new one."""
    found: list[tuple[str, ModelEventKind, str]] = []
    waiting = standing.challenger
    if waiting is not None and waiting not in (deploy, challenge):
        found.append((waiting, ModelEventKind.RETIRED, "another model took its place in the running"))
    if new is not None and new not in (deploy, challenge, waiting):
        found.append((new, ModelEventKind.RETIRED, reason))
    if deploy is not None:
        found.append((deploy, ModelEventKind.DEPLOYED, reason))
    if challenge is not None and challenge != waiting:
        found.append((challenge, ModelEventKind.CHALLENGING, "it waits for its verdict in the shadow"))
    return found


def _evaluations(answer: Mapping[str, Any], cycle: str, at: datetime) -> list[Evaluation]:
    """The training with all its figures, and each verdict with the error that it spent."""
    record = answer["record"]
    model_id = "" if record is None else str(record["model_id"])
    about = [(EvaluationKind.TRAINING, model_id, dict(answer))]
    about.extend((EvaluationKind.VERDICT, str(each["model"]), dict(each)) for each in answer["verdicts"])
    return [
        Evaluation(
            evaluation_id=digest("evaluation", cycle, kind, name), at=at, kind=kind, model_id=name, document=document
        )
        for kind, name, document in about
    ]


def _record(document: Mapping[str, Any] | None) -> ModelRecord | None:
    if document is None:
        return None
    times = {name: datetime.fromisoformat(document[name]) for name in ("created_at", "trained_from", "trained_until")}
    return ModelRecord(**{**document, **times})
