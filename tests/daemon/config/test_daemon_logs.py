"""No secret passes into a log line or a traceback, whatever wrote it."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from daemon.logs import configure_logs, scrub, scrubbed_traceback
from daemon.secrets import Secret

CANARY = "canary/Zx9+value=q"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def untouched_logging() -> Iterator[None]:
    """Logging of the test run itself, as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET /v3/order?symbol=BTC&signature=abcdef0123&x=1", "GET /v3/order?symbol=BTC&signature=***&x=1"),
        ("https://h/p?apiKey=abc&token=t0k&api_key=z", "https://h/p?apiKey=***&token=***&api_key=***"),
        ("https://h/p?access_token=abc#f", "https://h/p?access_token=***"),
        ("Authorization: Bearer abcdefgh.ijkl-mnop", "Authorization: Bearer ***"),
        ("postgresql://me:pa55word@host/db", "postgresql://me:***@host/db"),
        ("monkey=1 and the key is under the mat", "monkey=1 and the key is under the mat"),
    ],
)
def test_what_is_secret_by_its_place_is_masked(text: str, clean: str) -> None:
    assert scrub(text) == clean


def test_a_known_secret_is_masked_in_every_spelling() -> None:
    Secret("venue", CANARY)
    assert "Zx9" not in scrub(f"plain {CANARY}, quoted canary%2FZx9%2Bvalue%3Dq, {{'k': '{CANARY}'}}")


@pytest.mark.parametrize("format_", ["console", "json"])
@pytest.mark.usefixtures("untouched_logging")
def test_structured_standard_and_warning_records_are_scrubbed(format_: str) -> None:
    Secret("venue", CANARY)
    stream = io.StringIO()
    configure_logs(level="debug", format_=format_, stream=stream)  # type: ignore[arg-type]  # one of the two formats
    structlog.get_logger("structured").info("sent", header=f"Bearer {CANARY}", nested={"list": [CANARY, {"k": CANARY}]})
    logging.getLogger("vendor").warning(
        "url %s failed", f"https://h/?signature=feedbeef&t={CANARY}", extra={"k": CANARY}
    )
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("vendor").exception("broke")
        structlog.get_logger("structured").exception("broke too")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn(f"watch out for {CANARY}", UserWarning, stacklevel=1)
    written = stream.getvalue()
    assert "canary/Zx9" not in written
    assert "feedbeef" not in written
    assert written.count("Traceback") == 2
    for word in ("sent", "failed", "broke", "broke too", "watch out for"):
        assert word in written


@pytest.mark.usefixtures("untouched_logging")
def test_json_logs_are_one_object_a_line_with_level_name_and_time() -> None:
    stream = io.StringIO()
    configure_logs(format_="json", stream=stream)
    structlog.get_logger("a.b").warning("held", hold="news")
    logging.getLogger("c").error("lost %d", 3)
    logging.getLogger("c").debug("not asked for")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["hold"], first["level"], first["logger"]) == ("held", "news", "warning", "a.b")
    assert (second["event"], second["level"]) == ("lost 3", "error")
    assert first["timestamp"].endswith("Z")


def test_a_traceback_with_causes_is_scrubbed() -> None:
    Secret("venue", CANARY)
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as inner:
            raise ValueError(f"token={CANARY}") from inner
    except ValueError as error:
        told = scrubbed_traceback(error)
    assert "canary/Zx9" not in told
    assert "KeyError" in told
    assert "ValueError" in told


PROGRAM = f"""
import threading
from daemon.logs import install_hooks
from daemon.secrets import Secret
install_hooks()
secret = Secret("venue", {CANARY!r})
thread = threading.Thread(target=lambda: 1 / 0 if secret.reveal() == "" else int(secret.reveal()))
thread.start(); thread.join()
class Dying:
    def __del__(self):
        raise RuntimeError(secret.reveal())
Dying()
raise RuntimeError("uncaught " + secret.reveal())
"""


def test_uncaught_errors_of_program_thread_and_finalizer_are_scrubbed() -> None:
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env={"PYTHONPATH": paths}, check=False
    )
    assert done.returncode == 1
    # The line of the program's own source that holds the canary is not printed for "-c".
    assert "canary/Zx9" not in done.stderr + done.stdout
    assert done.stderr.count("Traceback") == 3
    assert "uncaught ***" in done.stderr
