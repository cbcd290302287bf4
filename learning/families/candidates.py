"""What a training run tries. Every candidate is a trial that counts against the verdict, so there are few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from domain.errors import InvalidInput
from learning.families import FAMILIES, family_named
from learning.families.ensembles import Ensemble, ensemble_named
from learning.families.family import Family, Setting

DEFAULT_FAMILIES = ("logistic", "histogram_boosting")
DEFAULT_ENSEMBLES = (Ensemble.VOTING,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One trial: a family with its parameters, or an ensemble of the families' best.

    `name` tells candidates of one family apart: `logistic` for the default parameters, then `logistic-2` and so on.
    `family` names the family or the ensemble.
    """

    name: str
    family: str
    settings: Mapping[str, Setting]

    def __post_init__(self) -> None:
        if not self.name or not self.family:
            raise InvalidInput(f"a candidate is named {self.name!r}, its family {self.family!r}; both need a name")
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    @property
    def is_ensemble(self) -> bool:
        return self.family in tuple(Ensemble)

    @property
    def label(self) -> str:
        """The same text for the same trial, in every run and log: `logistic-2(C=0.1)`."""
        inside = ", ".join(f"{name}={self.settings[name]}" for name in sorted(self.settings))
        return f"{self.name}({inside})"


def default_candidates(budget: int, *, seed: int = 0) -> tuple[Candidate, ...]:
    """The small search: logistic regression, histogram boosting and their average, in `budget` trials at most."""
    return candidates_of(DEFAULT_FAMILIES, DEFAULT_ENSEMBLES, budget, seed=seed)


def candidates_of(
    names: Sequence[str],
    ensembles: Sequence[Ensemble | str],
    budget: int,
    *,
    seed: int = 0,
    families: Mapping[str, Family] = FAMILIES,
) -> tuple[Candidate, ...]:
    """The trials of these families and ensembles, families first; their number is the trial count of the search.

    `budget` bounds all trials, ensembles included, but each family and ensemble has one trial at least. Each family
    has its default parameters; what is left is dealt out in turns, in the order of `names`. An ensemble of one family
    would be that family again: where there is one, there is no ensemble. Raises `InvalidInput` when a name is
    unknown or given twice, or no family is named.
    """
    kinds = [ensemble_named(kind) for kind in ensembles]
    if len(set(names)) != len(names) or len(set(kinds)) != len(kinds):
        raise InvalidInput(f"a family or ensemble is named twice: {', '.join([*names, *kinds])}")
    if not names or budget < 1:
        raise InvalidInput(f"{len(names)} families and a budget of {budget} trials; at least 1 of each is needed")
    joined = kinds if len(names) > 1 else []
    left = max(budget - len(joined), len(names))
    offered = [
        list(family_named(name, families).settings(left, np.random.default_rng([seed, place])))[:left]
        for place, name in enumerate(names)
    ]
    for name, sets in zip(names, offered, strict=True):
        if not sets:
            raise InvalidInput(f"the family {name} offers no parameters to try; an empty set is enough")
    return (*_dealt(names, offered, left), *(Candidate(name=kind, family=kind, settings={}) for kind in joined))


def _dealt(
    names: Sequence[str], offered: Sequence[Sequence[Mapping[str, Setting]]], left: int
) -> tuple[Candidate, ...]:
    turns = [
        (turn, place)
        for turn in range(max(map(len, offered)))
        for place in range(len(names))
        if turn < len(offered[place])
    ]
    chosen = sorted(turns[:left], key=lambda each: (each[1], each[0]))
    return tuple(
        Candidate(
            name=names[place] if turn == 0 else f"{names[place]}-{turn + 1}",
            family=names[place],
            settings=offered[place][turn],
        )
        for turn, place in chosen
    )
