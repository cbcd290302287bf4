"""What belongs to the house: its packages, its modules, and every text file of the repository."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = frozenset({".git", ".venv", ".stamps", "__pycache__", "dist", "build"})
"""Folders that are made, not written; caches begin with a dot and end with `_cache` or are hypothesis'."""
TEXT_KINDS = frozenset(
    {"", ".py", ".toml", ".md", ".lock", ".txt", ".yml", ".yaml", ".json", ".service", ".csv", ".ini", ".cfg", ".mako"}
)


@cache
def project() -> dict[str, Any]:
    """`pyproject.toml` as it stands."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def packages() -> tuple[str, ...]:
    """The packages that are installed."""
    return tuple(project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        name = path.name
        if name in SKIPPED or name == ".hypothesis" or (name.startswith(".") and name.endswith("_cache")):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        elif path.is_file():
            yield path


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Path within the repository and content of every text file."""
    return tuple(
        (path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8", errors="replace"))
        for path in _walk(ROOT)
        if path.suffix in TEXT_KINDS
    )


@cache
def modules(*folders: str) -> tuple[tuple[str, str, ast.Module], ...]:
    """Path, source and syntax tree of every module in these folders of the repository."""
    return tuple(
        (path, text, ast.parse(text, path))
        for path, text in texts()
        if path.endswith(".py") and path.split("/", 1)[0] in folders
    )


def product() -> tuple[tuple[str, str, ast.Module], ...]:
    """Every module that is installed."""
    return modules(*packages())
