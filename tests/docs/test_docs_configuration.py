"""The page of configuration keys says what the models say, and the example file is one that the daemon takes."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from docs_pages import ROOT

from daemon.check import run_checks
from daemon.config import Config, load
from daemon.config.fields import Section
from daemon.config.schema import sections

PAGE = ROOT / "docs" / "configuration.md"
EXAMPLE = ROOT / "examples" / "ratchet.toml"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_configuration", ROOT / "docs" / "generate_configuration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_its_script_writes(generator: ModuleType) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert generator.with_tables(page) == page, "run .venv/bin/python docs/generate_configuration.py"


def test_the_page_has_every_key_with_its_default_and_meaning() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, schema in sections().items():
        table = page.split(f"### [{name}]")[1].split("### [")[0]
        rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", table, flags=re.MULTILINE)
        assert [row[0] for row in rows] == list(schema.keys)
        assert all(allowed and default and meaning.endswith(".") for _, allowed, default, meaning in rows)


def test_a_key_that_does_not_say_what_it_means_is_an_error(generator: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"Unsaid\.second does not say"):
        generator.meanings_of(Unsaid)


class Unsaid(Section):
    """A section one of whose keys is not explained."""

    first: int = 1
    """This one is."""
    second: int = 2


def test_the_example_file_is_taken_and_passes_every_check(tmp_path: Path) -> None:
    loaded = load([EXAMPLE])
    rows = run_checks(loaded.config, environ={"STATE_DIRECTORY": str(tmp_path / "state")})
    assert [row for row in rows if row.ok is False and row.name != "free disk"] == []


def test_the_example_shows_defaults_as_they_are() -> None:
    assert load([EXAMPLE]).config == Config()


def test_what_the_example_leaves_commented_out_would_be_taken_too(tmp_path: Path) -> None:
    text = re.sub(r"^# (?=\w+ = |\[)", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    file = tmp_path / "all.toml"
    file.write_text(text, encoding="utf-8")
    (tmp_path / "strategies").mkdir()
    config = load([file]).config
    assert config.signals.strategies == tmp_path / "strategies"
    assert config.signals.weights
    assert config.feed.instruments


def test_the_environment_variables_of_the_page_are_read() -> None:
    page = PAGE.read_text(encoding="utf-8")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "daemon").rglob("*.py"))
    table = page.split("## Environment variables")[1].split("##")[0]
    names = re.findall(r"`([A-Z_]+)`", table)
    assert len(names) > 4
    assert [name for name in names if name.removesuffix("NAME") not in sources and "__" not in name] == []


def test_no_key_of_the_example_is_a_made_up_one() -> None:
    known = json.dumps({name: schema.keys for name, schema in sections().items()})
    written = re.findall(r"^#? ?(\w+) = ", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(written) > 20
    assert [key for key in written if f'"{key}"' not in known and key != "breakout"] == []
