"""The online learners, one label at a time, beside plain river pipelines on the same rows in the same run."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from bench import stories
from bench.figures import Figure, in_unit
from bench.request import Request
from bench.timing import once_each
from domain.decisions import Sample
from journal.journal import Journal
from learning.blending import ForecastBlend
from learning.learners.settings import LEARNERS
from learning.online import OnlineFilter, OnlineSettings

FOREST_ROWS = 200
"""Trees take milliseconds a row; the other learners are shown every row there is."""
_QUANTILES = {"p50": 0.5, "p99": 0.99}
_STEPS = {"learn": "one label: scored, scaled, learned", "predict": "the opinion on one signal"}


def run(request: Request) -> Iterator[Figure]:
    """Each call is timed by itself; our learner and river's pipeline take turns row by row."""
    with Journal.open(stories.journal(request), read_only=True) as journal:
        samples = journal.read.samples()
    for name in LEARNERS:
        rows = samples[:FOREST_ROWS] if name == "forest" else samples
        turns = [_alternated(name, rows) for _ in range(request.repeat + 1)][1:]  # the first is the warm-up
        yield from _figures(name, turns, len(rows))
    yield _outcome(samples, request.repeat)
    yield _refold(samples[:FOREST_ROWS], request.repeat)


def _alternated(name: str, samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Seconds of each call, by step; river's steps begin with `river_`."""
    model, river = _filter(name, samples), _river(name)
    found: dict[str, list[float]] = {step: [] for each in _STEPS for step in (each, f"river_{each}")}
    gc.collect()
    gc.disable()
    try:
        for sample in samples:
            said = _clocked(found["predict"], model.predict, sample.features)
            _clocked(found["learn"], model.learn, sample, said)
            if river is not None:
                present = sample.features.present()
                _clocked(found["river_predict"], river.predict_proba_one, present)
                _clocked(found["river_learn"], river.learn_one, present, bool(sample.label))
    finally:
        gc.enable()
    return found


def _clocked(seconds: list[float], call: Callable[..., Any], *given: object) -> Any:
    began = time.perf_counter()
    answer = call(*given)
    seconds.append(time.perf_counter() - began)
    return answer


def _figures(name: str, turns: Sequence[dict[str, list[float]]], rows: int) -> Iterator[Figure]:
    for step, what in _STEPS.items():
        for quantile, share in _QUANTILES.items():
            own = [float(np.quantile(turn[step], share)) for turn in turns]
            told = f"{what}; {quantile} of {rows} calls"
            yield Figure(name=f"online.{name}.{step}.{quantile}", what=told, unit="us", values=in_unit(own, "us"))
            peers = [float(np.quantile(turn[f"river_{step}"], share)) for turn in turns if turn[f"river_{step}"]]
            if peers:
                yield Figure(
                    name=f"online.{name}.{step}.{quantile}.ratio",
                    what="the same over river's plain pipeline on the same rows, without scores and refusals",
                    unit="x",
                    values=tuple(mine / theirs for mine, theirs in zip(own, peers, strict=True)),
                )


def _outcome(samples: Sequence[Sample], repeat: int) -> Figure:
    """From an outcome to the updated model and blend; the journal's commit apart."""
    said = _opinions(samples)

    def learned() -> None:
        model, blend = _filter("logistic", samples), ForecastBlend(("batch", "online"))
        for sample, view in zip(samples, said, strict=True):
            model.learn(sample, view)
            forecast, base_rate = view.forecast, view.base_rate
            if base_rate is not None:
                blend.update({"batch": forecast, "online": forecast}, base_rate, sample.label, sample.weight)

    each = (seconds / len(samples) for seconds in once_each(learned, repeat))
    what = f"one outcome to updated model and blend; mean over {len(samples)} labels"
    return Figure(name="online.outcome", what=what, unit="us", values=in_unit(each, "us"))


def _refold(samples: Sequence[Sample], repeat: int) -> Figure:
    """What a start pays for each sample that a forest had learned."""
    model = _filter("forest", samples)
    model.learn_batch(samples)
    text, schema = model.checkpoint(), samples[0].features.schema

    def folded() -> None:
        OnlineFilter.restore(text, OnlineSettings(learner="forest"), schema=schema).refold(samples)

    each = (seconds / len(samples) for seconds in once_each(folded, repeat))
    what = f"a restart's share for each sample that a forest learned; mean over {len(samples)}"
    return Figure(name="online.forest.refold", what=what, unit="us", values=in_unit(each, "us"))


def _opinions(samples: Sequence[Sample]) -> list[Any]:
    model, said = _filter("logistic", samples), []
    for sample in samples:
        said.append(model.predict(sample.features))
        model.learn(sample, said[-1])
    return said


def _filter(name: str, samples: Sequence[Sample]) -> OnlineFilter:
    return OnlineFilter(OnlineSettings(learner=name), schema=samples[0].features.schema)


def _river(name: str) -> Any:
    """River's own pipeline of the same kind; it has no neural net any more."""
    from river import forest, linear_model, optim, preprocessing

    if name == "logistic":
        step = optim.SGD(optim.schedulers.InverseScaling(0.005, power=0.5))
        return preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=step, l2=0.05)
    if name == "passive_aggressive":
        passive: Any = linear_model.PAClassifier
        return preprocessing.StandardScaler() | passive(C=0.0005)
    return forest.ARFClassifier(n_models=10, seed=1) if name == "forest" else None
