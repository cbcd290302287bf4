"""The weekly look at features and calibration: its findings stand beside the watch's, also after a restart."""

from __future__ import annotations

from datetime import UTC, datetime

from domain.learning import DriftEvent
from learning.drift.findings import AGREEMENT_WINDOW, DriftFinding, DriftKind, agreement
from trading.drift import event_of, finding_of

AT = datetime(2025, 6, 7, 1, 30, tzinfo=UTC)


def found(kind: DriftKind, detector: str, at: datetime = AT) -> DriftFinding:
    return DriftFinding(
        kind=kind, detector=detector, subject="f_rsi", at=at, before=0.1, after=0.4, told=f"{detector} found something"
    )


def test_a_finding_reads_back_from_the_journal_as_it_was() -> None:
    finding = found(DriftKind.FEATURES, "psi")
    event = event_of(finding, "logistic-1")
    assert isinstance(event, DriftEvent)
    assert finding_of(event, DriftKind.FEATURES) == finding


def test_the_same_finding_of_two_champions_are_two_events() -> None:
    finding = found(DriftKind.FEATURES, "psi")
    assert event_of(finding, "logistic-1").event_id != event_of(finding, "logistic-2").event_id


def test_findings_of_two_kinds_agree_and_of_one_do_not() -> None:
    errors, features = found(DriftKind.ERRORS, "adwin"), found(DriftKind.FEATURES, "psi")
    assert agreement([errors, features], now=AT)
    assert not agreement([errors, found(DriftKind.ERRORS, "page_hinkley")], now=AT)
    assert not agreement([errors, features], now=AT + AGREEMENT_WINDOW)
