"""Run as a program by the crash tests: plays the story whole, then once for each of several crash points, killed
there and started again until it is told. Children are forked, so that everything is imported once.

Arguments: a folder and a JSON document with `bars`, `kills` (in how many places) and `chain` (after how many crash
points a further run is killed again and again). Prints a JSON document.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from trading_story import journal_of, lively_config, play, simulated, verified

from journal import crashpoints


class Teller:
    """Plays the same story again and again, each time in a child of its own."""

    def __init__(self, bars: int) -> None:
        self._feed = simulated(bars=bars)
        self._config = lively_config()

    def points(self, folder: Path) -> list[tuple[int, str]]:
        """The story told whole, in this process: the crash points it reaches. Children begin with all it imported."""
        reached: list[str] = []
        crashpoints.hook(reached.append)
        play(self._feed, self._config, folder)
        crashpoints.hook(None)
        gc.freeze()
        return list(enumerate(reached, 1))

    def tell(self, folder: Path, deadly: int | None = None) -> int:
        """Play on to the end, or to the crash point `deadly`; gives back the signal that ended it, else 0."""
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = self._child(folder, deadly)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return os.WTERMSIG(status)
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"a child that was to crash at {deadly} failed in {folder}")
        return 0

    def _child(self, folder: Path, deadly: int | None) -> int:
        if deadly is not None:
            crashpoints.hook(crashpoints._resolved(str(deadly)))
        return 0 if play(self._feed, self._config, folder) else 1


def outcome(folder: Path) -> dict[str, Any]:
    """What came out: the digests, whether everything holds, and how many rows there are."""
    checked = verified(folder)
    with journal_of(folder) as journal:
        counts = journal.read.counts()
    return {"digest": dict(checked.digest), "ok": checked.ok, "counts": {name: counts[name] for name in _COUNTED}}


_COUNTED = ("decisions", "intents", "fills", "outcomes", "samples", "cash_events")


def chosen(points: list[tuple[int, str]], kills: int) -> list[tuple[int, str]]:
    """Crash points spread over the run, every kind of them among the first ones."""
    first = {name: number for number, name in reversed(points)}
    spread = [points[round(step * (len(points) - 1) / (kills - 1))] for step in range(kills)]
    return sorted({*((number, name) for name, number in first.items()), *spread})


def main() -> None:
    folder, wanted = Path(sys.argv[1]), json.loads(sys.argv[2])
    teller = Teller(wanted["bars"])
    points = teller.points(folder / "whole")
    report: dict[str, Any] = {"whole": outcome(folder / "whole"), "points": len(points), "killed": [], "chain": None}
    for number, name in chosen(points, wanted["kills"]):
        place = folder / "killed"
        ended = teller.tell(place, number)
        restarts = 0
        while ended == signal.SIGKILL:
            restarts += 1
            ended = teller.tell(place)
        report["killed"].append({"at": number, "point": name, "restarts": restarts, **outcome(place)})
        shutil.rmtree(place)
    if wanted["chain"]:
        place, restarts = folder / "chain", 0
        while teller.tell(place, wanted["chain"] + restarts) == signal.SIGKILL:
            restarts += 1
        report["chain"] = {"restarts": restarts, **outcome(place)}
    print(json.dumps(report))  # noqa: T201  # this program's answer


if __name__ == "__main__":
    main()
