"""Where no test may be skipped, a skip fails and tells its reason; missing market data is the one exception."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN_FOLDER = Path(__file__).resolve().parents[1]
CASES = """
import pytest

def test_passes():
    assert True

def test_skips():
    pytest.skip("promtool is not installed: apt-get install prometheus")

@pytest.fixture
def market_data():
    pytest.skip("no market data at {folder}: set RATCHET_TEST_DATA to run this test")

def test_needs_data(market_data):
    assert True

@pytest.mark.xfail(reason="known")
def test_known():
    assert False
"""


def run(folder: Path, data: Path, value: str) -> tuple[int, str]:
    (folder / "test_cases.py").write_text(CASES.format(folder=data))
    environment = {**os.environ, "RATCHET_NO_SKIPS": value, "PYTHONPATH": str(PLUGIN_FOLDER)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-ra",
        "-p",
        "no_skips",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
    ]
    answer = subprocess.run(
        [*command, f"--rootdir={folder}", str(folder)], capture_output=True, text=True, check=False, env=environment
    )
    return answer.returncode, answer.stdout


def test_a_skip_fails_and_tells_its_reason(tmp_path: Path) -> None:
    status, said = run(tmp_path, tmp_path / "absent", "1")
    assert status == 1
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed" in said
    assert "this was skipped: promtool is not installed: apt-get install prometheus" in said


def test_missing_data_fails_too_where_there_is_data(tmp_path: Path) -> None:
    status, said = run(tmp_path, tmp_path, "1")
    assert status == 1
    assert "1 failed, 1 passed, 1 xfailed, 1 error" in said


@pytest.mark.parametrize("value", ["", "0"])
def test_elsewhere_a_skip_stays_a_skip(tmp_path: Path, value: str) -> None:
    status, said = run(tmp_path, tmp_path, value)
    assert status == 0
    assert "1 passed, 2 skipped, 1 xfailed" in said


def test_a_module_that_skips_itself_fails(tmp_path: Path) -> None:
    (tmp_path / "test_module.py").write_text("import pytest\npytest.importorskip('no_such_package_anywhere')\n")
    status, said = run(tmp_path, tmp_path / "absent", "1")
    assert status != 0
    assert "this was skipped" in said
    assert "no_such_package_anywhere" in said
