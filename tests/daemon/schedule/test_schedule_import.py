"""A command that schedules nothing does not pay for the scheduler library."""

from __future__ import annotations

import subprocess
import sys


def test_declaring_jobs_does_not_import_the_scheduler_library() -> None:
    program = "import sys, daemon.schedule; print([name for name in sys.modules if name.startswith('apscheduler')])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
