"""Following one instrument at its venue: what is missing is asked for, judged, and put behind the bars at hand.

One pass asks the venue for every bar from the newest one on (that one too: a venue that corrects itself is noticed)
up to what has closed by now, in pieces. Then:

- What the venue failed to answer, or left out, is asked of the fallback: a failure at once, a hole or a silence once
  half of the patience since the close has passed, and no more than once for each bar that closes.
- A hole between the bars of an answer is asked for again at once. While it stays, the bars behind it wait, until
  their own close lies `patience` back; then the hole is left out for good, counted as `missing`, because bars that
  were told already may not move. Whatever arrives for it later is too late.
- A stretch that is never answered for, because of one candle that cannot be read, is narrowed down and left out too.
- A bar of the fallback is believed only if it opens within `AGREEMENT` of the newest close at hand, else it is counted
  as `other_level`: the prices of a demo venue may have left those of the market.
- Each bar passes `market.quality.Gatekeeper`. A spike is believed when another provider gives the same bar within
  `AGREEMENT` of its close; without one, the gatekeeper's own rule stands (the third bar at the new level is believed).
- A bar at hand that the same provider now gives otherwise is counted as `conflict`, and stays what it was.

Instruments are expected to trade around the clock: every bar that is not there is missing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.bars import Bar
from domain.clock import from_epoch, to_epoch
from domain.errors import InvalidInput, NotAvailable, Refused
from domain.instruments import Timeframe
from market.candle_source import CandleSource
from market.growing_bars import GrowingBars
from market.quality import Gatekeeper
from market.robust import Robust

PIECE_BARS = 1000
"""Bars asked for in one question; a long absence is made up for piece by piece, each kept as it comes."""

_LEAST_PIECE = 2
_NARROWING = 8

AGREEMENT = 0.1
"""How far the prices of two providers may lie apart, as a fraction, to pass for the same market."""

NO_ANSWER = (NotAvailable, Refused, InvalidInput)
"""Ways in which a provider gives no bars; everything else is a fault of ours and is raised."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """A source of candles and how it is asked."""

    source: CandleSource
    robust: Robust

    async def bars(self, symbol: str, timeframe: Timeframe, since: int, until: int) -> Sequence[Bar]:
        """Bars that opened at `since` or later and closed by `until`, seconds since 1970 UTC."""
        return await self.robust.call(
            f"{symbol} {timeframe.value}",
            lambda: self.source.bars(symbol, timeframe, from_epoch(since), until=from_epoch(until)),
        )


@dataclass(frozen=True, slots=True)
class _Given:
    bar: Bar
    by: Provider


class BarFollower:
    """Keeps `bars` up to date. `half_spread` prices a bar's spread; `appended` hears of every new bar's close time."""

    def __init__(
        self,
        bars: GrowingBars,
        *,
        primary: Provider,
        fallback: Provider | None,
        patience_s: float,
        half_spread: Callable[[Bar], float],
        appended: Callable[[int, str], None],
    ) -> None:
        self.bars = bars
        self.rejected: Counter[str] = Counter()
        """Bars that were not believed, by kind; each counts once, however often it is given."""
        self.why: str = ""
        """Why bars that should be at hand are not, as of the last pass; empty when nothing is known."""
        self._primary = primary
        self._fallback = fallback
        self._patience_s = patience_s
        self._half_spread = half_spread
        self._appended = appended
        self._span = bars.timeframe.seconds
        self._counted: set[tuple[int, str]] = set()
        self._fallback_asked: tuple[int, int, int] | None = None
        self._spikes_asked: set[int] = set()
        self._piece = PIECE_BARS
        self._gate = self._fresh_gate()

    def owed(self, now: int) -> int:
        """How many bars have closed by `now` behind the newest one at hand."""
        return max(0, (now - self.bars.newest_closed) // self._span)

    async def follow(self, now: datetime, reached: datetime) -> None:
        """Take in whatever closed by `reached` and can be had; never raises because a provider gave nothing.

        `now` is our time, by which patience runs; `reached` the time that the venue's clock has reached.
        """
        self.why = ""
        owed, went_around = self.owed(to_epoch(reached)), False
        since = self.bars.newest_opened if owed else self.bars.newest_closed
        end = self.bars.newest_closed + owed * self._span
        while since < end:
            until = min(end, since + self._piece * self._span)
            page, answered = await self._page(since, until, now)
            if not await self._take_in(page, now, to_epoch(reached)):
                return
            if not answered:
                if went_around or not self._may_go_around(since, until, now):
                    return
                went_around = True
            # Nothing at all may have traded for longer than a piece: the next one is asked for all the same.
            self._piece = min(PIECE_BARS, self._piece * _NARROWING) if answered else PIECE_BARS
            since = until

    def _may_go_around(self, since: int, until: int, now: datetime) -> bool:
        """After a piece that was not answered: whether to leave it out and ask for what lies behind it.

        One candle that no answer can be read with must not end the story: the next time a smaller piece is asked for,
        and the smallest is left out, once a round, when the patience for its bars is over.
        """
        size = (until - since) // self._span
        if size > _LEAST_PIECE:
            self._piece = max(_LEAST_PIECE, size // _NARROWING)
            return False
        return (now - from_epoch(until)).total_seconds() >= self._patience_s

    # -- asking -----------------------------------------------------------------------------------------------

    async def _page(self, since: int, until: int, now: datetime) -> tuple[dict[int, _Given], bool]:
        """What is given for the bars that open from `since` on and close by `until`, by open time; and whether
        anybody answered for all of it."""
        page: dict[int, _Given] = {}
        answered = await self._ask(self._primary, page, since, until)
        newest = max(page, default=0)
        if answered and (hole := self._missing(page, newest - PIECE_BARS * self._span, newest)):
            answered = await self._ask(self._primary, page, hole[0], hole[-1] + self._span)
        missing = self._missing(page, since, until)
        if self._fallback is None or not missing or (answered and not self._is_overdue(missing[0], now)):
            return page, answered
        asked = (missing[0], missing[-1] + self._span, until)
        if asked != self._fallback_asked and await self._ask(self._fallback, page, *asked[:2]):
            self._fallback_asked, answered = asked, True
        return page, answered

    async def _ask(self, provider: Provider, page: dict[int, _Given], since: int, until: int) -> bool:
        """Add what `provider` gives to `page`; False when it gave no answer."""
        try:
            rows = await provider.bars(self.bars.symbol, self.bars.timeframe, since, until)
        except NO_ANSWER as error:
            self.why = str(error)
            return False
        newest = since - 1
        for bar in rows:
            opened = to_epoch(bar.opened_at)
            if opened < newest or (opened - self.bars.newest_opened) % self._span:
                self._reject(opened, "out_of_order" if opened < newest else "time")
                continue
            newest = opened
            known = page.get(opened)
            if known is None:
                page[opened] = _Given(bar, provider)
            elif known.by is provider and known.bar != bar:
                self._reject(opened, "conflict")
        return True

    def _missing(self, page: dict[int, _Given], since: int, until: int) -> list[int]:
        """Open times from `since` on and before `until` of bars that are neither at hand nor given."""
        first = max(since, self.bars.newest_closed)
        return [opens for opens in range(first, until, self._span) if opens not in page]

    def _is_overdue(self, opens: int, now: datetime) -> bool:
        """Whether a bar should have come by now, rather than being published any moment."""
        return (now - from_epoch(opens + self._span)).total_seconds() >= self._patience_s / 2

    # -- judging ----------------------------------------------------------------------------------------------

    async def _take_in(self, page: dict[int, _Given], now: datetime, reached: int) -> bool:
        """Judge what was given, oldest first; False when bars behind a hole are left to wait for it."""
        before = self.bars.newest_opened
        explained = before
        """The open time up to which every bar was seen, believed or not."""
        for opened in sorted(page):
            given = page[opened]
            if opened <= before:
                self._compare(opened, given)
                continue
            absent = (opened - explained - 1) // self._span
            if absent and (now - from_epoch(opened + self._span)).total_seconds() < self._patience_s:
                self.why = f"{absent} bars before {given.bar.opened_at.isoformat()} are missing"
                return False
            for lost in range(explained + self._span, opened, self._span):
                self._reject(lost, "missing")
            explained = opened
            await self._judge(opened, given, reached)
        return True

    async def _judge(self, opened: int, given: _Given, reached: int) -> None:
        if given.by is self._fallback and not _agree(given.bar.open, self.bars.newest_close):
            self._reject(opened, "other_level")
            return
        kind = self._gate.offer(given.bar, reached)
        if kind == "spike" and await self._is_confirmed(opened, given):
            self._gate = Gatekeeper(self.bars.timeframe)
            kind = self._gate.offer(given.bar, reached)
        if kind is not None:
            self._reject(opened, kind)
            return
        source = given.by.source.venue
        self.bars.append(given.bar, self._half_spread(given.bar), source)
        self._appended(self.bars.newest_closed, source)
        self._forget_before(opened)

    def _compare(self, opened: int, given: _Given) -> None:
        """A bar that is at hand already, given once more: nothing changes, but a correction is counted."""
        if opened < self.bars.newest_opened or self.bars.source_of(len(self.bars) - 1) != given.by.source.venue:
            return
        at_hand = self.bars.series().bar(len(self.bars) - 1)
        if _values(at_hand) != _values(given.bar):
            self._reject(opened, "conflict")

    async def _is_confirmed(self, opened: int, given: _Given) -> bool:
        """Whether another provider gives about the same bar; asked once for each bar."""
        other = self._fallback if given.by is self._primary else self._primary
        if other is None or opened in self._spikes_asked:
            return False
        try:
            rows = await other.bars(self.bars.symbol, self.bars.timeframe, opened, opened + self._span)
        except NO_ANSWER as error:
            self.why = f"a spike could not be confirmed: {error}"
            return False
        self._spikes_asked.add(opened)
        return any(bar.opened_at == given.bar.opened_at and _agree(bar.close, given.bar.close) for bar in rows)

    def _reject(self, opened: int, kind: str) -> None:
        if (opened, kind) not in self._counted:
            self._counted.add((opened, kind))
            self.rejected[kind] += 1

    def _forget_before(self, opened: int) -> None:
        """What lies well behind the newest bar is asked for no more, so it need not be remembered as counted."""
        keep = opened - self._span
        self._counted = {entry for entry in self._counted if entry[0] >= keep}
        self._spikes_asked = {entry for entry in self._spikes_asked if entry >= keep}

    def _fresh_gate(self) -> Gatekeeper:
        gate = Gatekeeper(self.bars.timeframe)
        newest = self.bars.series().bar(len(self.bars) - 1)
        volume = math.nan if newest.volume is None else newest.volume
        gate.judge(self.bars.newest_opened, (newest.open, newest.high, newest.low, newest.close, volume))
        return gate


def _values(bar: Bar) -> tuple[float | None, ...]:
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)


def _agree(left: float, right: float) -> bool:
    return abs(left - right) <= AGREEMENT * max(left, right)
