"""pause, resume, flatten and halt, through the installed command, against the real API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from cli_account import Ratchet

from daemon.api.app import create_app
from daemon.api.desk import Condition
from daemon.api.serve import serve
from daemon.paths import AccountPaths, DaemonAddress, account_paths, secrets_folder
from daemon.secrets import api_token
from domain.errors import Denied, NotAvailable


class RecordingDesk:
    """Writes down what it was told; refuses what `failure` says."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str, str | None]] = []
        self.failure: Exception | None = None

    async def status(self) -> Mapping[str, Any]:
        return {}

    async def holds(self) -> Sequence[Mapping[str, Any]]:
        return []

    async def positions(self) -> Sequence[Mapping[str, Any]]:
        return []

    async def pause(self, *, who: str, why: str) -> Mapping[str, Any]:
        return self._take("pause", who, why)

    async def resume(self, *, who: str, why: str) -> Mapping[str, Any]:
        return self._take("resume", who, why)

    async def flatten(self, *, who: str, why: str, instrument: str | None) -> Mapping[str, Any]:
        return self._take("flatten", who, why, instrument)

    async def halt(self, *, who: str, why: str) -> Mapping[str, Any]:
        return self._take("halt", who, why)

    def healthy(self) -> Condition:
        return Condition(True)

    def ready(self) -> Condition:
        return Condition(True)

    def _take(self, verb: str, who: str, why: str, instrument: str | None = None) -> Mapping[str, Any]:
        if self.failure is not None:
            raise self.failure
        self.taken.append((verb, who, why, instrument))
        return {"recorded": verb}


def address_of(ratchet: Ratchet, api: str | None, pid: int | None = None) -> DaemonAddress:
    secrets = str(secrets_folder(ratchet.state))
    return DaemonAddress(pid=pid or os.getpid(), api=api, started_at="2026-01-01T00:00:00+00:00", secrets=secrets)


@contextlib.contextmanager
def running(ratchet: Ratchet, paths: AccountPaths) -> Iterator[RecordingDesk]:
    """The API in a thread of its own, announced as a daemon announces it."""
    desk = RecordingDesk()
    loop = asyncio.new_event_loop()
    token = api_token(secrets_folder(ratchet.state), environ={})
    ports: list[int] = []
    listening = threading.Event()

    def ready(port: int) -> None:
        ports.append(port)
        listening.set()

    async def serving() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await serve(create_app(desk, token), "127.0.0.1", 0, ready)

    task = loop.create_task(serving())
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    assert listening.wait(10)
    address_of(ratchet, f"http://127.0.0.1:{ports[0]}").write(paths.create().daemon)
    try:
        yield desk
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        loop.close()


@pytest.fixture
def daemon(ratchet: Ratchet) -> Iterator[RecordingDesk]:
    with running(ratchet, account_paths(ratchet.state, "paper", "main")) as desk:
        yield desk


@pytest.mark.parametrize("verb", ["pause", "resume", "flatten", "halt"])
def test_a_command_is_taken_with_who_and_why(ratchet: Ratchet, daemon: RecordingDesk, verb: str) -> None:
    done = ratchet(verb, "--why", "maintenance", "--who", "anna", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"recorded": verb}
    assert daemon.taken == [(verb, "anna", "maintenance", None)]


def test_without_who_the_user_commands(ratchet: Ratchet, daemon: RecordingDesk) -> None:
    done = ratchet("flatten", "--why", "done for today", "-i", "EURUSD")
    assert done.returncode == 0
    assert "taken by the daemon of paper-main" in done.stdout
    assert "recorded  flatten" in done.stdout
    (verb, who, why, instrument) = daemon.taken[0]
    assert (verb, why, instrument) == ("flatten", "done for today", "EURUSD")
    assert who


def test_why_is_mandatory(ratchet: Ratchet, daemon: RecordingDesk) -> None:
    for verb in ("pause", "resume", "flatten", "halt"):
        assert ratchet(verb).returncode == 2
    assert daemon.taken == []


def test_a_refusal_is_told_in_one_sentence_with_exit_1(ratchet: Ratchet, daemon: RecordingDesk) -> None:
    daemon.failure = Denied("there is nothing to resume")
    refused = ratchet("resume", "--why", "x", "--json")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "ratchet: the daemon refused to resume: there is nothing to resume\n"
    daemon.failure = NotAvailable("the venue is away")
    assert ratchet("halt", "--why", "x").stderr == "ratchet: the daemon could not halt: the venue is away\n"


def test_a_token_that_is_not_the_daemons_is_told(ratchet: Ratchet, daemon: RecordingDesk) -> None:
    token = secrets_folder(ratchet.state) / "api_token"
    token.write_text("another-token-value\n")
    done = ratchet("halt", "--why", "x")
    assert done.returncode == 1
    assert "did not take our token" in done.stderr
    assert "another-token" not in done.stderr
    token.unlink()
    assert "the API's token is not in" in ratchet("halt", "--why", "x").stderr
    assert daemon.taken == []


def test_where_no_daemon_runs_one_sentence_says_so(ratchet: Ratchet) -> None:
    for verb in ("pause", "resume", "flatten", "halt"):
        done = ratchet(verb, "--why", "x", "--json")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (f"ratchet: no daemon runs under {ratchet.state}: start one with `ratchet run -c FILE`\n")


def test_a_daemon_that_has_died_does_not_count(ratchet: Ratchet) -> None:
    process = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(process, 0)
    paths = account_paths(ratchet.state, "paper", "main").create()
    address_of(ratchet, "http://127.0.0.1:1", process).write(paths.daemon)
    assert "no daemon runs" in ratchet("halt", "--why", "x").stderr


def test_a_daemon_without_api_or_that_does_not_answer_is_told(ratchet: Ratchet) -> None:
    api_token(secrets_folder(ratchet.state), environ={})
    paths = account_paths(ratchet.state, "paper", "main").create()
    address_of(ratchet, None).write(paths.daemon)
    assert "serves no API" in ratchet("halt", "--why", "x").stderr
    address_of(ratchet, "http://127.0.0.1:1").write(paths.daemon)
    silent = ratchet("halt", "--why", "x")
    assert silent.returncode == 1
    assert "does not answer at http://127.0.0.1:1" in silent.stderr


def test_the_token_is_never_sent_to_another_machine(ratchet: Ratchet) -> None:
    api_token(secrets_folder(ratchet.state), environ={})
    paths = account_paths(ratchet.state, "paper", "main").create()
    for api in ("http://192.0.2.1:80", "http://localhost.example:80", "http://127.0.0.1@192.0.2.1:80", "ftp:x"):
        address_of(ratchet, api).write(paths.daemon)
        assert "is not one of this machine" in ratchet("halt", "--why", "x").stderr


def test_of_several_daemons_one_must_be_chosen(ratchet: Ratchet, daemon: RecordingDesk) -> None:
    with running(ratchet, account_paths(ratchet.state, "paper", "second")) as second:
        ambiguous = ratchet("pause", "--why", "x")
        assert ambiguous.returncode == 1
        assert "more than one running daemon may be meant (paper-main, paper-second)" in ambiguous.stderr
        assert ratchet("pause", "--why", "x", "--account", "second").returncode == 0
        assert [verb for verb, *_ in second.taken] == ["pause"]
    assert daemon.taken == []


def test_status_says_which_daemon_runs_beside_the_journal(ratchet: Ratchet, daemon: RecordingDesk) -> None:
    from cli_account import write_journal

    write_journal(ratchet.state / "paper-main" / "journal.sqlite")
    assert json.loads(ratchet("status", "--json").stdout)["daemon"]["pid"] == os.getpid()
