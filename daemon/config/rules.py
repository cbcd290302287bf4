"""What must hold between values of the configuration; every rule says which keys it speaks about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import cast

from daemon.config.fields import Section
from daemon.config.sections import AccountSection, ApiSection, BrokerSection, FeedSection, MetricsSection
from daemon.config.trading import RiskSection
from domain.errors import ConfigurationRefused
from venues.hosts import demand_demo

Sections = Mapping[str, Section]
Breach = tuple[str, object, str]
"""The dotted key, the value given, and what is allowed."""


def breaches(sections: Sections) -> Iterator[Breach]:
    """Every rule that is broken between those sections that are valid by themselves."""
    for needed, rule in _RULES:
        if all(name in sections for name in needed):
            yield from rule(sections)


def _recorded_feed_has_a_folder(sections: Sections) -> Iterator[Breach]:
    feed = cast("FeedSection", sections["feed"])
    if feed.kind == "recorded" and feed.path is None:
        yield "feed.path", "missing", 'a folder of candle files, because feed.kind is "recorded"'


def _account_and_broker_agree(sections: Sections) -> Iterator[Breach]:
    account, broker = cast("AccountSection", sections["account"]), cast("BrokerSection", sections["broker"])
    if account.kind == "demo" and broker.kind == "paper":
        yield (
            "account.kind",
            account.kind,
            "paper: the embedded paper broker has no venue whose demo account it could be",
        )
    if account.kind == "paper" and broker.kind == "ccxt":
        yield "account.kind", account.kind, 'demo, or left out: broker.kind "ccxt" trades a demo account'


def _a_venue_has_a_name_and_instruments(sections: Sections) -> Iterator[Breach]:
    broker, feed = cast("BrokerSection", sections["broker"]), cast("FeedSection", sections["feed"])
    if broker.kind == "ccxt" and broker.venue is None:
        yield "broker.venue", "missing", 'a venue such as "binance", because broker.kind is "ccxt"'
    if broker.kind == "paper" and broker.venue is not None:
        yield "broker.venue", broker.venue, 'none: the paper broker has no venue; broker.kind = "ccxt" trades one'
    if feed.kind == "venue" and not feed.instruments:
        yield "feed.instruments", "empty", 'the instruments to trade, such as ["BTCUSDT", "ETHUSDT"]'


def _feed_and_broker_agree(sections: Sections) -> Iterator[Breach]:
    broker, feed = cast("BrokerSection", sections["broker"]), cast("FeedSection", sections["feed"])
    if broker.kind == "ccxt" and feed.kind != "venue":
        yield "feed.kind", feed.kind, "venue, or left out: what is traded and what is decided on must be one market"
    if broker.kind == "paper" and feed.kind == "venue":
        yield "feed.kind", feed.kind, 'simulated or recorded: a venue is followed with broker.kind = "ccxt"'


def _base_url_is_a_demo_host(sections: Sections) -> Iterator[Breach]:
    broker = cast("BrokerSection", sections["broker"])
    if broker.base_url is None:
        return
    try:
        demand_demo(broker.base_url, {})
    except ConfigurationRefused as refusal:
        yield "broker.base_url", broker.base_url, f"none, or a venue's demo address ({refusal})"
        return
    if broker.kind == "paper":
        yield "broker.base_url", broker.base_url, "none: the paper broker is embedded and has no address"


def _lower_ends_lie_below_upper_ends(sections: Sections) -> Iterator[Breach]:
    risk = cast("RiskSection", sections["risk"])
    for low, high in (("risk_per_trade_min", "risk_per_trade_max"), ("bet_scale_min", "bet_scale_max")):
        if getattr(risk, low) > getattr(risk, high):
            yield f"risk.{low}", getattr(risk, low), f"at most risk.{high}, which is {getattr(risk, high)}"


def _ports_differ(sections: Sections) -> Iterator[Breach]:
    api, metrics = cast("ApiSection", sections["api"]), cast("MetricsSection", sections["metrics"])
    if api.enabled and metrics.enabled and api.port == metrics.port != 0:
        yield "metrics.port", metrics.port, "another port than api.port, or 0 for a free one"


_RULES: tuple[tuple[tuple[str, ...], Callable[[Sections], Iterator[Breach]]], ...] = (
    (("feed",), _recorded_feed_has_a_folder),
    (("account", "broker"), _account_and_broker_agree),
    (("broker", "feed"), _a_venue_has_a_name_and_instruments),
    (("broker", "feed"), _feed_and_broker_agree),
    (("broker",), _base_url_is_a_demo_host),
    (("risk",), _lower_ends_lie_below_upper_ends),
    (("api", "metrics"), _ports_differ),
)
