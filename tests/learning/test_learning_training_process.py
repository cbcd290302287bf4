"""A training in a process of its own: whatever happens to that process is told, and it outlives nobody."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from training_table import job_on, planted

from domain.errors import TrainingFailed
from learning.training.job import TrainingJob
from learning.training.process import InlineTrainer, ProcessTrainer

PATIENCE_S = 60.0
"""How long a test waits for what takes a second on an idle machine."""


def silent(_step: str, _done: int, _of: int) -> None:
    pass


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    return job_on(tmp_path, planted())


def with_family(job: TrainingJob, folder: Path, body: str) -> TrainingJob:
    """The job with a family whose file does `body` as soon as it is read."""
    folder.mkdir()
    (folder / "mine.py").write_text(textwrap.dedent(body))
    return replace(job, families=folder)


def trainer(folder: Path, **changes: Any) -> ProcessTrainer:
    return ProcessTrainer(folder=folder / "training", niceness=0, **changes)


async def failure(trainer: ProcessTrainer, job: TrainingJob) -> str:
    with pytest.raises(TrainingFailed) as caught:
        await trainer.train(job, silent)
    said = str(caught.value)
    assert said
    assert "\n" not in said
    return said


async def until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(0.05)


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_in_a_process_of_its_own_the_answer_is_the_same_as_in_place(job, tmp_path):
    heard: list[str] = []
    apart = await trainer(tmp_path).train(job, lambda step, _done, _of: heard.append(step))
    assert apart == await InlineTrainer().train(job, silent)
    assert heard[0] == "reading the samples"
    assert heard[-1] == "judging on unseen signals"


async def test_what_somebody_else_prints_does_not_spoil_the_answer(job, tmp_path):
    noisy = with_family(
        job,
        tmp_path / "families",
        """
        import os
        print("a family speaks")
        os.write(1, b"and again\\n" * 100_000)
        raise ValueError("no family here")
        """,
    )
    said = await failure(trainer(tmp_path), noisy)
    assert "no family here" in said


async def test_samples_that_are_not_there_are_told(job, tmp_path):
    job.samples.unlink()
    assert "samples.parquet" in await failure(trainer(tmp_path), job)


async def test_a_crash_is_told_with_its_last_words(job, tmp_path):
    crashing = with_family(job, tmp_path / "families", "import os\nos.abort()\n")
    assert "status -6" in await failure(trainer(tmp_path), crashing)


async def test_one_that_hangs_is_stopped_at_its_deadline_and_is_gone(job, tmp_path):
    told_pid = tmp_path / "pid"
    hanging = with_family(
        job,
        tmp_path / "families",
        f"""
        import os, pathlib, time
        pathlib.Path({str(told_pid)!r}).write_text(str(os.getpid()))
        time.sleep(1_000)
        """,
    )
    said = await failure(trainer(tmp_path, deadline=timedelta(seconds=15)), hanging)
    assert said == "the training took longer than its 0:00:15 and was stopped"
    assert not running(int(told_pid.read_text()))


async def test_one_that_wants_more_memory_than_it_may_have_is_told_so(job, tmp_path):
    hungry = with_family(job, tmp_path / "families", "held = [bytearray(64_000_000) for _ in range(100)]\n")
    said = await failure(trainer(tmp_path, memory_mb=900), hungry)
    assert "it wanted more than its 900 MB of memory" in said


async def test_with_too_little_memory_to_begin_it_fails_in_a_sentence_too(job, tmp_path):
    assert "no answer" in await failure(trainer(tmp_path, memory_mb=20), job)


async def test_one_that_is_killed_is_told(job, tmp_path):
    killed = with_family(job, tmp_path / "families", "import os\nos.kill(os.getpid(), 9)\n")
    said = await failure(trainer(tmp_path), killed)
    assert said == "the training ended with status -9 and no answer: it said nothing"
    assert not job.models.exists()


async def test_a_folder_that_cannot_be_made_is_told(job, tmp_path):
    (tmp_path / "training").write_text("a file in the way")
    assert "could not be started" in await failure(trainer(tmp_path), job)


async def test_a_chatty_one_is_not_kept_whole(job, tmp_path):
    chatty = with_family(
        job,
        tmp_path / "families",
        """
        import os
        os.write(2, b"x" * 3_000_000 + b"\\nits last words")
        os._exit(3)
        """,
    )
    said = await failure(trainer(tmp_path), chatty)
    assert said == "the training ended with status 3 and no answer: its last words"


async def test_when_whoever_asked_gives_up_the_child_is_gone(job, tmp_path):
    told_pid = tmp_path / "pid"
    hanging = with_family(
        job,
        tmp_path / "families",
        f"import os, pathlib, time\npathlib.Path({str(told_pid)!r}).write_text(str(os.getpid()))\ntime.sleep(1_000)\n",
    )
    task = asyncio.ensure_future(trainer(tmp_path).train(hanging, silent))
    await until(lambda: told_pid.exists() and told_pid.read_text(), "the child says who it is")
    pid = int(told_pid.read_text())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not running(pid)


async def test_when_its_parent_is_killed_the_child_ends_by_itself(job, tmp_path):
    told_pid = tmp_path / "pid"
    hanging = with_family(
        job,
        tmp_path / "families",
        f"import os, pathlib, time\npathlib.Path({str(told_pid)!r}).write_text(str(os.getpid()))\ntime.sleep(1_000)\n",
    )
    (tmp_path / "order.json").write_text(hanging.to_json())
    script = f"""
import asyncio
from pathlib import Path
from learning.training.job import TrainingJob
from learning.training.process import ProcessTrainer
job = TrainingJob.from_json(Path({str(tmp_path / "order.json")!r}).read_text())
trainer = ProcessTrainer(folder=Path({str(tmp_path / "training")!r}))
asyncio.run(trainer.train(job, lambda *_: None))
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    try:
        await until(lambda: told_pid.exists() and told_pid.read_text(), "the child says who it is")
        pid = int(told_pid.read_text())
        assert running(pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        await parent.wait()
    await until(lambda: not running(pid), "the child ends")


async def test_nothing_of_the_daemon_s_secrets_reaches_the_child(job, tmp_path, monkeypatch):
    monkeypatch.setenv("EXCHANGE_API_SECRET", "a secret")
    seen = tmp_path / "environment"
    telling = with_family(
        job,
        tmp_path / "families",
        f"import os, pathlib\npathlib.Path({str(seen)!r}).write_text(repr(dict(os.environ)))\nraise SystemExit(4)\n",
    )
    await failure(trainer(tmp_path), telling)
    assert "a secret" not in seen.read_text()
    assert "OMP_NUM_THREADS" in seen.read_text()
    assert os.environ["EXCHANGE_API_SECRET"] == "a secret"
