"""Secrets show up nowhere: not in what is printed, logged, journaled or measured, nor in what a failure tells."""

from __future__ import annotations

from pathlib import Path

from live_daemon import LiveDaemon
from ratchet_command import ratchet, until
from test_e2e_live_faults import written_by_another

TOKEN = "canary-token-4f1d9c2e7b"
VENUE_SECRET = "canary-venue-0a6e5d3c9f"
GIVEN = {"RATCHET_SECRET_API_TOKEN": TOKEN, "RATCHET_SECRET_VENUE": VENUE_SECRET}


def leaks(text: bytes) -> list[str]:
    return [secret for secret in (TOKEN, VENUE_SECRET) if secret.encode() in text]


def test_a_token_and_a_venues_secret_are_in_nothing_that_the_daemon_leaves(tmp_path: Path) -> None:
    with LiveDaemon(tmp_path, extra=GIVEN) as daemon:
        daemon.until_ready()
        daemon.until_scans(2)
        assert daemon.ask("/v1/status", TOKEN).status_code == 200
        pages = [repr(daemon.metrics()), daemon.ask("/v1/status", TOKEN).text, daemon.ask(f"/v1/{TOKEN}").text]
        commands = [
            ratchet("pause", "--why", f"the token is {TOKEN}", "--json", state=daemon.state, extra=GIVEN),
            ratchet("pause", "--why", "once more", "--who", TOKEN, state=daemon.state, extra=GIVEN),
            ratchet("flatten", "--instrument", TOKEN, "--why", "no such thing", state=daemon.state, extra=GIVEN),
            ratchet("status", "--json", state=daemon.state, extra=GIVEN),
            ratchet("check", "-c", str(daemon.file), state=daemon.state, extra=GIVEN),
            ratchet("config", "show", "-c", str(daemon.file), state=daemon.state, extra=GIVEN),
        ]
        assert [command.status for command in commands[:2]] == [0, 0]
        with written_by_another(daemon.journal):
            assert daemon.status == 1
        told = [daemon.out, daemon.err, *pages, *(command.out + command.err for command in commands)]
        assert leaks("\n".join(told).encode()) == []
        heard = "\n".join(message for _, message in daemon.manager.heard)
        assert leaks(heard.encode()) == []
    files = [path for path in daemon.state.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"journal.sqlite", "paper.sqlite"}
    assert {path: leaks(path.read_bytes()) for path in files if leaks(path.read_bytes())} == {}


def test_a_secret_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    secrets = tmp_path / "state" / "secrets"
    secrets.mkdir(parents=True, mode=0o700)
    (secrets / "api_token").write_text(TOKEN)
    (secrets / "api_token").chmod(0o644)
    with LiveDaemon(tmp_path) as daemon:
        assert daemon.status == 78
        assert "chmod 600" in daemon.sentence
        assert leaks(daemon.err.encode()) == []
        until(lambda: daemon.process.poll() is not None, "it has ended")
