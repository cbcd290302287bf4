"""The real `ratchet` command, and a real journal for it to read."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from domain.holds import Effect, HoldCause, new_hold
from journal import Batch, Durability, Journal

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "tests" / "journal"))

from journal_story import HOUR, START, story  # noqa: E402 - lies beside the journal's own tests

RATCHET = Path(sys.executable).with_name("ratchet")
KEPT = ("PATH", "PYTHONPATH", "LANG", "RATCHET_TEST_DATA")


@dataclass(frozen=True)
class Ratchet:
    """Runs the installed command with a home and a state directory of its own."""

    home: Path

    @property
    def state(self) -> Path:
        return self.home / "state"

    def __call__(self, *arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        base = {name: os.environ[name] for name in KEPT if name in os.environ}
        base |= {"HOME": str(self.home), "STATE_DIRECTORY": str(self.state)}
        return subprocess.run(
            [RATCHET, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=base | environ,
            cwd=self.home,
            timeout=60,
            check=False,
        )


def write_journal(path: Path, *, open_trade: bool = True) -> Path:
    """Three trades, the last one still open, a latched drawdown hold, and a news hold that has run out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    batches = story()
    with Journal.open(path, durability=Durability.NORMAL) as journal:
        for batch in batches[:-2] if open_trade else batches:
            journal.commit(batch)
        journal.commit(held())
    return path


def held() -> Batch:
    """The two holds."""
    batch = Batch()
    latched: dict[str, Any] = {"since": START + HOUR, "detail": "10.2% below the peak", "latched": True}
    batch.add(new_hold(HoldCause.DRAWDOWN, Effect.NO_ENTRIES, **latched))
    until = START + HOUR + timedelta(minutes=30)
    batch.add(
        new_hold(HoldCause.NEWS, Effect.NO_ENTRIES, since=START + HOUR, detail="payrolls", scope="BTC-USD", until=until)
    )
    return batch
