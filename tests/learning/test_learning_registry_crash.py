"""A bundle is there whole or not at all, whatever happens while it is written; and old ones go without a trace."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import registry_bundles as made

from domain.errors import InvalidInput
from learning.registry import folders
from learning.registry.bundle import FILES, MANIFEST, bundles, load_bundle, prune, write_bundle

MACHINE = {"posix", "fcntl"}
"""Modules whose functions ask something of the machine; so do the methods of open files."""
FILE_METHODS = {"open", "write", "close", "flush"}
INNOCENT = {"fspath", "getpid"}
"""They only look at what they were given."""

Step = Callable[[], None]


@contextmanager
def before_each_step(do: Step) -> Iterator[None]:
    """Call `do` before each call that reaches the machine, from here on."""

    def called(frame: object, event: str, function: Any) -> None:
        if event != "c_call":
            return
        owner = getattr(function, "__module__", None) or type(getattr(function, "__self__", None)).__module__
        name = function.__name__
        if (owner in MACHINE and name not in INNOCENT) or (owner == "_io" and name in FILE_METHODS):
            do()

    sys.setprofile(called)
    try:
        yield
    finally:
        sys.setprofile(None)


def nth(number: int, do: Step) -> Step:
    left = [number]

    def counted() -> None:
        left[0] -= 1
        if left[0] == 0:
            do()

    return counted


def demand_whole_or_none(models: Path, model_id: str, sha256: str) -> bool:
    """Whether the bundle is there; when it is, it is whole."""
    if model_id not in bundles(models):
        return False
    assert load_bundle(models, model_id, sha256=sha256, schema=made.SCHEMA).model_id == model_id
    return True


def demand_it_can_be_written_after_all(models: Path, sha256: str) -> None:
    written = write_bundle(models, made.content())
    assert written.sha256 == sha256
    prune(models, keep=(written.model_id,))
    assert os.listdir(models) == [written.model_id]
    assert load_bundle(models, written.model_id, sha256=sha256, schema=made.SCHEMA).threshold == 0.55


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do `work` in a process that is killed before its step of this number; whether it was."""
    child = os.fork()
    if child == 0:
        try:
            with before_each_step(nth(step, lambda: os.kill(os.getpid(), signal.SIGKILL))):
                work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_killed_before_any_step_it_leaves_a_whole_bundle_or_none(tmp_path: Path) -> None:
    expected = write_bundle(tmp_path / "expected", made.content())
    found = []
    for step in range(1, 1_000):
        models = tmp_path / f"models-{step}"
        if not killed_at(step, partial(write_bundle, models, made.content())):
            break
        found.append(demand_whole_or_none(models, expected.model_id, expected.sha256))
        if step % 4 == 0:
            demand_it_can_be_written_after_all(models, expected.sha256)
    assert len(found) > 40
    assert not found[0]
    assert found[-1]
    assert found == sorted(found), "once it is there it stays"


def test_an_error_at_any_step_leaves_a_whole_bundle_or_none_and_is_told_in_a_sentence(tmp_path: Path) -> None:
    expected = write_bundle(tmp_path / "expected", made.content())

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    found: list[bool] = []
    told: list[str] = []
    step = 0
    while True:
        step += 1
        models = tmp_path / f"models-{step}"
        broken = [False]

        def fail(mark: list[bool] = broken) -> None:
            mark[0] = True
            full()

        try:
            with before_each_step(nth(step, fail)):
                write_bundle(models, made.content())
        except InvalidInput as error:
            told.append(str(error))
        if not broken[0]:
            break
        found.append(demand_whole_or_none(models, expected.model_id, expected.sha256))
        if step % 4 == 0:
            demand_it_can_be_written_after_all(models, expected.sha256)
    assert len(found) > 40
    assert len(told) > len(found) / 2
    assert all("No space left on device" in each and "\n" not in each for each in told)
    assert not found[0]
    assert found[-1]


def test_everything_is_durable_before_it_has_its_name_and_the_name_before_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    done: list[str] = []
    sync, rename = os.fsync, os.rename

    def synced(descriptor: int) -> None:
        done.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    def renamed(source: Any, target: Any) -> None:
        done.append("named")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    write_bundle(models, made.content())
    at = done.index("named")
    assert done[0] == tmp_path.name
    assert sorted(done[1 : at - 1]) == sorted(FILES)
    assert done[at - 1].startswith(folders.DRAFT)
    assert done[at + 1 :] == ["models"]
    done.clear()
    write_bundle(models, made.content())
    assert done[-1] == "models", "an earlier writing may have been killed before this"


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_nobody_but_the_owner_may_read_or_enter(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        written = write_bundle(tmp_path / "models", made.content())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "models").stat().st_mode) == 0o700
    assert stat.S_IMODE(written.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE((written.path / name).stat().st_mode) for name in FILES} == {0o600}


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_bundle(tmp_path / "models", made.content())
    assert (tmp_path / "models").read_text() == "in the way"


def test_a_file_in_the_place_of_the_bundle_is_left_alone(tmp_path: Path) -> None:
    name = write_bundle(tmp_path / "elsewhere", made.content()).model_id
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / name).write_text("in the way")
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_bundle(tmp_path / "models", made.content())
    assert os.listdir(tmp_path / "models") == [name]
    assert (tmp_path / "models" / name).read_text() == "in the way"


# -- pruning --------------------------------------------------------------------------------------------------------


@pytest.fixture
def six(tmp_path: Path) -> tuple[Path, list[str]]:
    """A folder with six bundles, and their names, the newest first; they were not written in that order."""
    models = tmp_path / "models"
    names = {day: write_bundle(models, made.trained_on_day(day)).model_id for day in (30, 60, 10, 50, 20, 40)}
    return models, [names[day] for day in sorted(names, reverse=True)]


def test_bundles_are_listed_by_their_last_sample(six: tuple[Path, list[str]]) -> None:
    models, names = six
    assert list(bundles(models)) == names
    assert bundles(models / "nowhere") == ()


@pytest.mark.parametrize("kept", [(), (0,), (5,), (3, 5), (0, 1, 2), (0, 1, 2, 3, 4, 5)])
def test_the_newest_and_those_in_use_stay(six: tuple[Path, list[str]], kept: tuple[int, ...]) -> None:
    models, names = six
    keep = [names[each] for each in kept]
    removed = prune(models, keep)
    staying = [name for place, name in enumerate(names) if place < 3 or name in keep]
    assert list(bundles(models)) == staying
    assert sorted(os.listdir(models)) == sorted(staying)
    assert sorted(removed) == sorted(set(names) - set(staying))
    assert prune(models, keep) == ()


def test_as_many_of_the_newest_stay_as_asked_for_and_never_fewer_than_three(six: tuple[Path, list[str]]) -> None:
    models, names = six
    prune(models, (), least=5)
    assert list(bundles(models)) == names[:5]
    with pytest.raises(InvalidInput, match="fewer than the 3"):
        prune(models, (), least=2)
    assert prune(models / "nowhere", ()) == ()


def test_a_bundle_whose_manifest_is_unreadable_counts_as_the_oldest(six: tuple[Path, list[str]]) -> None:
    models, names = six
    for name, text in zip(names[:3], ("{", "[]", '{"trained_until":7}'), strict=True):
        (models / name / MANIFEST).write_text(text)
    assert sorted(prune(models, ())) == sorted(names[:3])


def test_what_an_interrupted_writing_or_removal_left_is_swept_and_nothing_else_is(six: tuple[Path, list[str]]) -> None:
    models, names = six
    for left in (".draft-abc", ".gone-logistic-0123456789ab"):
        (models / left).mkdir()
        (models / left / MANIFEST).write_text("{")
    (models / ".hidden").mkdir()
    (models / "notes.txt").write_text("mine")
    (models / ".draft-file").write_text("no folder")
    outside = models.parent / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (models / ".draft-link").symlink_to(outside)
    assert list(bundles(models)) == names
    prune(models, names)
    assert sorted(os.listdir(models)) == sorted([*names, ".hidden", "notes.txt", ".draft-file", ".draft-link"])
    assert (outside / "kept").read_text() == "kept"


def test_a_draft_in_work_is_not_swept(six: tuple[Path, list[str]]) -> None:
    models, names = six
    draft = models / ".draft-inwork"
    draft.mkdir()
    descriptor = os.open(draft, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    prune(models, names)
    assert draft.is_dir()
    os.close(descriptor)
    prune(models, names)
    assert not draft.exists()


def test_the_draft_of_a_writing_is_locked_against_sweeping(tmp_path: Path) -> None:
    models = tmp_path / "models"
    swept: list[tuple[str, ...]] = []

    def fill(draft: Path) -> None:
        (draft / "a").write_text("a")
        swept.append(folders.sweep(models))

    folders.place(models, "bundle", fill)
    assert swept == [()]
    assert os.listdir(models) == ["bundle"]


def test_killed_before_any_step_a_removal_leaves_no_half_bundle(tmp_path: Path) -> None:
    models = tmp_path / "models"
    written = [write_bundle(models, made.trained_on_day(day)) for day in (10, 20, 30, 40)]
    oldest = written[0]
    gone = []
    for step in range(1, 200):
        write_bundle(models, made.trained_on_day(10))
        if not killed_at(step, lambda: prune(models, ())):
            break
        gone.append(not demand_whole_or_none(models, oldest.model_id, oldest.sha256))
        assert set(bundles(models)) >= {each.model_id for each in written[1:]}
    assert len(gone) > 10
    assert True in gone
    assert False in gone
    prune(models, ())
    assert sorted(os.listdir(models)) == sorted(each.model_id for each in written[1:])
