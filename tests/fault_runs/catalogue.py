"""The fault catalogue: what goes wrong, how it is made to, what is expected, and who shows it.

A row is shown by a function here, by stories that are told anyway (kills, crash points), by tests that exist, or not at
all, and then it says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fault_runs.bench import Bench

Trying = Callable[[Bench], str]
"""Tries a fault; gives what was measured, and raises `NotAsExpected` where it was not survived."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One row. Exactly one of `tried`, `told_by`, `tests` and `why_not` says where its figure comes from."""

    number: int
    name: str
    injected: str
    expected: str
    tried: Trying | None = None
    quick: bool = False
    told_by: str = ""
    tests: tuple[str, ...] = ()
    why_not: str = ""


TRIED: dict[int, Fault] = {}


def fault(number: int, name: str, injected: str, expected: str, *, quick: bool = False) -> Callable[[Trying], Trying]:
    """Enter a function as the one that tries a fault."""

    def enter(tried: Trying) -> Trying:
        TRIED[number] = Fault(number=number, name=name, injected=injected, expected=expected, tried=tried, quick=quick)
        return tried

    return enter


def _story(number: int, name: str, injected: str, expected: str, told_by: str) -> Fault:
    return Fault(number=number, name=name, injected=injected, expected=expected, told_by=told_by)


def _tests(number: int, name: str, injected: str, expected: str, *tests: str) -> Fault:
    return Fault(number=number, name=name, injected=injected, expected=expected, tests=tests)


def _not(number: int, name: str, expected: str, why_not: str) -> Fault:
    return Fault(number=number, name=name, injected="-", expected=expected, why_not=why_not)


E2E_FAULTS = "tests/end_to_end/test_e2e_live_faults.py::"
DECLARED = "tests/daemon/schedule/test_schedule_declarations.py::"
SCHEDULED = "tests/daemon/schedule/test_schedule_live.py::"
UNITS = "tests/systemd/test_systemd_units.py::"
MODEL = "tests/learning/test_learning_online.py::"

TOLD: tuple[Fault, ...] = (
    _story(1, "crash before the intent is committed", "crash point", "nothing sent", "journal.before_commit"),
    _story(2, "crash after the commit, before sending", "crash point", "nothing doubled", "orders.before_send"),
    _story(3, "crash in the middle of sending", "crash point", "looked up by id", "ccxt.before_request"),
    _story(4, "crash after acceptance, before its record", "crash point", "adopted", "ccxt.after_request"),
    _story(5, "crash between a fill and its stop", "crash point", "the stop first of all", "ccxt.after_facts"),
    _story(7, "random SIGKILL", "seeded times", "converges", "kills"),
)
TESTED: tuple[Fault, ...] = (
    _tests(
        34,
        "daylight saving, both ways",
        "zones and a virtual clock",
        "each job once a day",
        DECLARED + "test_a_year_of_daily_times_has_one_each_day_also_when_clocks_change_somewhere",
    ),
    _tests(
        36,
        "hung event loop",
        "the journal is held, so that no scan ends",
        "the watchdog is not fed",
        E2E_FAULTS + "test_the_watchdog_is_fed_by_scans_and_starves_while_the_journal_is_locked",
    ),
    _tests(
        46,
        "crash loop",
        "the unit file as systemd reads it",
        "at most five starts, and a page",
        UNITS + "test_the_unit_restarts_pages_and_stops_as_the_daemon_expects",
    ),
    _tests(
        47,
        "model damaged, or of other features",
        "another schema, a damaged checkpoint",
        "neither predicted nor learned, or refused",
        MODEL + "test_another_feature_schema_is_neither_predicted_nor_learned",
        MODEL + "test_a_damaged_checkpoint_is_refused_in_one_sentence",
    ),
    _tests(
        48,
        "a probability that is none",
        "absurd and missing features",
        "probabilities stay inside, or unknown",
        MODEL + "test_whatever_finite_features_come_probabilities_stay_inside",
        MODEL + "test_a_feature_that_is_not_a_number_cannot_even_be_made",
    ),
    _tests(
        50,
        "a job overruns",
        "a run outlasts its period",
        "never overlapped, the skipped ones counted",
        SCHEDULED + "test_a_run_that_outlasts_its_period_is_never_overlapped_and_the_skipped_ones_are_counted",
    ),
)
NOT_TRIED: tuple[Fault, ...] = (
    _not(8, "power loss", "what was answered is there", "needs a machine that can be cut off; strace shows the order"),
    _not(43, "PostgreSQL restarts", "sends stop, then resume", "a live run keeps its journal in SQLite"),
    _not(44, "out of memory", "restart, converge", "the kernel's killer sends SIGKILL, which is row 7"),
    _not(49, "sentiment source down or hostile", "null, bounded", "no live source of texts is built yet"),
)


def catalogue() -> Mapping[int, Fault]:
    """Every row by its number, in order."""
    from fault_runs import tried_answers, tried_holds, tried_machine, tried_market

    for module in (tried_answers, tried_holds, tried_machine, tried_market):
        assert module.__doc__
    rows = {**TRIED, **{row.number: row for row in (*TOLD, *TESTED, *NOT_TRIED)}}
    return dict(sorted(rows.items()))
