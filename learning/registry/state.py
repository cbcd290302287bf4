"""Who speaks now: a fold over the journal's model events.

There is no pointer file that could disagree with the journal. `LEGAL` says which event may follow on what; an event
that may not is refused, so a story that cannot have happened is found when it is written, not when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from domain.errors import InvalidInput
from domain.learning import ONLINE, ModelEvent, ModelEventKind

FORMER_CHAMPIONS = 2
"""How many champions before the present one can be rolled back to, one after the other."""


class Place(StrEnum):
    """Where a model stands."""

    UNKNOWN = "unknown"
    READY = "ready"
    """Registered, and neither heard nor followed."""
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    FORMER = "former"
    """A champion before the present one that can be rolled back to."""
    RETIRED = "retired"
    """For good: a model that comes back is a new training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """From where a model may go, and where to."""

    come_from: frozenset[Place]
    to: Place


def _transition(to: Place, *come_from: Place) -> Transition:
    return Transition(come_from=frozenset(come_from), to=to)


LEGAL: Mapping[ModelEventKind, Transition] = MappingProxyType(
    {
        ModelEventKind.REGISTERED: _transition(Place.READY, Place.UNKNOWN),
        ModelEventKind.CHALLENGING: _transition(Place.CHALLENGER, Place.READY),
        ModelEventKind.DEPLOYED: _transition(Place.CHAMPION, Place.READY, Place.CHALLENGER),
        ModelEventKind.ROLLED_BACK: _transition(Place.CHAMPION, Place.FORMER),
        ModelEventKind.WITHDRAWN: _transition(Place.RETIRED, Place.CHAMPION, Place.FORMER),
        ModelEventKind.RETIRED: _transition(Place.RETIRED, Place.READY, Place.CHALLENGER),
        ModelEventKind.RENEWED: _transition(Place.CHAMPION, Place.CHAMPION),
    }
)
"""What the model that an event names must be, and what it then is. Beyond that: there is one challenger at most, a
rollback goes to the latest former champion, and to none only when there is no such champion."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Who speaks, who is only heard, and until when that holds.

    `champion` is None for unfiltered trading, and `ONLINE` for the online learner, which is ready from the beginning
    and is never retired. `former` are earlier champions, the latest last. `since` is when the present champion, or
    the time without one, began; `confirmed_at` when the champion was last deployed, rolled back to or renewed.
    `lifetime` is how long that lasts, None for ever.
    """

    champion: str | None = None
    challenger: str | None = None
    former: tuple[str, ...] = ()
    since: datetime | None = None
    confirmed_at: datetime | None = None
    lifetime: timedelta | None = None
    places: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({ONLINE: Place.READY}))

    @property
    def previous(self) -> str | None:
        """The champion that a rollback goes to; None for unfiltered trading."""
        return self.former[-1] if self.former else None

    @property
    def valid_until(self) -> datetime | None:
        """When the champion expires; None without one, without a lifetime, and for the online learner, which learns
        on."""
        if self.champion in (None, ONLINE) or self.confirmed_at is None or self.lifetime is None:
            return None
        return self.confirmed_at + self.lifetime

    @property
    def in_use(self) -> frozenset[str]:
        """The models whose bundles must stay: whoever speaks, challenges or can be rolled back to."""
        named = (self.champion, self.challenger, *self.former)
        return frozenset(name for name in named if name not in (None, ONLINE))

    @property
    def can_roll_back(self) -> bool:
        """Whether there is anything to roll back from, or to."""
        return self.champion is not None or bool(self.former)

    def place(self, model_id: str) -> Place:
        return self.places.get(model_id, Place.UNKNOWN)

    def expired(self, now: datetime) -> bool:
        """Whether the champion has outlived its span."""
        return self.valid_until is not None and now >= self.valid_until

    def after(self, event: ModelEvent) -> Standing:
        """The standing once `event` has happened; raises `InvalidInput` when it may not happen now."""
        kind, name = event.kind, event.model_id
        self._demand_legal(event)
        match kind:
            case ModelEventKind.DEPLOYED:
                line = self.former if self.champion is None else (*self.former, self.champion)
                return self._spoken_by(name, line, event.at)
            case ModelEventKind.ROLLED_BACK:
                return self._spoken_by(name or None, self.former[:-1], event.at)
            case ModelEventKind.WITHDRAWN if name == self.champion:
                return replace(self._moved(name, kind), champion=None, since=event.at, confirmed_at=None)
            case ModelEventKind.WITHDRAWN:
                return replace(self._moved(name, kind), former=tuple(each for each in self.former if each != name))
            case ModelEventKind.RETIRED if name == self.challenger:
                return replace(self._moved(name, kind), challenger=None)
            case ModelEventKind.CHALLENGING:
                return replace(self._moved(name, kind), challenger=name)
            case ModelEventKind.RENEWED:
                return replace(self, confirmed_at=event.at)
            case _:
                return self._moved(name, kind)

    def _demand_legal(self, event: ModelEvent) -> None:
        kind, name = event.kind, event.model_id
        if kind is ModelEventKind.ROLLED_BACK and name != (self.previous or ""):
            raise InvalidInput(
                f"a rollback goes to {self.previous or 'unfiltered trading'}, not to {name or 'unfiltered trading'}"
            )
        if name == "":
            if not self.can_roll_back:
                raise InvalidInput("there is no champion to roll back from")
            return
        place = self.place(name)
        if place not in LEGAL[kind].come_from:
            allowed = " or ".join(sorted(LEGAL[kind].come_from))
            raise InvalidInput(f"{name} cannot be {kind}: it is {place}, and must be {allowed}")
        if kind is ModelEventKind.CHALLENGING and self.challenger is not None:
            raise InvalidInput(f"{name} cannot challenge while {self.challenger} does: that one retires first")

    def _spoken_by(self, champion: str | None, line: tuple[str, ...], at: datetime) -> Standing:
        """With another champion, or none, and these former ones; whoever is neither any more is ready again."""
        former = line[-FORMER_CHAMPIONS:]
        places = dict(self.places)
        for name in (*self.former, *(() if self.champion is None else (self.champion,))):
            places[name] = Place.FORMER if name in former else Place.READY
        if champion is not None:
            places[champion] = Place.CHAMPION
        return replace(
            self,
            champion=champion,
            challenger=None if champion == self.challenger else self.challenger,
            former=former,
            since=at,
            confirmed_at=None if champion is None else at,
            places=MappingProxyType(places),
        )

    def _moved(self, name: str, kind: ModelEventKind) -> Standing:
        """With one model in the place where this kind of event leads."""
        to = LEGAL[kind].to
        if name == ONLINE and to is Place.RETIRED:
            to = Place.READY
        return replace(self, places=MappingProxyType({**self.places, name: to}))


def standing_of(events: Iterable[ModelEvent], *, lifetime: timedelta | None = None) -> Standing:
    """Where all events, in the order in which they were journaled, have led to.

    `lifetime` is how long a champion is valid once confirmed. Raises `InvalidInput` at an event that may not follow on
    those before it.
    """
    if lifetime is not None and lifetime <= timedelta(0):
        raise InvalidInput(f"a model's lifetime of {lifetime} is not above 0")
    standing = Standing(lifetime=lifetime)
    for event in events:
        try:
            standing = standing.after(event)
        except InvalidInput as error:
            raise InvalidInput(f"model event {event.event_id} cannot have happened: {error}") from error
    return standing
