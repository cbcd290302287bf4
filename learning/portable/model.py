"""A portable model: names of columns and a part. As a document with arrays it can be stored and read without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidInput
from learning.portable.archive import load_arrays, save_arrays
from learning.portable.arrays import rows_of
from learning.portable.odds import probability_of
from learning.portable.parts import Part
from learning.portable.written import read_part, write_part
from learning.table import Floats

__all__ = ["PortableModel", "load_arrays", "save_arrays"]

FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PortableModel:
    """P(net R > 0) from the columns `names`, in this order. It answers one empty row before it may exist."""

    names: tuple[str, ...]
    part: Part

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names) or not all(self.names):
            raise InvalidInput("a portable model needs at least one column, and names that differ")
        if self.part.width not in (None, len(self.names)):
            raise InvalidInput(f"a part of {self.part.width} columns was given {len(self.names)} names")
        self.probability(np.full((1, len(self.names)), np.nan))

    def probability(self, X: Floats) -> Floats:
        """(n,) probabilities of n rows of the columns, within [1e-6, 1 - 1e-6]; NaN is missing.

        Raises `InvalidInput` for rows of another width, or when the arithmetic gives no number.
        """
        said = probability_of(self.part.log_odds(rows_of(X, len(self.names))))
        if not bool(np.isfinite(said).all()):
            raise InvalidInput("the model's answer to a row is not a number")
        return said

    def document(self) -> tuple[dict[str, object], dict[str, NDArray[Any]]]:
        """What JSON can hold, and the arrays that it names."""
        arrays: dict[str, NDArray[Any]] = {}
        written = write_part(self.part, "part", arrays)
        return {"format": FORMAT, "names": list(self.names), "part": written}, arrays

    @classmethod
    def read(cls, document: Mapping[str, object], arrays: Mapping[str, NDArray[Any]]) -> PortableModel:
        """The model that `document` gave, bit for bit.

        Raises `InvalidInput` when anything is missing, left over, of another type or shape, out of range, not finite,
        or no tree.
        """
        if set(document) != {"format", "names", "part"} or document["format"] is True or document["format"] != FORMAT:
            raise InvalidInput(f"a portable model has a format, which is {FORMAT}, names and a part, and nothing else")
        names = document["names"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InvalidInput("names of a portable model are not a list of texts")
        left = dict(arrays)
        part = read_part(document["part"], "part", left)
        if left:
            raise InvalidInput(f"a portable model does not name the arrays {', '.join(sorted(left))}")
        return cls(names=tuple(names), part=part)
