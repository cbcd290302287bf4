"""What the account's key may do: trade, and nothing that could take money away."""

from __future__ import annotations

from domain.errors import ConfigurationRefused
from venues.records import KeyRights


def demand_harmless(rights: KeyRights) -> str:
    """The finding in one sentence; raises `ConfigurationRefused` for a key that may withdraw or transfer."""
    harmful = [name for name, may in (("withdraw", rights.withdraw), ("transfer", rights.transfer)) if may]
    if harmful:
        raise ConfigurationRefused(
            f"the key may {' and '.join(harmful)} ({rights.said_by}): make one that may only trade, and use that"
        )
    if rights.trade is False:
        raise ConfigurationRefused(f"the key may not trade ({rights.said_by}): allow trading for it, and nothing else")
    told = {"withdraw": rights.withdraw, "transfer": rights.transfer, "trade": rights.trade}
    unsaid = [name for name, may in told.items() if may is None]
    if unsaid:
        return f"not proven: whether the key may {', '.join(unsaid)} ({rights.said_by})"
    return f"the key may trade, and neither withdraw nor transfer ({rights.said_by})"


def is_proven(rights: KeyRights) -> bool:
    """Whether the venue said of every right that matters whether the key has it."""
    return None not in (rights.withdraw, rights.transfer, rights.trade)
