"""Blocks of neighbouring decisions: what may be drawn anew when labels overlap.

Decisions taken close together live through the same bars, on all instruments at once. Their results are no separate
evidence, and an interval that treats them so is far too narrow. Blocks are cut by time, all instruments together, at
least as long as nearly every label, so that only labels near a cut reach into the next block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from domain.errors import InvalidInput
from learning.judgement.columns import Column, Floats, Ints

MINIMUM_BLOCKS = 20
MOST_BLOCKS = 500
SPAN_QUANTILE = 0.9
_CELLS = 4_000_000


def time_blocks(decided_at: Ints, resolved_at: Ints) -> Ints:
    """The block of each row, counted from 0 in the order of time; times in microseconds, rows in order of decision.

    A block lasts as long as the label at the 90th percentile of label spans, and at least the 500th part of the whole
    time. It is labels that overlap, not days: on short bars a day holds many stretches that share no label. Stretches
    without a decision make no block. Raises `InvalidInput` for rows out of order, a label resolved before its decision,
    or no row at all.
    """
    if decided_at.shape != resolved_at.shape or decided_at.ndim != 1 or not len(decided_at):
        raise InvalidInput(f"{decided_at.shape} decisions and {resolved_at.shape} resolutions make no blocks")
    if bool((np.diff(decided_at) < 0).any()):
        raise InvalidInput("samples are not in the order in which they were decided")
    spans = resolved_at - decided_at
    if bool((spans < 0).any()):
        raise InvalidInput("a sample was resolved before it was decided")
    lasted = int(decided_at[-1] - decided_at[0])
    length = max(1, int(np.quantile(spans, SPAN_QUANTILE, method="higher")), lasted // MOST_BLOCKS + 1)
    places: Ints = np.unique((decided_at - decided_at[0]) // length, return_inverse=True)[1].astype(np.int64)
    return places


def count_of(blocks: Ints, rows: int) -> int:
    """How many blocks there are; raises `InvalidInput` unless each of `rows` rows has one and they go up by 1."""
    found = np.asarray(blocks)
    if found.shape != (rows,) or found.dtype.kind not in "iu":
        raise InvalidInput(f"blocks are {found.shape} {found.dtype}; each of {rows} rows needs a whole number")
    if not rows or found[0] != 0 or not bool(np.isin(np.diff(found), (0, 1)).all()):
        raise InvalidInput("blocks must count from 0 and go up by 1 in the order of decisions")
    return int(found[-1]) + 1


def enough_blocks(blocks: Ints, rows: int) -> int:
    """`count_of`; raises `InvalidInput` when they are too few to say how far chance goes."""
    count = count_of(blocks, rows)
    if count < MINIMUM_BLOCKS:
        raise InvalidInput(f"too few independent blocks: {count} of {MINIMUM_BLOCKS}")
    return count


def block_sums(blocks: Ints, count: int, *columns: Column) -> Floats:
    """The sums of each column in each block, count x columns."""
    return np.stack([np.bincount(blocks, np.asarray(column, dtype=np.float64), count) for column in columns], axis=1)


def drawn_counts(count: int, *, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each of `count` blocks is drawn in each resample, with replacement, in batches of resamples x count."""
    if resamples < 100:
        raise InvalidInput(f"{resamples} resamples are too few; at least 100 are needed")
    rng = np.random.default_rng(seed)
    batch = max(1, _CELLS // count)
    for begun in range(0, resamples, batch):
        size = min(batch, resamples - begun)
        drawn = rng.integers(0, count, (size, count), dtype=np.int32)
        places = drawn + (np.arange(size, dtype=np.int64) * count)[:, None]
        yield np.bincount(places.ravel(), minlength=size * count).reshape(size, count).astype(np.float64)
