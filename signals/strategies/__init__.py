"""The strategies: one small class in one file each, their fixed codes, and the loader of a user's own."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from domain.errors import InvalidInput
from domain.identity import digest
from signals.settings import SignalSettings
from signals.strategies.base import Fired, Strategy
from signals.strategies.breakout import Breakout
from signals.strategies.ichimoku import Ichimoku
from signals.strategies.mean_reversion import MeanReversion
from signals.strategies.momentum import Momentum
from signals.strategies.supertrend import SuperTrend
from signals.strategies.trend import Trend

__all__ = ["STRATEGIES", "STRATEGY_CODES", "Fired", "Strategy", "load_strategies", "strategy_code", "strategy_hash"]

STRATEGIES: tuple[Strategy, ...] = (Trend(), Breakout(), MeanReversion(), Momentum(), Ichimoku(), SuperTrend())

STRATEGY_CODES: dict[str, int] = {
    "trend": 1,
    "breakout": 2,
    "mean_reversion": 3,
    "momentum": 4,
    "ichimoku": 5,
    "supertrend": 6,
}
"""Codes are part of the feature schema: a code is never given to another strategy."""

_FIRST_USER_CODE = 100


def strategy_code(name: str) -> int:
    """A stable integer for a strategy: the table's, or for a user's own one 100 and more, computed from its name."""
    known = STRATEGY_CODES.get(name)
    return known if known is not None else _FIRST_USER_CODE + int(digest("strategy", name, length=6), 16)


def strategy_hash(settings: SignalSettings, strategies: Sequence[Strategy] = STRATEGIES) -> str:
    """A name for the proposing code and its parameters: changes when a strategy's file or a setting changes."""
    sources = [f"{strategy.name}:{_source(strategy)}" for strategy in strategies]
    return digest("strategies", settings.digest(), *sources)


def _source(strategy: Strategy) -> str:
    file = inspect.getsourcefile(type(strategy).fire)
    if file is None or not Path(file).is_file():
        raise InvalidInput(f"strategy {strategy.name}: its source file cannot be read, so it cannot be identified")
    return digest(Path(file).read_text(encoding="utf-8"))


def load_strategies(folder: Path) -> tuple[Strategy, ...]:
    """The shipped strategies and, in order of file name, one from every `*.py` file of `folder`.

    Raises `InvalidInput`, naming the file, when the folder is not there, a file cannot be run, holds no or more
    than one strategy, or reuses a name.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is not a folder of strategies")
    found = list(STRATEGIES)
    for path in sorted(folder.glob("*.py")):
        strategy = _load(path)
        if any(strategy.name == other.name for other in found):
            raise InvalidInput(f"{path}: a strategy named {strategy.name!r} is already there; names are unique")
        found.append(strategy)
    return tuple(found)


def _load(path: Path) -> Strategy:
    module = _run(path)
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise InvalidInput(f"{path}: it holds {len(classes)} strategies; exactly one subclass of Strategy is allowed")
    found = classes[0]
    texts = ("name", "long_reason", "short_reason")
    if inspect.isabstract(found) or not all(isinstance(getattr(found, text, None), str) for text in texts):
        raise InvalidInput(f"{path}: {found.__name__} must define fire() and the texts {', '.join(texts)}")
    strategy: Strategy = found()
    return strategy


def _run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ratchet_strategy_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{path}: this file cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError, OSError) as error:
        raise InvalidInput(f"{path}: this strategy file cannot be run: {error}") from error
    return module
