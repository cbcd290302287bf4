"""The unit files: silently accepted by systemd, hardened, and stopping and restarting as the daemon expects."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from daemon.notify import watchdog_timeout
from daemon.supervise import EXIT_WITHIN

UNITS = Path(__file__).resolve().parents[2] / "systemd"
DAEMONS = ("ratchet.service", "ratchet@.service")
ALL = (*DAEMONS, "ratchet-failed@.service")
WORST_EXPOSURE_IN_TENTHS = 12


@pytest.fixture(scope="module")
def systemd_analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    return program


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """The units with an ExecStart that exists here, in a folder of their own; templates also as an instance."""
    for name in ALL:
        text = (UNITS / name).read_text()
        for program in re.findall(r"(?m)^ExecStart=(\S+)", text):
            if not Path(program).exists():
                text = text.replace(f"ExecStart={program}", f"ExecStart={sys.executable}")
        (tmp_path / name).write_text(text)
        if "@" in name:
            (tmp_path / name.replace("@", "@main")).write_text(text)
    return tmp_path


def settings(name: str) -> dict[str, list[str]]:
    """Every key of a unit with its values, in order."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, given = line.partition("=")
            found.setdefault(key, []).append(given)
    return found


def verify(program: str, unit: Path) -> tuple[int, str]:
    answer = subprocess.run(
        [program, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    return answer.returncode, answer.stdout + answer.stderr


@pytest.mark.parametrize("name", [*DAEMONS, "ratchet@main.service", "ratchet-failed@.service"])
def test_systemd_has_nothing_to_say_about_the_unit(systemd_analyze: str, rendered: Path, name: str) -> None:
    assert verify(systemd_analyze, rendered / name) == (0, "")


def test_an_unknown_key_would_be_noticed(systemd_analyze: str, rendered: Path) -> None:
    unit = rendered / "ratchet.service"
    unit.write_text(unit.read_text().replace("[Service]", "[Service]\nWatchdogSeconds=60"))
    _, said = verify(systemd_analyze, unit)
    assert "WatchdogSeconds" in said


@pytest.mark.parametrize("name", ["ratchet.service", "ratchet@main.service"])
def test_the_exposure_stays_at_or_under_the_limit(systemd_analyze: str, rendered: Path, name: str) -> None:
    def graded(threshold: int) -> subprocess.CompletedProcess[str]:
        command = [systemd_analyze, "security", "--offline=true", "--no-pager", f"--threshold={threshold}"]
        return subprocess.run([*command, str(rendered / name)], capture_output=True, text=True, check=False, timeout=60)

    answer = graded(WORST_EXPOSURE_IN_TENTHS)
    assert answer.returncode == 0, answer.stdout[-500:]
    assert graded(1).returncode != 0, "the threshold is not looked at"
    level = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", answer.stdout)
    assert level is not None
    assert float(level[1]) <= WORST_EXPOSURE_IN_TENTHS / 10


def test_the_template_is_the_single_unit_with_the_accounts_name_put_in() -> None:
    single, template = settings("ratchet.service"), settings("ratchet@.service")
    changed = {key for key in {*single, *template} if single.get(key) != template.get(key)}
    assert changed == {"Description", "ExecStart", "LoadCredential", "StateDirectory"}
    assert template["ExecStart"] == [single["ExecStart"][0].replace("ratchet.toml", "%i.toml")]
    assert template["StateDirectory"] == ["ratchet/%i"]
    assert template["LoadCredential"] == ["api_token:ratchet.%i.api_token"]


@pytest.mark.parametrize("name", DAEMONS)
def test_the_unit_restarts_pages_and_stops_as_the_daemon_expects(name: str) -> None:
    unit = settings(name)
    expected = {
        "Type": "notify",
        "Restart": "on-failure",
        "RestartSec": "5",
        "RestartPreventExitStatus": "78",
        "StartLimitIntervalSec": "600",
        "StartLimitBurst": "5",
        "OnFailure": "ratchet-failed@%n.service",
        "KillMode": "mixed",
        "StateDirectoryMode": "0700",
        "UMask": "0077",
    }
    assert {key: unit[key] for key in expected} == {key: [given] for key, given in expected.items()}
    assert float(unit["TimeoutStopSec"][0]) > EXIT_WITHIN.total_seconds()
    assert int(unit["OOMScoreAdjust"][0]) < 0
    assert "ProcSubset" not in unit, "it would take the process metrics away"


@pytest.mark.parametrize("name", ALL)
def test_every_unit_is_plain_ini_with_a_description(name: str) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string((UNITS / name).read_text())
    assert parser.get("Unit", "Description")


def test_the_credential_has_the_name_the_daemon_asks_for() -> None:
    names = [given.split(":")[0] for given in settings("ratchet.service")["LoadCredential"]]
    assert names == ["api_token"]


def test_systemds_patience_is_three_beats_of_the_watchdog_or_more() -> None:
    seconds = settings("ratchet.service")["WatchdogSec"][0]
    timeout = watchdog_timeout({"WATCHDOG_USEC": f"{seconds}000000"}, pid=1)
    assert timeout is not None
    assert timeout >= 3 * timedelta(seconds=10)
