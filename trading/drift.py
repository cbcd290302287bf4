"""The watch on a deployed model: fed with each label as it lands, its findings written down in the same transaction.

A watch belongs to one champion and begins with it. It stores nothing: after a restart it is folded again from what the
journal has of that champion's forecasts and their labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from domain.decisions import Sample
from domain.identity import digest
from domain.learning import DriftEvent, JudgedPrediction
from learning.drift.findings import DriftFinding, DriftKind
from learning.drift.stretches import DriftSample
from learning.drift.watch import DriftWatch
from learning.filter import Said


class DriftKeeper:
    """The present champion's watch, and what it has found so far."""

    def __init__(self) -> None:
        self._champion: str | None = None
        self._watch: DriftWatch | None = None
        self.findings: list[DriftFinding] = []

    def begin(self, champion: str | None, judged: Iterable[JudgedPrediction] = ()) -> None:
        """Watch this champion from now on, after the labels of what it said before; None watches nobody."""
        self._champion = champion
        self._watch = None if champion is None else DriftWatch()
        self.findings = []
        for each in judged:
            self._take(
                DriftSample(
                    decided_at=each.decided_at,
                    resolved_at=each.resolved_at,
                    label=each.label,
                    forecast=each.forecast,
                )
            )

    def resolved(self, sample: Sample, said: Said | None) -> Sequence[DriftEvent]:
        """Take one label in; what it gave away. Only what the champion itself said of it counts."""
        if said is None or said.model_id != self._champion:
            return ()
        taken = DriftSample(
            decided_at=sample.decided_at,
            resolved_at=sample.resolved_at,
            label=sample.label,
            forecast=said.forecast,
        )
        return [event_of(finding, said.model_id) for finding in self._take(taken)]

    def _take(self, sample: DriftSample) -> Sequence[DriftFinding]:
        found = () if self._watch is None else self._watch.update(sample)
        self.findings.extend(found)
        return found


def event_of(finding: DriftFinding, champion: str) -> DriftEvent:
    """A finding as the journal keeps it."""
    return DriftEvent(
        event_id=digest("drift", champion, finding.detector, finding.subject, finding.at.isoformat()),
        at=finding.at,
        detector=finding.detector,
        stream=finding.subject,
        value=finding.after,
        critical=finding.before,
        detail=finding.told,
    )


def finding_of(event: DriftEvent, kind: DriftKind) -> DriftFinding:
    """The finding that `event_of` wrote down; which kind it was follows from its detector."""
    return DriftFinding(
        kind=kind,
        detector=event.detector,
        subject=event.stream,
        at=event.at,
        before=event.critical,
        after=event.value,
        told=event.detail,
    )
