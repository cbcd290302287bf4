"""How the size of a decision came about: factor by factor, from the numbers that its row in the journal keeps.

Nothing is computed anew with today's settings. What is shown is what sizing and gate said then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from domain.decisions import Decision, DecisionStatus
from risk.figures import figure

SCALES: Mapping[str, str] = {
    "base": "risk of one trade, as a fraction of equity",
    "drawdown": "less as equity falls from its peak towards the drawdown limit",
    "hold": "the strongest hold in force that asks for caution",
    "probability": "the bet size of the model's probability above break-even; 1 without an opinion",
    "social": "social sentiment against the trade takes off; for it adds nothing",
    "volatility": "a forecast above the typical volatility shrinks",
    "portfolio": "the instrument's portfolio weight against that of equal risk",
}
"""What each factor of the risk fraction means, in the order in which they multiply."""

CAPS: Mapping[str, str] = {
    "risk": "the risk fraction of equity over the loss of one unit",
    "open_risk": "what all open trades together may still lose",
    "order_value": "the largest value of one order",
    "margin": "the margin that one order may bind",
    "room": "gross, margin and currency exposure that is left",
    "order_quantity": "the largest quantity of one order",
}
"""What allows how much; the least of them is taken and rounded down to whole lots."""

_CAP = "cap_"
_AMOUNTS: Mapping[str, str] = {
    "equity": "equity in account currency when it was decided",
    "risk_fraction": "the product, cut to the most that one trade may risk",
    "loss_per_unit": "account currency lost by one unit at its stop: distance, spread, slippage, fees both ways",
}
_SHOWN = {*SCALES, *_AMOUNTS, *(f"{_CAP}{name}" for name in CAPS), "capped_by", "quantity"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One line: `value` as it was journaled, `running` the product so far (None where nothing multiplies)."""

    name: str
    value: str
    meaning: str
    running: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """`steps` from the base to the quantity; `verdict` what became of it, in a sentence; `others` the figures that
    the refusing rule named."""

    decision_id: str
    instrument: str
    side: str
    decided_at: str
    status: str
    reason: str
    verdict: str
    quantity: Decimal
    risk_amount: Decimal
    steps: tuple[Step, ...]
    others: Mapping[str, str]


def explain(decision: Decision) -> Explanation:
    """The explanation of one decision; without steps where the model's filter refused it before it was sized."""
    numbers = decision.numbers
    return Explanation(
        decision_id=decision.decision_id,
        instrument=decision.instrument,
        side=decision.signal.side.value,
        decided_at=decision.decided_at.isoformat(),
        status=decision.status.value,
        reason=decision.reason,
        verdict=_verdict(decision),
        quantity=decision.quantity,
        risk_amount=decision.risk_amount,
        steps=tuple(_steps(numbers)),
        others={name: value for name, value in numbers.items() if name not in _SHOWN},
    )


def _steps(numbers: Mapping[str, str]) -> Iterator[Step]:
    running = Decimal(1)
    for name, meaning in SCALES.items():
        if name in numbers:
            running *= _decimal(numbers[name])
            yield Step(name=name, value=numbers[name], meaning=meaning, running=figure(running))
    for name, meaning in _AMOUNTS.items():
        if name in numbers:
            yield Step(name=name, value=numbers[name], meaning=meaning)
    for name, meaning in CAPS.items():
        allowed = numbers.get(f"{_CAP}{name}")
        if allowed is not None:
            least = " (the least: it decides)" if numbers.get("capped_by") == name else ""
            yield Step(name=f"{_CAP}{name}", value=allowed, meaning=f"{meaning}{least}")
    if "quantity" in numbers:
        yield Step(name="quantity", value=numbers["quantity"], meaning="rounded down to whole lots")


def _decimal(text: str) -> Decimal:
    """A journaled factor; what is no number multiplies by nothing, and is shown as it is."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)


def _verdict(decision: Decision) -> str:
    if decision.status is DecisionStatus.ORDERED:
        return f"ordered: every rule of the gate agreed; {figure(decision.risk_amount)} is lost at the stop"
    if decision.status is DecisionStatus.FILTERED:
        return f"filtered before it was sized: {decision.reason}, with a score of {decision.score}"
    rule = decision.numbers.get("rule")
    if rule is not None:
        return f"denied by the gate's rule {rule}: {decision.reason}"
    return f"not sized: {decision.reason}"
