"""The smaller facts: aware times, probabilities that add up, commands that somebody gave."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from decimal import Decimal
from typing import Any

import pytest
from domain_builders import NAIVE, NOW
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRecord
from domain.instruments import Timeframe
from domain.records import (
    CalendarEvent,
    CashEvent,
    CashKind,
    Command,
    EquityPoint,
    Impact,
    Incident,
    JobRun,
    NewsItem,
    Scan,
    TextScore,
)

RECORDS: dict[type, dict[str, Any]] = {
    Scan: {"at": NOW, "timeframe": Timeframe.H1, "bars": 1, "decisions": 0, "reasons": {"silent": 1}},
    EquityPoint: {
        "at": NOW,
        "balance": Decimal(1),
        "floating": Decimal(0),
        "equity": Decimal(1),
        "peak": Decimal(1),
        "drawdown": 0.0,
        "exposure": Decimal(0),
        "open_positions": 0,
    },
    CashEvent: {"event_id": "c1", "kind": CashKind.SWAP, "at": NOW, "amount": Decimal("-0.1")},
    Command: {"command_id": "c1", "at": NOW, "name": "resume", "who": "anna", "why": "checked", "arguments": {}},
    Incident: {"incident_id": "i1", "at": NOW, "kind": "late", "instrument": None, "detail": ""},
    JobRun: {"job": "weights", "due_at": NOW, "started_at": NOW, "finished_at": NOW, "outcome": "done"},
    NewsItem: {
        "news_id": "n1",
        "received_at": NOW,
        "published_at": NOW,
        "source": "rss",
        "publisher": "a",
        "author": None,
        "text": "t",
    },
    CalendarEvent: {
        "event_id": "e1",
        "at": NOW,
        "precise": True,
        "currency": "USD",
        "impact": Impact.HIGH,
        "name": "jobs",
        "actual": None,
        "forecast": None,
        "previous": None,
    },
}
TIMES = [(kind, name) for kind, values in RECORDS.items() for name, value in values.items() if value is NOW]


@pytest.mark.parametrize(("kind", "name"), TIMES)
def test_every_time_of_a_record_is_aware_utc(kind: type, name: str) -> None:
    with pytest.raises(InvalidRecord, match=f"{name} is .*, a time without a zone"):
        kind(**(RECORDS[kind] | {name: NAIVE}))


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_is_not_changed_once_it_is(kind: type) -> None:
    record = kind(**RECORDS[kind])
    for name in RECORDS[kind]:
        with pytest.raises(FrozenInstanceError):
            setattr(record, name, None)


@pytest.mark.parametrize("name", ["who", "name"])
def test_a_command_was_given_by_somebody(name: str) -> None:
    with pytest.raises(InvalidRecord, match="a command needs a name and somebody who gave it"):
        Command(**(RECORDS[Command] | {name: ""}))


def a_score(negative: float, neutral: float, positive: float, unknown: float) -> TextScore:
    return TextScore(negative=negative, neutral=neutral, positive=positive, unknown=unknown, model="m")


@pytest.mark.parametrize(
    "parts",
    [(0.5, 0.5, 0.5, 0.0), (0.2, 0.2, 0.2, 0.2), (-0.1, 0.6, 0.5, 0.0), (1.1, -0.1, 0.0, 0.0), (float("nan"), 0, 1, 0)],
)
def test_probabilities_of_a_text_lie_in_range_and_add_up(parts: tuple[float, float, float, float]) -> None:
    with pytest.raises(InvalidRecord, match=r"do not lie in \[0, 1\] and sum to 1"):
        a_score(*parts)


@given(st.lists(st.integers(0, 100), min_size=4, max_size=4).filter(any))
def test_the_score_of_a_text_is_antisymmetric_and_its_label_the_likeliest(shares: list[int]) -> None:
    negative, neutral, positive, unknown = (share / sum(shares) for share in shares)
    score = a_score(negative, neutral, positive, unknown)
    mirrored = a_score(positive, neutral, negative, unknown)
    assert score.score == -mirrored.score
    assert -1 <= score.score <= 1
    assert getattr(score, score.label) == max(negative, neutral, positive, unknown)


@pytest.mark.parametrize(
    ("parts", "label"),
    [
        ((0.25, 0.25, 0.25, 0.25), "neutral"),
        ((0.4, 0.0, 0.2, 0.4), "unknown"),
        ((0.5, 0.0, 0.5, 0.0), "negative"),
        ((0.2, 0.3, 0.5, 0.0), "positive"),
    ],
)
def test_of_equally_likely_labels_the_calmer_one_is_taken(parts: tuple[float, float, float, float], label: str) -> None:
    assert a_score(*parts).label == label
