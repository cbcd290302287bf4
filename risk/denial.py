"""A rule's no, and what a rule is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from risk.figures import figure
from risk.snapshot import Proposal, Snapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class Denial:
    """Which `rule` said no, its `reason` as a code to count by, a sentence, and the figures that led to it."""

    rule: str
    reason: str
    detail: str
    numbers: Mapping[str, str] = field(default_factory=dict)


class Rule(Protocol):
    """One limit. It raises when it cannot answer; the gate turns that into a denial."""

    @property
    def name(self) -> str: ...

    def check(self, proposal: Proposal, snapshot: Snapshot, /) -> Denial | None:
        """None when the rule has nothing against the proposal."""
        ...


def exceeded(rule: Rule, reason: str, what: str, value: Decimal, allowed: Decimal, **others: str) -> Denial | None:
    """A denial when `value` is above `allowed`, with `others` beside the two; raises when they cannot be compared."""
    if value <= allowed:
        return None
    return Denial(
        rule=rule.name,
        reason=reason,
        detail=f"{what} would be {figure(value)}; {figure(allowed)} is allowed",
        numbers={"value": figure(value), "allowed": figure(allowed), **others},
    )
