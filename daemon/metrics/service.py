"""Metrics of the service itself: journal, jobs, reconciliation, clock, disk, what went wrong."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from daemon.metrics.families import LONG_SECONDS, NOT_MEASURED, SHORT_SECONDS, Families
from daemon.metrics.vocabulary import OTHER, Vocabulary

JOB_OUTCOMES: Final = ("done", "failed", "missed", "late")


class ServiceMetrics:
    """How the daemon itself fares. Times are seconds since 1970 on the daemon's clock; 0 means never."""

    def __init__(self, make: Families, words: Vocabulary) -> None:
        self._make = make
        self._live_clock = make.gauge("live_clock", "1 when the daemon's clock is the wall clock, 0 in a replay.")
        self._build = make.gauges("build_info", "What is running; always 1.", ("version", "config_digest", "sqlite"))
        self._mismatches = make.counted(
            "reconcile_mismatches", "Differences between our books and the venue's.", "kind", words.mismatches
        )
        self._last_reconcile = make.gauge(
            "last_reconcile_timestamp_seconds", "When a reconciliation last succeeded; 0 means never."
        )
        self._skew = make.gauge("clock_skew_seconds", "Venue's clock less ours.", NOT_MEASURED)
        self._lag = make.histogram("event_loop_lag_seconds", "How late the event loop woke a sleeper.", LONG_SECONDS)
        self._incidents = make.counted("incidents", "Things that should not have happened.", "kind", words.incidents)
        self._rejected = make.counted(
            "data_rejected", "Bars of candle files refused as unusable.", "kind", words.rejections
        )
        self._candles(make, words)
        self._journal(make)
        self._jobs(make, words)

    def _candles(self, make: Families, words: Vocabulary) -> None:
        rejected = make.counters("candles_rejected", "Live candles that were not believed.", ("instrument", "kind"))
        self._candles_rejected = {
            (instrument, kind): rejected.labels(instrument, kind)
            for instrument in (*words.own_instruments, OTHER)
            for kind in (*words.candle_rejections, OTHER)
        }

    def _journal(self, make: Families) -> None:
        self._commit_seconds = make.histogram(
            "journal_commit_seconds", "How long it took to make a journal commit durable.", SHORT_SECONDS
        )
        self._sequence = make.gauge("journal_sequence", "Number of the newest fact in the journal.")

    def _jobs(self, make: Families, words: Vocabulary) -> None:
        runs = make.counters("job_runs", "Runs of scheduled jobs.", ("job_name", "outcome"))
        names = (*words.jobs, OTHER)
        self._job_runs = {(job, outcome): runs.labels(job, outcome) for job in names for outcome in JOB_OUTCOMES}
        self._last_success = make.gauged(
            "job_last_success_timestamp_seconds", "When a job last ended well; 0 means never.", "job_name", words.jobs
        )

    def built(self, *, version: str, config_digest: str, sqlite: str, live: bool) -> None:
        """Name what runs: the product's version, the configuration's digest, the linked SQLite's version."""
        self._build.clear()
        self._build.labels(version, config_digest, sqlite).set(1)
        self._live_clock.set(float(live))

    def watch_files(self, *, state: Path, journal: Path) -> None:
        """Measure, at each scrape, the free space of the disk under `state` and the journal's write-ahead log."""
        log = journal.with_name(journal.name + "-wal")
        self._make.measured("state_disk_free_bytes", "Free space where the state lies.", lambda: _free_bytes(state))
        self._make.measured("wal_bytes", "Size of the journal's write-ahead log.", lambda: _size(log))

    def reconciled(self, at: float) -> None:
        self._last_reconcile.set(at)

    def mismatched(self, kind: str, count: int = 1) -> None:
        self._mismatches.add(kind, count)

    def skewed(self, seconds: float) -> None:
        """The venue's clock less ours."""
        self._skew.set(seconds)

    def lagged(self, seconds: float) -> None:
        self._lag.observe(seconds)

    def committed(self, seconds: float) -> None:
        self._commit_seconds.observe(seconds)

    def sequence_is(self, number: int) -> None:
        self._sequence.set(number)

    def job_ran(self, job: str, outcome: str, at: float) -> None:
        """A job's run ended at `at`; `outcome` is done, failed, missed or late, as in `JobRun`."""
        child = self._job_runs.get((job, outcome))
        (child if child is not None else self._job_runs[(OTHER, outcome)]).inc()
        if outcome == "done":
            self._last_success.put(job, at)

    def incident(self, kind: str) -> None:
        self._incidents.add(kind)

    def data_rejected(self, kind: str, count: int = 1) -> None:
        """Bars of candle files that were refused when they were read."""
        self._rejected.add(kind, count)

    def candles_rejected(self, instrument: str, kind: str, count: int = 1) -> None:
        """Live candles that were not believed; what the vocabulary has not is counted under `other`, each by itself."""
        known = self._candles_rejected
        own = instrument if (instrument, OTHER) in known else OTHER
        known[own, kind if (own, kind) in known else OTHER].inc(count)


def _free_bytes(folder: Path) -> float:
    try:
        return float(shutil.disk_usage(folder).free)
    except OSError:
        return NOT_MEASURED


def _size(file: Path) -> float:
    try:
        return float(file.stat().st_size)
    except FileNotFoundError:
        return 0.0  # SQLite removes the log when the last connection closes
    except OSError:
        return NOT_MEASURED
