"""Sample files: samples as Parquet, written by us or brought by a user.

Columns are `decided_at`, `resolved_at`, `instrument`, `side`, `strategy`, `r_net`, `label`, `weight`, `source`,
`decision_id` and one column `f_*` a feature; the feature schema is noted in the file's metadata. What users bring is
read liberally where the meaning is plain, with a note of what was assumed, and refused in one sentence where it is
not. Everything works on whole columns, by name and place; a pandas index in the file means nothing here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from domain.errors import InvalidInput
from domain.identity import digest
from learning.file_columns import (
    A_FEATURE,
    A_TEXT,
    A_TIME,
    AN_ID,
    FEATURE_PREFIX,
    SCHEMA_KEY,
    SOURCE_OF_FILES,
    Coded,
    FileColumns,
    as_time,
    no_text,
    out_of_years,
    refuse,
    seen_before,
)
from learning.table import Ints, SampleTable


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleFile:
    """What a sample file held, and in `notes` what was assumed or is odd about it, one sentence each."""

    table: SampleTable
    notes: tuple[str, ...]


def write_samples(table: SampleTable, path: Path) -> None:
    """Write the samples in the place of what is there, whole or not at all, durable when this returns.

    Features are written in the order of their names, a missing one as null. Raises `InvalidInput` for a table that
    `read_samples` would refuse (no sample, no feature, an infinite one, a `decision_id` twice) and for a folder that
    is not there.
    """
    _refuse_unwritable(table, path)
    columns: dict[str, Any] = {
        "decision_id": pa.array(table.decision_id),
        "decided_at": pa.array(table.decided_at).cast(pa.timestamp("us", tz="UTC")),
        "resolved_at": pa.array(table.resolved_at).cast(pa.timestamp("us", tz="UTC")),
        "instrument": pa.array(table.instrument),
        "side": pa.array(np.where(table.side == 1, "buy", "sell")),
        "strategy": pa.array(table.strategy),
        "r_net": pa.array(table.r_net),
        "label": pa.array(table.label, type=pa.int8()),
        "weight": pa.array(table.weight),
        "source": pa.array(table.source),
    }
    for name, place in sorted((name, place) for place, name in enumerate(table.names)):
        columns[name] = pa.array(np.ascontiguousarray(table.features[:, place]), from_pandas=True)
    made = pa.table(columns).replace_schema_metadata({SCHEMA_KEY: table.schema})
    repeating = ["instrument", "side", "strategy", "source"]
    with _in_place_of(path) as draft:
        pyarrow.parquet.write_table(made, draft, compression="zstd", use_dictionary=repeating, write_page_checksum=True)


def read_samples(path: Path) -> SampleFile:
    """The samples of a file, ordered by `decided_at`, then `decision_id`; features in the order of their names.

    Also read are: columns and rows in any order, a label as number or truth, a side as buy/sell, long/short or 1/-1,
    timestamps of any unit and zone (without one: UTC), whole numbers and truths as features; null and NaN are both a
    missing feature. Without the column, `weight` is 1, `source` is "file", `strategy` is empty, and `decision_id` is
    made from instrument, side, strategy and time, the same whatever the order of the rows. Where `label` is not
    `r_net > 0`, the label is what is learned and `r_net` what is earned. Times are cut to microseconds.

    Raises `InvalidInput`, one sentence with file, column and what is allowed, for anything else.
    """
    columns = FileColumns(path)
    decided_at, resolved_at = columns.times("decided_at"), columns.times("resolved_at")
    columns.refuse("resolved_at", resolved_at < decided_at, resolved_at, "a time not before decided_at", as_time)
    instrument, strategy = columns.texts("instrument"), columns.texts("strategy", "")
    side = columns.sides()
    r_net = columns.numbers("r_net", "a finite number", np.isfinite)
    label = columns.numbers("label", "0 or 1", lambda values: np.isin(values, (0.0, 1.0))).astype(np.int64)
    ids = columns.ids()
    if ids is None:
        ids = _made_ids(decided_at, instrument, side, strategy, (resolved_at, r_net, label))
    order = time_order(decided_at, ids)
    disagreeing = int(np.count_nonzero((r_net > 0) != (label == 1)))
    if disagreeing:
        columns.notes.append(
            f"the label of {disagreeing} of {len(label)} rows is not what r_net > 0 says: "
            "the label is learned, r_net is earned"
        )
    table = SampleTable(
        decision_id=ids.take(pa.array(order)).to_numpy(zero_copy_only=False).astype(np.str_),
        decided_at=decided_at[order],
        resolved_at=resolved_at[order],
        instrument=instrument.spread()[order],
        side=side[order],
        strategy=strategy.spread()[order],
        r_net=r_net[order],
        label=label[order],
        weight=columns.weights()[order],
        source=columns.texts("source", SOURCE_OF_FILES).spread()[order],
        features=columns.features(order),
        names=columns.feature_names,
        schema=columns.schema,
    )
    return SampleFile(table=table, notes=tuple(columns.notes))


def feature_schema_of(path: Path) -> str:
    """The feature schema of a sample file, without reading its rows; raises `InvalidInput` as `read_samples` does."""
    return FileColumns(path).schema


def _refuse_unwritable(table: SampleTable, path: Path) -> None:
    if not path.parent.is_dir():
        raise InvalidInput(f"{path.name} cannot be written: {path.parent} is not a folder")
    foreign = [name for name in table.names if not name.startswith(FEATURE_PREFIX)]
    if not table.schema:
        raise InvalidInput(f"{path.name} cannot be written: its samples name no feature schema")
    if not len(table) or not table.names or foreign or len(set(table.names)) < len(table.names):
        raise InvalidInput(
            f"{path.name} cannot be written: {len(table)} samples with {len(table.names)} features"
            f"{' such as ' + foreign[0] if foreign else ''}; allowed is one sample and one feature at least, "
            f"each feature once and named {FEATURE_PREFIX}*"
        )
    ids = pa.array(table.decision_id)
    refuse(f"{path.name}: column decision_id", no_text(ids) | seen_before(ids), table.decision_id, AN_ID)
    no_instrument = no_text(pa.array(table.instrument))
    refuse(f"{path.name}: column instrument", no_instrument, table.instrument, A_TEXT)
    for name in ("decided_at", "resolved_at"):
        micros = getattr(table, name)
        refuse(f"{path.name}: column {name}", out_of_years(micros), micros, A_TIME, as_time)
    refuse(f"{path.name}: column side", ~np.isin(table.side, (1, -1)), table.side, "1 or -1")
    refuse(f"{path.name}: column weight", ~np.isfinite(table.weight), table.weight, "a finite number above 0")
    for place, name in enumerate(table.names):
        values = table.features[:, place]
        refuse(f"{path.name}: column {name}", np.isinf(values), values, A_FEATURE)


@contextmanager
def _in_place_of(path: Path) -> Iterator[Path]:
    """A draft beside `path` that takes its place, durably, once it was written without an error."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        yield draft
        _sync(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.absolute().parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _made_ids(decided_at: Ints, instrument: Coded, side: Ints, strategy: Coded, rest: Sequence[Any]) -> Any:
    """One id a row, from a digest of instrument, side and strategy and from the time.

    Rows that agree in those are numbered in the order of `rest`, columns of what became of them; rows that agree in
    that too, in the order in which they lie.
    """
    key = (instrument.codes * len(strategy.values) + strategy.codes) * 2 + (side > 0)
    distinct, places = np.unique(key, return_inverse=True)
    heads = []
    for pair, bought in (divmod(each, 2) for each in distinct.tolist()):
        traded, named = divmod(pair, len(strategy.values))
        heads.append(digest(instrument.values[traded], bought, strategy.values[named], length=12))
    order = np.lexsort((*reversed(rest), places, decided_at))
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = (np.diff(decided_at[order]) != 0) | (np.diff(places[order]) != 0)
    ranks = np.arange(len(order))
    number = np.empty(len(order), dtype=np.int64)
    number[order] = ranks - np.maximum.accumulate(np.where(begins, ranks, 0)) + 1
    repeat = pc.binary_join_element_wise("-", _text(number), "")
    suffix = pc.if_else(pa.array(number == 1), "", repeat)
    return pc.binary_join_element_wise(pa.array(heads).take(pa.array(places)), "-", _text(decided_at), suffix, "")


def _text(numbers: Ints) -> Any:
    return pa.array(numbers).cast(pa.string())


def time_order(decided_at: Ints, ids: Any) -> Ints:
    """The places of the rows in the order of `decided_at`, then of `ids`, Arrow texts."""
    keys = [("decided_at", "ascending"), ("id", "ascending")]
    order: Ints = pc.sort_indices(pa.table({"decided_at": decided_at, "id": ids}), sort_keys=keys).to_numpy()
    return order.astype(np.int64)
