"""Who speaks about a signal and who is only heard; what a restart and a gate change, which is nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from registry_bundles import NAMES, SCHEMA, content

from domain.decisions import FeatureVector, MlClass, MlView, Sample, SampleSource
from domain.learning import ONLINE, PredictionRole
from domain.orders import Side
from learning.blending import ForecastBlend
from learning.filter import BATCH, NOT_DEPLOYED, Cast, SignalFilter
from learning.online import OnlineFilter, OnlineSettings
from learning.registry.bundle import LoadedModel, load_bundle, write_bundle

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
ROLE = PredictionRole
SETTINGS = OnlineSettings(minimum_labels=10, minimum_per_class=2)


@pytest.fixture
def models(tmp_path: Path) -> list[LoadedModel]:
    found = []
    for day, threshold in ((80, 0.55), (90, 0.5), (100, 0.6)):
        until = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)
        bundle = write_bundle(tmp_path, content(trained_until=until, known_until=until, threshold=threshold))
        found.append(load_bundle(tmp_path, bundle.model_id, sha256=bundle.sha256, schema=SCHEMA))
    return found


def features(number: int = 0, **changes: float | None) -> FeatureVector:
    draw = np.random.default_rng(number)
    values: dict[str, float | None] = {name: float(draw.standard_normal()) for name in NAMES}
    return FeatureVector(schema=SCHEMA, values=values | changes)


def sample(number: int) -> Sample:
    shown = features(number)
    won = (shown.values[NAMES[0]] or 0.0) + np.random.default_rng(number + 10_000).standard_normal() > 0
    at = FIRST + timedelta(hours=number)
    return Sample(
        decision_id=f"d{number}",
        decided_at=at,
        resolved_at=at + timedelta(hours=3),
        instrument="COIN",
        side=Side.BUY,
        strategy="trend",
        features=shown,
        r_net=1.0 if won else -1.0,
        label=int(won),
        weight=1.0,
        source=SampleSource.REAL,
    )


def filter_with(cast: Cast | None = None, *, blends: bool = True) -> SignalFilter:
    online = OnlineFilter(SETTINGS, schema=SCHEMA)
    return SignalFilter(online, blend=ForecastBlend((BATCH, ONLINE)), cast=cast or Cast(), blends=blends)


def story(model: SignalFilter, numbers: Iterator[int] | range, views: dict[str, MlView]) -> None:
    """Decisions whose labels come three decisions later."""
    for number in numbers:
        each = sample(number)
        heard = model.hear(each.features)
        views[each.decision_id] = heard.view
        model.remember(each.decision_id, heard.said)
        if number >= 3:
            ended = sample(number - 3)
            model.learn(ended, views[ended.decision_id])


def test_with_nobody_deployed_a_gated_learner_is_heard_and_not_followed():
    model, views = filter_with(), {}
    story(model, range(40), views)
    heard = model.hear(features(99))
    assert (heard.view.verdict, heard.view.why, heard.said) == (MlClass.UNKNOWN, NOT_DEPLOYED, ())
    assert heard.view.forecast is not None
    assert heard.view.probability is None


def test_gated_it_learns_and_is_scored_bit_for_bit_as_if_it_spoke():
    gated, speaking = filter_with(), filter_with(Cast(online_speaks=True))
    story(gated, range(60), {})
    views: dict[str, MlView] = {}
    story(speaking, range(60), views)
    assert views["d59"].verdict is not MlClass.UNKNOWN
    assert gated.online.checkpoint() == speaking.online.checkpoint()
    assert gated.report().speaking.scored > 30


def test_what_a_champion_says_leaves_the_learner_s_weights_as_they_would_be(models):
    alone, beside = filter_with(Cast(online_speaks=True)), filter_with(Cast(champion=models[0]))
    for model in (alone, beside):
        story(model, range(60), {})
    assert beside.report().overall == alone.report().overall
    assert beside.report().top_weights == alone.report().top_weights


def test_the_champion_speaks_blended_and_everybody_else_is_written_down(models):
    champion, challenger, previous = models
    model = filter_with(Cast(champion=champion, challenger=challenger, previous=previous))
    story(model, range(40), {})
    shown = features(99)
    heard = model.hear(shown)
    said = {each.role: each for each in heard.said}
    assert set(said) == {ROLE.CHAMPION, ROLE.CHALLENGER, ROLE.PREVIOUS, ROLE.ONLINE}
    assert said[ROLE.CHAMPION].forecast == champion.predict(shown.values)
    assert said[ROLE.CHALLENGER].forecast == challenger.predict(shown.values)
    assert (said[ROLE.PREVIOUS].model_id, said[ROLE.PREVIOUS].threshold) == (previous.model_id, previous.threshold)
    assert said[ROLE.ONLINE].forecast == model.online.predict(shown).forecast
    low, high = sorted((said[ROLE.CHAMPION].forecast, said[ROLE.ONLINE].forecast))
    probability = heard.view.probability
    assert probability is not None
    assert low < probability < high
    assert heard.view.model == champion.model_id
    assert heard.view.threshold == champion.threshold
    expected = MlClass.PROFITABLE if probability >= champion.threshold else MlClass.UNPROFITABLE
    assert heard.view.verdict is expected


def test_without_blending_the_champion_speaks_alone(models):
    model = filter_with(Cast(champion=models[0]), blends=True)
    alone = filter_with(Cast(champion=models[0]), blends=False)
    for each in (model, alone):
        story(each, range(40), {})
    shown = features(99)
    assert alone.hear(shown).view.probability == models[0].predict(shown.values)
    assert model.hear(shown).view.probability != models[0].predict(shown.values)
    assert model.blend.checkpoint() == alone.blend.checkpoint()


@pytest.mark.parametrize("stop", [1, 2, 17, 33])
def test_a_restart_that_restores_what_was_said_comes_to_the_same_bits(models, stop):
    cast = Cast(champion=models[0], challenger=models[1])
    through, views = filter_with(cast), {}
    story(through, range(50), views)
    before, again = filter_with(cast), {}
    story(before, range(stop), again)
    online = OnlineFilter.restore(before.online.checkpoint(), SETTINGS, schema=SCHEMA)
    blend = ForecastBlend.restore(before.blend.checkpoint(), (BATCH, ONLINE))
    after = SignalFilter(online, blend=blend, cast=cast)
    after.restore(before._open)
    story(after, range(stop, 50), again)
    assert after.online.checkpoint() == through.online.checkpoint()
    assert after.blend.checkpoint() == through.blend.checkpoint()
    assert again == views


def test_forgetting_what_was_said_would_be_seen(models):
    cast = Cast(champion=models[0])
    one, other = filter_with(cast), filter_with(cast)
    views: dict[str, MlView] = {}
    story(one, range(30), views)
    story(other, range(30), {})
    other._open.clear()
    for number in (27, 28):
        one.learn(sample(number), views[f"d{number}"])
        other.learn(sample(number), views[f"d{number}"])
    assert one.blend.checkpoint() != other.blend.checkpoint()


def test_a_learner_that_may_not_speak_yet_is_not_blended_in(models):
    model, shown = filter_with(Cast(champion=models[0])), features(99)
    story(model, range(8), {})
    assert model.online.predict(shown).verdict is MlClass.UNKNOWN
    assert model.hear(shown).view.probability == models[0].predict(shown.values)


def test_a_feature_that_is_missing_is_answered_all_the_same(models):
    model = filter_with(Cast(champion=models[0]))
    heard = model.hear(features(1, f_rsi=None))
    assert heard.view.probability == models[0].predict(features(1, f_rsi=None).values)


@pytest.mark.parametrize(
    "shown",
    [
        FeatureVector(schema=SCHEMA, values={"f_atr": 1.0}),
        FeatureVector(schema="schema-2", values=dict.fromkeys(NAMES, 1.0)),
    ],
    ids=["lacking", "another schema"],
)
def test_a_champion_that_cannot_answer_gives_no_verdict_and_says_why(models, shown):
    model = filter_with(Cast(champion=models[0], challenger=models[1]))
    story(model, range(40), {})
    heard = model.hear(shown)
    assert heard.view.verdict is MlClass.UNKNOWN
    assert models[0].model_id in heard.view.why
    assert set(model.faults) == {models[0].model_id, models[1].model_id}
    assert {each.role for each in heard.said} <= {ROLE.ONLINE}


def test_a_listener_that_cannot_answer_silences_nobody(models, tmp_path):
    other = replace(models[1], manifest=replace(models[1].manifest, schema="schema-2"))
    model = filter_with(Cast(champion=models[0], challenger=other))
    heard = model.hear(features(4))
    assert heard.view.verdict is not MlClass.UNKNOWN
    assert [each.role for each in heard.said] == [ROLE.CHAMPION, ROLE.ONLINE]
    assert other.model_id in model.faults


def test_a_label_of_a_decision_of_the_champion_before_is_no_record_of_the_new_one(models):
    model, views = filter_with(Cast(champion=models[0])), {}
    story(model, range(20), views)
    fresh = ForecastBlend((BATCH, ONLINE))
    model.installed(Cast(champion=models[1]), blend=fresh)
    untouched = json.loads(fresh.checkpoint())
    for number in (17, 18, 19):
        model.learn(sample(number), views[f"d{number}"])
    assert json.loads(model.blend.checkpoint()) == untouched
    assert model._open == {}


def test_what_was_said_is_kept_until_its_label_and_no_longer(models):
    model, views = filter_with(Cast(champion=models[0])), {}
    story(model, range(10), views)
    spoken = model.spoken("d9")
    assert spoken is not None
    assert spoken.model_id == models[0].model_id
    assert model.spoken("d2") is None
    assert sorted(model._open) == ["d7", "d8", "d9"]
