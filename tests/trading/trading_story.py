"""A small replay told by the daemon itself, on the simulated market: for tests of restarts, crashes, look-ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon.config import Config
from daemon.parts import Sources
from daemon.paths import AccountPaths
from daemon.story import Story, tell
from journal.journal import Journal
from journal.verify import Verification, verify
from market.feed import Moment
from market.simulated import SimulatedFeed

START = datetime(2024, 1, 1, tzinfo=UTC)
CURRENCY = "USD"
LIVELY: Mapping[str, Mapping[str, Any]] = {
    "account": {"currency": CURRENCY},
    # The shortest warm-up there is, and exits that come soon: much must happen within a few hundred bars.
    "signals": {"warmup_bars": 0, "min_confidence": 0.5, "agreement": 0.5, "min_votes": 1, "time_exit_bars": 12},
    "risk": {"instrument_cooldown_hours": 0, "consecutive_losses": 4, "cooldown_hours": 12, "max_correlation": 1},
    "learning": {"minimum_labels": 20, "minimum_per_class": 3, "online": "speaks"},
    "broker": {"reject_rate": 0.15, "max_participation": 0.02},
    "operator": {"resume_after_days": 1.0},
}


def lively_config(**sections: Mapping[str, Any]) -> Config:
    """The story's configuration, with sections changed key by key."""
    names = sorted({*LIVELY, *sections})
    return Config.model_validate({name: {**LIVELY.get(name, {}), **sections.get(name, {})} for name in names})


class Interrupted(Exception):
    """The story was broken off in the middle, as by a crash between two moments."""


class InterruptedFeed(SimulatedFeed):
    """The simulated market until `stop_at`; the moment after it breaks off. `heard` hears each moment told."""

    stop_at: datetime | None = None
    heard: Callable[[Moment], None] | None = None

    def take(self) -> Moment:
        at = self.next_at()
        if self.stop_at is not None and at is not None and at > self.stop_at:
            raise Interrupted
        moment = super().take()
        if self.heard is not None:
            self.heard(moment)
        return moment


def simulated(*, instruments: int = 2, bars: int = 300, seed: int = 7) -> InterruptedFeed:
    """The story's market."""
    return InterruptedFeed(seed, instruments=instruments, bars=bars, start=START, edge=0.5)


def play(feed: InterruptedFeed, config: Config, folder: Path, *, stop_at: datetime | None = None) -> bool:
    """Play the story on from where `folder` says, to its end; False when it broke off after `stop_at`. Whatever
    was not committed by then is lost."""
    feed.stop_at = stop_at
    feed.seek(START)
    try:
        tell(
            Story(
                title="a story",
                config=config,
                feed=feed,
                higher=feed.higher,
                paths=AccountPaths(folder=folder),
                currency=CURRENCY,
                sources=Sources(events=feed.calendar),
                quiet=True,
            )
        )
    except Interrupted:
        return False
    return True


def verified(folder: Path) -> Verification:
    """What `ratchet verify` says of the story's journal."""
    with journal_of(folder) as journal:
        return verify(journal)


def journal_of(folder: Path) -> Journal:
    """The story's journal, for reading."""
    return Journal.open(AccountPaths(folder=folder).journal, read_only=True)
