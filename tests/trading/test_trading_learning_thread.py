"""One order followed from its decision to what was learned from it, and who was judged by it; with its restarts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from trading_rig import START, Rig, flat

from daemon.casting import MODELS
from domain.decisions import Decision, FeatureVector, MlClass, OutcomeKind, SampleSource
from domain.holds import Effect, HoldCause
from domain.learning import ONLINE, ModelEvent, ModelEventKind, PredictionRole
from domain.orders import Leg
from journal import schema
from journal.batch import Batch
from learning.filter import BLEND_KEY, Heard
from learning.judgement.calibration import Sigmoid
from learning.portable.model import PortableModel
from learning.portable.parts import Linear
from learning.portable.preparation import Preparation
from learning.registry.bundle import Bundle, BundleContent, write_bundle
from signals.features import SCHEMA_HASH
from trading.aftermath import MODEL_KEY

SHOWN = FeatureVector(schema=SCHEMA_HASH, values={"f_spread": 0.0})
SPEAKS = {"minimum_labels": 1, "minimum_per_class": 1}


def bundle_in(rig: Rig, *, schema_hash: str = SCHEMA_HASH, intercept: float = 0.4) -> Bundle:
    """A model that takes the rig's one feature, trained long ago."""
    rows = np.linspace(0.0, 0.01, 40)[:, None]
    part = Linear(preparation=Preparation.fit(rows, np.ones(40)), weights=np.array([0.3]), intercept=intercept)
    return write_bundle(
        rig._folder / MODELS,
        BundleContent(
            family="logistic",
            created_by="a test",
            schema=schema_hash,
            model=PortableModel(names=("f_spread",), part=part),
            calibrator=Sigmoid(slope=1.0, intercept=0.0),
            threshold=0.5,
            trained_from=START - timedelta(days=90),
            trained_until=START - timedelta(days=9),
            known_until=START - timedelta(days=8),
            samples=500,
            seed=0,
            versions={},
            settings={},
            scores={},
            importances={},
        ),
    )


async def deploy(rig: Rig, bundle: Bundle) -> None:
    """What a training's conclusion journals, and a restart with it."""
    batch, now = Batch(), rig.clock.now()
    batch.add(bundle.record(START - timedelta(days=7)))
    for number, kind in enumerate((ModelEventKind.REGISTERED, ModelEventKind.DEPLOYED)):
        batch.add(
            ModelEvent(
                event_id=f"{bundle.model_id}-{number}",
                at=now,
                model_id=bundle.model_id,
                kind=kind,
                reason="a test",
                by="a test",
            )
        )
    await rig.writer.commit(batch)
    await rig.reopen()
    await rig.opens_again()


async def decided(rig: Rig, **what: Any) -> tuple[Decision, Heard]:
    """A decision with everybody's word on it, and its entry sent; it fills at the next open."""
    decision = rig.decide(**what)
    heard = rig.session.aftermath.model.hear(decision.features)
    decision = replace(decision, ml=heard.view)
    batch = Batch()
    intent = rig.entry(decision, batch)
    rig.session.aftermath.heard(decision, heard, batch)
    await rig.desk.submit([intent], batch)
    return decision, heard


def sequences(rig: Rig, decision_id: str) -> dict[str, set[int]]:
    """The transactions in which the sample of a decision, its real outcome and its drift findings were written."""
    found = {}
    for name, table in (("sample", schema.samples), ("outcome", schema.outcomes)):
        statement = select(table.c.sequence).where(table.c.decision_id == decision_id)
        if name == "outcome":
            statement = statement.where(table.c.kind == OutcomeKind.REAL.value)
        found[name] = {int(row[0]) for row in rig.journal.held.rows(statement)}
    return found


async def test_one_order_is_followed_from_its_decision_to_what_was_learned_and_judged(begin):
    rig = await begin([*flat(100, 6), *flat(120, 4)], learning=SPEAKS)
    bundle = bundle_in(rig)
    await deploy(rig, bundle)
    await rig.step()
    await rig.closes()
    watched: list[Any] = []
    keeper = rig.session.aftermath.drift
    take = keeper._take
    keeper._take = lambda sample: watched.append(sample) or take(sample)  # type: ignore[method-assign]  # to see what passes
    before = rig.session.aftermath.model.online.checkpoint()

    decision, heard = await decided(rig)
    await rig.writer.flush()
    read = rig.journal.read
    kept = read.decision(decision.decision_id)
    assert kept is not None
    assert kept.features == decision.features
    assert kept.ml.model == bundle.model_id
    said = {each.role: each for each in read.predictions() if each.decision_id == decision.decision_id}
    assert set(said) == {PredictionRole.CHAMPION, PredictionRole.ONLINE}
    assert {each.forecast for each in said.values()} == {each.forecast for each in heard.said}
    assert read.judged(bundle.model_id) == []

    await rig.opens()
    (entry,) = [each for each in read.intents() if each.leg is Leg.ENTRY]
    assert entry.cause_id == decision.decision_id
    await rig.step(6)
    await rig.writer.flush()
    fills = [each for each in read.fills() if each.client_order_id == entry.client_order_id]
    assert sum(each.quantity for each in fills) == decision.quantity
    (outcome,) = [each for each in read.outcomes(OutcomeKind.REAL) if each.decision_id == decision.decision_id]
    (sample,) = [each for each in read.samples() if each.decision_id == decision.decision_id]
    assert (sample.label, sample.source) == (1, SampleSource.REAL)
    assert sample.r_net == outcome.r_net
    assert sample.features == decision.features

    (judged,) = read.judged(bundle.model_id)
    own = said[PredictionRole.CHAMPION]
    assert (judged.decision_id, judged.forecast, judged.label) == (decision.decision_id, own.forecast, 1)
    assert [(each.forecast, each.label) for each in watched] == [(own.forecast, 1)]
    stored = read.state(MODEL_KEY)
    assert stored == rig.session.aftermath.model.online.checkpoint() != before
    assert rig.session.aftermath.model.labels == 1
    assert read.state(BLEND_KEY) == rig.session.aftermath.model.blend.checkpoint()
    written = sequences(rig, decision.decision_id)
    assert written["sample"] == written["outcome"]
    assert len(written["sample"]) == 1
    assert await rig.faults() == []


async def state_at_each_commit(begin: Any) -> tuple[Rig, list[tuple[int, int]]]:
    """After every commit of a trade's life: how many samples there are, and how many labels the checkpoint has."""
    rig = await begin([*flat(100, 6), *flat(120, 4)], learning=SPEAKS)
    seen: list[tuple[int, int]] = []
    commit = rig.journal.commit

    def watched(batch: Batch) -> int:
        found = commit(batch)
        text = rig.journal.read.state(MODEL_KEY)
        labels = 0 if text is None else json.loads(text)["counts"][0]
        seen.append((len(rig.journal.read.samples()), labels))
        return found

    rig.journal.commit = watched
    await rig.step()
    await rig.closes()
    await decided(rig)
    await rig.opens()
    await rig.step(6)
    await rig.writer.flush()
    return rig, seen


async def test_sample_and_checkpoint_are_never_seen_one_without_the_other(begin):
    _, seen = await state_at_each_commit(begin)
    assert seen[-1] == (1, 1)
    assert {samples - labels for samples, labels in seen} == {0}


@pytest.mark.parametrize("when", ["before the fill", "before the end"])
async def test_a_restart_on_the_way_comes_to_the_same_checkpoints(begin, when):
    checkpoints = []
    for restarts in (False, True):
        rig = await begin([*flat(100, 6), *flat(120, 4)], learning=SPEAKS)
        await deploy(rig, bundle_in(rig))
        await rig.step()
        await rig.closes()
        await decided(rig)
        if restarts and when == "before the fill":
            await rig.reopen()
            await rig.opens_again()
        else:
            await rig.opens()
        if restarts and when == "before the end":
            await rig.reopen()
            await rig.opens_again()
        await rig.step(6)
        await rig.writer.flush()
        model = rig.session.aftermath.model
        assert model.labels == 1
        checkpoints.append((model.online.checkpoint(), model.blend.checkpoint(), rig.journal.read.state(BLEND_KEY)))
        assert await rig.faults() == []
    assert checkpoints[0] == checkpoints[1]


# -- a champion that cannot speak ------------------------------------------------------------------------------------


def tampered(folder: Path) -> None:
    path = folder / "model.json"
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))


@pytest.mark.parametrize("fault", ["tampered", "gone", "another schema"])
async def test_a_champion_that_cannot_be_loaded_holds_to_the_technical_score(begin, fault):
    rig = await begin(flat(100, 8))
    bundle = bundle_in(rig, schema_hash="another" if fault == "another schema" else SCHEMA_HASH)
    sound = {each.name: each.read_bytes() for each in bundle.path.iterdir()}
    if fault == "tampered":
        tampered(bundle.path)
    if fault == "gone":
        for each in bundle.path.iterdir():
            each.unlink()
    await deploy(rig, bundle)
    (hold,) = [each for each in rig.session.holds.all() if each.cause is HoldCause.MODEL]
    assert hold.effect is Effect.SAFE
    assert hold.detail
    assert bundle.model_id in hold.detail
    view = rig.session.aftermath.model.hear(SHOWN).view
    assert view.verdict is MlClass.UNKNOWN
    if fault == "another schema":
        return
    for name, content in sound.items():
        (bundle.path / name).write_bytes(content)
    await rig.reopen()
    assert not rig.session.holds.has(HoldCause.MODEL, None)
    assert rig.session.aftermath.model.hear(SHOWN).view.model == bundle.model_id


async def test_a_champion_that_nobody_confirmed_in_time_holds_to_the_technical_score(begin):
    rig = await begin(flat(100, 8))
    bundle = bundle_in(rig)
    await deploy(rig, bundle)
    assert not rig.session.holds.has(HoldCause.MODEL, None)
    await rig.reopen(later=timedelta(days=31))
    (hold,) = [each for each in rig.session.holds.all() if each.cause is HoldCause.MODEL]
    assert hold.effect is Effect.SAFE
    assert "was not confirmed since" in (hold.detail or "")


async def test_with_nobody_deployed_there_is_nothing_to_hold_for(begin):
    rig = await begin(flat(100, 8))
    await rig.reopen(later=timedelta(days=400))
    assert not rig.session.holds.has(HoldCause.MODEL, None)
    assert rig.session.aftermath.model.cast.champion is None
    assert ONLINE not in {each.model_id for each in rig.journal.read.predictions()}
