"""State lies where systemd or the home folder says, one private folder an account, paper and demo apart."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from daemon.paths import (
    DaemonAddress,
    account_paths,
    demo_paths,
    journals,
    replay_paths,
    secrets_folder,
    state_root,
)
from domain.errors import InvalidInput


def test_the_state_directory_is_the_given_one_then_systemds_then_the_homes(tmp_path: Path) -> None:
    environ = {"STATE_DIRECTORY": "/var/lib/ratchet:/var/lib/other", "HOME": "/home/me"}
    assert state_root(environ, tmp_path) == tmp_path
    assert state_root(environ) == Path("/var/lib/ratchet")
    assert state_root({"HOME": "/home/me"}) == Path("/home/me/.local/state/ratchet")


def test_paper_and_demo_accounts_never_share_a_file(tmp_path: Path) -> None:
    paper, demo = account_paths(tmp_path, "paper", "main"), account_paths(tmp_path, "demo", "main")
    folders = {paper.folder, demo.folder, demo_paths(tmp_path).folder, replay_paths(tmp_path, "x").folder}
    assert len(folders) == 4
    assert secrets_folder(tmp_path) not in folders
    assert not {paper.journal, paper.paper, paper.daemon, paper.lock} & {
        demo.journal,
        demo.paper,
        demo.daemon,
        demo.lock,
    }


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "a b", "-a", "a" * 41, "a\n"])
def test_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a folder"):
        account_paths(tmp_path, "paper", name)


def test_the_folder_is_created_for_the_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        paths = account_paths(tmp_path / "state", "paper", "main").create()
    finally:
        os.umask(before)
    for folder in (paths.folder, paths.folder.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert paths.create() == paths


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot be made: Not a directory"):
        account_paths(tmp_path / "file" / "state", "paper", "main").create()


def test_the_same_replay_lies_in_the_same_folder_and_another_elsewhere(tmp_path: Path) -> None:
    first = replay_paths(tmp_path, "/data/crypto", "1h", "USD")
    assert first == replay_paths(tmp_path, "/data/crypto", "1h", "USD")
    assert first != replay_paths(tmp_path, "/data/crypto", "1h", "EUR")
    assert first != replay_paths(tmp_path, "/data/crypto1", "h", "USD")
    assert first.folder.name.startswith("replay-")


def test_journals_are_found_most_recently_written_first_by_file_or_log(tmp_path: Path) -> None:
    paths = [account_paths(tmp_path, "paper", name).create() for name in ("a", "b", "c")]
    for place, account in enumerate(paths):
        account.journal.write_text("x")
        os.utime(account.journal, ns=(place * 10**9, place * 10**9))
    assert [path.parent.name for path in journals(tmp_path)] == ["paper-c", "paper-b", "paper-a"]
    log = paths[0].journal.with_name("journal.sqlite-wal")
    log.write_text("x")
    assert journals(tmp_path)[0] == paths[0].journal
    assert journals(tmp_path / "absent") == ()


def test_where_a_daemon_listens_is_written_whole_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    assert DaemonAddress.read(file) is None
    address = DaemonAddress(pid=os.getpid(), api="http://127.0.0.1:1", started_at="2026-01-01T00:00Z", secrets="/s")
    address.write(file)
    assert DaemonAddress.read(file) == address
    assert address.alive
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["daemon.json"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": 1}', "null"])
def test_a_file_that_does_not_say_where_a_daemon_listens_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "daemon.json"
    file.write_text(text)
    with pytest.raises(InvalidInput, match="does not say where a daemon listens"):
        DaemonAddress.read(file)


def test_a_process_that_has_ended_is_not_alive() -> None:
    process = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(process, 0)
    assert not DaemonAddress(pid=process, api=None, started_at="", secrets="").alive
