"""Imports go down only: the drawn house is the one that import-linter keeps, and it has no unwatched room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from house_files import ROOT, packages, project

WITHOUT_CODE_OF_THE_LOOP = {"systemd", "dashboards"}
"""Packages that only carry files to be installed."""


def linted(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(program), "--no-cache", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def verdict() -> subprocess.CompletedProcess[str]:
    return linted()


def test_every_contract_of_the_house_is_kept(verdict: subprocess.CompletedProcess[str]) -> None:
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    contracts = len(project()["tool"]["importlinter"]["contracts"])
    assert f"Contracts: {contracts} kept, 0 broken." in verdict.stdout


def test_a_contract_that_the_code_breaks_is_seen(tmp_path: Path) -> None:
    upside_down = tmp_path / "upside_down.toml"
    upside_down.write_text(
        '[tool.importlinter]\nroot_packages = ["domain", "journal"]\n'
        '[[tool.importlinter.contracts]]\nname = "upside down"\ntype = "layers"\nlayers = ["domain", "journal"]\n',
        encoding="utf-8",
    )
    told = linted("--config", str(upside_down))
    assert told.returncode == 1
    assert "1 broken" in told.stdout


def test_every_package_has_its_floor_and_is_watched() -> None:
    settings = project()["tool"]
    layers = next(each["layers"] for each in settings["importlinter"]["contracts"] if each["type"] == "layers")
    drawn = [name.strip() for layer in layers for name in layer.split("|")]
    expected = set(packages()) - WITHOUT_CODE_OF_THE_LOOP
    assert len(drawn) == len(set(drawn))
    assert (
        set(drawn)
        == set(settings["importlinter"]["root_packages"])
        == (set(settings["mypy"]["packages"]) - {"bench"})
        == expected
    )


def test_the_journal_is_kept_from_those_who_must_stay_pure() -> None:
    contracts = project()["tool"]["importlinter"]["contracts"]
    kept = {
        source
        for each in contracts
        if each["type"] == "forbidden" and "journal" in each["forbidden_modules"]
        for source in each["source_modules"]
    }
    assert {"brokers", "market", "signals", "risk", "domain"} <= kept


def test_the_installed_packages_are_the_folders() -> None:
    with_code = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench"}
    assert len(packages()) == len(set(packages()))
    assert with_code == set(packages()) - WITHOUT_CODE_OF_THE_LOOP
    assert [name for name in packages() if not (ROOT / name).is_dir()] == []
