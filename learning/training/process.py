"""Training beside the daemon: in a process of its own, at low priority, with a deadline and a memory bound.

What happens there cannot hurt trading: a crash, an endless loop or a hunger for memory ends that process, and is told
in one sentence. The child ends by itself when the daemon does, for then its input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from domain.errors import TrainingFailed
from learning.training.job import Progress, TrainingJob

LONGEST_LINE: Final = 16_000_000
KEPT: Final = 16_384
SHOWN: Final = 400
"""Characters of a child's last words that are told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessTrainer:
    """Trains in a child process. `memory_mb` bounds its private memory, `deadline` its time."""

    folder: Path
    deadline: timedelta = timedelta(hours=1)
    memory_mb: int = 2_000
    niceness: int = 10

    async def train(self, job: TrainingJob, told: Progress) -> dict[str, Any]:
        """The answer of `learning.training.trainer.run`; raises `TrainingFailed` when there is none."""
        child = await self._started(job)
        answer: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(self.deadline.total_seconds()):
                answer, words = await asyncio.gather(_answer(child, told), _last_words(child))
                status = await child.wait()
        except TimeoutError:
            raise TrainingFailed(f"the training took longer than its {self.deadline} and was stopped") from None
        except (KeyError, TypeError, ValueError) as error:
            raise TrainingFailed(f"the training said what is no answer: {error!r}") from error
        finally:
            await _end(child)
        if answer is None:
            raise TrainingFailed(f"the training ended with status {status} and no answer: {words or 'it said nothing'}")
        return answer

    async def _started(self, job: TrainingJob) -> asyncio.subprocess.Process:
        order = self.folder / "job.json"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            order.write_text(job.to_json())
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "learning.training.worker",
                str(order),
                str(self.memory_mb),
                str(self.niceness),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(os.environ),
                limit=LONGEST_LINE,
            )
        except OSError as error:
            raise TrainingFailed(f"the training could not be started: {error.strerror or error}") from error


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """One numeric thread; nothing of the daemon's credentials or sockets."""
    kept = {name: environ[name] for name in ("PATH", "HOME", "LANG", "TZ", "PYTHONPATH", "TMPDIR") if name in environ}
    return {**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


async def _answer(child: asyncio.subprocess.Process, told: Progress) -> dict[str, Any] | None:
    """Pass on progress; the answer is the line that has one."""
    answer: dict[str, Any] | None = None
    if child.stdout is None:
        return None
    async for line in child.stdout:
        said = json.loads(line)
        if "answer" in said:
            answer = said["answer"]
        else:
            told(str(said["step"]), int(said["done"]), int(said["of"]))
    return answer


async def _last_words(child: asyncio.subprocess.Process) -> str:
    """The last line that it wrote; of all before it nothing is kept, however much that was."""
    if child.stderr is None:
        return ""
    kept = b""
    while chunk := await child.stderr.read(KEPT):
        kept = (kept + chunk)[-KEPT:]
    text = kept.decode(errors="replace").strip()
    return text.splitlines()[-1][-SHOWN:] if text else ""


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
        await child.wait()


class InlineTrainer:
    """Trains where it is called, for replays and simulations: no other process, no other thread."""

    async def train(self, job: TrainingJob, told: Progress) -> dict[str, Any]:
        """The same answer as in a process of its own: it goes through the same form on its way."""
        from learning.training.trainer import run  # noqa: PLC0415 - brings scikit-learn, which only a training needs

        answer = run(TrainingJob.from_json(job.to_json()), told)
        found: dict[str, Any] = json.loads(json.dumps(answer, allow_nan=False))
        return found
