"""`ratchet learn rollback`: a person lets the champion before this one speak again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from daemon.casting import begin_blend, standing_in
from daemon.config import Config
from daemon.learn.account import opened_account
from domain.errors import InvalidInput
from domain.identity import digest
from domain.learning import ModelEvent, ModelEventKind
from domain.records import Command
from journal.batch import Batch
from learning.registry.state import Standing

ROLLBACK = "rollback_model"


def rolled_back(
    config: Config, environ: Mapping[str, str], state: Path | None, *, who: str, why: str, at: datetime
) -> dict[str, Any]:
    """Record the rollback in the journal of an account whose daemon does not run."""
    with opened_account(config, environ, state) as opened:
        standing = standing_in(opened.journal.read, config)
        batch = rollback_of(standing, who=who, why=why, at=at)
        opened.journal.commit(batch)
    return told(standing)


def rollback_of(standing: Standing, *, who: str, why: str, at: datetime) -> Batch:
    """The facts of a rollback by command. Raises `InvalidInput` without a reason or without anything to roll back."""
    if not why:
        raise InvalidInput("a rollback needs a reason: it is recorded with who gave it and when")
    if standing.champion is None:
        raise InvalidInput("no model is deployed: there is nothing to roll back")
    target = standing.previous or ""
    command_id = digest("command", ROLLBACK, who, why, at.isoformat())
    batch = Batch()
    arguments = {"from": standing.champion, "to": target}
    batch.add(Command(command_id=command_id, at=at, name=ROLLBACK, who=who, why=why, arguments=arguments))
    batch.add(
        ModelEvent(
            event_id=digest("model_event", command_id),
            at=at,
            model_id=target,
            kind=ModelEventKind.ROLLED_BACK,
            reason=why,
            by=who,
        )
    )
    begin_blend(batch)
    return batch


def told(standing: Standing) -> dict[str, Any]:
    """Who spoke, and who speaks now."""
    return {"from": standing.champion, "to": standing.previous or "unfiltered trading"}
