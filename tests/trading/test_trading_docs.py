"""The picture of an order's life draws every transition of the state table, and each test it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from domain.orders import TRANSITIONS, OrderState

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "orders.md").read_text()
ROW = re.compile(r"^\| ([a-z]) \|([^|]*)\|([^|]*)\|[^|]*\| `(\w+)` \|$", re.MULTILINE)


def states(cell: str) -> list[OrderState]:
    return [OrderState(name.strip()) for name in cell.split(",") if name.strip()]


def test_the_lettered_transitions_are_those_of_the_state_table():
    drawn = {
        (before, after)
        for _, source, target, _ in ROW.findall(PAGE)
        for before in states(source)
        for after in states(target)
    }
    assert drawn == {(before, after) for before, afters in TRANSITIONS.items() for after in afters}


def test_letters_are_in_order_and_drawn():
    letters = [row[0] for row in ROW.findall(PAGE)]
    assert letters == [chr(ord("a") + number) for number in range(len(letters))]
    picture = PAGE.split("```")[1]
    assert all(re.search(rf"\b{letter}\b", picture) for letter in letters)


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    written = {
        name
        for file in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert named
    assert named <= written, named - written
