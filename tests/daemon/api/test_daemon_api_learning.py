"""Commands about models: over the API, and on the real desk of an account that trades."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from daemon.api.app import create_app
from daemon.config import load
from daemon.desk import LearningDesk, ServiceDesk
from daemon.jobs.training import CYCLE_KEY, Training, account_of
from daemon.live_feed import GrowingMarket
from daemon.parts import Sources
from daemon.paths import account_paths
from daemon.secrets import Secret
from daemon.timed_writer import TimedWriter
from daemon.watching import make_metrics
from daemon.wiring import Setup, Trading, open_journal, start, wire
from domain.clock import SteppedClock
from domain.errors import InvalidInput, Refused
from domain.learning import ModelEvent, ModelEventKind, ModelRecord
from journal.batch import Batch
from journal.writer import InlineWriter
from learning.training.process import InlineTrainer
from trading.observer import Observer

BEGIN = datetime(2024, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
CANARY = "canary-token-value-2"
COMMAND = {"who": "me", "why": "a test"}


class RecordingDesk:
    """Takes commands about models."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Mapping[str, Any]]] = []

    async def retrain(self, **arguments: Any) -> Mapping[str, Any]:
        self.taken.append(("retrain", arguments))
        return {"asked": "so it is"}

    async def roll_back(self, **arguments: Any) -> Mapping[str, Any]:
        self.taken.append(("rollback", arguments))
        return {"from": "a", "to": "b"}


@pytest.fixture
def desk() -> RecordingDesk:
    return RecordingDesk()


@pytest_asyncio.fixture
async def client(desk: RecordingDesk) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(desk, Secret("api_token", CANARY))  # type: ignore[arg-type]  # it has what is asked for here
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 5))
    headers = {"Authorization": f"Bearer {CANARY}"}
    async with httpx.AsyncClient(base_url="http://127.0.0.1:8642", headers=headers, transport=transport) as client:
        yield client


@pytest.mark.parametrize(("force", "taken"), [(None, False), (True, True), ("true", True), ("false", False)])
async def test_retraining_is_asked_for_with_who_why_and_force(
    client: httpx.AsyncClient, desk: RecordingDesk, force: object, taken: bool
) -> None:
    body = COMMAND if force is None else {**COMMAND, "force": force}
    answer = await client.post("/v1/learn/retrain", json=body)
    assert (answer.status_code, answer.json()) == (200, {"asked": "so it is"})
    assert desk.taken == [("retrain", {**COMMAND, "force": taken})]


async def test_a_rollback_is_taken_with_who_and_why(client: httpx.AsyncClient, desk: RecordingDesk) -> None:
    answer = await client.post("/v1/learn/rollback", json=COMMAND)
    assert (answer.status_code, answer.json()) == (200, {"from": "a", "to": "b"})
    assert desk.taken == [("rollback", COMMAND)]


@pytest.mark.parametrize("verb", ["retrain", "rollback"])
async def test_what_is_no_command_is_refused_and_not_taken(
    client: httpx.AsyncClient, desk: RecordingDesk, verb: str
) -> None:
    for body in ({"who": "me"}, {**COMMAND, "why": " "}, {**COMMAND, "model": "x"}, {**COMMAND, "force": "perhaps"}):
        assert (await client.post(f"/v1/learn/{verb}", json=body)).status_code == 422
    assert (await client.get(f"/v1/learn/{verb}")).status_code == 405
    del client.headers["Authorization"]
    assert (await client.post(f"/v1/learn/{verb}", json=COMMAND)).status_code == 401
    assert desk.taken == []


# -- the real desk --------------------------------------------------------------------------------------------


@pytest.fixture
def trading(tmp_path: Path) -> Iterator[Trading]:
    """One account's trading as the live daemon wires it."""
    clock = SteppedClock(BEGIN)
    config = load(environ={}, flags=["feed.timeframe=1h", "feed.instruments=SIMBRAUSD"]).config
    paths = account_paths(tmp_path, "paper", "main").create()
    feed = GrowingMarket(config, BEGIN - 400 * HOUR, BEGIN)
    with open_journal(config, paths, live=True) as journal:
        yield wire(
            Setup(
                config=config,
                clock=clock,
                feed=feed,
                higher=feed.higher,
                paths=paths,
                currency="USD",
                sources=Sources(events=feed.calendar, calendar_complete=True),
                journal=journal,
                writer=TimedWriter(InlineWriter(journal), lambda _seconds: None),
                durable=False,
                observer=Observer(),
                simulated_operator=False,
            )
        )


async def desk_of(trading: Trading, folder: Path, *, minimum_new: int = 50) -> ServiceDesk:
    """The desk, with a training that nobody begins."""
    await start(trading)
    config = load(environ={}, flags=[f"training.minimum_new={minimum_new}"]).config
    account = account_of(trading, folder, config)
    metrics = make_metrics(trading.session.feed, "USD")
    training = Training(trading, account, InlineTrainer(), metrics, inline=True)
    learning = LearningDesk(training=training, account=account, aside=False)
    return ServiceDesk(
        trading=trading,
        clock=trading.session.clock,
        overdue=tuple,
        ready=lambda: True,
        mode="live",
        learning=learning,
    )


async def test_a_retraining_is_journaled_with_who_asked_before_it_is_answered(trading: Trading, tmp_path: Path) -> None:
    desk = await desk_of(trading, tmp_path)
    assert await desk.retrain(who="anna", why="new costs", force=True) == {
        "asked": "a training was asked for: new costs"
    }
    (command,) = trading.journal.read.commands()
    assert (command.name, command.who, command.why) == ("retrain_model", "anna", "new costs")
    assert '"cause": "new costs"' in (trading.journal.read.state(CYCLE_KEY) or "")
    with pytest.raises(Refused, match="under way already"):
        await desk.retrain(who="anna", why="again", force=True)
    assert len(trading.journal.read.commands()) == 1


async def test_with_next_to_nothing_new_a_retraining_takes_force(trading: Trading, tmp_path: Path) -> None:
    desk = await desk_of(trading, tmp_path)
    with pytest.raises(Refused, match="0 new samples, and a training takes 50; --force trains regardless"):
        await desk.retrain(who="anna", why="impatience", force=False)
    assert trading.journal.read.commands() == []
    assert trading.journal.read.state(CYCLE_KEY) is None


async def test_a_rollback_is_in_effect_and_in_the_journal_when_it_is_answered(trading: Trading, tmp_path: Path) -> None:
    desk = await desk_of(trading, tmp_path)
    with pytest.raises(InvalidInput, match="nothing to roll back"):
        await desk.roll_back(who="anna", why="x")
    deploy(trading, "logistic-1")
    assert await desk.roll_back(who="anna", why="it loses") == {"from": "logistic-1", "to": "unfiltered trading"}
    newest = trading.journal.read.model_events()[-1]
    assert (newest.kind, newest.model_id) == (ModelEventKind.ROLLED_BACK, "")
    assert (newest.by, newest.reason) == ("anna", "it loses")
    assert [each.name for each in trading.journal.read.commands()] == ["rollback_model"]


async def test_where_nothing_is_trained_commands_about_models_are_refused(trading: Trading) -> None:
    await start(trading)
    desk = ServiceDesk(trading=trading, clock=trading.session.clock, overdue=tuple, ready=lambda: True, mode="live")
    for asked in (desk.retrain(who="a", why="b", force=True), desk.roll_back(who="a", why="b")):
        with pytest.raises(Refused, match=r"training\.enabled is false"):
            await asked


def deploy(trading: Trading, name: str) -> None:
    """A champion by the journal's account of it."""
    batch = Batch()
    batch.add(
        ModelRecord(
            model_id=name,
            created_at=BEGIN,
            family="logistic",
            sha256="0" * 64,
            schema=trading.session.aftermath.model.schema,
            samples=500,
            trained_from=BEGIN - 90 * 24 * HOUR,
            trained_until=BEGIN - 24 * HOUR,
            threshold=0.55,
            seed=7,
            document={},
        )
    )
    for kind in (ModelEventKind.REGISTERED, ModelEventKind.DEPLOYED):
        batch.add(ModelEvent(event_id=f"e-{kind}", at=BEGIN, model_id=name, kind=kind, reason="won", by="daemon"))
    trading.journal.commit(batch)
