"""Indicators, strategies, their ensemble, exits and the feature vector: pure functions over bars."""

from signals import features
from signals.ensemble import REASONS, combine
from signals.exits import Close, ExitAction, ExitPolicy, ExitView, Keep, MoveStop, exit_step
from signals.settings import SignalSettings, minimum_bars
from signals.strategies import STRATEGIES, Strategy, load_strategies, strategy_code, strategy_hash
from signals.table import SignalTable

__all__ = [
    "REASONS",
    "STRATEGIES",
    "Close",
    "ExitAction",
    "ExitPolicy",
    "ExitView",
    "Keep",
    "MoveStop",
    "SignalSettings",
    "SignalTable",
    "Strategy",
    "combine",
    "exit_step",
    "features",
    "load_strategies",
    "minimum_bars",
    "strategy_code",
    "strategy_hash",
]
