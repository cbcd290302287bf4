"""A challenger trained anew from the journal's samples, scored beside what the champion said of the same ones.

Both are scored by what they said when a decision was taken, for at its label a model has just learned the labels of
its neighbours and all but knows the answer (docs/adr/0006). So the story is told again: the challenger learns the
samples in the order in which the champion did, and is asked about each when it has learned as many as the champion
had when it spoke. A sample's own times do not say that: some labels are heard of long after the moment they are
dated at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.decisions import MlView, Sample
from domain.errors import Impossible
from learning.online import OnlineFilter, OnlineSettings
from learning.prequential import Prequential, ScoreLine

RETRAINING_KEY = "drawdown_retraining"
"""Where the journal keeps what drawdowns called for and what came of it: a list of documents, the newest last."""

Said = Callable[[str], MlView]
"""What the champion said of the decision with this id when it was taken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Challenger and champion on the same `judged` samples, those of which both gave a forecast.

    `learned` of the `samples` have the present features. `alike` counts the judged samples on which both gave the
    same forecast. The base rate in each line is the one its model had seen.
    """

    samples: int
    learned: int
    judged: int
    alike: int
    challenger: ScoreLine
    champion: ScoreLine

    @property
    def told(self) -> str:
        """The comparison as one sentence."""
        own, champions = self.challenger, self.champion
        if not self.judged:
            return f"learned {self.learned} of {self.samples} samples, none of which both gave a forecast on"
        losses = f"log-loss {_figure(own.log_loss)} (champion {_figure(champions.log_loss)}, base rate "
        losses += f"{_figure(champions.base_rate_log_loss)})"
        others = f"Brier {_figure(own.brier)} ({_figure(champions.brier)}), AUC {_figure(own.auc)} "
        others += f"({_figure(champions.auc)})"
        alike = f"the same forecast on {self.alike} of {self.judged}"
        return f"learned {self.learned} of {self.samples} samples: {losses}, {others}, {alike}"


class Challenger:
    """An `OnlineFilter` that begins with nothing and lives through the samples, a stretch at a time."""

    def __init__(self, samples: Sequence[Sample], said: Said, settings: OnlineSettings, *, schema: str) -> None:
        """`samples` in the order in which the champion learned them; `said` is asked once for each."""
        self._samples = samples
        self._said = said
        self._filter = OnlineFilter(settings, schema=schema)
        self._champions_views: list[MlView] = []
        self._asks: list[int] = []
        self._opinions: dict[int, MlView] = {}
        self._met = 0
        self._own, self._champions = Prequential(), Prequential()
        self._alike = 0

    @property
    def steps_left(self) -> int:
        """Each sample takes two steps: what was said of it is looked up, and later it is learned."""
        return 2 * len(self._samples) - len(self._champions_views) - self._met

    def advance(self, steps: int) -> None:
        """Take at most `steps` more."""
        for _ in range(min(steps, self.steps_left)):
            if len(self._champions_views) < len(self._samples):
                self._recall()
            else:
                self._meet()

    def comparison(self) -> Comparison:
        """How the two fared; raises `Impossible` before the end."""
        if self.steps_left:
            raise Impossible(f"a challenger was to be judged with {self.steps_left} steps left")
        return Comparison(
            samples=len(self._samples),
            learned=self._filter.labels,
            judged=self._own.scored,
            alike=self._alike,
            challenger=self._own.line(),
            champion=self._champions.line(),
        )

    def _recall(self) -> None:
        views = self._champions_views
        views.append(self._said(self._samples[len(views)].decision_id))
        if len(views) == len(self._samples):
            # The first to be asked about stands last, to be taken off.
            self._asks = sorted(range(len(views)), key=lambda index: (views[index].seen, index), reverse=True)

    def _meet(self) -> None:
        """Give the opinions that are due by now, then learn the next sample."""
        while self._asks and self._champions_views[self._asks[-1]].seen <= self._filter.labels:
            self._ask(self._asks.pop())
        index = self._met
        sample, own = self._samples[index], self._ask(index)
        self._filter.learn(sample, own)
        self._score(sample.label, own, self._champions_views[index])
        self._met += 1

    def _ask(self, index: int) -> MlView:
        """The opinion on one sample, given once: never after its own label was learned."""
        if index not in self._opinions:
            self._opinions[index] = self._filter.predict(self._samples[index].features)
        return self._opinions[index]

    def _score(self, label: int, own: MlView, champions: MlView) -> None:
        if own.forecast is None or own.base_rate is None or champions.forecast is None or champions.base_rate is None:
            return
        self._alike += own.forecast == champions.forecast
        self._own.add(own.forecast, label, base_rate=own.base_rate, threshold=own.threshold)
        self._champions.add(champions.forecast, label, base_rate=champions.base_rate, threshold=champions.threshold)


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
