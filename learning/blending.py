"""One forecast out of several: the batch champion's and the online learners', weighed by their recent log-loss.

The exponentially weighted average forecaster (Cesa-Bianchi and Lugosi 2006, chapters 2 and 3) with forgetting. Every
label adds to each member's record its log-loss less the base rate's, times `eta` and the label's weight; all records
shrink by a factor a label, a half in `half_life` labels. A record is -n_eff times the mean difference of late, and a
member weighs exp(-record). The base rate takes part as one more forecast, with half of the weight beforehand and a
record of 0 for ever: so a member that is worse than the base rate weighs less than 1 / (k + 1) of k members and the
base rate, whatever the others do.

Forecasts are averaged as probabilities. There the loss of the average is bounded whatever comes (log-loss is mixable
in probabilities, not in log-odds): over T labels of weight 1 it exceeds the loss of no member by more than
ln(1 / prior) / eta * (1 + (1 - f) (T - 1)), f being the shrinking factor. Proof: let A be a record before it
shrinks and B = ln sum prior exp(-A). The average's loss (less the base rate's, times eta) is at most the B before
the label, with its records shrunk, less the B after it. Shrinking takes B to at most f B, by the concavity of x^f.
Summed up that is -B_T - (1 - f) (B_1 + ... + B_(T-1)); and -B <= A - ln prior for each member, whose own loss is
A_T + (1 - f) (A_1 + ... + A_(T-1)).

`eta` of 1 would be Bayes' rule for independent labels. Labels overlap, and many tell of the same stretch of market,
so half of that is the default.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.errors import InvalidInput

FORMAT = 1
FAMILY = "forecast-blend"


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendSettings:
    """`half_life` in labels; `eta` tempers the evidence: 0 leaves all weights equal, 1 takes labels as independent."""

    half_life: float = 200.0
    eta: float = 0.5

    def __post_init__(self) -> None:
        if not (self.half_life > 0 and math.isfinite(self.half_life)):
            raise InvalidInput(f"the blend's half-life is {self.half_life} labels; it must be a number above 0")
        if not 0 <= self.eta <= 1:
            raise InvalidInput(f"the blend's eta is {self.eta}; it must lie in [0, 1]")

    @property
    def kept(self) -> float:
        """What a label leaves of the records before it."""
        return math.pow(0.5, 1.0 / self.half_life)


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberRecord:
    """One member's late record: `labels` counts them with forgetting, `gain` is the mean log-loss of the base rate
    less its own, in nats (above 0 is better than the base rate; None without a label), `weight` its share."""

    labels: float
    gain: float | None
    weight: float


class ForecastBlend:
    """A weight for each member, and their average; the same calls give the same bits."""

    def __init__(self, members: Sequence[str], settings: BlendSettings | None = None) -> None:
        if not members or len(set(members)) != len(members):
            raise InvalidInput(f"a blend needs members of different names, not {', '.join(members) or 'none'}")
        self._settings = BlendSettings() if settings is None else settings
        self._differences = dict.fromkeys(members, 0.0)
        self._labels = dict.fromkeys(members, 0.0)

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(self._differences)

    def weights(self, speaking: Sequence[str] | None = None) -> dict[str, float]:
        """Shares in [0, 1] of the members that speak (all, unless told); what is left of 1 is the base rate's."""
        shares, _ = self._shares(self.members if speaking is None else self._known(speaking), with_base_rate=True)
        return shares

    def blend(self, forecasts: Mapping[str, float | None], base_rate: float | None = None) -> float | None:
        """The average of the forecasts that are there (not None), in (0, 1); None where there is none.

        With `base_rate` it takes its own share, so that members without merit move nothing far from it. Without it
        the members' shares are scaled to 1, in the same proportions. Raises `InvalidInput` for a name that is no
        member's and for a forecast that is not inside (0, 1).
        """
        said = self._said(forecasts)
        if not said:
            return None
        shares, rest = self._shares(tuple(said), with_base_rate=base_rate is not None)
        parts = [(shares[name], forecast) for name, forecast in said.items()]
        if base_rate is not None:
            _require_probability("the base rate", base_rate)
            parts.append((rest, base_rate))
        average = sum(share * forecast for share, forecast in parts)
        averaged = [forecast for _, forecast in parts]
        return min(max(average, min(averaged)), max(averaged))  # rounded sums may leave their range by a last bit

    def update(self, said: Mapping[str, float | None], base_rate: float, label: int, weight: float = 1.0) -> None:
        """Take a label in: `said` and `base_rate` as they were when the decision was taken, `label` 0 or 1.

        Who said nothing gains and loses nothing, and what is known of it fades like the rest. Raises `InvalidInput`,
        and changes nothing, when a number is not what it should be.
        """
        given = self._said(said)
        _require_probability("the base rate", base_rate)
        if label not in {0, 1} or not (weight > 0 and math.isfinite(weight)):
            raise InvalidInput(f"a label of {label} with weight {weight}; it must be 0 or 1, with a weight above 0")
        base_loss, kept = _loss(base_rate, label), self._settings.kept
        for name in self._differences:
            forecast = given.get(name)
            if forecast is not None:
                self._differences[name] += weight * (_loss(forecast, label) - base_loss)
                self._labels[name] += weight
            self._differences[name] *= kept
            self._labels[name] *= kept

    def begin_anew(self, member: str) -> None:
        """Forget a member's record: another model bears its name from now on."""
        (name,) = self._known([member])
        self._differences[name] = 0.0
        self._labels[name] = 0.0

    def records(self) -> dict[str, MemberRecord]:
        """How each member fared of late, and what it weighs when all speak."""
        weights = self.weights()
        found = {}
        for name, labels in self._labels.items():
            gain = -self._differences[name] / labels if labels else None
            found[name] = MemberRecord(labels=labels, gain=gain, weight=weights[name])
        return found

    def checkpoint(self) -> str:
        """The records as one line of JSON that reads back as the same bits."""
        state = {
            "format": FORMAT,
            "family": FAMILY,
            "members": list(self._differences),
            "half_life": self._settings.half_life,
            "differences": list(self._differences.values()),
            "labels": list(self._labels.values()),
        }
        return json.dumps(state, separators=(",", ":"), allow_nan=False)

    @classmethod
    def restore(cls, text: str, members: Sequence[str], settings: BlendSettings | None = None) -> ForecastBlend:
        """The blend `checkpoint` was taken from; it continues bit for bit.

        Raises `InvalidInput` when the text is no such checkpoint, or one of other members or another half-life: then
        begin with a new blend, which prefers nobody.
        """
        fresh = cls(members, settings)
        try:
            state = json.loads(text)
            if (state["format"], state["family"]) != (FORMAT, FAMILY):
                raise InvalidInput(
                    f"a checkpoint of {state['family']} format {state['format']} is not {FAMILY} {FORMAT}"
                )
            if state["members"] != list(members) or state["half_life"] != fresh._settings.half_life:
                raise InvalidInput(
                    f"the blend's checkpoint is of {', '.join(map(str, state['members']))} with a half-life of "
                    f"{state['half_life']} labels, not of {', '.join(members)} with {fresh._settings.half_life}"
                )
            fresh._differences = _numbers(members, state["differences"], -math.inf)
            fresh._labels = _numbers(members, state["labels"], 0.0)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"a blend's checkpoint cannot be read: {error!r}") from error
        return fresh

    def _shares(self, names: Sequence[str], *, with_base_rate: bool) -> tuple[dict[str, float], float]:
        """The share of each of these members, and of the base rate where it takes part; together 1."""
        eta = self._settings.eta
        records = {name: eta * self._differences[name] for name in names}
        lowest = min((*records.values(), 0.0) if with_base_rate else records.values(), default=0.0)
        raw = {name: math.exp(lowest - record) for name, record in records.items()}
        # Half of the prior is the base rate's, the other half is shared: the base rate counts as much as all members.
        base_rate = len(names) * math.exp(lowest) if with_base_rate else 0.0
        total = sum(raw.values()) + base_rate
        return {name: each / total for name, each in raw.items()}, base_rate / total if total else 0.0

    def _said(self, forecasts: Mapping[str, float | None]) -> dict[str, float]:
        given = {name: forecast for name, forecast in forecasts.items() if forecast is not None}
        self._known(forecasts)
        for name, forecast in given.items():
            _require_probability(name, forecast)
        return {name: given[name] for name in self._differences if name in given}

    def _known(self, names: Sequence[str] | Mapping[str, object]) -> tuple[str, ...]:
        strangers = [name for name in names if name not in self._differences]
        if strangers:
            raise InvalidInput(f"{', '.join(strangers)} is no member of the blend of {', '.join(self.members)}")
        return tuple(names)


def _loss(probability: float, label: int) -> float:
    return -math.log(probability if label else 1.0 - probability)


def _require_probability(whose: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise InvalidInput(f"{whose} gives {value}; a forecast lies inside (0, 1)")


def _numbers(members: Sequence[str], values: Sequence[object], least: float) -> dict[str, float]:
    numbers = dict(zip(members, map(float, values), strict=True))  # type: ignore[arg-type]  # what is no number raises
    if not all(math.isfinite(number) and number >= least for number in numbers.values()):
        raise ValueError("a record is not a finite number")
    return numbers
