"""The project's pages, and the commands that they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_HIDDEN = re.compile(r"\..+")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")


def pages() -> list[Path]:
    """Every Markdown page of the project, its folders without a leading dot."""
    found = [*ROOT.glob("*.md"), *(page for folder in _folders() for page in folder.rglob("*.md"))]
    return sorted(found)


def _folders() -> list[Path]:
    return [path for path in ROOT.iterdir() if path.is_dir() and not _HIDDEN.fullmatch(path.name)]


def named(page: Path) -> str:
    """A page's path from the project's root, for messages and test ids."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True, slots=True)
class Shown:
    """One command line of a page: where it stands, and its words after `ratchet`."""

    place: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.place}: ratchet {' '.join(self.words)}"


def commands(page: Path, verbs: frozenset[str]) -> Iterator[Shown]:
    """The `ratchet` command lines in a page's code, fenced or inline. After a bar, a verb alone is one too."""
    for number, code in code_of(page):
        for chunk in re.split(r"\s{2,}(?![\s-])|\s#\s", code):
            ours = False
            for part in re.split(r"\||&&|;|>", chunk):
                words = _words(part)
                if words and words[0].rsplit("/", 1)[-1] == "ratchet":
                    ours = True
                    words = words[1:]
                elif not (ours and words and words[0] in verbs):
                    continue
                if words:
                    yield Shown(f"{named(page)} line {number}", tuple(words))


def _words(part: str) -> list[str]:
    """The words of a command, without the user it is run as and the variables it is given."""
    try:
        words = shlex.split(part.replace("\\", " "))
    except ValueError:
        return []
    if words[:2] == ["sudo", "-u"]:
        words = words[3:]
    elif words[:1] == ["sudo"]:
        words = words[1:]
    while words and _ASSIGNMENT.fullmatch(words[0]):
        words = words[1:]
    return words


def code_of(page: Path) -> Iterator[tuple[int, str]]:
    """Lines of fenced blocks (continued lines joined) and inline code, with their line numbers."""
    fenced = page.suffix != ".md"
    waiting = ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield from ((number, code) for code in re.findall(r"`([^`]+)`", line))
        elif line.endswith("\\"):
            waiting += line.removesuffix("\\") + " "
        else:
            yield number, waiting + line
            waiting = ""
