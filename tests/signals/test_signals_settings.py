"""Settings refuse what is out of bounds, all faults at once, and name themselves."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from domain.errors import InvalidInput
from signals import SignalSettings, minimum_bars


def test_the_defaults_are_the_ones_users_know() -> None:
    settings = SignalSettings()
    assert (settings.agreement, settings.atr_stop, settings.reward_risk) == (0.6, 2.0, 3.0)
    assert (settings.chandelier_bars, settings.chandelier_atr) == (22, 3.0)
    assert (settings.reversal_volatility_bound, settings.exit_ma) == (0.003, None)


def test_all_faults_are_told_at_once_with_value_and_what_is_allowed() -> None:
    with pytest.raises(InvalidInput) as refused:
        SignalSettings(reward_risk=7.0, trend_ma=30, agreement=float("nan"), min_votes=0, exit_ma=100)
    told = str(refused.value)
    for fault in (
        "reward_risk is 7.0; allowed is 2.5 to 4.0",
        "trend_ma is 30; allowed are 20, 50, 100",
        "agreement is nan",
        "min_votes is 0; allowed is 1 to 50",
        "exit_ma is 100; allowed are 20, 50, None",
    ):
        assert fault in told


def test_numbers_of_bars_are_whole() -> None:
    with pytest.raises(InvalidInput, match="whole numbers"):
        SignalSettings(signal_valid_bars=2.5)


def test_the_digest_names_exactly_the_parameters() -> None:
    settings = SignalSettings()
    assert settings.digest() == SignalSettings().digest()
    other = {"trend_ma": 20, "exit_ma": 20, "time_exit_bars": None, "reward_risk": 2.5, "slow_clearance": 0.02}
    digests = {settings.digest()}
    for field in fields(settings):
        value = getattr(settings, field.name)
        changed = other.get(field.name, value + 1 if isinstance(value, int) else (value or 0.005) * 0.99)
        digests.add(replace(settings, **{field.name: changed}).digest())
    assert len(digests) == 1 + len(fields(settings))


def test_the_warm_up_is_never_shorter_than_the_slowest_column() -> None:
    assert minimum_bars(SignalSettings()) == 150
    assert minimum_bars(SignalSettings(warmup_bars=0)) == 101
    assert minimum_bars(SignalSettings(warmup_bars=0, chandelier_bars=300)) == 301
