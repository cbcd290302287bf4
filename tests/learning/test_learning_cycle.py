"""What follows from a training's answer: who is deployed, who waits, who leaves, told once whenever it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import InvalidInput
from domain.learning import ONLINE, EvaluationKind, ModelEvent, ModelEventKind
from learning.cycle import Conclusion, concluded
from learning.registry.state import Place, Standing, standing_of

AT = datetime(2026, 1, 1, tzinfo=UTC)
KIND = ModelEventKind


def event(kind: ModelEventKind, model_id: str, number: int) -> ModelEvent:
    at = AT - timedelta(days=100 - number)
    return ModelEvent(event_id=f"e{number}", at=at, model_id=model_id, kind=kind, reason="a test", by="a test")


def standing(*told: tuple[ModelEventKind, str]) -> Standing:
    return standing_of(event(kind, name, number) for number, (kind, name) in enumerate(told))


def record(model_id: str) -> dict[str, Any]:
    return {
        "model_id": model_id,
        "created_at": AT.isoformat(),
        "family": "logistic",
        "sha256": "a" * 64,
        "schema": "schema-1",
        "samples": 500,
        "trained_from": (AT - timedelta(days=90)).isoformat(),
        "trained_until": (AT - timedelta(days=9)).isoformat(),
        "threshold": 0.5,
        "seed": 0,
        "document": {},
    }


def answer(
    new: str | None = "new", *, deploy: str | None = None, challenge: str | None = None, **changes: Any
) -> dict[str, Any]:
    judged = [] if new is None else [{"model": new, "spent": 0.01}]
    return {
        "cycle": "c1",
        "against": None,
        "record": None if new is None else record(new),
        "deploy": deploy,
        "challenge": challenge,
        "reason": "a reason",
        "verdicts": judged,
    } | changes


def told(conclusion: Conclusion) -> list[tuple[ModelEventKind, str]]:
    return [(each.kind, each.model_id) for each in conclusion.events]


def of(said: dict[str, Any], before: Standing | None = None) -> Conclusion:
    return concluded(said, before or standing(), at=AT)


WAITING = ((KIND.REGISTERED, "old"), (KIND.CHALLENGING, "old"))
SPEAKING = ((KIND.REGISTERED, "first"), (KIND.DEPLOYED, "first"))


def test_a_winner_is_registered_and_deployed():
    found = of(answer(deploy="new"))
    assert told(found) == [(KIND.REGISTERED, "new"), (KIND.DEPLOYED, "new")]
    assert found.deployed == "new"
    assert found.record is not None
    assert [each.kind for each in found.evaluations] == [EvaluationKind.TRAINING, EvaluationKind.VERDICT]


def test_one_that_lost_is_retired_and_a_promising_one_waits():
    assert told(of(answer())) == [(KIND.REGISTERED, "new"), (KIND.RETIRED, "new")]
    assert told(of(answer(challenge="new"))) == [(KIND.REGISTERED, "new"), (KIND.CHALLENGING, "new")]


def test_one_challenger_makes_room_for_another():
    found = of(answer(challenge="new"), standing(*WAITING))
    assert told(found) == [(KIND.REGISTERED, "new"), (KIND.RETIRED, "old"), (KIND.CHALLENGING, "new")]


def test_one_that_goes_on_waiting_is_not_named_again_and_the_new_one_leaves():
    found = of(answer(challenge="old"), standing(*WAITING))
    assert told(found) == [(KIND.REGISTERED, "new"), (KIND.RETIRED, "new")]


def test_one_that_waited_is_deployed():
    found = of(answer(deploy="old"), standing(*WAITING))
    assert told(found) == [(KIND.REGISTERED, "new"), (KIND.RETIRED, "new"), (KIND.DEPLOYED, "old")]


def test_where_nothing_was_trained_the_one_that_waits_goes_on_waiting():
    found = of(answer(None), standing(*WAITING))
    assert found.events == ()
    assert [each.kind for each in found.evaluations] == [EvaluationKind.TRAINING]


def test_an_answer_that_compared_with_somebody_else_deploys_nobody_and_keeps_its_model_waiting():
    found = of(answer(deploy="new", against="first"))
    assert found.deployed is None
    assert told(found) == [(KIND.REGISTERED, "new"), (KIND.CHALLENGING, "new")]
    assert found.sentence == "new was judged against first, and by now unfiltered trading speaks"
    same = of(answer(deploy="new", against="first"), standing(*SPEAKING))
    assert same.deployed == "new"


def test_the_online_learner_is_beaten_as_unfiltered_trading_is():
    assert of(answer(deploy="new"), standing((KIND.DEPLOYED, ONLINE))).deployed == "new"


@pytest.mark.parametrize(
    ("before", "place"),
    [
        (SPEAKING, Place.CHAMPION),
        ((*SPEAKING, (KIND.REGISTERED, "x"), (KIND.DEPLOYED, "x")), Place.FORMER),
        (((KIND.REGISTERED, "first"), (KIND.RETIRED, "first")), Place.RETIRED),
    ],
)
def test_a_model_that_is_known_does_not_come_back_by_being_trained_again(before, place):
    stands = standing(*before)
    assert stands.place("first") is place
    found = of(answer("first", deploy="first", against=stands.champion), stands)
    assert (found.events, found.record, found.deployed) == ((), None, None)
    assert "gave first again" in found.sentence


def test_one_that_waits_and_is_trained_again_is_judged_and_not_registered_twice():
    found = of(answer("old", deploy="old"), standing(*WAITING))
    assert told(found) == [(KIND.DEPLOYED, "old")]
    assert found.record is None


def test_the_same_answer_gives_the_same_facts_again():
    one, other = of(answer(deploy="new")), of(answer(deploy="new"))
    assert (one.events, one.evaluations) == (other.events, other.evaluations)


def test_facts_of_two_cycles_have_names_of_their_own():
    one, other = of(answer()), of(answer(cycle="c2"))
    assert {each.event_id for each in one.events}.isdisjoint({each.event_id for each in other.events})
    assert {each.evaluation_id for each in one.evaluations}.isdisjoint(
        {each.evaluation_id for each in other.evaluations}
    )


@pytest.mark.parametrize("lacking", ["record", "deploy", "challenge", "reason", "cycle", "against", "verdicts"])
def test_what_is_no_answer_is_refused(lacking):
    said = answer()
    del said[lacking]
    with pytest.raises(InvalidInput, match="cannot be read"):
        of(said)


def test_an_answer_to_another_standing_is_refused():
    with pytest.raises(InvalidInput, match="cannot be"):
        of(answer(challenge="gone"))
