"""What there is to see of learning in a journal: models, their history, the samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daemon.config import Config
from daemon.cycles import Account, collected_samples
from domain.errors import InvalidInput
from domain.learning import EvaluationKind, ModelEventKind
from journal.reader import Reader
from learning.parquet import write_samples
from learning.registry.state import standing_of
from signals.features import SCHEMA_HASH


def models_of(read: Reader) -> list[dict[str, Any]]:
    """Every model the journal knows, the newest first, with its place."""
    standing = standing_of(read.model_events())
    return [
        {
            "model": record.model_id,
            "place": standing.place(record.model_id).value,
            "family": record.family,
            "samples": record.samples,
            "created_at": record.created_at.isoformat(),
            "trained_from": record.trained_from.isoformat(),
            "trained_until": record.trained_until.isoformat(),
            "threshold": record.threshold,
            "schema": record.schema,
            "sha256": record.sha256,
        }
        for record in reversed(read.models())
    ]


def history_of(read: Reader, limit: int) -> list[dict[str, Any]]:
    """Trainings and changes of who speaks, the newest first."""
    events = [
        {
            "at": each.at.isoformat(),
            "what": each.kind.value,
            "model": each.model_id,
            "reason": each.reason,
            "by": each.by,
        }
        for each in read.model_events()
        if each.kind is not ModelEventKind.REGISTERED
    ]
    trainings = [
        {
            "at": each.at.isoformat(),
            "what": "training",
            "model": each.model_id,
            "reason": str(each.document["reason"]),
            "by": str(each.document.get("cause", "")),
        }
        for each in read.evaluations(EvaluationKind.TRAINING, limit=limit, newest_first=True)
    ]
    found = sorted([*events, *trainings], key=lambda each: (each["at"], each["what"] == "training"), reverse=True)
    return found[:limit]


def exported(read: Reader, folder: Path, config: Config, file: Path) -> dict[str, Any]:
    """Write the account's samples to a file; how many they are. Raises `InvalidInput` when there are none."""
    account = Account(folder=folder, config=config, schema=SCHEMA_HASH, bar=config.feed.timeframe.span)
    table = collected_samples(read, account)
    if not len(table):
        raise InvalidInput(f"{folder.name} has no samples yet: trade, replay, or run `ratchet learn accumulate`")
    write_samples(table, file)
    sources = {source: int((table.source == source).sum()) for source in sorted(set(table.source.tolist()))}
    return {"file": str(file), "samples": len(table), "features": len(table.names), **sources}
