"""What an account may risk tightens by itself and loosens only by a recorded command of a person.

The limits and rules that a live run was last held to are kept in its journal. A configuration that is looser does not
start until `ratchet risk accept` has recorded who wants it and why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from daemon.config import Config
from daemon.settings import limits_of
from domain.errors import ConfigurationRefused, InvalidInput
from domain.identity import digest
from domain.records import Command
from journal.batch import Batch
from journal.journal import Journal
from risk.limits import Limits

LIMITS_KEY: Final = "limits_in_force"
ACCEPTED: Final = "accept_limits"
_ACCOUNT = ("jurisdiction", "hedging", "fifo", "no_hedge", "permitted", "forbidden")


def hold_to(journal: Journal, config: Config) -> None:
    """Keep the limits that this run is held to. Raises `ConfigurationRefused` when they are looser than the last
    run's: a person has to accept that first."""
    loosened = loosened_by(journal, config)
    if loosened:
        told = ", ".join(f"{name} ({change})" for name, change in loosened.items())
        raise ConfigurationRefused(
            f"looser than what this account last ran under: {told}; ratchet risk accept -c FILE --why TEXT records "
            "that you want it"
        )
    _keep(journal, config, Batch())


def accept(journal: Journal, config: Config, *, who: str, why: str, at: datetime) -> Mapping[str, str]:
    """Record that a person wants the configured limits, and by what they are looser. Raises `InvalidInput` where
    nothing is looser, or without a reason."""
    if not why.strip():
        raise InvalidInput("accepting looser limits needs a reason: it is recorded with who gave it and when")
    loosened = loosened_by(journal, config)
    if not loosened:
        raise InvalidInput("nothing in this configuration is looser than what the account last ran under")
    batch = Batch()
    command_id = digest("command", ACCEPTED, who, why, at.isoformat())
    batch.add(Command(command_id=command_id, at=at, name=ACCEPTED, who=who, why=why, arguments=dict(loosened)))
    _keep(journal, config, batch)
    return loosened


def loosened_by(journal: Journal, config: Config) -> dict[str, str]:
    """What the configuration loosens of what the account last ran under, as `earlier -> now` by name; empty for an
    account that never ran."""
    stored = journal.read.state(LIMITS_KEY)
    if stored is None:
        return {}
    kept = json.loads(stored)
    earlier, now = _limits(kept["limits"]), limits_of(config)
    names = now.loosened_from(earlier)
    changes = {f"risk.{name}": f"{getattr(earlier, name)} -> {getattr(now, name)}" for name in names}
    return {**changes, **_loosened_rules(kept["account"], _account(config))}


def _keep(journal: Journal, config: Config, batch: Batch) -> None:
    limits = limits_of(config)
    shown = {each.name: _text(getattr(limits, each.name)) for each in fields(Limits) if each.init}
    text = json.dumps({"limits": shown, "account": _account(config)}, sort_keys=True)
    if len(batch) or journal.read.state(LIMITS_KEY) != text:
        batch.put_state(LIMITS_KEY, text)
        journal.commit(batch)


def _limits(stored: Mapping[str, str | int | None]) -> Limits:
    """The limits as they were kept; one that is new since then counts as it is by default."""
    known = {each.name for each in fields(Limits) if each.init}
    return Limits(
        **{name: Decimal(value) if isinstance(value, str) else value for name, value in stored.items() if name in known}  # type: ignore[arg-type]  # each has the type its field had
    )


def _text(value: Decimal | int | None) -> str | int | None:
    return str(value) if isinstance(value, Decimal) else value


def _account(config: Config) -> dict[str, Any]:
    return {name: config.account.model_dump(mode="json")[name] for name in _ACCOUNT}


def _loosened_rules(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    looser = {
        "jurisdiction": earlier["jurisdiction"] not in ("none", now["jurisdiction"]),
        "hedging": now["hedging"] and not earlier["hedging"],
        "fifo": earlier["fifo"] and not now["fifo"],
        "no_hedge": earlier["no_hedge"] and not now["no_hedge"],
        "permitted": _permits_more(earlier["permitted"], now["permitted"]),
        "forbidden": not set(earlier["forbidden"]) <= set(now["forbidden"]),
    }
    return {f"account.{name}": f"{earlier[name]} -> {now[name]}" for name, loosened in looser.items() if loosened}


def _permits_more(earlier: list[str], now: list[str]) -> bool:
    """Whether instruments may be entered that might not be; an empty list permits all."""
    return bool(earlier) and (not now or not set(now) <= set(earlier))
