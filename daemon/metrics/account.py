"""Metrics of the account: equity, drawdown, exposure, and what the holds in force allow."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable
from typing import Final

from daemon.metrics.families import NOT_MEASURED, Families
from domain.holds import Effect, Hold, HoldCause

FREE: Final = "free"
"""The mode in which no hold on the whole account is in force."""


class AccountMetrics:
    """What the account is worth and what may be traded. Money is in the account's currency, ratios are 0 to 1."""

    def __init__(self, make: Families, currency: str) -> None:
        self._equity = make.gauges(
            "equity", "Balance plus floating profit, in account currency.", ("currency",)
        ).labels(currency)
        self._peak = make.gauges(
            "equity_peak", "The highest equity so far, in account currency.", ("currency",)
        ).labels(currency)
        self._drawdown = make.gauge("drawdown_ratio", "1 less equity over its peak.", NOT_MEASURED)
        self._exposure = make.gauge("exposure_ratio", "Gross exposure over equity.", NOT_MEASURED)
        self._positions = make.gauge("open_positions", "Positions that are open.")
        self._equity.set(NOT_MEASURED)
        self._peak.set(NOT_MEASURED)
        self._hold_metrics(make)

    def _hold_metrics(self, make: Families) -> None:
        holds = make.gauges("holds", "Holds in force by cause and effect.", ("cause", "effect"))
        self._holds = {
            (cause, effect): holds.labels(cause.value, effect.label) for cause in HoldCause for effect in Effect
        }
        latched = make.gauges("holds_latched", "Holds in force that only a person clears, by cause.", ("cause",))
        self._latched = {cause: latched.labels(cause.value) for cause in HoldCause}
        modes = make.gauges("mode", "1 at the strongest hold on the whole account, at free without one.", ("mode",))
        self._modes = {effect: modes.labels(effect.label) for effect in Effect}
        self._free = modes.labels(FREE)
        self._free.set(1)
        self._shown: Tally[tuple[HoldCause, Effect]] = Tally()
        self._shown_latched: Tally[HoldCause] = Tally()
        self._shown_mode: Effect | None = None

    def valued(self, *, equity: float, peak: float, drawdown: float, exposure: float, positions: int) -> None:
        """The account was valued: `exposure` is gross, in account currency; `drawdown` is a ratio."""
        self._equity.set(equity)
        self._peak.set(peak)
        self._drawdown.set(drawdown)
        self._exposure.set(exposure / equity if equity > 0 else NOT_MEASURED)
        self._positions.set(positions)

    def holds_now(self, holds: Iterable[Hold]) -> None:
        """Show the holds in force now; the ones that are not named any more are shown as gone."""
        present = list(holds)
        tally = Tally((hold.cause, hold.effect) for hold in present)
        latched = Tally(hold.cause for hold in present if hold.latched)
        for key in {*tally, *self._shown}:
            if tally[key] != self._shown[key]:
                self._holds[key].set(tally[key])
        for cause in {*latched, *self._shown_latched}:
            if latched[cause] != self._shown_latched[cause]:
                self._latched[cause].set(latched[cause])
        self._shown, self._shown_latched = tally, latched
        self._show_mode(max((hold.effect for hold in present if hold.scope is None), default=None))

    def _show_mode(self, mode: Effect | None) -> None:
        if mode is self._shown_mode:
            return
        (self._free if self._shown_mode is None else self._modes[self._shown_mode]).set(0)
        (self._free if mode is None else self._modes[mode]).set(1)
        self._shown_mode = mode
