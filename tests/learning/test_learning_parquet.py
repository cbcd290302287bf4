"""Sample files: what is written is read back, what users bring is understood or refused in one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_cases import assert_same, samples

from domain.errors import InvalidInput
from learning.parquet import feature_schema_of, read_samples, write_samples

WRITTEN = ["decision_id", "decided_at", "resolved_at", "instrument", "side", "strategy", "r_net", "label", "weight"]
UTC_TIMES = pa.timestamp("us", tz="UTC")


def minimal(rows: int = 4, **columns: Any) -> dict[str, Any]:
    """The least that a user's file may hold, as Arrow columns by name; None takes one away."""
    first = datetime(2024, 3, 1, 12, tzinfo=UTC)
    made: dict[str, Any] = {
        "decided_at": pa.array([first.replace(day=1 + row) for row in range(rows)], type=UTC_TIMES),
        "resolved_at": pa.array([first.replace(day=1 + row, hour=20) for row in range(rows)], type=UTC_TIMES),
        "instrument": [f"I{row}" for row in range(rows)],
        "side": ["buy", "sell"] * (rows // 2),
        "r_net": [1.5, -1.0] * (rows // 2),
        "label": [1, 0] * (rows // 2),
        "f_a": [0.5 + row for row in range(rows)],
    }
    made.update(columns)
    return {name: column for name, column in made.items() if column is not None}


def brought(path: Path, columns: Mapping[str, Any]) -> Path:
    pyarrow.parquet.write_table(pa.table(dict(columns)), path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_samples(path)
    said = str(caught.value)
    assert path.name in said
    assert "\n" not in said
    return said


# --- what we write


def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    table = samples(500)
    write_samples(table, tmp_path / "s.parquet")
    found = read_samples(tmp_path / "s.parquet")
    assert_same(found.table, table)
    assert found.notes == ()
    assert feature_schema_of(tmp_path / "s.parquet") == "schema-1"


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 30), width=st.integers(1, 19))
def test_any_table_is_read_back(tmp_path_factory: pytest.TempPathFactory, seed: int, rows: int, width: int) -> None:
    path = tmp_path_factory.mktemp("any") / "s.parquet"
    table = samples(rows, seed=seed, names=tuple(f"f_{place:02d}" for place in range(width)))
    write_samples(table, path)
    assert_same(read_samples(path).table, table)


def test_the_file_has_exactly_the_promised_columns(tmp_path: Path) -> None:
    write_samples(samples(names=("f_b", "f_a")), tmp_path / "s.parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "s.parquet")
    assert schema.names == [*WRITTEN, "source", "f_a", "f_b"]
    assert schema.field("decided_at").type == schema.field("resolved_at").type == UTC_TIMES
    assert schema.field("f_a").type == pa.float64()
    assert schema.metadata[b"ratchet.feature_schema"] == b"schema-1"
    read = pyarrow.parquet.read_table(tmp_path / "s.parquet")
    assert set(read.column("side").to_pylist()) == {"buy", "sell"}
    assert read.column("f_a").null_count == int(np.isnan(samples(names=("f_b", "f_a")).features[:, 1]).sum()) > 0


def test_features_keep_their_values_when_their_names_are_put_in_order(tmp_path: Path) -> None:
    table = samples(names=("f_b", "f_a"))
    write_samples(table, tmp_path / "s.parquet")
    found = read_samples(tmp_path / "s.parquet").table
    assert found.names == ("f_a", "f_b")
    np.testing.assert_array_equal(found.features, table.project(("f_a", "f_b")))


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.parquet"
    write_samples(samples(seed=1), path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_samples(samples(seed=2), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["s.parquet"]


def test_content_is_durable_before_the_name_and_the_name_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, rename = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "content")
        sync(descriptor)

    def renamed(old: Path, new: Path) -> None:
        assert old.parent == new.parent
        steps.append("name")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    write_samples(samples(), tmp_path / "s.parquet")
    assert steps == ["content", "name", "folder"]


TWICE = np.array(["same"] * 40)
INFINITE = np.full((40, 2), np.inf)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decision_id": TWICE}, r"column decision_id has same in row 2 and 38 more like it"),
        ({"features": INFINITE}, r"column f_a has inf in row 1"),
        ({"side": np.zeros(40, dtype=np.int64)}, r"column side has 0"),
        ({"weight": np.full(40, np.inf)}, r"column weight has inf"),
        ({"instrument": np.array([""] * 40)}, r"column instrument has nothing in row 1"),
        ({"resolved_at": np.full(40, 2**62)}, r"column resolved_at has .* allowed is a timestamp of the years"),
        ({"schema": ""}, r"name no feature schema"),
        ({"names": ("a", "f_b")}, r"such as a; allowed is"),
        ({"names": ("f_b", "f_b")}, r"each feature once"),
    ],
)
def test_nothing_is_written_that_could_not_be_read(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        write_samples(replace(samples(), **change), tmp_path / "s.parquet")
    assert list(tmp_path.iterdir()) == []


def test_no_sample_and_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="0 samples"):
        write_samples(samples(0), tmp_path / "s.parquet")
    with pytest.raises(InvalidInput, match="is not a folder"):
        write_samples(samples(), tmp_path / "nowhere" / "s.parquet")


# --- what users bring


def test_the_least_a_file_may_hold_is_filled_in_and_noted(tmp_path: Path) -> None:
    found = read_samples(brought(tmp_path / "mine.parquet", minimal()))
    table = found.table
    assert table.weight.tolist() == [1.0] * 4
    assert table.source.tolist() == ["file"] * 4
    assert table.strategy.tolist() == [""] * 4
    assert table.side.tolist() == [1, -1, 1, -1]
    assert table.schema.startswith("file:")
    assert len(set(table.decision_id.tolist())) == 4
    assert found.notes == ("columns that are not there were filled in: strategy, weight, source, decision_id",)


def test_the_schema_of_a_file_that_names_none_depends_on_its_features_alone(tmp_path: Path) -> None:
    one = feature_schema_of(brought(tmp_path / "1.parquet", minimal(f_b=[1.0] * 4)))
    turned = feature_schema_of(brought(tmp_path / "2.parquet", dict(reversed(minimal(rows=2, f_b=[2.0] * 2).items()))))
    other = feature_schema_of(brought(tmp_path / "3.parquet", minimal(f_c=[1.0] * 4)))
    assert one == turned != other


def test_columns_and_rows_in_any_order_are_the_same_samples_with_the_same_ids(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    whole = samples(300)
    crowded = replace(whole, decided_at=whole.decided_at // 10**11 * 10**11)  # many at one moment
    write_samples(crowded.take(np.lexsort((crowded.decision_id, crowded.decided_at))), tmp_path / "s.parquet")
    plain = pyarrow.parquet.read_table(tmp_path / "s.parquet").drop(["decision_id"])
    shuffled = plain.take(pa.array(draw.permutation(300))).select(list(reversed(plain.column_names)))
    one = read_samples(brought(tmp_path / "1.parquet", dict(zip(plain.column_names, plain.columns, strict=True))))
    two = read_samples(brought(tmp_path / "2.parquet", dict(zip(shuffled.column_names, shuffled.columns, strict=True))))
    assert_same(one.table, two.table)
    assert len(set(one.table.decision_id.tolist())) == 300
    assert len(set((one.table.decided_at + one.table.side).tolist())) < 300


def test_samples_that_share_instrument_side_strategy_and_time_still_have_ids_of_their_own(tmp_path: Path) -> None:
    same = minimal()
    columns = {
        name: [column[0].as_py() if isinstance(column, pa.Array) else column[0]] * 4 for name, column in same.items()
    }
    columns["r_net"] = [4.0, 3.0, 2.0, 1.0]
    columns["label"] = [1] * 4
    one = read_samples(brought(tmp_path / "1.parquet", columns)).table
    two = read_samples(brought(tmp_path / "2.parquet", columns | {"r_net": [3.0, 1.0, 4.0, 2.0]})).table
    assert len(set(one.decision_id.tolist())) == 4
    assert_same(one, two)


def test_another_instrument_side_strategy_or_time_makes_another_id(tmp_path: Path) -> None:
    base = minimal(rows=2, instrument=["A", "A"], side=["buy", "buy"], strategy=["s", "s"])
    base["decided_at"] = base["resolved_at"] = pa.array([datetime(2024, 3, 1, tzinfo=UTC)] * 2, type=UTC_TIMES)

    def ids(**columns: Any) -> list[str]:
        found: list[str] = read_samples(brought(tmp_path / "x.parquet", base | columns)).table.decision_id.tolist()
        return found

    heads = {name.rsplit("-", 1)[0] for name in ids(instrument=["A", "B"])}
    assert len(heads) == 2
    assert len({name.split("-")[0] for name in ids(side=["buy", "sell"])}) == 2
    assert len({name.split("-")[0] for name in ids(strategy=["s", "t"])}) == 2
    assert [name.count("-") for name in ids()] == [1, 2]


@pytest.mark.parametrize(
    "side",
    [
        ["long", "short", "long", "short"],
        ["BUY", "Sell", " buy ", "SHORT"],
        [1, -1, 1, -1],
        [1.0, -1.0, 1.0, -1.0],
        ["1", "-1", "1", "-1"],
        pa.array(["buy", "sell", "buy", "sell"]).dictionary_encode(),
        pa.array(["buy", "sell", "buy", "sell"], type=pa.large_string()),
    ],
)
def test_a_side_may_be_said_in_many_ways(tmp_path: Path, side: Any) -> None:
    assert read_samples(brought(tmp_path / "x.parquet", minimal(side=side))).table.side.tolist() == [1, -1, 1, -1]


@pytest.mark.parametrize("label", [[1, 0, 1, 0], [1.0, 0.0, 1.0, 0.0], [True, False, True, False]])
def test_a_label_may_be_a_number_or_a_truth(tmp_path: Path, label: list[Any]) -> None:
    assert read_samples(brought(tmp_path / "x.parquet", minimal(label=label))).table.label.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", None])
def test_times_of_any_unit_and_zone_are_one_moment_and_no_zone_is_utc(
    tmp_path: Path, unit: str, zone: str | None
) -> None:
    wanted = read_samples(brought(tmp_path / "u.parquet", minimal())).table
    columns = minimal()
    for name in ("decided_at", "resolved_at"):
        columns[name] = columns[name].cast(pa.timestamp(unit) if zone is None else pa.timestamp(unit, tz=zone))
    found = read_samples(brought(tmp_path / "x.parquet", columns))
    assert found.table.decided_at.tolist() == wanted.decided_at.tolist()
    assert found.table.resolved_at.tolist() == wanted.resolved_at.tolist()
    assert any("no time zone" in note for note in found.notes) is (zone is None)


def test_nanoseconds_are_cut_and_not_refused(tmp_path: Path) -> None:
    columns = minimal(rows=2)
    columns["resolved_at"] = pa.array([1_800_000_000_000_000_999] * 2, type=pa.timestamp("ns", tz="UTC"))
    found = read_samples(brought(tmp_path / "x.parquet", columns)).table
    assert found.resolved_at.tolist() == [1_800_000_000_000_000] * 2


def test_features_may_be_any_numbers_and_null_and_nan_are_both_missing(tmp_path: Path) -> None:
    columns = minimal(
        f_whole=pa.array([1, None, 3, 2**62 + 1], type=pa.int64()),
        f_truth=[True, False, None, True],
        f_small=pa.array([0.5, float("nan"), None, 2.0], type=pa.float32()),
        f_exact=[Decimal("1.25"), None, Decimal("3.5"), Decimal(0)],
        f_never=pa.nulls(4),
        f_a=[0.0, float("nan"), None, 1.0],
    )
    table = read_samples(brought(tmp_path / "x.parquet", columns)).table
    gone = float("nan")
    wanted = {
        "f_a": [0.0, gone, gone, 1.0],
        "f_exact": [1.25, gone, 3.5, 0.0],
        "f_never": [gone] * 4,
        "f_small": [0.5, gone, gone, 2.0],
        "f_truth": [1.0, 0.0, gone, 1.0],
        "f_whole": [1.0, gone, 3.0, float(2**62 + 1)],
    }
    assert table.names == tuple(wanted)
    np.testing.assert_array_equal(table.features, np.array(list(wanted.values())).T)


def test_a_label_that_disagrees_with_r_is_learned_as_it_stands_and_counted(tmp_path: Path) -> None:
    found = read_samples(brought(tmp_path / "x.parquet", minimal(r_net=[-0.5, -1.0, 0.0, 2.0])))
    assert found.table.label.tolist() == [1, 0, 1, 0]
    assert found.table.r_net.tolist() == [-0.5, -1.0, 0.0, 2.0]
    assert any(note.startswith("the label of 3 of 4 rows") for note in found.notes)


def test_columns_that_mean_nothing_are_named_and_not_read(tmp_path: Path) -> None:
    found = read_samples(brought(tmp_path / "x.parquet", minimal(wieght=[1.0] * 4, comment=[["a"]] * 4)))
    assert "columns that mean nothing here were not read: wieght, comment" in found.notes
    assert found.table.names == ("f_a",)


def test_a_missing_text_of_an_optional_column_is_its_default(tmp_path: Path) -> None:
    table = read_samples(
        brought(tmp_path / "x.parquet", minimal(strategy=["a", None, "b", None], source=pa.nulls(4)))
    ).table
    assert table.strategy.tolist() == ["a", "", "b", ""]
    assert table.source.tolist() == ["file"] * 4


# --- the bug of rows taken by place where labels were meant, or the other way round


@pytest.mark.parametrize(
    "indexed",
    [
        lambda frame: frame.set_index(pd.Index([7, 3, 3, 9, 1, 0])),
        lambda frame: frame.set_index(pd.Index(list("zyxabc"))),
        lambda frame: frame.set_index(pd.Index([5, 4, 3, 2, 1, 0], name="f_rank")).rename_axis(None),
        lambda frame: frame.set_index("decided_at"),
        lambda frame: frame.set_index(["instrument", "decided_at"]),
        lambda frame: frame.iloc[::2],
        lambda frame: frame.sort_values("r_net"),
    ],
    ids=["repeated", "letters", "falling", "time", "two levels", "every other", "sorted by r"],
)
def test_the_index_of_a_pandas_file_moves_nothing(
    tmp_path: Path, indexed: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    """Every value of a row is told by its R, so a row put together from two rows is seen."""
    r_net = np.array([3.0, -1.0, 2.0, -4.0, 5.0, -6.0])
    start = pd.Timestamp("2024-01-01", tz="UTC")
    frame = pd.DataFrame(
        {
            "decided_at": [start + pd.Timedelta(hours=abs(r) * 7 % 11) for r in r_net],
            "resolved_at": [start + pd.Timedelta(days=2, hours=abs(r)) for r in r_net],
            "instrument": [f"I{r:+.0f}" for r in r_net],
            "side": pd.Categorical(np.where(r_net > 0, "buy", "sell")),
            "r_net": r_net,
            "label": r_net > 0,
            "f_a": r_net * 10,
            "f_b": r_net * -100,
        }
    )
    given_frame = indexed(frame)
    given_frame.to_parquet(tmp_path / "pandas.parquet")
    found = read_samples(tmp_path / "pandas.parquet")
    table = found.table
    assert len(table) == len(given_frame)
    assert set(table.r_net.tolist()) == set(given_frame["r_net"])
    assert table.names == ("f_a", "f_b")
    assert not any("not read" in note for note in found.notes)
    np.testing.assert_array_equal(table.features, np.column_stack((table.r_net * 10, table.r_net * -100)))
    assert table.instrument.tolist() == [f"I{r:+.0f}" for r in table.r_net]
    np.testing.assert_array_equal(table.side, np.sign(table.r_net))
    np.testing.assert_array_equal(table.label, table.r_net > 0)
    hour = 3_600_000_000
    origin = int(start.timestamp()) * 1_000_000
    np.testing.assert_array_equal(table.decided_at, origin + (np.abs(table.r_net) * 7 % 11 * hour).astype(np.int64))
    np.testing.assert_array_equal(table.resolved_at, origin + ((48 + np.abs(table.r_net)) * hour).astype(np.int64))


# --- what is refused


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (minimal(label=None), "has no column label; a file of samples needs decided_at"),
        (minimal(f_a=None), "has no feature: allowed is any number of numeric columns f_*"),
        (minimal(label=[1, 0, 2, 0]), "column label has 2 in row 3; allowed is 0 or 1"),
        (minimal(label=[1, 0, None, 0]), "column label has nothing in row 3; allowed is 0 or 1"),
        (minimal(label=["yes", "no", "yes", "no"]), "column label is of type string; allowed is 0 or 1"),
        (minimal(r_net=[1.0, float("inf"), 1.0, 1.0]), "column r_net has inf in row 2; allowed is a finite number"),
        (minimal(r_net=[1.0, None, None, 1.0]), "column r_net has nothing in row 2 and 1 more like it"),
        (minimal(side=["buy", "hold", "buy", "sell"]), "column side has hold in row 2; allowed is buy, sell, long"),
        (minimal(side=[1, 0, 1, 1]), "column side has 0 in row 2"),
        (minimal(side=["buy", None, "buy", "sell"]), "column side has nothing in row 2"),
        (minimal(side=[True] * 4), "column side is of type bool"),
        (minimal(instrument=["A", "", "A", "A"]), "column instrument has nothing in row 2"),
        (minimal(instrument=["A", None, "A", "A"]), "column instrument has nothing in row 2"),
        (minimal(instrument=[1, 2, 3, 4]), "column instrument is of type int64; allowed is a text"),
        (minimal(weight=[1.0, 0.0, 1.0, 1.0]), "column weight has 0.0 in row 2; allowed is a finite number above 0"),
        (minimal(weight=[1.0, None, 1.0, 1.0]), "column weight has nothing in row 2"),
        (minimal(f_a=[1.0, float("-inf"), 1.0, 1.0]), "column f_a has -inf in row 2; allowed is a finite number"),
        (minimal(f_a=["1", "2", "3", "4"]), "column f_a is of type string; allowed is a finite number"),
        (minimal(decision_id=["a", "b", "c", "b"]), "column decision_id has b in row 4; allowed is"),
        (minimal(decision_id=["a", None, "c", "b"]), "column decision_id has nothing in row 2"),
        (minimal(decided_at=[1, 2, 3, 4]), "column decided_at is of type int64; allowed is a timestamp"),
        (
            minimal(decided_at=[date(2024, 1, 1)] * 4),
            "column decided_at is of type date32[day]; allowed is a timestamp",
        ),
        (
            minimal(decided_at=pa.array([None] * 4, type=UTC_TIMES)),
            "column decided_at has nothing in row 1 and 3 more like it",
        ),
        (
            minimal(resolved_at=pa.array([datetime(2024, 3, 2, tzinfo=UTC)] * 4, type=UTC_TIMES)),
            "column resolved_at has 2024-03-02T00:00:00.000000 UTC in row 2 and 2 more like it; "
            "allowed is a time not before decided_at",
        ),
        (
            minimal(resolved_at=pa.array([1_700_000_000_000] * 4, type=pa.timestamp("s", tz="UTC"))),
            "allowed is a timestamp of the years 1900 to 2199",
        ),
        (
            minimal(resolved_at=pa.array([2**62] * 4, type=pa.timestamp("ms", tz="UTC"))),
            "column resolved_at has a time out of range",
        ),
        ({name: pa.array([], type=pa.float64()) for name in minimal()}, "has columns but no rows"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    assert said in refusal(brought(tmp_path / "mine.parquet", columns))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    columns = minimal()
    twice = pa.Table.from_arrays([*map(pa.array, columns.values()), pa.array([0.0] * 4)], [*columns, "f_a"])
    pyarrow.parquet.write_table(twice, tmp_path / "twice.parquet")
    assert "column f_a more than once" in refusal(tmp_path / "twice.parquet")


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    for name, content in (("text.parquet", b"decided_at,label\n"), ("empty.parquet", b"")):
        (tmp_path / name).write_bytes(content)
        assert "cannot be read as a Parquet file of samples" in refusal(tmp_path / name)
    assert "is not a file" in refusal(tmp_path / "absent.parquet")
    assert "is not a file" in refusal(tmp_path)


def test_a_file_cut_short_or_damaged_inside_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    write_samples(samples(2_000), whole)
    content = whole.read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[: len(content) // 2])
    refusal(tmp_path / "cut.parquet")


def test_one_wrong_bit_in_a_value_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    write_samples(samples(2_000), path)
    group = pyarrow.parquet.ParquetFile(path).metadata.row_group(0)
    r_net = next(
        group.column(place) for place in range(group.num_columns) if group.column(place).path_in_schema == "r_net"
    )
    content = bytearray(path.read_bytes())
    content[r_net.data_page_offset + r_net.total_compressed_size // 2] ^= 1
    path.write_bytes(bytes(content))
    assert "cannot be read as a Parquet file of samples" in refusal(path)
