"""Folders that are there whole or not at all: written beside their place, made durable, then named.

Files are readable by the owner alone. A draft is locked while it is written, so that cleaning up leaves it alone.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from domain.errors import InvalidInput

DRAFT = ".draft-"
GONE = ".gone-"
LARGEST_BYTES = 256 * 2**20
"""A file that is larger is none of ours, and is not read to find out."""


def place(parent: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """Make the folder `name` in `parent` with the files that `fill` writes into the folder it is given.

    It is durable when this returns. A folder that is there already stays when it holds the same files, byte for byte;
    otherwise `InvalidInput` is raised, as it is when something cannot be written.
    """
    target = parent / name
    try:
        if not parent.is_dir():
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(parent.parent)
        with _draft_in(parent) as draft:
            fill(draft)
            names = sorted(os.listdir(draft))
            for each in names:
                os.chmod(draft / each, 0o600)
                _sync(draft / each)
            _sync(draft)
            _name(draft, target, names)
        _sync(parent)
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def read(folder: Path, names: Collection[str]) -> dict[str, bytes]:
    """The bytes of just these files, which are all there may be in the folder.

    Raises `InvalidInput` for a missing or a foreign file, and for whatever is not a plain file in a plain folder.
    """
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            raise InvalidInput(f"{folder} is not a folder of its own")
        found = set(os.listdir(folder))
        for fault, some in (("lacks", set(names) - found), ("has the foreign", found - set(names))):
            if some:
                raise InvalidInput(f"{folder} {fault} {', '.join(sorted(some))}")
        return {name: _bytes_of(folder / name) for name in sorted(names)}
    except FileNotFoundError as error:
        raise InvalidInput(f"there is no {error.filename}") from error
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be read: {error.strerror or error}") from error


def sha256_of(files: Mapping[str, bytes]) -> str:
    """One hash over all files, in the order of their names: each name, its length and its bytes."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{len(name)}:{name}:{len(files[name])}:".encode())
        whole.update(files[name])
    return whole.hexdigest()


def remove(folder: Path) -> None:
    """Take the folder away; whoever looks meanwhile sees it whole or not at all."""
    gone = folder.with_name(GONE + folder.name)
    if gone.exists():
        shutil.rmtree(gone)
    os.rename(folder, gone)
    shutil.rmtree(gone)


def sweep(parent: Path) -> tuple[str, ...]:
    """Remove what an interrupted writing or removal has left, and give its names; a draft in work is left alone."""
    swept = []
    for entry in sorted(os.scandir(parent), key=lambda each: each.name):
        if not entry.name.startswith((DRAFT, GONE)) or not entry.is_dir(follow_symlinks=False):
            continue
        try:
            with _locked(Path(entry.path)) as ours:
                if ours:
                    shutil.rmtree(entry.path)
                    swept.append(entry.name)
        except FileNotFoundError:
            continue  # its writer finished, and gave it its name, while we looked
    return tuple(swept)


@contextmanager
def _draft_in(parent: Path) -> Iterator[Path]:
    """A locked folder of a new name; it is gone at the end, unless it was given another name."""
    draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=parent))
    try:
        with _locked(draft):
            yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # what cannot be removed now is swept later


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether nobody else holds the folder; nobody else does inside."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _name(draft: Path, target: Path, names: Collection[str]) -> None:
    try:
        os.rename(draft, target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        if read(target, names) != read(draft, names):
            raise InvalidInput(f"{target} is there with other bytes than those to be written") from error


def _bytes_of(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise InvalidInput(f"{path} is not a plain file")
        if about.st_size > LARGEST_BYTES:
            raise InvalidInput(f"{path} has {about.st_size} bytes, more than the {LARGEST_BYTES} that a model may have")
        return file.read()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
