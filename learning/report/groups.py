"""The same figures apart: by strategy, regime, instrument and side, and by what outcomes are attributed to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

import numpy as np

from domain.decisions import Outcome, OutcomeKind
from learning.judgement.columns import Floats
from learning.table import Mask, Names, SampleTable

REGIME = "f_regime"
UNKNOWN = "unknown"
_TRENDS = ("falling", "sideways", "rising")
_VOLATILITIES = ("calm", "usual", "wild")
REGIMES: Mapping[int, str] = MappingProxyType(
    {
        3 * trend + volatility: f"{named}, {told}"
        for trend, named in enumerate(_TRENDS)
        for volatility, told in enumerate(_VOLATILITIES)
    }
)
"""What the values of `f_regime` mean: trend before volatility, as `signals.features` counts them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupLine:
    """The `samples` of one group. `ev_filtered` is the mean R of the `taken` ones, None where none is taken."""

    group: str
    samples: int
    win_rate: float
    mean_r: float
    taken: int
    ev_filtered: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TagLine:
    """Outcomes that carry one tag, one for each decision: the real one where there is one, else its shadow.

    `real` of the `outcomes` were traded and earned `profit` in account currency, None where none was.
    """

    tag: str
    outcomes: int
    win_rate: float
    mean_r: float
    total_r: float
    real: int
    profit: Decimal | None


def grouped(keys: Names, r: Floats, takes: Mask) -> tuple[GroupLine, ...]:
    """One line for each key, the largest group first; columns of the same n rows."""
    lines = []
    for key in np.unique(keys):
        members = keys == key
        passed = members & takes
        lines.append(
            GroupLine(
                group=str(key) or UNKNOWN,
                samples=int(members.sum()),
                win_rate=float((r[members] > 0).mean()),
                mean_r=float(r[members].mean()),
                taken=int(passed.sum()),
                ev_filtered=float(r[passed].mean()) if passed.any() else None,
            )
        )
    return tuple(sorted(lines, key=lambda line: (-line.samples, line.group)))


def groups_of(table: SampleTable, takes: Mask) -> dict[str, tuple[GroupLine, ...]]:
    """The lines by strategy, regime, instrument and side. No regime where the samples do not know it."""
    keys: dict[str, Names] = {"strategy": table.strategy}
    if REGIME in table.names:
        keys["regime"] = regimes(table.project((REGIME,))[:, 0])
    keys["instrument"] = table.instrument
    keys["side"] = np.where(table.side > 0, "buy", "sell")
    return {name: grouped(each, table.r_net, takes) for name, each in keys.items()}


def regimes(values: Floats) -> Names:
    """The names of `f_regime`'s values; a missing one, or one that is no regime, is unknown."""
    return np.array([_regime(value) for value in values], dtype=np.str_)


def _regime(value: float) -> str:
    return REGIMES.get(int(value), UNKNOWN) if np.isfinite(value) and value == int(value) else UNKNOWN


_TAGS: Mapping[str, Callable[[Outcome], Iterable[str]]] = MappingProxyType(
    {
        "strategy": lambda outcome: outcome.strategies,
        "exit_cause": lambda outcome: (outcome.exit_cause.value,),
        "timeframe": lambda outcome: (outcome.timeframe.value,),
        "sentiment_state": lambda outcome: (outcome.sentiment_state or UNKNOWN,),
        "model": lambda outcome: (outcome.model or UNKNOWN,),
    }
)
"""What an outcome is attributed to. Several strategies may have agreed: then each is given the whole of it."""


def attributed(outcomes: Iterable[Outcome]) -> dict[str, tuple[TagLine, ...]]:
    """Statistics of every tag, the most frequent first: strategy, exit cause, timeframe, sentiment state, model."""
    chosen: dict[str, Outcome] = {}
    for outcome in outcomes:
        known = chosen.get(outcome.decision_id)
        if known is None or outcome.kind is OutcomeKind.REAL:
            chosen[outcome.decision_id] = outcome
    found: dict[str, tuple[TagLine, ...]] = {}
    for name, tags_of in _TAGS.items():
        members: dict[str, list[Outcome]] = {}
        for outcome in chosen.values():
            for tag in tags_of(outcome):
                members.setdefault(tag, []).append(outcome)
        lines = [_tag_line(tag, each) for tag, each in members.items()]
        found[name] = tuple(sorted(lines, key=lambda line: (-line.outcomes, line.tag)))
    return found


def _tag_line(tag: str, outcomes: list[Outcome]) -> TagLine:
    r = np.array([each.r_net for each in outcomes])
    profits = [each.profit for each in outcomes if each.profit is not None]
    return TagLine(
        tag=tag,
        outcomes=len(outcomes),
        win_rate=float((r > 0).mean()),
        mean_r=float(r.mean()),
        total_r=float(r.sum()),
        real=sum(each.kind is OutcomeKind.REAL for each in outcomes),
        profit=sum(profits, Decimal(0)) if profits else None,
    )
