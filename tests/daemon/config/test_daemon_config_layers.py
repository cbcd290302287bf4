"""Defaults, files, the environment, flags: the later layer wins, key by key, and every value knows its origin."""

from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from daemon.config import Config, Loaded, as_json, as_toml, digest_of, load
from daemon.config.fields import Section
from daemon.config.learning import LearningSection
from daemon.config.schema import sections
from daemon.config.trading import LEAST_RISK, MOST_RISK, RiskSection, SignalsSection
from domain.instruments import AssetClass, Timeframe
from learning.online import OnlineSettings
from risk.limits import ALLOWED, Limits
from signals.settings import SignalSettings


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_nothing_given_is_the_defaults() -> None:
    loaded = load()
    assert loaded.config == Config()
    assert loaded.origins == {}
    assert loaded.origin("risk.max_positions") == "default"


def test_each_layer_overrides_the_one_before(tmp_path: Path) -> None:
    first = written(tmp_path, "a.toml", "[risk]\nmax_positions = 1\norders_per_day = 11\n[api]\nport = 1001\n")
    second = written(tmp_path, "b.toml", "[risk]\nmax_positions = 2\n[metrics]\nport = 1002\n")
    loaded = load(
        [first, second],
        environ={"RATCHET__API__PORT": "1003", "RATCHET__METRICS__PORT": "1004", "UNRELATED": "x"},
        flags=["metrics.port=1005"],
        values={"broker.reject_rate": 0.25},
    )
    config = loaded.config
    assert (config.risk.orders_per_day, config.risk.max_positions) == (11, 2)
    assert (config.api.port, config.metrics.port, config.broker.reject_rate) == (1003, 1005, 0.25)
    assert loaded.origin("risk.orders_per_day") == f"{first} line 3"
    assert loaded.origin("risk.max_positions") == f"{second} line 2"
    assert loaded.origin("api.port") == "environment RATCHET__API__PORT"
    assert loaded.origin("metrics.port") == "flag --set"
    assert loaded.origin("broker.reject_rate") == "command line"


def test_text_becomes_the_kind_of_value_that_the_key_takes() -> None:
    config = load(
        environ={
            "RATCHET__FEED__INSTRUMENTS": "EURUSD, GBPUSD",
            "RATCHET__FEED__CLASS": "forex",
            "RATCHET__FEED__SERIES__EURUSD": "EURUSD_FXCM",
            "RATCHET__FEED__TIMEFRAME": "1d",
            "RATCHET__SENTIMENT__ENABLED": "no",
            "RATCHET__SCHEDULE__DATA_QUALITY_AT": "07:30",
            "RATCHET__ACCOUNT__NAME": "2024",
            "RATCHET__ACCOUNT__STARTING_CASH": "1234.50",
        },
        flags=["signals.weights.breakout=0.5", "signals.weights=trend=2,momentum=1", "signals.time_exit_bars=none"],
    ).config
    assert config.feed.instruments == ("EURUSD", "GBPUSD")
    assert config.feed.asset_class is AssetClass.FOREX
    assert config.feed.timeframe is Timeframe.D1
    assert config.feed.series == {"EURUSD": "EURUSD_FXCM"}
    assert config.sentiment.enabled is False
    assert config.schedule.data_quality_at == time(7, 30)
    assert config.account.name == "2024"
    assert config.account.starting_cash == Decimal("1234.5")
    assert config.signals.weights == {"breakout": 0.5, "trend": 2.0, "momentum": 1.0}
    assert config.signals.time_exit_bars is None


def test_a_path_in_a_file_starts_from_that_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    file = written(
        folder, "r.toml", '[feed]\nkind = "recorded"\npath = "candles"\n[sentiment]\ncalendar = "/c.jsonl"\n'
    )
    config = load([file], flags=["sentiment.headlines=news.jsonl"]).config
    assert config.feed.path == folder / "candles"
    assert config.sentiment.calendar == Path("/c.jsonl")
    assert config.sentiment.headlines == Path("news.jsonl")


def test_money_keeps_every_digit_that_was_written(tmp_path: Path) -> None:
    file = written(tmp_path, "r.toml", '[account]\nstarting_cash = "1000.10"\n[risk]\nmax_drawdown = 0.15\n')
    config = load([file]).config
    assert config.account.starting_cash == Decimal("1000.10")
    assert config.risk.max_drawdown == Decimal("0.15")


def test_the_configuration_is_frozen() -> None:
    config = Config()
    with pytest.raises(ValidationError):
        config.risk.max_positions = 3  # type: ignore[misc]  # that it cannot be set is what is tested


def test_equal_configurations_have_equal_digests_however_they_were_written(tmp_path: Path) -> None:
    file = written(tmp_path, "r.toml", "[account]\nstarting_cash = 500.50\n[risk]\nmax_drawdown = 0.10\n")
    same = load(flags=["risk.max_drawdown=0.1", "account.starting_cash=500.5"])
    assert digest_of(load([file]).config) == digest_of(same.config)
    assert digest_of(load(flags=["risk.max_drawdown=0.11"]).config) != digest_of(Config())


def test_the_digest_of_the_defaults_does_not_depend_on_the_process() -> None:
    assert digest_of(Config()) == digest_of(load().config)
    assert len(digest_of(Config())) == 20


def reread(folder: Path, loaded: Loaded, *, origins: bool = False) -> Config:
    return load([written(folder, "again.toml", as_toml(loaded, origins=origins))]).config


@given(
    risk=st.decimals(min_value="0.002", max_value="0.01", places=6),
    positions=st.integers(1, 1000),
    weights=st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,12}", fullmatch=True), st.floats(0, 100), max_size=3),
    exit_ma=st.sampled_from([20, 50, None]),
    series=st.dictionaries(st.sampled_from(["EURUSD", "BHP.AX", "BTC/USDT"]), st.just("A_1"), max_size=3),
    at=st.times(),
)
def test_what_is_shown_reads_back_as_itself(
    tmp_path_factory: pytest.TempPathFactory,
    risk: Decimal,
    positions: int,
    weights: dict[str, float],
    exit_ma: int | None,
    series: dict[str, str],
    at: time,
) -> None:
    values: dict[str, Any] = {
        "risk.risk_per_trade": risk,
        "risk.max_positions": positions,
        "signals.weights": weights,
        "signals.exit_ma": exit_ma,
        "feed.series": series,
        "schedule.data_quality_at": at,
    }
    loaded = load(values=values)
    folder = tmp_path_factory.mktemp("shown")
    assert reread(folder, loaded) == loaded.config
    assert reread(folder, loaded, origins=True) == loaded.config
    assert digest_of(reread(folder, loaded)) == digest_of(loaded.config)


def test_the_json_form_has_every_key_of_every_section() -> None:
    document = as_json(Config())
    assert {name: set(table) for name, table in document.items()} == {
        name: set(schema.keys) for name, schema in sections().items()
    }


def defaults_of(record: type[Any]) -> dict[str, Any]:
    return {field.name: field.default for field in fields(record) if field.init and field.default is not MISSING}


OWN = {"weights", "flat_weekends", "strategies", "max_holding_days"}
"""What the signal section has beside the signals' own settings."""


def test_the_signal_section_mirrors_the_signal_settings() -> None:
    section = SignalsSection().model_dump(exclude=OWN)
    assert section == defaults_of(SignalSettings)
    SignalSettings(**section)


def test_the_risk_section_mirrors_the_limits() -> None:
    section = RiskSection().model_dump()
    assert section == {name: value for name, value in defaults_of(Limits).items() if name in ALLOWED}
    assert Limits(**section).digest() == Limits().digest()


def test_the_learning_section_mirrors_the_online_settings() -> None:
    section, settings = LearningSection().model_dump(), defaults_of(OnlineSettings)
    shared = set(section) & set(settings)
    assert shared >= {"minimum_labels", "minimum_per_class", "learning_rate", "l2", "threshold", "threshold_mode"}
    assert {name: section[name] for name in shared} == {name: settings[name] for name in shared}


def bounds(section: type[Section]) -> list[tuple[str, Any]]:
    """Every field's own lowest and highest value, where it has one that may be taken."""
    found: list[tuple[str, Any]] = []
    for name, info in section.model_fields.items():
        inner = [part for argument in get_args(info.annotation) for part in getattr(argument, "__metadata__", ())]
        marks = [*info.metadata, *(mark for part in inner for mark in getattr(part, "metadata", ()))]
        found += [(name, getattr(mark, end)) for mark in marks for end in ("ge", "le") if hasattr(mark, end)]
    return found


def test_every_bound_of_the_signal_section_is_one_that_the_signals_take() -> None:
    pairs = [(name, bound) for name, bound in bounds(SignalsSection) if name not in OWN]
    assert {name for name, _ in pairs} >= {"agreement", "atr_stop", "time_exit_bars", "garch_refit_bars"}
    for name, bound in pairs:
        assert getattr(SignalSettings(**{name: bound}), name) == bound


def test_every_bound_of_the_risk_section_is_one_that_the_limits_take() -> None:
    pairs = bounds(RiskSection)
    assert {name for name, _ in pairs} == set(ALLOWED)
    for name, bound in pairs:
        value = bound if isinstance(getattr(Limits(), name), int) else Decimal(bound)
        others = {"risk_per_trade_min": LEAST_RISK, "risk_per_trade_max": MOST_RISK, name: value}
        assert getattr(Limits(**others), name) == value
