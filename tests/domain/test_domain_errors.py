"""The error tree: as it is drawn, so it is built; and every error says something by itself."""

from __future__ import annotations

import inspect
import re

import pytest

from domain import errors
from domain.errors import RatchetError

CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, RatchetError)]


def drawn_parents() -> dict[str, str | None]:
    """Class name to the name it hangs below, read from the picture in the module's docstring."""
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        found = re.match(r"(    [|` -]*)([A-Z][A-Za-z]+)(\s{2,}|$)", line)
        if found is None:
            continue
        depth, name = len(found.group(1)), found.group(2)
        above = [(column, parent) for column, parent in above if column < depth]
        parents[name] = above[-1][1] if above else None
        above.append((depth, name))
    return parents


def test_the_drawn_tree_names_every_error_and_nothing_else() -> None:
    assert set(drawn_parents()) == {each.__name__ for each in CLASSES}


def test_every_error_hangs_where_the_tree_draws_it() -> None:
    built = {each.__name__: each.__mro__[1].__name__ for each in CLASSES if each is not RatchetError}
    drawn = {name: parent for name, parent in drawn_parents().items() if parent is not None}
    assert built == drawn


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_without_a_text_says_its_docstring(kind: type[RatchetError]) -> None:
    assert kind.__doc__
    assert str(kind()) == " ".join(kind.__doc__.split())
    assert str(kind()).endswith(".")


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("text", ["EURUSD: no bars", ""])
def test_an_error_with_a_text_says_that_text(kind: type[RatchetError], text: str) -> None:
    assert str(kind(text)) == text
