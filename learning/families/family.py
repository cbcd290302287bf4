"""What a model family is: one small class in one file that trains a model and gives it back as plain arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from learning.portable.parts import Part
from learning.table import Floats, Ints

Setting = float | int | str


class Family(Protocol):
    """One way of learning P(net R > 0) from features.

    `name` is what the configuration, the log and the bundle call it; it never changes once a model was deployed.
    A user's own family is a subclass of this in a file of its own; `learning.families.families_in` reads it.
    """

    name: str

    @abstractmethod
    def settings(self, budget: int, rng: np.random.Generator) -> Sequence[Mapping[str, Setting]]:
        """At least one and at most `budget` sets of parameters worth trying; the first is the default.

        Whatever is drawn is drawn from `rng`. Raises `InvalidInput` when a library that it needs is not installed.
        """
        ...

    @abstractmethod
    def fit(self, X: Floats, y: Ints, w: Floats, settings: Mapping[str, object], seed: int) -> Part:
        """The model learned from these rows only, with whatever prepares its inputs, as a portable part.

        `X` is n x k in the order in which decisions were taken, NaN where a value is missing; `y` holds labels
        0 and 1; `w` weights above 0. Parameters that `settings` does not name have their defaults. The same
        arguments give the same bits. A model that holds rows back to steer its own training takes them from one end,
        never shuffled: neighbouring rows live through the same bars. Raises `InvalidInput` when nothing can be learned
        from the rows or a parameter is unknown.
        """
        ...
