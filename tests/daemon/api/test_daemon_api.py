"""The API over real HTTP on loopback: who may speak, what is told, what is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
import pytest
import pytest_asyncio

from daemon.api.app import create_app
from daemon.api.desk import Condition
from daemon.api.guard import FAILURES_BEFORE_THROTTLE, is_loopback
from daemon.api.serve import serve
from daemon.secrets import Secret
from domain.errors import ConfigurationRefused, Denied, Impossible, InvalidInput, JournalError, NotAvailable

CANARY = "canary-token-value-1"


class RecordingDesk:
    """A desk that writes down what it was told; `failure` is raised by the next command."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, str, str, str | None]] = []
        self.failure: Exception | None = None
        self.health = Condition(True)
        self.gate: asyncio.Event | None = None

    async def status(self) -> Mapping[str, Any]:
        if self.gate is not None:
            await self.gate.wait()
        return {"account": "main", "equity": "10000"}

    async def holds(self) -> Sequence[Mapping[str, Any]]:
        return [{"cause": "news"}]

    async def positions(self) -> Sequence[Mapping[str, Any]]:
        return []

    async def pause(self, *, who: str, why: str) -> Mapping[str, Any]:
        return self._taken("pause", who, why)

    async def resume(self, *, who: str, why: str) -> Mapping[str, Any]:
        return self._taken("resume", who, why)

    async def flatten(self, *, who: str, why: str, instrument: str | None) -> Mapping[str, Any]:
        return self._taken("flatten", who, why, instrument)

    async def halt(self, *, who: str, why: str) -> Mapping[str, Any]:
        return self._taken("halt", who, why)

    def healthy(self) -> Condition:
        return self.health

    def ready(self) -> Condition:
        return Condition(False, "reconciliation has not succeeded")

    def _taken(self, name: str, who: str, why: str, instrument: str | None = None) -> Mapping[str, Any]:
        if self.failure is not None:
            raise self.failure
        self.commands.append((name, who, why, instrument))
        return {"taken": name}


class Steady:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Served:
    def __init__(self, desk: RecordingDesk, clock: Steady, port: int, client: httpx.AsyncClient) -> None:
        self.desk, self.clock, self.port, self.client = desk, clock, port, client


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    desk, clock = RecordingDesk(), Steady()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = create_app(desk, Secret("api_token", CANARY), monotonic=clock)
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, listening.set_result))
    port = await asyncio.wait_for(listening, 10)
    headers = {"Authorization": f"Bearer {CANARY}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as client:
        yield Served(desk, clock, port, client)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


COMMAND = {"who": "me", "why": "a test"}


async def test_reading_tells_what_the_desk_tells(served: Served) -> None:
    assert (await served.client.get("/v1/status")).json() == {"account": "main", "equity": "10000"}
    assert (await served.client.get("/v1/holds")).json() == {"holds": [{"cause": "news"}]}
    assert (await served.client.get("/v1/positions")).json() == {"positions": []}


@pytest.mark.parametrize("verb", ["pause", "resume", "flatten", "halt"])
async def test_a_command_reaches_the_desk_with_who_and_why(served: Served, verb: str) -> None:
    answer = await served.client.post(f"/v1/{verb}", json=COMMAND)
    assert (answer.status_code, answer.json()) == (200, {"taken": verb})
    assert served.desk.commands == [(verb, "me", "a test", None)]


async def test_flatten_may_name_an_instrument(served: Served) -> None:
    await served.client.post("/v1/flatten", json={**COMMAND, "instrument": "EURUSD"})
    assert served.desk.commands == [("flatten", "me", "a test", "EURUSD")]


@pytest.mark.parametrize(
    "body",
    [
        {"who": "me"},
        {"why": "x"},
        {"who": "me", "why": "   "},
        {"who": "", "why": "x"},
        {"who": "me", "why": "x" * 501},
        {"who": "me", "why": "x", "force": True},
        {"who": "me", "why": ["x"]},
    ],
)
async def test_a_command_without_who_and_why_is_refused_and_not_taken(served: Served, body: dict[str, Any]) -> None:
    answer = await served.client.post("/v1/halt", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"] == "InvalidInput"
    assert served.desk.commands == []


async def test_what_is_no_json_is_refused_without_an_echo(served: Served) -> None:
    answer = await served.client.post("/v1/halt", content=b'{"why": canary-in-body')
    assert answer.status_code == 422
    assert "canary" not in answer.text


async def test_changing_needs_post(served: Served) -> None:
    for verb in ("pause", "resume", "flatten", "halt"):
        assert (await served.client.get(f"/v1/{verb}")).status_code == 405
    assert served.desk.commands == []


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong-token-value", f"Basic {CANARY}", CANARY, f"Bearer {CANARY}x"]
)
async def test_without_the_token_nothing_is_told_and_nothing_is_taken(
    served: Served, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with httpx.AsyncClient(base_url=served.client.base_url, headers=headers, trust_env=False) as stranger:
        for method, path in (("GET", "/v1/status"), ("POST", "/v1/halt"), ("GET", "/v1/no-such-thing")):
            answer = await stranger.request(method, path)
            assert answer.status_code == 401
            assert CANARY not in answer.text + str(answer.headers)
    assert served.desk.commands == []


async def test_health_readiness_and_the_description_need_no_token(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.client.base_url, trust_env=False) as stranger:
        health, ready = await stranger.get("/health"), await stranger.get("/ready")
        description = await stranger.get("/openapi.json")
    assert (health.status_code, health.json()["ok"]) == (200, True)
    assert (ready.status_code, ready.json()) == (503, {"ok": False, "detail": "reconciliation has not succeeded"})
    assert {"/v1/status", "/v1/halt", "/health"} <= set(description.json()["paths"])
    served.desk.health = Condition(False, "scan overdue")
    assert (await served.client.get("/health")).status_code == 503


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1", "localhost@x.y"]
)
async def test_a_foreign_host_name_is_refused_as_dns_rebinding(served: Served, host: str) -> None:
    answer = await served.client.get("/v1/status", headers={"Host": host})
    assert answer.status_code in (400, 403)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
async def test_every_name_of_this_machine_is_taken(served: Served, name: str) -> None:
    answer = await served.client.get("/v1/status", headers={"Host": f"{name}:{served.port}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"]
)
async def test_a_page_of_another_origin_is_refused_even_with_the_token(served: Served, origin: str) -> None:
    answer = await served.client.post("/v1/halt", json=COMMAND, headers={"Origin": origin})
    assert answer.status_code == 403
    assert served.desk.commands == []


async def test_no_answer_invites_other_origins(served: Served) -> None:
    preflight = await served.client.options("/v1/halt", headers={"Access-Control-Request-Method": "POST"})
    own = await served.client.get("/v1/status", headers={"Origin": f"http://127.0.0.1:{served.port}"})
    assert own.status_code == 200
    for answer in (preflight, own):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


async def test_a_large_body_and_one_of_unknown_length_are_refused(served: Served) -> None:
    large = await served.client.post("/v1/halt", content=b"x" * 20_000)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    unknown = await served.client.post("/v1/halt", content=pieces())
    assert (large.status_code, unknown.status_code) == (413, 413)


async def test_wrong_tokens_are_throttled_and_the_right_one_gets_its_turn(served: Served) -> None:
    async def attempt(token: str) -> int:
        answer = await served.client.get("/v1/status", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code

    assert [await attempt("wrong-token") for _ in range(FAILURES_BEFORE_THROTTLE)] == [401] * FAILURES_BEFORE_THROTTLE
    assert [await attempt("wrong-token"), await attempt(CANARY)] == [429, 429]
    served.clock.now += 0.25
    assert [await attempt(CANARY), await attempt("wrong-token")] == [200, 429]
    served.clock.now += 61
    assert [await attempt(CANARY), await attempt(CANARY)] == [200, 200]


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Denied("nothing to resume"), 409),
        (NotAvailable("the venue is away"), 503),
        (InvalidInput("no such instrument"), 422),
        (JournalError("the disk is full"), 503),
        (Impossible("the sum is wrong"), 500),
    ],
)
async def test_errors_of_the_desk_are_told_in_one_sentence(served: Served, failure: Exception, status: int) -> None:
    served.desk.failure = failure
    answer = await served.client.post("/v1/resume", json=COMMAND)
    assert answer.status_code == status
    assert answer.json() == {"error": type(failure).__name__, "detail": str(failure)}


async def test_no_error_tells_a_secret(served: Served) -> None:
    served.desk.failure = Denied(f"venue said https://h/?signature=feedbeef and {CANARY}")
    told = await served.client.post("/v1/resume", json=COMMAND)
    served.desk.failure = RuntimeError(f"unexpected {CANARY}")
    unexpected = await served.client.post("/v1/resume", json=COMMAND)
    assert unexpected.status_code == 500
    assert unexpected.json()["error"] == "internal"
    for answer in (told, unexpected):
        assert CANARY not in answer.text
        assert "feedbeef" not in answer.text


async def test_the_server_says_nothing_of_itself(served: Served) -> None:
    assert "server" not in (await served.client.get("/v1/status")).headers


async def test_stopping_closes_the_port_and_ends_as_cancelled() -> None:
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = create_app(RecordingDesk(), Secret("api_token", CANARY))
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, listening.set_result))
    port = await asyncio.wait_for(listening, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_request_in_flight_is_answered_while_stopping() -> None:
    desk = RecordingDesk()
    desk.gate = asyncio.Event()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(create_app(desk, Secret("t", CANARY)), "127.0.0.1", 0, listening.set_result))
    port = await asyncio.wait_for(listening, 10)
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {CANARY}"}) as client:
        asking = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/v1/status"))
        while not desk.gate._waiters:
            await asyncio.sleep(0)
        task.cancel()
        desk.gate.set()
        assert (await asking).json()["account"] == "main"
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_runs_inside_a_task_group_and_lets_its_neighbours_stop_it() -> None:
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = create_app(RecordingDesk(), Secret("api_token", CANARY))

    async def failing_neighbour() -> None:
        await listening
        raise LookupError("the neighbour failed")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(app, "127.0.0.1", 0, listening.set_result))
            group.create_task(failing_neighbour())

    with pytest.raises(ExceptionGroup) as failed:
        await both()
    assert [type(error) for error in failed.value.exceptions] == [LookupError]


async def test_a_taken_port_is_told() -> None:
    blocker = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = blocker.sockets[0].getsockname()[1]
    with pytest.raises(
        NotAvailable, match=f"port {port} on 127.0.0.1 cannot be used for the API: another program has it"
    ):
        await serve(create_app(RecordingDesk(), Secret("api_token", CANARY)), "127.0.0.1", port, lambda _: None)
    blocker.close()
    await blocker.wait_closed()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::"])  # noqa: S104 - refused, not bound
async def test_it_never_listens_beyond_this_machine(host: str) -> None:
    with pytest.raises(ConfigurationRefused, match=r"allowed are 127\.0\.0\.1"):
        await serve(create_app(RecordingDesk(), Secret("api_token", CANARY)), host, 0, lambda _: None)


def test_what_counts_as_this_machine() -> None:
    assert all(
        is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "::ffff:127.0.0.1")
    )
    assert not any(is_loopback(host) for host in ("10.0.0.1", "::", "", "local", "::ffff:10.0.0.1"))


def test_the_description_names_every_command_with_its_body() -> None:
    schema = create_app(RecordingDesk(), Secret("api_token", CANARY)).openapi()
    for verb in ("pause", "resume", "flatten", "halt"):
        body = json.dumps(schema["paths"][f"/v1/{verb}"]["post"]["requestBody"])
        assert "Body" in body
    assert CANARY not in json.dumps(schema)
