"""The fault catalogue: every number has its row, the rows' tests exist, and the quick rows are tried."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_runs.bench import Bench
from fault_runs.catalogue import catalogue
from fault_runs.daemons import ROOT, Nursery

ROWS = catalogue()
QUICK = [row.number for row in ROWS.values() if row.quick]


def test_every_fault_from_1_to_56_has_one_row_and_one_source_of_its_figure() -> None:
    assert list(ROWS) == list(range(1, 57))
    for row in ROWS.values():
        sources = [row.tried is not None, bool(row.told_by), bool(row.tests), bool(row.why_not)]
        assert sum(sources) == 1, row.number


def test_the_tests_that_rows_name_exist() -> None:
    for row in ROWS.values():
        for test in row.tests:
            path, _, name = test.partition("::")
            assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), row.number


@pytest.mark.slow
@pytest.mark.parametrize("number", QUICK, ids=[ROWS[number].name for number in QUICK])
def test_a_fault_is_survived(nursery: Nursery, tmp_path: Path, number: int) -> None:
    tried = ROWS[number].tried
    assert tried is not None
    assert tried(Bench(nursery, tmp_path))
