"""Samples collected from backtests: kept once, read together, each decision counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_cases import HOUR, START, assert_same, samples

from domain.clock import EPOCH
from domain.errors import InvalidInput
from learning.accumulated import add, content_digest, load, merged, since
from learning.parquet import read_samples
from learning.table import SampleTable, table_of


def test_what_is_added_is_loaded(tmp_path: Path) -> None:
    table = samples(50)
    path = add(tmp_path / "made" / "here", table)
    assert path.name == f"backtest-{content_digest(table)}.parquet"
    found = load(tmp_path / "made" / "here", schema="schema-1")
    assert_same(found.table, table)
    assert found.files == (path,)
    assert (found.left_out, found.repeated, found.disagreeing) == ((), 0, 0)


def test_the_same_samples_are_one_file_that_is_not_written_again(tmp_path: Path) -> None:
    table = samples(50, names=("f_b", "f_a"))
    first = add(tmp_path, table)
    before = first.stat()
    turned = replace(table, names=("f_a", "f_b"), features=table.features[:, ::-1])
    assert add(tmp_path, table) == add(tmp_path, turned) == add(tmp_path, read_samples(first).table) == first
    assert (first.stat().st_mtime_ns, first.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert list(tmp_path.iterdir()) == [first]


def test_the_digest_sees_every_column(tmp_path: Path) -> None:
    table = samples(50)
    changed = [
        replace(table, decision_id=np.char.add(table.decision_id, "x")),
        replace(table, decided_at=table.decided_at - 1),
        replace(table, resolved_at=table.resolved_at + 1),
        replace(table, instrument=table.instrument[::-1]),
        replace(table, side=-table.side),
        replace(table, strategy=table.strategy[::-1]),
        replace(table, r_net=np.nextafter(table.r_net, np.inf)),
        replace(table, label=1 - table.label),
        replace(table, weight=table.weight * 2),
        replace(table, source=np.full(50, "shadow")),
        replace(table, features=np.nan_to_num(table.features, nan=0.0)),
        replace(table, features=table.features[:, ::-1]),
        replace(table, names=("f_a", "f_c")),
        replace(table, schema="schema-2"),
        table.take(slice(0, 49)),
    ]
    assert len({content_digest(each) for each in (table, *changed)}) == len(changed) + 1


def test_the_digest_does_not_see_how_the_columns_are_held() -> None:
    table = samples(50)
    wide = replace(
        table,
        decision_id=table.decision_id.astype("<U99"),
        features=np.asfortranarray(np.where(np.isnan(table.features), -np.nan, table.features)),
    )
    assert content_digest(wide) == content_digest(table)


def test_the_name_of_a_file_is_safe_whatever_the_source(tmp_path: Path) -> None:
    assert add(tmp_path, samples(source=np.full(40, "../a b"))).parent == tmp_path
    mixed = samples(seed=2, source=np.array(["real", "shadow"] * 20))
    assert add(tmp_path, mixed).name.startswith("mixed-")


def test_several_files_become_one_table_in_order_of_time(tmp_path: Path) -> None:
    parts = [samples(30, seed=seed) for seed in (1, 2, 3)]
    for part in parts:
        add(tmp_path, part)
    found = load(tmp_path, schema="schema-1")
    assert len(found.files) == 3
    assert_same(found.table, merged(parts))
    assert len(found.table) == 90


def test_files_of_another_schema_or_that_cannot_be_read_are_left_out_with_the_reason(tmp_path: Path) -> None:
    kept = add(tmp_path, samples(30))
    old = add(tmp_path, samples(30, seed=2, schema="schema-0"))
    (tmp_path / "backtest-damaged.parquet").write_bytes(b"PAR1 and then nothing")
    (tmp_path / "notes.txt").write_text("not a sample file")
    (tmp_path / f".{kept.name}.77.draft").write_bytes(b"half a fi")
    found = load(tmp_path, schema="schema-1")
    assert found.files == (kept,)
    reasons = dict(found.left_out)
    assert set(reasons) == {old.name, "backtest-damaged.parquet"}
    assert reasons[old.name] == "its feature schema is schema-0, not schema-1"
    assert "cannot be read" in reasons["backtest-damaged.parquet"]


def test_a_file_of_the_schema_with_other_features_is_left_out(tmp_path: Path) -> None:
    first, second = sorted(
        (add(tmp_path, samples(30)), add(tmp_path, samples(30, seed=2, names=("f_a", "f_c")))),
        key=lambda path: path.name,
    )
    found = load(tmp_path, schema="schema-1")
    assert found.files == (first,)
    assert found.left_out == ((second.name, "the features of samples of one schema, schema-1, differ in f_b, f_c"),)


def test_a_folder_with_nothing_in_it_holds_no_samples(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        found = load(folder, schema="schema-1")
        assert len(found.table) == 0
        assert found.table.schema == "schema-1"
        assert found.files == found.left_out == ()


def test_decisions_that_several_files_tell_of_are_counted_once_and_contradictions_are_counted(tmp_path: Path) -> None:
    table = samples(30)
    costlier = replace(table, r_net=np.where(np.arange(30) < 4, table.r_net - 0.1, table.r_net))
    paths = {add(tmp_path, table).name: table, add(tmp_path, costlier).name: costlier}
    found = load(tmp_path, schema="schema-1")
    assert (found.repeated, found.disagreeing) == (30, 4)
    assert_same(found.table, paths[min(paths)])


# --- merging


def one_by_one(tables: Sequence[SampleTable]) -> list[tuple[int, str, float]]:
    """What merging means: the first row of each decision, by time and id."""
    rows: dict[str, tuple[int, str, float]] = {}
    for table in tables:
        for row in range(len(table)):
            name = str(table.decision_id[row])
            rows.setdefault(name, (int(table.decided_at[row]), name, float(table.r_net[row])))
    return sorted(rows.values())


@settings(deadline=None, max_examples=100)
@given(
    parts=st.lists(
        st.lists(st.tuples(st.integers(0, 6), st.sampled_from("abcdefgh")), max_size=8), min_size=1, max_size=4
    )
)
def test_merging_keeps_the_first_of_each_decision_and_the_order_of_time(parts: list[list[tuple[int, str]]]) -> None:
    tables = []
    for seed, part in enumerate(parts):
        part.sort()
        ids = np.array([name for _, name in part], dtype=np.str_)
        at = np.array([START + hour * HOUR for hour, _ in part], dtype=np.int64)
        tables.append(samples(len(part), seed=seed, decision_id=ids, decided_at=at))
    found = merged(tables)
    rows = zip(found.decided_at.tolist(), found.decision_id.tolist(), found.r_net.tolist(), strict=True)
    assert list(rows) == one_by_one(tables)


def test_merged_rows_stay_whole() -> None:
    """Each row carries its R in every column, so a row put together from two is seen."""
    first, second = samples(40, seed=1), samples(40, seed=2)
    tables = [
        replace(each, features=np.column_stack((each.r_net, -each.r_net)), weight=np.exp(each.r_net))
        for each in (first, second)
    ]
    found = merged(tables)
    np.testing.assert_array_equal(found.features, np.column_stack((found.r_net, -found.r_net)))
    np.testing.assert_array_equal(found.weight, np.exp(found.r_net))
    np.testing.assert_array_equal(found.label, found.r_net > 0)


def test_tables_of_another_schema_or_other_features_do_not_merge() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        merged([])
    with pytest.raises(InvalidInput, match="schema-2 do not go with those of schema-1"):
        merged([samples(), samples(seed=2, schema="schema-2")])
    with pytest.raises(InvalidInput, match="differ in f_b, f_c"):
        merged([samples(), samples(seed=2, names=("f_a", "f_c"))])
    with pytest.raises(InvalidInput, match="are in another order"):
        merged([samples(), samples(seed=2, names=("f_b", "f_a"))])


def test_a_table_without_samples_stands_in_nobodys_way() -> None:
    table = samples()
    nothing = table_of((), "schema-1")
    assert_same(merged([nothing, table, nothing]), table)
    assert len(merged([nothing, nothing])) == 0


# --- retention


def test_samples_decided_before_a_time_are_dropped_and_at_it_are_kept() -> None:
    table = samples(10)
    at = EPOCH + timedelta(microseconds=START + 4 * HOUR)
    assert since(table, at).decided_at.tolist() == table.decided_at[4:].tolist()
    assert len(since(table, at + timedelta(microseconds=1))) == 5
    assert_same(since(table, datetime(2000, 1, 1, tzinfo=UTC)), table)
    assert len(since(table, datetime(2100, 1, 1, tzinfo=UTC))) == 0


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at"):
        since(samples(), datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None))
