"""The same story on a real PostgreSQL server, where its programs and psycopg are installed."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from journal_older import demand_models_can_be_written, demand_moved, held_at
from journal_story import story

from domain.errors import InvalidInput, JournalError, JournalLocked
from journal import Batch, InlineWriter, Journal, verify
from journal.schema import metadata

SERVER_USER = "postgres"


def program(name: str) -> str | None:
    """The newest installed server program of that name; Debian keeps them off the search path."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(debian[-1]) if debian else shutil.which(name)


def as_server_user(folder: Path) -> dict[str, int]:
    """The server refuses to run as root, so root runs it as the user that its package made."""
    if os.geteuid() != 0:
        return {}
    try:
        account = pwd.getpwnam(SERVER_USER)
    except KeyError:
        pytest.skip(f"PostgreSQL does not run as root, and there is no user {SERVER_USER}: apt install postgresql")
    shutil.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of an empty database on a server of its own, on loopback."""
    initdb, control = program("initdb"), program("pg_ctl")
    if initdb is None or control is None:
        pytest.skip("no PostgreSQL server here: apt install postgresql")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("no psycopg here: pip install 'ratchet-trader[postgres]'")
    # Not under pytest's own folder: the server's user may not enter that.
    folder = Path(tempfile.mkdtemp(prefix="ratchet-postgresql-"))
    who = as_server_user(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)

    run(initdb, "-D", data, "-U", "ratchet", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-h 127.0.0.1 -p {port} -k {folder}"
    run(control, "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://ratchet@127.0.0.1:{port}/postgres"
    finally:
        run(control, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


async def test_the_story_is_the_same_on_postgresql(server: str) -> None:
    with Journal.open("sqlite://") as expected, Journal.open(server) as journal:
        writer = InlineWriter(journal)
        for batch in story():
            await writer.commit(batch)
            expected.commit(batch)
        assert journal.sequence == expected.sequence
        assert verify(journal) == verify(expected)
        assert verify(journal).ok
        assert journal.read.counts() == expected.read.counts()
        for name in ("decisions", "orders", "fills", "positions", "outcomes", "samples", "equity", "cash", "scans"):
            assert getattr(journal.read, name)() == getattr(expected.read, name)()
        context = MigrationContext.configure(journal.held.connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    with Journal.open(server) as journal:
        assert journal.sequence == len(story())
        with pytest.raises(JournalLocked, match="another process"):
            Journal.open(server)
        with Journal.open(server, read_only=True) as reader:
            before = reader.read.counts()
            with reader.read.snapshot():
                assert reader.read.counts() == before
                later = Batch()
                later.put_state("risk", '{"losses":1}')
                journal.commit(later)
                assert reader.read.state("risk") == '{"losses":0}'
            assert reader.read.state("risk") == '{"losses":1}'
        doubled = Batch()
        doubled.add(journal.read.fills()[0])
        with pytest.raises(JournalError, match="unique constraint"):
            journal.commit(doubled)
        assert journal.read.counts()["fills"] == before["fills"]


def test_an_older_journal_on_postgresql_is_moved_up_with_its_data(server: str) -> None:
    present = held_at(server)
    try:
        present.raw.execute("CREATE DATABASE older")
    finally:
        present.close()
    older = server.rsplit("/", 1)[0] + "/older"
    demand_moved(older)
    demand_models_can_be_written(older)


def test_a_server_that_is_not_there_is_told_in_one_sentence_without_the_password() -> None:
    if importlib.util.find_spec("psycopg") is None:
        with pytest.raises(JournalError, match="needs psycopg"):
            Journal.open("postgresql://me:secret@127.0.0.1:1/journal")
        return
    with pytest.raises(JournalError, match="cannot be used") as refused:
        Journal.open("postgresql://me:secret@127.0.0.1:1/journal")
    assert "secret" not in str(refused.value)


def test_a_postgresql_url_without_a_form_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        Journal.open("postgresql://here:there:everywhere")
