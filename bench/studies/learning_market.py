"""What the learning studies share: invented samples with known truth, and an account that goes through its cycles.

Prices are random walks of bars of an hour, correlated, with the same volatility at all times. Nothing in them foretells
anything, unless a drift is planted: a hidden state of each instrument moves its price by `strength` of a bar's standard
deviation, and one feature is that state seen through noise, times the side. A decision is a purchase or a sale with a
stop, a target and a time limit, labelled by what its price met first, net of a constant cost; twenty features are
functions of the past week's prices.

The account is real where it matters: its journal, the samples laid down, the trainer, the verdict's error by the
journal's spending, and the transaction that concludes. Only the daemon around it and its clock are left out.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from daemon.casting import standing_in
from daemon.config import Config
from daemon.cycles import Account, prepared, written_down
from daemon.paths import AccountPaths
from daemon.wiring import open_journal
from domain.clock import EPOCH
from domain.errors import InvalidInput
from journal.journal import Journal
from learning.accumulated import since
from learning.judgement.blocks import MINIMUM_BLOCKS, block_sums, drawn_counts, time_blocks
from learning.judgement.bootstrap import paired_gain
from learning.judgement.ranking import auc, auc_interval
from learning.registry.bundle import LoadedModel, load_bundle, prune
from learning.registry.state import Standing
from learning.table import Floats, Ints, SampleTable

START = datetime(2024, 1, 7, 2, tzinfo=UTC)
"""A Sunday, 02:00 UTC, when the daemon trains by default."""
WEEK = timedelta(days=7)
BARS_A_WEEK = 168
PAST = 168
STOP, TARGET, LONGEST, COST = 2.0 * math.sqrt(12), 1.5, 72, 0.08
"""The stop in standard deviations of a bar, the target in stops, the time limit in bars, the cost in stops (R)."""
SCHEMA = "study"
NORMAL = 1.96
_MEMORY = math.exp(-1 / 36)
_HOUR = 3_600_000_000
_SINE = tuple(f"f_{name}" for name in ("hour_sine", "hour_cosine"))
NAMES = (
    *(f"f_return_{bars}" for bars in (1, 3, 6, 12, 24, 72, 168)),
    *(f"f_volatility_{bars}" for bars in (12, 24, 168)),
    *(f"f_place_in_{bars}" for bars in (24, 72, 168)),
    *(f"f_above_mean_{bars}" for bars in (24, 168)),
    "f_ups_14",
    *_SINE,
    "f_side_return_24",
    "f_side_return_168",
    "f_seen",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """`weeks` of decisions, `samples_a_week` of them on average. `strength` is the planted drift a bar, 0 for none;
    from the week `turns_at` on it works the other way round, while what is seen of it stays the same."""

    weeks: int
    samples_a_week: float = 21.0
    instruments: int = 6
    correlation: float = 0.3
    strength: float = 0.0
    noise: float = 1.0
    turns_at: int | None = None


def samples_of(market: Market, seed: int) -> SampleTable:
    """All decisions of the market; each instrument draws from a stream of its own."""
    bars = market.weeks * BARS_A_WEEK + PAST + LONGEST
    shared = np.random.default_rng([seed, 0]).standard_normal(bars)
    parts = [_decisions(market, seed, number, shared) for number in range(market.instruments)]
    at, lasted, which, side, r, X = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((which, at))
    begun = microseconds(START)
    decided = begun + (at[order] - PAST) * _HOUR
    r = r[order]
    return SampleTable(
        decision_id=np.array([f"d{row:07}" for row in range(len(order))]),
        decided_at=decided,
        resolved_at=decided + lasted[order] * _HOUR,
        instrument=which[order].astype(np.str_),
        side=side[order].astype(np.int64),
        strategy=np.full(len(order), "study"),
        r_net=r,
        label=(r > 0).astype(np.int64),
        weight=np.ones(len(order)),
        source=np.full(len(order), "study"),
        features=X[order],
        names=NAMES,
        schema=SCHEMA,
    )


def shuffled(table: SampleTable, seed: int) -> SampleTable:
    """The same decisions with each other's results: what was earned has nothing to do with anything any more."""
    r = np.random.default_rng([seed, 99]).permutation(table.r_net)
    columns = {name: getattr(table, name) for name in table.__dataclass_fields__}
    return SampleTable(**{**columns, "r_net": r, "label": (r > 0).astype(np.int64)})


def _decisions(market: Market, seed: int, number: int, shared: Floats) -> tuple[Any, ...]:
    draw = np.random.default_rng([seed, 1 + number])
    bars = len(shared)
    own = draw.standard_normal(bars)
    state = _lasting(draw, bars)
    turned = np.ones(bars)
    if market.turns_at is not None:
        turned[PAST + market.turns_at * BARS_A_WEEK :] = -1.0
    moves = math.sqrt(market.correlation) * shared + math.sqrt(1 - market.correlation) * own
    # What is known at the close of a bar works on the next one.
    moves[1:] += market.strength * (state * turned)[:-1]
    path = np.concatenate([[0.0], np.cumsum(moves)])[:-1]
    chance = market.samples_a_week / BARS_A_WEEK / market.instruments
    open_to = bars - LONGEST - 1
    at: Ints = PAST + np.flatnonzero(draw.random(open_to - PAST) < chance)
    window = np.lib.stride_tricks.sliding_window_view(path, PAST + 1)[at - PAST]
    trend = np.where(window[:, -1] >= window[:, -25], 1.0, -1.0)
    side = np.where(draw.random(len(at)) < 0.7, trend, -trend)
    # Moves up to the close of bar `at` are in `window`; the state that moves the next bar is the one of `at - 1`.
    seen = side * (state[at - 1] + market.noise * draw.standard_normal(len(at)))
    ahead = np.lib.stride_tricks.sliding_window_view(path, LONGEST + 1)[at]
    r, lasted = _first_touch((ahead[:, 1:] - ahead[:, :1]) * side[:, None] / STOP)
    return at, lasted, np.full(len(at), number), side, r, _features(window, side, at, seen)


def _lasting(draw: np.random.Generator, count: int) -> Floats:
    """A state of variance 1 that forgets within about a day and a half."""
    from scipy.signal import lfilter

    steps = math.sqrt(1 - _MEMORY**2) * draw.standard_normal(count)
    steps[0] = draw.standard_normal()
    found: Floats = lfilter([1.0], [1.0, -_MEMORY], steps)
    return found


def _first_touch(moved: Floats) -> tuple[Floats, Ints]:
    """Net R and the bars it took: the first close at or beyond stop or target, else the last one."""
    touched = (moved <= -1.0) | (moved >= TARGET)
    last = np.where(touched.any(axis=1), touched.argmax(axis=1), moved.shape[1] - 1)
    return moved[np.arange(len(moved)), last] - COST, (last + 1).astype(np.int64)


def _features(window: Floats, side: Floats, at: Ints, seen: Floats) -> Floats:
    now = window[:, -1]
    steps = np.diff(window, axis=1)

    def returned(bars: int) -> Floats:
        found: Floats = (now - window[:, -1 - bars]) / math.sqrt(bars)
        return found

    def place(bars: int) -> Floats:
        low, high = window[:, -bars:].min(axis=1), window[:, -bars:].max(axis=1)
        found: Floats = (now - low) / np.maximum(high - low, 1e-9)
        return found

    hour = 2 * math.pi * (at % 24) / 24
    columns = (
        *(returned(bars) for bars in (1, 3, 6, 12, 24, 72, 168)),
        *(steps[:, -bars:].std(axis=1) for bars in (12, 24, 168)),
        *(place(bars) for bars in (24, 72, 168)),
        *(now - window[:, -bars:].mean(axis=1) for bars in (24, 168)),
        (steps[:, -14:] > 0).mean(axis=1),
        np.sin(hour),
        np.cos(hour),
        side * returned(24),
        side * returned(168),
        seen,
    )
    return np.column_stack(columns)


class CycleAccount:
    """An account's learning cycles without the daemon around them: journal, trainer, verdicts and standing are real."""

    def __init__(self, account: Account, journal: Journal) -> None:
        self._account = account
        self._journal = journal

    @property
    def journal(self) -> Journal:
        return self._journal

    @property
    def models(self) -> Path:
        return self._account.models

    @property
    def standing(self) -> Standing:
        return standing_in(self._journal.read, self._account.config)

    def champion(self, schema: str) -> LoadedModel | None:
        """Whoever speaks now."""
        name = self.standing.champion
        record = None if name is None else self._journal.read.model(name)
        return (
            None if record is None else load_bundle(self.models, record.model_id, sha256=record.sha256, schema=schema)
        )

    def cycle(self, known: SampleTable, now: datetime) -> Mapping[str, Any]:
        """One training on the samples known by `now`, concluded; the answer."""
        from learning.training.trainer import run

        read, config = self._journal.read, self._account.config
        kept = since(known, now - timedelta(days=config.training.retention_days))
        answer = run(prepared(read, self._account, kept, now), _unheard)
        _, batch = written_down(read, config, answer, at=now, simulated=True)
        self._journal.commit(batch)
        prune(self._account.models, self.standing.in_use, least=config.training.keep)
        return answer

    def deploy(self, known: SampleTable, now: datetime) -> LoadedModel:
        """Train on the samples known by `now` and let that model speak, whatever its verdict was."""
        from learning.training.trainer import run

        answer = run(prepared(self._journal.read, self._account, known, now), _unheard)
        answer = {**answer, "deploy": answer["model"], "deployed": True, "challenge": None}
        _, batch = written_down(self._journal.read, self._account.config, answer, at=now, simulated=True)
        self._journal.commit(batch)
        found = self.champion(known.schema)
        if found is None:
            raise InvalidInput(f"no model came of {len(known)} samples: {answer['reason']}")
        return found


@contextmanager
def cycle_account(
    folder: Path, config: Config, *, schema: str = SCHEMA, bar: timedelta = timedelta(hours=1)
) -> Iterator[CycleAccount]:
    """A fresh account in `folder`, which is emptied before and removed after."""
    shutil.rmtree(folder, ignore_errors=True)
    paths = AccountPaths(folder=folder).create()
    try:
        with open_journal(config, paths, live=False) as journal:
            yield CycleAccount(Account(folder=folder, config=config, schema=schema, bar=bar), journal)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def known_at(table: SampleTable, now: datetime) -> SampleTable:
    """The samples whose label was known at `now`."""
    return table.take(table.resolved_at <= microseconds(now))


def _unheard(_step: str, _done: int, _of: int) -> None:
    """Nobody follows the progress of a study's trainings."""


def microseconds(at: datetime) -> int:
    """A time as samples have it: microseconds since 1970 UTC."""
    return (at - EPOCH) // timedelta(microseconds=1)


def auc_told(p: Floats, label: Ints, decided_at: Ints, resolved_at: Ints) -> dict[str, Any]:
    """AUC with its interval by blocks of neighbouring decisions, and the standard error that this amounts to."""
    if len(p) == 0:
        return {"count": 0, "auc": None, "interval": None, "standard_error": None}
    blocks = time_blocks(decided_at, resolved_at)
    interval = auc_interval(p, label, blocks, seed=0)
    return {
        "count": len(p),
        "auc": auc(p, label),
        "interval": None if interval is None else [round(interval.low, 4), round(interval.high, 4)],
        "standard_error": None if interval is None else (interval.high - interval.low) / (2 * NORMAL),
        "blocks": int(blocks[-1]) + 1,
    }


def gain_told(table: SampleTable, takes: Floats, alpha: float = 0.025) -> dict[str, Any]:
    """What a filter that takes these rows earned a trade, beside taking all; the gain's interval is by blocks."""
    found: dict[str, Any] = {
        "signals": len(table),
        "taken": int(takes.sum()),
        "ev_unfiltered": float(table.r_net.mean()) if len(table) else None,
        "ev_filtered": float(table.r_net[takes > 0].mean()) if takes.any() else None,
        "gain": None,
        "gain_ci": None,
        "per_signal": None,
        "blocks": 0,
    }
    blocks = time_blocks(table.decided_at, table.resolved_at) if len(table) else np.empty(0, dtype=np.int64)
    if not takes.any() or int(blocks[-1]) + 1 < MINIMUM_BLOCKS:
        return found
    gain = paired_gain(table.r_net, takes, np.ones(len(table)), blocks, alpha=alpha, seed=0)
    ends = [round(each, 4) if math.isfinite(each) else None for each in (gain.interval.low, gain.interval.high)]
    return {**found, "gain": gain.point, "gain_ci": ends, "per_signal": gain.per_signal, "blocks": gain.blocks}


def mean_told(r: Floats, begun: Ints, ended: Ints) -> dict[str, Any]:
    """Mean R with its 95% interval by resampling blocks; none where there are too few of them."""
    blocks = time_blocks(begun, ended)
    count = int(blocks[-1]) + 1
    interval = None
    if count >= MINIMUM_BLOCKS:
        sums = block_sums(blocks, count, r, np.ones(len(r)))
        drawn = np.concatenate([counts @ sums for counts in drawn_counts(count, resamples=4_000, seed=0)])
        interval = [round(float(each), 4) for each in np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))]
    return {"count": len(r), "mean": float(r.mean()), "interval": interval, "blocks": count}
