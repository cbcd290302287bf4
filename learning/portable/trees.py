"""Decision trees of every kind as one table of nodes, walked by all rows and all trees at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidInput
from learning.portable.arrays import finite, frozen, rows_of
from learning.portable.odds import bounded, log_odds_of
from learning.portable.preparation import Preparation
from learning.table import Floats, Ints, Mask

Link = Literal["log_odds", "probability"]
LINKS: tuple[Link, ...] = ("log_odds", "probability")

_PAIRS = 32_768
"""Rows times trees walked at a time: what is at work stays in the processor's second cache."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Nodes:
    """One tree as its library numbers it: node 0 is the root, `left` of a leaf is below 0. All of equal length."""

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    missing_left: Mask
    value: Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trees:
    """A forest: each row walks every tree to a leaf, and the leaves' values are added up.

    Nodes of all trees stand in one table; `roots` are where the trees begin. A node sends a row to its left child
    where x[`feature`] <= `threshold`, and a missing x to the side that `missing_left` says. The left child of node i
    is `child`[i] > i, the right one stands right after it; `child` of a leaf is -1, and only a leaf's `value` counts.
    Where `threshold` is float32, x is rounded to float32 before it is compared, as scikit-learn's forests do.

    The score is `base` plus the values, in the order of the trees, divided by their number where `average` is true.
    `link` says what it is: log-odds or a probability. Rows have `width` columns and go through `preparation` first,
    where there is one.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32] | Floats
    child: NDArray[np.int32]
    missing_left: Mask
    value: Floats
    roots: NDArray[np.int32]
    width: int
    base: float = 0.0
    average: bool = False
    link: Link = "log_odds"
    preparation: Preparation | None = None
    _slot: NDArray[np.intp] = field(init=False, repr=False)
    _cut: NDArray[np.float32] | Floats = field(init=False, repr=False)
    _right: NDArray[np.intp] = field(init=False, repr=False)
    _depth: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        count = np.size(self.feature)
        for name, dtype in (("feature", np.int32), ("child", np.int32), ("missing_left", np.bool_), ("value", None)):
            given = getattr(self, name)
            checked = frozen(given, f"{name} of trees", shape=(count,), dtype=dtype or np.float64)
            object.__setattr__(self, name, checked)
        object.__setattr__(self, "roots", frozen(self.roots, "roots of trees", shape=(None,), dtype=np.int32))
        object.__setattr__(self, "threshold", _thresholds(self.threshold, count))
        finite(self.base, "base of trees")
        if self.link not in LINKS:
            raise InvalidInput(f"link of trees is {self.link!r}; allowed are {' and '.join(LINKS)}")
        if self.preparation is not None and self.preparation.width != self.width:
            raise InvalidInput(f"trees of {self.width} columns have a preparation of {self.preparation.width}")
        if count and not (self.feature.min() >= 0 and self.feature.max() < self.width):
            raise InvalidInput(f"a feature of trees lies outside of their {self.width} columns")
        object.__setattr__(self, "_depth", _depth(self.child, self.roots))
        leaf = self.child < 0
        # A missing value that goes left is read from a second copy of the columns, in which it is -infinity; one that
        # goes right stays NaN, which no comparison holds for. A leaf compares with NaN and is its own right child.
        object.__setattr__(self, "_slot", self.feature.astype(np.intp) + self.width * self.missing_left)
        object.__setattr__(self, "_cut", np.where(leaf, np.nan, self.threshold).astype(self.threshold.dtype))
        object.__setattr__(self, "_right", np.where(leaf, np.arange(count), self.child + 1).astype(np.intp))

    @classmethod
    def from_nodes(
        cls,
        trees: Sequence[Nodes],
        *,
        width: int,
        base: float = 0.0,
        average: bool = False,
        link: Link = "log_odds",
        single: bool = False,
        preparation: Preparation | None = None,
    ) -> Trees:
        """The forest of these trees in this order; `single` where their library rounds rows to float32.

        Each float64 threshold is then replaced by the greatest float32 that is not above it: that decides alike.
        Raises `InvalidInput` for what is not a tree.
        """
        ordered = [_ordered(nodes) for nodes in trees]
        sizes = [len(child) for _, child in ordered]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

        def column(name: str) -> NDArray[Any]:
            pieces = [getattr(nodes, name)[order] for nodes, (order, _) in zip(trees, ordered, strict=True)]
            return np.concatenate(pieces) if pieces else np.empty(0)

        shifted = [np.where(child < 0, -1, child + start) for (_, child), start in zip(ordered, starts, strict=False)]
        child = np.concatenate(shifted) if shifted else np.empty(0)
        leaf = child < 0
        threshold = np.where(leaf, 0.0, column("threshold"))
        return cls(
            feature=np.where(leaf, 0, column("feature")).astype(np.int32),
            threshold=_floor_float32(threshold) if single else threshold,
            child=child.astype(np.int32),
            missing_left=~leaf & column("missing_left").astype(np.bool_),
            value=np.where(leaf, column("value"), 0.0),
            roots=starts[:-1].astype(np.int32),
            width=width,
            base=base,
            average=average,
            link=link,
            preparation=preparation,
        )

    def log_odds(self, X: Floats) -> Floats:
        """(n,) log-odds of n x `width` rows, within the bound of `odds`; NaN is missing."""
        rows = rows_of(X, self.width) if self.preparation is None else self.preparation.apply(X)
        score = np.empty(len(rows))
        step = max(1, _PAIRS // len(self.roots))
        for start in range(0, len(rows), step):
            score[start : start + step] = self._scores(rows[start : start + step])
        return bounded(score) if self.link == "log_odds" else log_odds_of(score)

    def _scores(self, rows: Floats) -> Floats:
        """Every tree one level down for every row, until the deepest tree has ended."""
        count, trees, kind = len(rows), len(self.roots), self.threshold.dtype
        columns = np.empty((count, 2 * self.width), dtype=kind)
        with np.errstate(over="ignore"):  # beyond float32 is infinite: on the same side of every threshold
            columns[:, : self.width] = rows
        columns[:, self.width :] = np.where(np.isnan(rows), -np.inf, columns[:, : self.width])
        begins = np.arange(count) * (2 * self.width)
        node = np.repeat(self.roots.astype(np.intp), count).reshape(trees, count)
        place, x, cut = np.empty_like(node), np.empty(node.shape, dtype=kind), np.empty(node.shape, dtype=kind)
        left = np.empty(node.shape, dtype=np.bool_)
        for _ in range(self._depth):
            np.take(self._slot, node, out=place, mode="clip")
            place += begins
            np.take(columns.reshape(-1), place, out=x, mode="clip")
            np.take(self._cut, node, out=cut, mode="clip")
            np.less_equal(x, cut, out=left)
            np.take(self._right, node, out=place, mode="clip")
            np.subtract(place, left, out=node)
        values = np.take(self.value, node)
        values[0] += self.base
        # Added one after the other also where there is one row only: a row's score never depends on its neighbours.
        total: Floats = np.add.accumulate(values, axis=0)[-1]
        return total / trees if self.average else total


def _thresholds(given: NDArray[Any], count: int) -> NDArray[Any]:
    """float32 stays float32, everything else becomes float64; +infinity is allowed (all that is there goes left)."""
    kind = np.float32 if getattr(given, "dtype", None) == np.float32 else np.float64
    infinite = np.isposinf(given)
    checked = frozen(np.where(infinite, 0.0, given), "threshold of trees", shape=(count,), dtype=kind)
    threshold = np.where(infinite, np.inf, checked).astype(kind)
    threshold.setflags(write=False)
    return threshold


def _depth(child: NDArray[np.int32], roots: NDArray[np.int32]) -> int:
    """How many steps the longest way from a root takes; raises `InvalidInput` where the table is not of trees."""
    count = len(child)
    inner = np.flatnonzero(child >= 0)
    children = np.concatenate([child[inner], child[inner] + 1])
    if not len(roots) or not (roots.min() >= 0 and roots.max() < count):
        raise InvalidInput(f"trees need at least one root, and each among their {count} nodes")
    if bool((child < -1).any()) or bool((child[inner] <= inner).any()) or bool((children >= count).any()):
        raise InvalidInput("a child of a node of trees is neither -1 nor one of the nodes after it")
    parents = np.bincount(np.concatenate([children, roots]), minlength=count)
    if not bool((parents == 1).all()):
        raise InvalidInput("a node of trees is not the child of exactly one node, or a root that is the child of none")
    depth, level = 0, roots
    while len(level := level[child[level] >= 0]):
        depth += 1
        level = np.concatenate([child[level], child[level] + 1])
    return depth


def _ordered(nodes: Nodes) -> tuple[Ints, Ints]:
    """The order of the nodes, level by level with siblings side by side, and the left child of each in that order."""
    count = len(nodes.left)
    levels, level, seen = [np.zeros(1, dtype=np.int64)], np.zeros(1, dtype=np.int64), 1
    while len(inner := level[nodes.left[level] >= 0]):
        level = np.stack([nodes.left[inner], nodes.right[inner]], axis=1).reshape(-1).astype(np.int64)
        seen += len(level)
        if seen > count or level.min() < 0 or level.max() >= count:
            raise InvalidInput(f"the children of a tree of {count} nodes do not form a tree")
        levels.append(level)
    order = np.concatenate(levels)
    place = np.full(count, -1, dtype=np.int64)
    place[order] = np.arange(len(order))
    left = nodes.left[order]
    return order, np.where(left < 0, -1, place[np.maximum(left, 0)])


def _floor_float32(threshold: Floats) -> NDArray[np.float32]:
    rounded = threshold.astype(np.float32)
    lower = np.nextafter(rounded, np.float32(-np.inf))
    floored: NDArray[np.float32] = np.where(rounded > threshold, lower, rounded).astype(np.float32)
    return floored
