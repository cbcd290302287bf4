"""Secrets come from systemd, an owner-only file or the environment, and never show themselves."""

from __future__ import annotations

import copy
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daemon.secrets import Secret, api_token, read_secret
from domain.errors import ConfigurationRefused

CANARY = "canary-Zx9/+value=="


def kept(folder: Path, content: bytes, mode: int = 0o600, name: str = "api_token") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(content)
    file.chmod(mode)
    return file


def test_a_secret_does_not_show_its_value() -> None:
    secret = Secret("api_token", CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>30}", f"{secret:>10}", f"{[secret]}"]
    assert all("canary" not in text and "***" in text for text in shown)
    assert secret.reveal() == CANARY


def test_a_secret_cannot_be_serialised_copied_or_hashed() -> None:
    secret = Secret("api_token", CANARY)
    for attempt in (secret.__reduce__, lambda: copy.deepcopy(secret), lambda: hash(secret)):
        with pytest.raises(TypeError) as refusal:
            attempt()
        assert "canary" not in str(refusal.value)


def test_secrets_compare_by_value() -> None:
    assert Secret("a", CANARY) == Secret("b", CANARY)
    assert Secret("a", CANARY) != Secret("a", CANARY + "x")
    assert Secret("a", CANARY) != CANARY
    assert Secret("a", CANARY).matches(CANARY)
    assert not Secret("a", CANARY).matches("é" * 8)


def test_a_short_secret_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationRefused, match="fewer than 8 characters") as refusal:
        Secret("api_token", "abc1234")
    assert "abc1234" not in str(refusal.value)


def test_systemd_credentials_come_before_the_file_and_the_file_before_the_environment(tmp_path: Path) -> None:
    credentials, folder = tmp_path / "credentials", tmp_path / "secrets"
    kept(credentials, b"from-systemd\n", 0o440)
    kept(folder, b"from-the-file\n")
    environ = {"CREDENTIALS_DIRECTORY": str(credentials), "RATCHET_SECRET_API_TOKEN": "from-environment"}

    def found() -> str:
        secret = read_secret("api_token", environ=environ, folder=folder)
        return "" if secret is None else secret.reveal()

    assert found() == "from-systemd"
    (credentials / "api_token").unlink()
    assert found() == "from-the-file"
    (folder / "api_token").unlink()
    assert found() == "from-environment"
    del environ["RATCHET_SECRET_API_TOKEN"]
    assert found() == ""


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_may_use_is_refused_with_the_command_to_type(tmp_path: Path, mode: int) -> None:
    file = kept(tmp_path, CANARY.encode(), mode)
    with pytest.raises(ConfigurationRefused, match=f"mode {mode:04o}.*chmod 600 {file}") as refusal:
        read_secret("api_token", environ={}, folder=tmp_path)
    assert "canary" not in str(refusal.value)


def test_a_link_a_folder_an_empty_file_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    target = kept(tmp_path / "elsewhere", CANARY.encode())
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "folder").mkdir()
    kept(tmp_path, b"  \n", name="empty")
    kept(tmp_path, b"\xff\xfecanary-bytes", name="binary")
    for name in ("link", "folder", "empty", "binary"):
        with pytest.raises(ConfigurationRefused) as refusal:
            read_secret(name, environ={}, folder=tmp_path)
        assert "canary" not in str(refusal.value)
        assert refusal.value.__cause__ is None or "canary" not in str(refusal.value.__cause__)


def test_the_api_token_is_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "secrets"
    first = api_token(folder, environ={})
    assert first == api_token(folder, environ={})
    assert len(first.reveal()) >= 40
    assert stat.S_IMODE((folder / "api_token").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [file.name for file in folder.iterdir()] == ["api_token"]


def test_processes_that_start_at_once_end_with_the_same_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda _: api_token(tmp_path / "secrets", environ={}).reveal(), range(16)))
    assert len(set(tokens)) == 1


def test_a_configured_token_is_used_and_none_is_made(tmp_path: Path) -> None:
    token = api_token(tmp_path / "secrets", environ={"RATCHET_SECRET_API_TOKEN": CANARY})
    assert token.reveal() == CANARY
    assert not (tmp_path / "secrets").exists()
