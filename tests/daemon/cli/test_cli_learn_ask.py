"""What calls for a training, by a journal's account of it; and a running daemon that is asked for one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_account import START, Ratchet, write_journal
from journal_models import model

from daemon.api.app import create_app
from daemon.api.serve import serve
from daemon.config import load
from daemon.cycles import Account
from daemon.learn.ask import decide, shortage, stock_of
from daemon.paths import AccountPaths, DaemonAddress, account_paths, secrets_folder
from daemon.secrets import api_token
from domain.errors import Refused
from domain.learning import (
    DriftEvent,
    Evaluation,
    EvaluationKind,
    ModelEvent,
    ModelEventKind,
    Prediction,
    PredictionRole,
)
from journal import Batch, Durability, Journal
from journal.reader import Reader

CHAMPION = "logistic-0123456789ab"
NOW = START + timedelta(days=2)


def account_of(read: Reader, folder: Path, **training: object) -> Account:
    flags = [f"training.{name}={value}" for name, value in training.items()]
    schema = read.samples()[0].features.schema
    config = load(environ={}, flags=flags).config
    return Account(folder=folder, config=config, schema=schema, bar=timedelta(hours=1))


def trained(at: datetime, *, trials: int = 1, reason: str = "kept current model") -> Evaluation:
    document = {"trials": trials, "reason": reason, "deployed": False, "model": None, "record": None}
    return Evaluation(
        evaluation_id=f"training-{at.isoformat()}",
        at=at,
        kind=EvaluationKind.TRAINING,
        model_id="",
        document=document,
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    path = write_journal(tmp_path / "paper-main" / "journal.sqlite")
    with Journal.open(path, durability=Durability.NORMAL) as opened:
        yield opened


def keep(journal: Journal, *facts: Any) -> None:
    batch = Batch()
    for fact in facts:
        batch.add(fact)
    journal.commit(batch)


def test_new_is_what_was_resolved_since_the_last_training_that_had_something_to_learn_from(
    journal: Journal, tmp_path: Path
) -> None:
    read = journal.read
    account = account_of(read, tmp_path / "paper-main", minimum_new=1)
    samples = read.samples()
    assert len(samples) >= 2
    assert stock_of(read, account).new == len(samples)
    assert shortage(read, account) == ""
    middle = min(sample.resolved_at for sample in samples)
    keep(journal, trained(middle))
    later = sum(sample.resolved_at > middle for sample in samples)
    assert 0 < later < len(samples)
    assert stock_of(read, account).new == later
    # One that had too few samples to try anything learned nothing, and makes nothing old.
    keep(journal, trained(NOW, trials=0))
    assert stock_of(read, account).new == later
    keep(journal, trained(NOW + timedelta(seconds=1)))
    assert stock_of(read, account).new == 0
    assert shortage(read, account).startswith("0 new samples since the training of ")


def test_a_champions_drift_and_age_call_for_a_training_and_too_few_samples_keep_it_back(
    journal: Journal, tmp_path: Path
) -> None:
    read = journal.read
    account = account_of(read, tmp_path / "paper-main", minimum_new=1)
    began = START - timedelta(days=1)
    deployed = [
        ModelEvent(event_id=f"e-{kind}", at=began, model_id=CHAMPION, kind=kind, reason="won", by="daemon")
        for kind in (ModelEventKind.REGISTERED, ModelEventKind.DEPLOYED)
    ]
    said = [
        Prediction(
            decision_id=decision.decision_id,
            model_id=CHAMPION,
            role=PredictionRole.CHAMPION,
            forecast=0.6,
            threshold=0.55,
            at=decision.decided_at,
        )
        for decision in read.decisions()
    ]
    keep(journal, model(CHAMPION), *deployed, *said, trained(began))
    assert decide(read, account, NOW).triggers == ()
    drift = DriftEvent(
        event_id="d", at=NOW, detector="psi", stream="atr", value=0.4, critical=0.1, detail="atr drifted"
    )
    keep(journal, drift, replace(drift, event_id="old", at=began - timedelta(hours=1), detail="before its time"))
    found = decide(read, account, NOW)
    assert [each.kind.value for each in found.triggers] == ["drift"]
    assert found.triggers[0].reason.startswith("drift of features: atr drifted; it only reports: ")
    assert found.trains is False
    assert "500 are needed" in found.told
    old = decide(read, account, NOW + timedelta(days=40))
    assert [each.kind.value for each in old.triggers] == ["monthly", "expiry"]


# -- a running daemon -----------------------------------------------------------------------------------------


class LearningDesk:
    """Takes commands about models; refuses what `failure` says."""

    def __init__(self) -> None:
        self.taken: list[Mapping[str, Any]] = []
        self.failure: Exception | None = None

    async def retrain(self, **arguments: Any) -> Mapping[str, Any]:
        if self.failure is not None:
            raise self.failure
        self.taken.append(arguments)
        return {"asked": "a training was asked for"}

    async def roll_back(self, **arguments: Any) -> Mapping[str, Any]:
        self.taken.append(arguments)
        return {"from": "logistic-1", "to": "unfiltered trading"}


@pytest.fixture
def daemon(ratchet: Ratchet) -> Iterator[LearningDesk]:
    """The API in a thread of its own, announced as the daemon of the configured account."""
    desk, loop, listening = LearningDesk(), asyncio.new_event_loop(), threading.Event()
    ports: list[int] = []
    token = api_token(secrets_folder(ratchet.state), environ={})

    def ready(port: int) -> None:
        ports.append(port)
        listening.set()

    async def serving() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await serve(create_app(desk, token), "127.0.0.1", 0, ready)  # type: ignore[arg-type]  # it has what is asked for here

    task = loop.create_task(serving())
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    assert listening.wait(10)
    paths: AccountPaths = account_paths(ratchet.state, "paper", "main").create()
    started, secrets = datetime(2026, 1, 1, tzinfo=UTC).isoformat(), str(secrets_folder(ratchet.state))
    api = f"http://127.0.0.1:{ports[0]}"
    DaemonAddress(pid=os.getpid(), api=api, started_at=started, secrets=secrets).write(paths.daemon)
    yield desk
    loop.call_soon_threadsafe(task.cancel)
    thread.join(10)
    loop.close()


def test_a_running_daemon_is_asked_to_train_and_its_refusal_is_told(ratchet: Ratchet, daemon: LearningDesk) -> None:
    done = ratchet("learn", "retrain", "--force", "--who", "anna", "--why", "new costs", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"asked": "a training was asked for"})
    assert daemon.taken == [{"who": "anna", "why": "new costs", "force": True}]
    assert not (ratchet.state / "paper-main" / "journal.sqlite").exists()
    daemon.failure = Refused("3 new samples, and a training takes 50; --force trains regardless")
    refused = ratchet("learn", "retrain")
    assert refused.returncode == 1
    assert refused.stderr.startswith("ratchet: the daemon refused to learn/retrain: 3 new samples")


def test_a_running_daemon_is_asked_to_roll_back(ratchet: Ratchet, daemon: LearningDesk) -> None:
    done = ratchet("learn", "rollback", "--who", "anna", "--why", "it loses", "--json")
    assert (done.returncode, json.loads(done.stdout)["to"]) == (0, "unfiltered trading")
    assert daemon.taken == [{"who": "anna", "why": "it loses"}]


def test_beside_a_running_daemon_a_cycle_looks_and_status_tells_of_it(ratchet: Ratchet, daemon: LearningDesk) -> None:
    write_journal(ratchet.state / "paper-main" / "journal.sqlite")
    found = json.loads(ratchet("learn", "cycle", "--json").stdout)
    assert (found["trains"], found["training"]) == (False, None)
    assert daemon.taken == []
    assert json.loads(ratchet("learn", "status", "--json").stdout)["daemon"]["pid"] == os.getpid()
