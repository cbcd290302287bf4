"""`python -m bench [NAME ...] [--json] [--data DIR] [--repeat N]`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.figures import SECONDS, line
from bench.request import REAL_CANDLES, ROOT, Request

COMPONENTS = ("signals", "market", "sentiment", "learning", "online", "scoring", "risk", "paper", "journal")
BENCHMARKS = ("replay", "start", "decision", *COMPONENTS, "portfolio", "recovery", "wire")
PROFILE = "profile"
SHOWN = {PROFILE: "bench.profile", "weights": "bench.portfolio_walk"}
CHOICES = (*BENCHMARKS, "components", *SHOWN)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is named, without names everything but the profile, with the calibration loop before and after."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    known = (*CHOICES, "calibration") if asked.alone else CHOICES
    unknown = [name for name in asked.names if name not in known]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(CHOICES)}")
    if asked.repeat < 1:
        parser.error(f"--repeat {asked.repeat} measures nothing; allowed is 1 or more")
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    with tempfile.TemporaryDirectory(prefix="ratchet-bench-") as folder:
        _work(asked, Path(folder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures Ratchet; see bench/README.md.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(CHOICES)}; default all but {' and '.join(SHOWN)}"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--data", type=Path, help="a folder of 1h candles; default: recorded ones, else made ones")
    parser.add_argument("--repeat", type=int, default=7, help="measurements of each figure (default 7)")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser


def _work(asked: argparse.Namespace, work: Path) -> None:
    if asked.alone:
        request = Request(candles=asked.data, work=work, repeat=asked.repeat)
        for figure in import_module(f"bench.{asked.names[0]}").run(request):
            print(json.dumps(figure.document()), flush=True)
        return
    candles = (asked.data or _candles(work)).absolute()
    names = [name for name in asked.names if name not in SHOWN]
    if names or not asked.names:
        _measure_all(_chosen(names), candles, asked.repeat, as_json=asked.json)
    for name, module in SHOWN.items():
        if name in asked.names:
            request = Request(candles=candles, work=work, repeat=1)
            import_module(module).show(request, as_json=asked.json)


def _candles(work: Path) -> Path:
    """The recorded candles, or made ones where there are none; made in a process of its own."""
    if REAL_CANDLES.is_dir():
        return REAL_CANDLES
    made = work / "candles"
    subprocess.run([sys.executable, "-m", "bench.candles", str(made)], cwd=ROOT, check=True)
    return made


def _chosen(names: Sequence[str]) -> list[str]:
    wanted = names or BENCHMARKS
    spread = [each for name in wanted for each in (COMPONENTS if name == "components" else (name,))]
    return list(dict.fromkeys(spread))


def _measure_all(names: Sequence[str], candles: Path, repeat: int, *, as_json: bool) -> None:
    """One benchmark after the other, each in a process of its own: none pays for what another one left behind."""
    if not as_json:
        print(f"candles: {candles.name}, {repeat} measurements each, load {os.getloadavg()[0]:.2f}")
    calibration_s = _calibrated("before", candles, repeat, as_json=as_json)
    for name in names:
        for document in _measured(name, candles, repeat):
            _tell(document, calibration_s, as_json=as_json)
    _calibrated("after", candles, repeat, as_json=as_json)


def _calibrated(when: str, candles: Path, repeat: int, *, as_json: bool) -> float:
    (document,) = _measured("calibration", candles, repeat)
    document["name"] = f"calibration.{when}"
    calibration_s = float(document["median"]) * SECONDS[document["unit"]]
    _tell(document, calibration_s, as_json=as_json)
    return calibration_s


def _measured(name: str, candles: Path, repeat: int) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "bench", name, "--alone", "--data", str(candles), "--repeat", str(repeat)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        for told in child.stdout or ():
            yield json.loads(told)
    if child.returncode:
        sys.exit(f"bench: {name} ended with {child.returncode}")


def _tell(document: dict[str, Any], calibration_s: float, *, as_json: bool) -> None:
    """Times and rates are also told with the calibration loop as the unit of time: that travels between machines."""
    unit, median = document["unit"], document["median"]
    if unit in SECONDS:
        document["calibrations"] = float(f"{median * SECONDS[unit] / calibration_s:.4g}")
    elif unit.endswith("/s"):
        document["per_calibration"] = float(f"{median * calibration_s:.4g}")
    print(json.dumps(document) if as_json else line(document), flush=True)


if __name__ == "__main__":
    main()
