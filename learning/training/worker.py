"""The child process: reads a job, trains, writes progress and the answer as lines of JSON on its standard output."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any

from domain.errors import RatchetError
from learning.training.job import TrainingJob


def main(arguments: list[str]) -> int:
    """`worker JOB MEMORY_MB NICENESS`: 0 when an answer was written."""
    job_file, memory_mb, niceness = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    os.nice(niceness)
    bound = memory_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    from learning.training.trainer import run  # noqa: PLC0415 - after the memory bound is in force

    try:
        answer = run(TrainingJob.from_json(job_file.read_text()), _told)
    except MemoryError:
        sys.stderr.write(f"it wanted more than its {memory_mb} MB of memory\n")
        return 1
    except RatchetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _write({"answer": answer})
    return 0


def _told(step: str, done: int, of: int) -> None:
    _write({"step": step, "done": done, "of": of})


def _write(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, allow_nan=False) + "\n")
    sys.stdout.flush()


def _end_with_the_parent() -> None:
    """Whoever started us holds our input open; when it ends, nobody waits for an answer any more."""
    sys.stdin.read()
    os._exit(2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
