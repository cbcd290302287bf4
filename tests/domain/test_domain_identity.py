"""Computed names: the same cause gives the same id, and no two causes share one."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.identity import ORDER_PREFIX, client_order_id, digest
from domain.orders import CauseKind, Leg

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@given(TEXTS, TEXTS, TEXTS, TEXTS, st.integers(1, 10**6))
def test_a_client_order_id_fits_every_venue(account: str, kind: str, cause: str, leg: str, attempt: int) -> None:
    name = client_order_id(account, kind, cause, leg, attempt)
    assert re.fullmatch(r"[a-z0-9]{1,36}", name)
    assert name.startswith(ORDER_PREFIX)
    assert name == client_order_id(account, kind, cause, leg, attempt)


def test_no_two_of_many_causes_share_an_id() -> None:
    causes = list(
        itertools.product(
            ("paper", "demo"),
            CauseKind,
            [digest("decision", number) for number in range(500)],
            Leg,
            range(1, 6),
        )
    )
    names = {client_order_id(account, kind, cause, leg, attempt) for account, kind, cause, leg, attempt in causes}
    assert len(names) == len(causes) == 60_000


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_different_parts_have_different_names(one: list[str], other: list[str]) -> None:
    assert (digest(*one) == digest(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a\x1fb",), ("a", "b")),
        (("a", ""), ("a",)),
        (("", "a"), ("a", "")),
        (("1:a",), ("a",)),
        (("a1:b",), ("a", "b")),
    ],
)
def test_where_one_part_ends_and_the_next_begins_is_never_confused(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert digest(*one) != digest(*other)


@pytest.mark.parametrize("length", [1, 19, 20, 64])
def test_a_name_is_as_long_as_asked(length: int) -> None:
    assert re.fullmatch(rf"[0-9a-f]{{{length}}}", digest("x", length=length))


@pytest.mark.parametrize("seed", ["0", "1"])
def test_names_do_not_depend_on_the_hash_seed(seed: str) -> None:
    code = "from domain.identity import digest; print(digest('decision', 'EURUSD', 1, None))"
    root = Path(__file__).resolve().parents[2]
    told = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, cwd=root, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == digest("decision", "EURUSD", 1, None)
