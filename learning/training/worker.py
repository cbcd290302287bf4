"""The child process: reads a job, trains, writes progress and the answer as lines of JSON on its standard output.

Whatever else prints (a family of the user's own, a library) goes to the standard error: it cannot spoil the answer.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from pathlib import Path
from typing import IO, Any

from domain.errors import RatchetError
from learning.training.job import TrainingJob


def main(arguments: list[str]) -> int:
    """`worker JOB MEMORY_MB NICENESS`: 0 when an answer was written."""
    job_file, memory_mb, niceness = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    os.nice(niceness)
    bound = memory_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        with _own_output() as output:
            _answered(job_file, output)
    except MemoryError:
        sys.stderr.write(f"it wanted more than its {memory_mb} MB of memory\n")
        return 1
    except RatchetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _answered(job_file: Path, output: IO[str]) -> None:
    from learning.training.trainer import run  # noqa: PLC0415 - after the memory bound is in force

    def told(step: str, done: int, of: int) -> None:
        _write(output, {"step": step, "done": done, "of": of})

    _write(output, {"answer": run(TrainingJob.from_json(job_file.read_text()), told)})


def _write(output: IO[str], document: dict[str, Any]) -> None:
    output.write(json.dumps(document, allow_nan=False) + "\n")
    output.flush()


def _own_output() -> IO[str]:
    """The standard output for ourselves alone; for everybody else it is the standard error from now on."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return own


def _end_with_the_parent() -> None:
    """Whoever started us holds our input open; when it ends, nobody waits for an answer any more.

    Read without `sys.stdin`: a thread that waits in its buffer would abort the interpreter's own end.
    """
    while os.read(0, 1_024):
        pass
    os._exit(2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
