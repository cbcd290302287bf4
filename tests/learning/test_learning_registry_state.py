"""Who speaks is a fold over the journal's events: each legal step is taken, each other one is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.learning import ONLINE, ModelEvent, ModelEventKind
from learning.registry.state import FORMER_CHAMPIONS, LEGAL, Place, Standing, standing_of

START = datetime(2024, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)
KINDS = ModelEventKind

Told = tuple[ModelEventKind, str]


def told(*story: Told) -> list[ModelEvent]:
    """One event a day."""
    return [
        ModelEvent(
            event_id=f"event-{number}",
            at=START + timedelta(days=number),
            model_id=name,
            kind=kind,
            reason="it said so",
            by="daemon",
        )
        for number, (kind, name) in enumerate(story)
    ]


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def standing(*story: Told) -> Standing:
    return standing_of(told(*story), lifetime=MONTH)


def deployed(*names: str) -> list[Told]:
    """Registered and deployed one after the other."""
    return [(kind, name) for name in names for kind in (KINDS.REGISTERED, KINDS.DEPLOYED)]


def test_before_any_event_nobody_speaks() -> None:
    nobody = standing_of([])
    assert (nobody.champion, nobody.previous, nobody.challenger, nobody.since, nobody.valid_until) == (None,) * 5
    assert nobody.in_use == frozenset()
    assert not nobody.can_roll_back
    assert nobody.place(ONLINE) is Place.READY
    assert nobody.place("a") is Place.UNKNOWN
    assert nobody == Standing()


def test_a_deployed_model_speaks_from_then_on_and_for_its_lifetime() -> None:
    found = standing(*deployed("a"))
    assert (found.champion, found.previous, found.since, found.valid_until) == ("a", None, day(1), day(1) + MONTH)
    assert not found.expired(day(1) + MONTH - timedelta(microseconds=1))
    assert found.expired(day(1) + MONTH)
    assert standing_of(told(*deployed("a"))).valid_until is None
    assert not standing_of(told(*deployed("a"))).expired(day(9_999))


def test_renewing_a_champion_moves_its_end_and_not_its_beginning() -> None:
    found = standing(*deployed("a"), (KINDS.REGISTERED, "b"), (KINDS.RENEWED, "a"))
    assert (found.champion, found.since, found.valid_until) == ("a", day(1), day(3) + MONTH)


def test_a_promoted_challenger_is_no_challenger_and_the_champion_before_it_stays_ready() -> None:
    found = standing(*deployed("a"), (KINDS.REGISTERED, "b"), (KINDS.CHALLENGING, "b"), (KINDS.DEPLOYED, "b"))
    assert (found.champion, found.previous, found.challenger) == ("b", "a", None)
    assert found.place("a") is Place.FORMER
    assert found.in_use == {"a", "b"}


def test_another_model_that_is_deployed_leaves_the_challenger_in_its_place() -> None:
    found = standing((KINDS.REGISTERED, "c"), (KINDS.CHALLENGING, "c"), *deployed("a"))
    assert (found.champion, found.challenger) == ("a", "c")


def test_a_rollback_goes_to_the_champion_before_and_then_to_the_one_before_that() -> None:
    once = standing(*deployed("a", "b", "c"), (KINDS.ROLLED_BACK, "b"))
    assert (once.champion, once.previous, once.since, once.valid_until) == ("b", "a", day(6), day(6) + MONTH)
    assert once.place("c") is Place.READY
    twice = standing(*deployed("a", "b", "c"), (KINDS.ROLLED_BACK, "b"), (KINDS.ROLLED_BACK, "a"))
    assert (twice.champion, twice.previous) == ("a", None)
    out = standing(*deployed("a"), (KINDS.ROLLED_BACK, ""))
    assert (out.champion, out.since, out.valid_until, out.place("a")) == (None, day(2), None, Place.READY)
    assert not out.can_roll_back


def test_what_was_rolled_back_may_be_deployed_again() -> None:
    found = standing(*deployed("a", "b"), (KINDS.ROLLED_BACK, "a"), (KINDS.DEPLOYED, "b"))
    assert (found.champion, found.previous) == ("b", "a")


def test_a_withdrawn_champion_leaves_nobody_and_can_be_rolled_back_past() -> None:
    found = standing(*deployed("a", "b"), (KINDS.WITHDRAWN, "b"))
    assert (found.champion, found.previous, found.since, found.valid_until) == (None, "a", day(4), None)
    assert found.in_use == {"a"}
    back = standing(*deployed("a", "b"), (KINDS.WITHDRAWN, "b"), (KINDS.ROLLED_BACK, "a"))
    assert (back.champion, back.previous) == ("a", None)


def test_a_former_champion_that_is_withdrawn_is_not_rolled_back_to() -> None:
    found = standing(*deployed("a", "b", "c"), (KINDS.WITHDRAWN, "b"))
    assert (found.champion, found.previous, found.since) == ("c", "a", day(5))


def test_so_many_former_champions_are_kept_and_the_oldest_goes_back_on_the_shelf() -> None:
    found = standing(*deployed("a", "b", "c", "d"))
    assert found.former == ("b", "c")
    assert len(found.former) == FORMER_CHAMPIONS
    assert found.in_use == {"b", "c", "d"}
    assert found.place("a") is Place.READY


def test_the_online_learner_needs_no_bundle_and_is_never_gone() -> None:
    found = standing((KINDS.DEPLOYED, ONLINE))
    assert (found.champion, found.valid_until, found.in_use) == (ONLINE, None, frozenset())
    assert not found.expired(day(9_999))
    again = standing((KINDS.DEPLOYED, ONLINE), (KINDS.WITHDRAWN, ONLINE), (KINDS.DEPLOYED, ONLINE))
    assert again.champion == ONLINE
    retired = standing((KINDS.CHALLENGING, ONLINE), (KINDS.RETIRED, ONLINE), (KINDS.CHALLENGING, ONLINE))
    assert retired.challenger == ONLINE
    behind = standing((KINDS.DEPLOYED, ONLINE), *deployed("a"))
    assert (behind.previous, behind.in_use) == (ONLINE, {"a"})
    assert standing((KINDS.DEPLOYED, ONLINE), *deployed("a"), (KINDS.ROLLED_BACK, ONLINE)).champion == ONLINE


WAYS: dict[Place, Sequence[Told]] = {
    Place.UNKNOWN: (),
    Place.READY: ((KINDS.REGISTERED, "x"),),
    Place.CHALLENGER: ((KINDS.REGISTERED, "x"), (KINDS.CHALLENGING, "x")),
    Place.CHAMPION: deployed("x"),
    Place.FORMER: deployed("x", "y"),
    Place.RETIRED: ((KINDS.REGISTERED, "x"), (KINDS.RETIRED, "x")),
}
"""How a model `x` comes to each place."""

ALLOWED = {
    (KINDS.REGISTERED, Place.UNKNOWN): Place.READY,
    (KINDS.CHALLENGING, Place.READY): Place.CHALLENGER,
    (KINDS.DEPLOYED, Place.READY): Place.CHAMPION,
    (KINDS.DEPLOYED, Place.CHALLENGER): Place.CHAMPION,
    (KINDS.ROLLED_BACK, Place.FORMER): Place.CHAMPION,
    (KINDS.WITHDRAWN, Place.CHAMPION): Place.RETIRED,
    (KINDS.WITHDRAWN, Place.FORMER): Place.RETIRED,
    (KINDS.RETIRED, Place.READY): Place.RETIRED,
    (KINDS.RETIRED, Place.CHALLENGER): Place.RETIRED,
    (KINDS.RENEWED, Place.CHAMPION): Place.CHAMPION,
}
"""The whole table, told a second time: what is not here may not happen."""


@pytest.mark.parametrize(("kind", "place"), list(product(KINDS, Place)))
def test_each_event_is_legal_from_just_the_places_of_the_table(kind: ModelEventKind, place: Place) -> None:
    before = standing(*WAYS[place])
    assert before.place("x") is place
    event = told((kind, "x"))[0]
    if (kind, place) in ALLOWED:
        assert before.after(event).place("x") is ALLOWED[kind, place]
        return
    with pytest.raises(InvalidInput, match=r"cannot be|a rollback goes to"):
        before.after(event)


def test_the_table_of_the_product_is_this_one() -> None:
    assert {(kind, place): step.to for kind, step in LEGAL.items() for place in step.come_from} == ALLOWED
    assert set(LEGAL) == set(KINDS)


@pytest.mark.parametrize(
    ("story", "says"),
    [
        ([(KINDS.ROLLED_BACK, "")], "no champion to roll back from"),
        ([*deployed("a", "b"), (KINDS.ROLLED_BACK, "")], "goes to a, not to unfiltered trading"),
        ([*deployed("a", "b", "c"), (KINDS.ROLLED_BACK, "a")], "goes to b, not to a"),
        ([*deployed("a"), (KINDS.ROLLED_BACK, "a")], "goes to unfiltered trading, not to a"),
        ([*deployed("a"), (KINDS.WITHDRAWN, "a"), (KINDS.ROLLED_BACK, "")], "no champion to roll back from"),
        (
            [(KINDS.REGISTERED, "a"), (KINDS.REGISTERED, "b"), (KINDS.CHALLENGING, "a"), (KINDS.CHALLENGING, "b")],
            "cannot challenge while a does",
        ),
        ([*deployed("a"), (KINDS.WITHDRAWN, "a"), (KINDS.REGISTERED, "a")], "it is retired"),
    ],
)
def test_a_story_that_cannot_have_happened_is_refused_and_its_event_named(story: list[Told], says: str) -> None:
    with pytest.raises(InvalidInput, match=f"event-{len(story) - 1} cannot have happened: .*{says}"):
        standing(*story)


def test_a_lifetime_must_be_above_zero() -> None:
    with pytest.raises(InvalidInput, match="lifetime"):
        standing_of([], lifetime=timedelta(0))


names = st.sampled_from(["a", "b", "c", "d", "e", ONLINE])
steps = st.lists(st.tuples(st.sampled_from(KINDS), names | st.just("")), max_size=60)


def lawful(attempts: list[Told]) -> tuple[list[ModelEvent], Standing]:
    """Those of the attempts that may happen, one after the other, and where they lead."""
    events: list[ModelEvent] = []
    now = Standing(lifetime=MONTH)
    for kind, name in attempts:
        if name == "" and kind is not KINDS.ROLLED_BACK:
            continue
        (event,) = told((kind, name))
        numbered = ModelEvent(
            event_id=f"event-{len(events)}",
            at=day(len(events)),
            model_id=event.model_id,
            kind=kind,
            reason="tried",
            by="daemon",
        )
        before = now
        try:
            now = now.after(numbered)
        except InvalidInput:
            assert now is before
            continue
        events.append(numbered)
        demand_sane(now)
        demand_follows(before, numbered, now)
    return events, now


def demand_sane(now: Standing) -> None:
    """Each name stands in one place, and the places are those of the names."""
    line = [*now.former, *([now.champion] if now.champion else []), *([now.challenger] if now.challenger else [])]
    assert len(set(line)) == len(line)
    assert len(now.former) <= FORMER_CHAMPIONS
    expected = dict.fromkeys(now.former, Place.FORMER)
    expected |= {now.champion: Place.CHAMPION} if now.champion else {}
    expected |= {now.challenger: Place.CHALLENGER} if now.challenger else {}
    standing_somewhere = {Place.FORMER, Place.CHAMPION, Place.CHALLENGER}
    assert {name: place for name, place in now.places.items() if place in standing_somewhere} == expected
    assert all(now.place(name) is not Place.RETIRED for name in now.in_use)
    assert (now.valid_until is None) == (now.champion in (None, ONLINE))
    assert now.place(ONLINE) is not Place.RETIRED


def demand_follows(before: Standing, event: ModelEvent, now: Standing) -> None:
    """What one event may change, said without the fold."""
    retired = {name for name, place in before.places.items() if place is Place.RETIRED}
    assert all(now.place(name) is Place.RETIRED for name in retired), "nobody comes back from retirement"
    speaks = {KINDS.DEPLOYED: event.model_id, KINDS.ROLLED_BACK: event.model_id or None}
    withdrawn = event.kind is KINDS.WITHDRAWN and event.model_id == before.champion
    expected = None if withdrawn else speaks.get(event.kind, before.champion)
    assert now.champion == expected
    assert now.since == (event.at if withdrawn or event.kind in speaks else before.since)
    if event.kind is KINDS.ROLLED_BACK:
        assert now.champion == before.previous
    if event.kind is KINDS.DEPLOYED and before.champion is not None:
        assert now.previous == before.champion


@settings(deadline=None, max_examples=300)
@given(attempts=steps)
def test_whatever_is_tried_the_standing_is_sane_and_is_the_fold_of_what_happened(attempts: list[Told]) -> None:
    events, now = lawful(attempts)
    assert standing_of(events, lifetime=MONTH) == now
    middle = standing_of(events[: len(events) // 2], lifetime=MONTH)
    for event in events[len(events) // 2 :]:
        middle = middle.after(event)
    assert middle == now


@settings(deadline=None, max_examples=200)
@given(attempts=steps)
def test_rolling_back_a_deployment_is_as_if_it_had_not_been(attempts: list[Told]) -> None:
    _, now = lawful(attempts)
    if len(now.former) == FORMER_CHAMPIONS and now.champion is not None:
        return  # the oldest former champion has made room, and does not come back
    registered, deploy, back = told(
        (KINDS.REGISTERED, "new"), (KINDS.DEPLOYED, "new"), (KINDS.ROLLED_BACK, now.champion or now.previous or "")
    )
    if now.champion is None and now.previous is not None:
        return  # a withdrawn champion is rolled back past
    then = now.after(registered).after(deploy).after(back)
    assert (then.champion, then.former, then.challenger) == (now.champion, now.former, now.challenger)
    assert dict(then.places) == {**now.places, "new": Place.READY}
