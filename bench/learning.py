"""The online model on the samples of a real replay."""

from __future__ import annotations

from collections.abc import Iterator

from bench import stories
from bench.figures import Figure, in_unit
from bench.request import Request
from bench.timing import once_each, per_call
from journal.journal import Journal
from learning.online import OnlineFilter
from learning.strategy_record import StrategyRecord


def run(request: Request) -> Iterator[Figure]:
    """Learning, the opinion, and what is stored with every label."""
    with Journal.open(stories.journal(request), read_only=True) as journal:
        samples, outcomes = journal.read.samples(), journal.read.outcomes()
    schema = samples[0].features.schema

    def learned() -> OnlineFilter:
        model = OnlineFilter(schema=schema)
        for sample in samples:
            model.learn(sample)
        return model

    def us(name: str, what: str, seconds: tuple[float, ...]) -> Figure:
        return Figure(name=f"learning.{name}", what=what, unit="us", values=in_unit(seconds, "us"))

    each = tuple(seconds / len(samples) for seconds in once_each(learned, request.repeat))
    yield us("learn", f"one label: scored, scaled, learned; mean over {len(samples)} samples", each)
    model, features = learned(), samples[-1].features
    yield us("predict", "the opinion on one signal", per_call(lambda: model.predict(features), request.repeat))
    yield us("snapshot", "what each label puts into its transaction", per_call(model.snapshot, request.repeat))
    yield us("checkpoint", "the checkpoint as text, once a transaction", per_call(model.checkpoint, request.repeat))
    text = model.checkpoint()
    yield us("restore", "the model from its checkpoint", per_call(lambda: _restored(text, schema), request.repeat))
    record = StrategyRecord.from_outcomes(outcomes)
    yield us("record", "the strategies' record as text", per_call(record.checkpoint, request.repeat))


def _restored(text: str, schema: str) -> OnlineFilter:
    return OnlineFilter.restore(text, schema=schema)
