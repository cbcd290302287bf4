"""What must hold of the account from moment to moment: a stop behind every position, no order without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from simulation.network import FASTEST_S
from simulation.setting import RULES, SYMBOLS
from simulation.truth import ZERO, left_of, waits_as_stop

from venues.records import MarketKind

if TYPE_CHECKING:
    from simulation.world import World

KNOWN_WITHIN_S = 5.5
"""Without a push stream the daemon reads the open orders every five seconds."""
ACTED_WITHIN_S = 6.5
"""Five seconds until a bare position is closed, one until somebody looks, and the way there."""
ORPHANED_WITHIN_S = 10.0
CLOSED_AFTER_S = 4.0
MOST_DOUBLINGS = 6
"""A close that is refused is tried again after twice as long each time, as the guardian has it."""
LOOKED_EVERY_S = 16.0
"""How often the simulation looks where nothing happens for long."""
NEXT_BAR_S = 3700.0
ROUND_TRIPS = 20
"""The requests, one after another, of the two rounds of questions before and after something is done."""


@dataclass(slots=True)
class Spell:
    """How long something has been so: since when, and since when it has been told."""

    since: float
    told: bool = False


@dataclass(slots=True)
class AccountChecks:
    """`calm_since` is since when the daemon lives, trades and reaches an exchange that tells the truth."""

    world: World
    calm_since: float = 0.0
    last_at: float = 0.0
    unprotected_s: float = 0.0
    """Position-seconds without a stop, whatever the reason."""
    unprotected_calm_s: float = 0.0
    """Those of them while the daemon lived and nothing kept it from the exchange."""
    longest_calm_s: float = 0.0
    bare: dict[str, Spell] = field(default_factory=dict)
    misfit: dict[str, Spell] = field(default_factory=dict)
    orphaned: dict[str, Spell] = field(default_factory=dict)
    held: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    """What each trade holds, by instrument."""
    refused: dict[str, int] = field(default_factory=dict)
    """How often the exchange refused to close an instrument's position, since it last did something else."""
    excused: dict[tuple[str, str], float] = field(default_factory=dict)
    """Until when something may be so, for the exchange refuses what would end it; by name and instrument."""
    tainted: set[str] = field(default_factory=set)
    """Instruments whose position somebody else moved: what rests there is a person's to judge."""

    @property
    def limits_s(self) -> tuple[float, float]:
        """How long a position may be without a stop, and an order without a position, on a line as slow as this."""
        rounds_s = ROUND_TRIPS * (self.world.plan.slow_s + FASTEST_S)
        known_s = KNOWN_WITHIN_S + rounds_s
        return known_s + ACTED_WITHIN_S, known_s + ORPHANED_WITHIN_S

    def disturb(self, for_s: float) -> None:
        """Something keeps the daemon from the truth now, or will for so long."""
        self.calm_since = max(self.calm_since, self.world.loop.time() + for_s)

    def refuse(self, symbol: str, leg: str) -> None:
        """The exchange said no to an exit: a close is tried again ever more seldom, a stop at the next bar."""
        now = self.world.loop.time()
        if leg == "close":
            count = self.refused[symbol] = self.refused.get(symbol, 0) + 1
            self.excused["bare", symbol] = now + LOOKED_EVERY_S + CLOSED_AFTER_S * 2 ** min(count, MOST_DOUBLINGS)
        elif leg == "stop":
            self.excused["misfit", symbol] = now + NEXT_BAR_S

    def step(self) -> None:
        now = self.world.loop.time()
        life = self.world.life
        if life is None or not life.started or life.dead:
            self.disturb(0.0)
        for found, before, after in self.world.truth.new_trades():
            self.world.trace.add("trade", found.client_order_id, found.trade.quantity, "at", found.trade.price)
            self._follow(found.client_order_id, found.trade.symbol, before, after)
        if self.world.truth.foreign - self.tainted:
            self.tainted |= self.world.truth.foreign
            self.world.foreign_money = True
        if self.world.truth.wiped:
            return
        self._count(now)
        for symbol in SYMBOLS:
            if symbol not in self.tainted:
                self._look_at(symbol, now)
        self.last_at = now

    def _count(self, now: float) -> None:
        passed = now - self.last_at
        calm = max(0.0, now - max(self.last_at, self.calm_since))
        count = len([symbol for symbol in self.bare if symbol not in self.tainted])
        self.unprotected_s += passed * count
        self.unprotected_calm_s += calm * count

    def _look_at(self, symbol: str, now: float) -> None:
        rules = RULES[self.world.kind][symbol]
        last = self.world.exchange.world.market(symbol).last
        nets = [net for net in self.held.get(symbol, {}).values() if net]
        resting = self.world.truth.resting(symbol)
        if not (nets or resting) and not any(symbol in spells for spells in (self.bare, self.misfit, self.orphaned)):
            return  # nothing is there, and nothing was
        sellable = sum((rules.floor(abs(net)) for net in nets), ZERO)
        dust = sellable < rules.min_quantity or sellable * last < rules.min_notional
        stops = [left_of(order) for order in resting if waits_as_stop(order)]
        exits = [order for order in resting if waits_as_stop(order) or order.kind == "LIMIT"]
        held, (bare_s, orphaned_s) = not dust, self.limits_s
        self._spell(self.bare, symbol, now, held and max(stops, default=ZERO) < sellable, bare_s, "bare")
        self._spell(self.misfit, symbol, now, held and bool(stops) and sellable not in stops, orphaned_s, "misfit")
        self._spell(self.orphaned, symbol, now, not sellable and bool(exits), orphaned_s, "orphaned")

    def _spell(self, spells: dict[str, Spell], symbol: str, now: float, is_so: bool, limit_s: float, name: str) -> None:
        if not is_so:
            ended = spells.pop(symbol, None)
            if ended is not None and name == "bare":
                self.longest_calm_s = max(self.longest_calm_s, now - max(ended.since, self.calm_since))
            return
        spell = spells.setdefault(symbol, Spell(now))
        lasted = now - max(spell.since, self.calm_since, self.excused.get((name, symbol), 0.0))
        if lasted > limit_s and not spell.told:
            spell.told = True
            self.world.violate(WORDS[name], f"{symbol} for {lasted:.1f} s with nothing in the way")

    def _follow(self, name: str, symbol: str, before: Decimal, after: Decimal) -> None:
        """Add an execution to the trade it belongs to; what is too little to be sold stays there and is forgotten."""
        intent = self.world.witness.intent(name)
        if intent is None:
            return
        trades = self.held.setdefault(symbol, {})
        trades[intent.cause_id] = trades.get(intent.cause_id, ZERO) + after - before
        if intent.leg != "entry":
            self.refused.pop(symbol, None)
            self.bare.pop(symbol, None)  # it is being closed, as fast as the market takes it
            self._forget_dust(symbol, intent.cause_id)
        if intent.leg != "entry" and symbol not in self.tainted and (before * after < 0 or abs(after) > abs(before)):
            self.world.violate("an exit never opens or flips", f"{name} moved {symbol} from {before} to {after}")

    def _forget_dust(self, symbol: str, trade: str) -> None:
        """What a fee in the base left of a trade can never be sold: it stays in the account."""
        rules = RULES[self.world.kind][symbol]
        left = rules.floor(abs(self.held[symbol][trade]))
        last = self.world.exchange.world.market(symbol).last
        too_little = left < rules.min_quantity or left * last < rules.min_notional
        if self.world.kind is MarketKind.SPOT and too_little:
            self.held[symbol][trade] = ZERO


WORDS: Mapping[str, str] = {
    "bare": "a stop rests behind every position",
    "misfit": "a stop is as large as its position",
    "orphaned": "no order outlasts its position",
}
