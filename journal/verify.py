"""`ratchet verify`: every identity of the journal, each with a name, a verdict and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.errors import RatchetError
from journal import checks_learning, checks_money, checks_record, checks_trading
from journal.digest import digests
from journal.evidence import Evidence
from journal.journal import Journal

SHOWN_FAULTS = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One identity; `detail` is empty when it holds, else the first faults and their number."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """All checks, and one hash for each kind of fact that two runs of one story must share."""

    checks: tuple[Check, ...]
    digest: Mapping[str, str]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


CHECKS: Mapping[str, Callable[[Evidence], list[str]]] = {
    "the database is sound": checks_record.database_is_sound,
    "commits have no gap": checks_record.sequence_has_no_gap,
    "rows are valid records": checks_record.rows_read_back_as_records,
    "nothing is there twice": checks_trading.identities_are_unique,
    "decisions follow the close of their bar": checks_trading.decisions_follow_the_close,
    "ordered decisions have an entry intent": checks_trading.ordered_decisions_have_entries,
    "placed intents have an order": checks_trading.placed_intents_have_orders,
    "fills have an intent": checks_trading.fills_have_intents,
    "orders are filled by their fills": checks_trading.orders_are_filled_by_their_fills,
    "positions are sums of fills": checks_trading.positions_are_sums_of_fills,
    "one open position an instrument": checks_trading.one_open_position_per_instrument,
    "cash events are what fills say": checks_money.cash_events_are_what_fills_say,
    "balance is the sum of cash": checks_money.balance_is_the_sum_of_cash,
    "equity is balance and floating": checks_money.equity_is_balance_and_floating,
    "the peak falls only by command": checks_money.peak_falls_only_by_command,
    "drawdown is the distance to the peak": checks_money.drawdown_is_the_distance_to_the_peak,
    "outcomes have their decision": checks_trading.outcomes_have_decisions,
    "samples have their outcome": checks_trading.samples_have_outcomes,
    "models have their hash": checks_learning.models_have_hashes,
    "predictions have their decision": checks_learning.predictions_have_decisions,
    "predictions have their model": checks_learning.predictions_have_models,
    "model events have their model": checks_learning.model_events_have_models,
}


def verify(journal: Journal) -> Verification:
    """Run every check on one state of the journal; a check that cannot be carried out has failed."""
    with journal.read.snapshot():
        evidence = Evidence(journal.held, journal.read)
        checks = tuple(_checked(name, check, evidence) for name, check in CHECKS.items())
        try:
            return Verification(checks=checks, digest=digests(journal.held))
        except (RatchetError, ValueError) as error:
            unmade = Check("digests can be made", False, str(error))
            return Verification(checks=(*checks, unmade), digest={})


def _checked(name: str, check: Callable[[Evidence], list[str]], evidence: Evidence) -> Check:
    try:
        faults = check(evidence)
    except (RatchetError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        return Check(name, False, f"could not be carried out: {error}")
    if not faults:
        return Check(name, True, "")
    shown = "; ".join(faults[:SHOWN_FAULTS])
    more = f"; and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
    return Check(name, False, shown + more)
