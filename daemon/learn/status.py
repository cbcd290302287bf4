"""`ratchet learn status`: who speaks, what there is to learn from, and what comes next. It only reads."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from daemon.casting import standing_in
from daemon.cycles import Account, decided_at, spent_errors
from daemon.jobs.training import CYCLE_KEY
from daemon.learn.ask import OWN, Stock, last_training, quality_settings, stock_of
from daemon.schedule import At
from domain.clock import EPOCH
from domain.holds import Hold, HoldCause
from domain.learning import EvaluationKind
from journal.reader import Reader
from learning.quality import quality_of
from learning.table import SampleTable

SHOWN_FOR: Final = timedelta(days=30)
"""How long findings of drift are shown."""
DEMOS: Final = frozenset({"demo", "demo-without-edge"})
"""The folders of the embedded demo; an account of kind demo has a name after that."""


def status_of(read: Reader, account: Account, now: datetime) -> dict[str, Any]:
    """How learning stands in an account, as one document.

    `now` counts for an account that trades by the clock; a replay has its own present, the last moment it played.
    """
    folder = account.folder.name
    played = folder.startswith("replay-") or folder in DEMOS
    at = _present(read) if played else now
    stock = stock_of(read, account)
    return {
        "as_of": at.isoformat(),
        **_standing(read, account, at),
        "samples": _samples(read, stock),
        "quality": _quality(stock.table, account),
        "under_way": _under_way(read),
        "next_retraining": None if played or not account.config.training.enabled else _next_retraining(account, at),
        "last_training": _last_training(read),
        "last_verdict": _last_verdict(read),
        "next_verdict_from": _next_verdict(read, account),
        "holds": [_hold(hold) for hold in read.holds(uncleared_only=True) if _is_in_force(hold, at)],
        "drift": [
            {"at": each.at.isoformat(), "detector": each.detector, "stream": each.stream, "told": each.detail}
            for each in read.drift_events(newest_first=True)
            if at - SHOWN_FOR < each.at <= at
        ],
    }


def _present(read: Reader) -> datetime:
    """The journal's own present: the last moment that anything in it tells of."""
    scan, points = read.last_scan(), read.equity(limit=1, newest_first=True)
    return max((fact.at for fact in (scan, *points) if fact is not None), default=EPOCH)


def _standing(read: Reader, account: Account, at: datetime) -> dict[str, Any]:
    standing = standing_in(read, account.config)
    return {
        "champion": standing.champion,
        "since": _iso(standing.since),
        "valid_until": _iso(standing.valid_until),
        "expired": standing.expired(at),
        "challenger": standing.challenger,
        "previous": standing.previous,
    }


def _samples(read: Reader, stock: Stock) -> dict[str, Any]:
    """Own ones in the journal, and those within the training window by where they are from."""
    table = stock.table
    own = int(np.isin(table.source, OWN).sum())
    return {
        "journaled": read.counts()["samples"],
        "in_window": len(table),
        "own": own,
        "collected": len(table) - own,
        "new": stock.new,
        "from": decided_at(table, 0).isoformat() if len(table) else None,
        "to": decided_at(table, -1).isoformat() if len(table) else None,
    }


def _quality(table: SampleTable, account: Account) -> dict[str, Any]:
    """Whether a training could begin with the samples in the window, and what is short."""
    settings = quality_settings(account.config)
    found = quality_of(table, settings, minimum_samples=settings.minimum_samples)
    return {**asdict(found), "ok": found.ok}


def _under_way(read: Reader) -> Any:
    """The training that was asked for and is not concluded yet, as its document; None when there is none."""
    kept = read.state(CYCLE_KEY)
    return None if kept is None else json.loads(kept)


def _next_retraining(account: Account, at: datetime) -> str | None:
    trigger = At(at=account.config.schedule.retraining_at, weekday="sun")
    return _iso(trigger.build().get_next_fire_time(None, at))


def _last_training(read: Reader) -> dict[str, Any] | None:
    """The newest training whatever came of it; `trained` is the model of the newest that had enough to learn from."""
    newest = next(iter(read.evaluations(EvaluationKind.TRAINING, limit=1, newest_first=True)), None)
    if newest is None:
        return None
    trained = last_training(read)
    return {
        "at": newest.at.isoformat(),
        "cause": newest.document.get("cause"),
        "told": newest.document["reason"],
        "deployed": newest.document["deployed"],
        "trained": None if trained is None else {"at": trained.at.isoformat(), "model": trained.document["model"]},
    }


def _last_verdict(read: Reader) -> dict[str, Any] | None:
    """The newest verdict, and what it cost of the year's error; 0 where there was too little to judge by."""
    newest = next(iter(read.evaluations(EvaluationKind.VERDICT, limit=1, newest_first=True)), None)
    if newest is None:
        return None
    document = newest.document
    return {
        "at": newest.at.isoformat(),
        "model": newest.model_id,
        "told": document["reason"],
        "spent": document["spent"],
        "gain": document["ev_gain"],
        "gain_ci": document["ev_gain_ci"],
        "auc": document["auc"],
        "auc_ci": document["auc_ci"],
    }


def _next_verdict(read: Reader, account: Account) -> str | None:
    """From when a verdict may be tested again; None when one may be now, before the first."""
    spent = spent_errors(read)
    return None if not spent else _iso(spent[-1].at + timedelta(days=account.config.training.verdict_every_days))


def _is_in_force(hold: Hold, at: datetime) -> bool:
    return hold.cause is HoldCause.MODEL and hold.in_force(at)


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "since": hold.since.isoformat(),
        "effect": hold.effect.label,
        "detail": hold.detail,
        "until": hold.condition,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
