"""Every `ratchet` command line that a page shows is one that the command line takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from docs_pages import ROOT, Shown, code_of, commands, named, pages

from daemon.cli.main import build

COMMAND: Any = typer.main.get_command(build())
VERBS = frozenset(COMMAND.commands)
SHOWING = [*pages(), ROOT / "examples" / "ratchet.toml"]


def fault_of(shown: Shown) -> str | None:
    """What the command line would not take, None when it is fine. The options' values are not looked at."""
    command, words = COMMAND, list(shown.words)
    while words and getattr(command, "commands", None) and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    options = {name: param for param in command.params for name in (*param.opts, *param.secondary_opts)}
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    plain: list[str] = []
    while words:
        name, separator, value = words.pop(0).partition("=")
        if not name.startswith("-"):
            plain.append(name + separator + value)
            continue
        if name in ("--help", "-h"):
            continue
        param = options.get(name)
        if param is None:
            return f"there is no option {name}"
        if getattr(param, "is_flag", False):
            continue
        if not separator and not words:
            return f"{name} needs a value"
        if not separator:
            words.pop(0)
    if getattr(command, "commands", None) and (plain or command is not COMMAND):
        return f"there is no verb {' '.join(plain) or '(none given)'}"
    if len(plain) > len(arguments):
        return f"{' '.join(plain)} is more than the verb takes"
    return None


@pytest.mark.parametrize("page", SHOWING, ids=named)
def test_every_command_that_a_page_shows_is_one_that_the_command_line_takes(page: Path) -> None:
    faults = {str(shown): fault for shown in commands(page, VERBS) if (fault := fault_of(shown)) is not None}
    assert not faults


def test_commands_are_found_in_fences_in_words_and_behind_bars() -> None:
    shown = {named(page): [shown.words for shown in commands(page, VERBS)] for page in SHOWING}
    assert ("run", "--replay", "DIR", "--timeframe", "1h") in shown["README.md"]
    assert ("flatten", "--why", "TEXT") in shown["README.md"]
    assert ("run", "-c", "ratchet.toml") in shown["README.md"]
    assert ("check", "-c", "examples/ratchet.toml") in shown["docs/configuration.md"]
    assert ("holds",) in shown["docs/adr/0015-the-gate-fails-closed.md"]
    assert sum(len(found) for found in shown.values()) > 30


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("stauts",), "there is no verb stauts"),
        (("status", "--jsn"), "there is no option --jsn"),
        (("status", "now"), "now is more than the verb takes"),
        (("config",), "there is no verb (none given)"),
        (("trades", "--limit"), "--limit needs a value"),
        (("run", "--replay", "DIR", "--timeframe", "1h"), None),
        (("data", "summary", "DIR"), None),
    ],
)
def test_a_command_that_would_be_refused_is_found(words: tuple[str, ...], fault: str | None) -> None:
    assert fault_of(Shown("here", words)) == fault


def test_every_make_target_that_a_page_shows_is_one() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    shown = {
        target for page in pages() for _, code in code_of(page) for target in re.findall(r"(?:^|\s)make ([a-z]+)", code)
    }
    assert shown >= {"demo", "test", "check"}
    assert shown <= targets
