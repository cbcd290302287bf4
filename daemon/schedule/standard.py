"""The product's own jobs and when they run unless configured otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Final

from daemon.schedule.declarations import At, Every, Job, Run, Trigger
from domain.errors import InvalidInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """When a standard job runs (None: at each bar's close), and how long one run may take."""

    trigger: Trigger | None
    deadline: timedelta
    every_bar: bool = False
    vital: bool = False


def _every(**period: float) -> Every:
    return Every(period=timedelta(**period))


STANDARD: Final[Mapping[str, Plan]] = {
    "scan": Plan(trigger=None, deadline=timedelta(minutes=2), every_bar=True, vital=True),
    "watch": Plan(trigger=_every(seconds=1), deadline=timedelta(minutes=1), vital=True),
    "venue_clock": Plan(trigger=_every(minutes=1), deadline=timedelta(minutes=1)),
    "reconcile": Plan(trigger=_every(seconds=30), deadline=timedelta(minutes=1)),
    "equity": Plan(trigger=_every(minutes=1), deadline=timedelta(minutes=1)),
    "heartbeat": Plan(trigger=_every(seconds=10), deadline=timedelta(seconds=30)),
    "sentiment": Plan(trigger=_every(minutes=5), deadline=timedelta(minutes=4)),
    "calendar": Plan(trigger=_every(hours=1), deadline=timedelta(minutes=5)),
    "data_quality": Plan(trigger=At(at=time(6, 0)), deadline=timedelta(minutes=10)),
    "ensemble_weights": Plan(trigger=At(at=time(0, 15)), deadline=timedelta(minutes=30)),
    "portfolio_weights": Plan(trigger=At(at=time(0, 30)), deadline=timedelta(minutes=30)),
    "evaluation": Plan(trigger=At(at=time(1, 0)), deadline=timedelta(minutes=30)),
    "drift": Plan(trigger=At(at=time(1, 30), weekday="sat"), deadline=timedelta(hours=1)),
    "drawdown_retraining": Plan(trigger=_every(hours=1), deadline=timedelta(minutes=10)),
    "training": Plan(trigger=_every(hours=1), deadline=timedelta(minutes=10)),
    "retraining": Plan(trigger=At(at=time(2, 0), weekday="sun"), deadline=timedelta(hours=6)),
    "policy": Plan(trigger=At(at=time(4, 0), weekday="sat"), deadline=timedelta(hours=24)),
    "comprehensive": Plan(trigger=At(at=time(3, 0), day=1), deadline=timedelta(hours=12)),
}


def standard_job(
    name: str,
    run: Run,
    *,
    bar: timedelta | None = None,
    delay: timedelta = timedelta(seconds=2),
    trigger: Trigger | None = None,
    deadline: timedelta | None = None,
) -> Job:
    """The standard job `name`, doing `run`, with another trigger or deadline where given.

    A job of each bar's close needs `bar`, the bar's length, and runs `delay` after it: venues publish a bar a
    moment after it closed.
    """
    plan = STANDARD.get(name)
    if plan is None:
        raise InvalidInput(f"there is no standard job {name!r}; there are {', '.join(STANDARD)}")
    chosen = trigger or plan.trigger
    if chosen is None:
        if bar is None:
            raise InvalidInput(f"job {name} runs at each bar's close and needs the bar's length")
        chosen = Every(period=bar, offset=delay)
    return Job(
        name=name,
        trigger=chosen,
        run=run,
        deadline=deadline or plan.deadline,
        every_bar=plan.every_bar,
        vital=plan.vital,
    )


def between_scans(span: timedelta) -> Every:
    """Hourly, or twice a bar where bars are short, and not when one closes; in a replay that is once at each moment,
    and a run that found nothing to do leaves no record there."""
    period = min(timedelta(hours=1), span / 2)
    return Every(period=period, offset=period / 2)
