"""When jobs run: one set of declarations, and a driver each for live runs and replays."""

from daemon.schedule.declarations import At, Every, Job, Run, Trigger
from daemon.schedule.live import LiveSchedule
from daemon.schedule.replay import Due, ReplaySchedule
from daemon.schedule.standard import STANDARD, between_scans, standard_job

__all__ = [
    "STANDARD",
    "At",
    "Due",
    "Every",
    "Job",
    "LiveSchedule",
    "ReplaySchedule",
    "Run",
    "Trigger",
    "between_scans",
    "standard_job",
]
