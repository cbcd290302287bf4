"""What a test may do to a running exchange: the market, faults, incidents and the ledger, each under its name.

Every deed is a plain function of JSON values, so that it can be sent over a route, written down, and done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from exchange.core import Exchange
from exchange.keys import ApiKey

Deed = Callable[..., Any]


class Controls:
    """`deeds` are the names that may be called."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        incidents = exchange.incidents
        self.deeds: Mapping[str, Deed] = {
            "trade_at": self._trade_at,
            "set_spread": exchange.set_spread,
            "set_candles": exchange.set_candles,
            "add_fault": self._add_fault,
            "clear_fault": exchange.faults.clear,
            "calm": exchange.calm,
            "switch": self._switch,
            "revoke": exchange.revoke,
            "add_key": self._add_key,
            "open_account": self._open_account,
            "reset_account": exchange.reset_account,
            "fund": incidents.fund,
            "transfer": incidents.transfer,
            "deposit": incidents.deposit,
            "inject_position": incidents.inject_position,
            "vanish_position": incidents.vanish_position,
            "inject_order": self._inject_order,
            "end_order": incidents.end_order,
        }

    def do(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Do it; raises `LookupError` for an unknown name and `TypeError` for arguments that do not fit."""
        if name not in self.deeds:
            raise LookupError(f"there is no control {name!r}; there are {', '.join(sorted(self.deeds))}")
        return self.deeds[name](**arguments)

    def _trade_at(self, symbol: str, price: str, most: str | None = None) -> None:
        self.exchange.trade_at(symbol, price, most=None if most is None else Decimal(most))

    def _add_fault(self, kind: str, **options: Any) -> int:
        return self.exchange.faults.add(kind, **options).number

    def _switch(
        self, skew_ms: int | None = None, maintenance: bool | None = None, streams_silent: bool | None = None
    ) -> None:
        faults = self.exchange.faults
        faults.skew_ms = faults.skew_ms if skew_ms is None else skew_ms
        faults.maintenance = faults.maintenance if maintenance is None else maintenance
        faults.streams_silent = faults.streams_silent if streams_silent is None else streams_silent

    def _add_key(self, **options: Any) -> None:
        self.exchange.add_key(ApiKey(**options))

    def _open_account(self, name: str, **options: Any) -> None:
        self.exchange.open_account(name, **options)

    def _inject_order(self, **options: Any) -> int:
        return self.exchange.incidents.inject_order(**options).order_id
