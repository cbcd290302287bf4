"""The capability table: what each venue's demo account can do and how it is asked, and why some have none.

The table is ours. It is not read from the vendor library's own flags, which promise what was never tried. Costs of
requests are the library's figures (ccxt 4.5.90), limits are in the same unit. Reading this table imports no vendor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from domain.errors import ConfigurationRefused
from domain.orders import OrderKind
from venues.hosts import RETIRED_HOSTS
from venues.link import Abilities
from venues.records import MarketKind


class DemoMeans(StrEnum):
    """How the vendor library is switched to the demo account."""

    SANDBOX = "sandbox"
    DEMO_TRADING = "demo trading"


class Manner(StrEnum):
    """Which venue's wording the account's questions are put in."""

    BINANCE_SPOT = "binance spot"
    BINANCE_LINEAR = "binance linear"
    BYBIT = "bybit"
    OKX = "okx"


@dataclass(frozen=True, kw_only=True, slots=True)
class IdRule:
    """Which ids of ours the venue takes, and the field that carries them."""

    fields: tuple[str, ...]
    longest: int
    pattern: str
    allowed: str
    """The pattern in words."""

    def demand(self, venue: str, client_order_id: str) -> str:
        """The id, if it fits; raises `ConfigurationRefused` naming the rule that it breaks."""
        if len(client_order_id) > self.longest or re.fullmatch(self.pattern, client_order_id) is None:
            raise ConfigurationRefused(
                f"{venue} takes order ids of at most {self.longest} characters ({self.allowed}) in "
                f"{' and '.join(self.fields)}; {client_order_id!r} with {len(client_order_id)} does not fit"
            )
        return client_order_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """How much may be asked: `units` (the vendor's cost figures) in any window of `window_s` seconds.

    `reserve` is the fraction of it that only exits and cancels may use. `used_header` is the response header in which
    the venue says what its own minute holds so far, `header_per_unit` what one unit is in it. `ban_s` and
    `long_ban_s` are how long nothing is asked after a 429 and a 418 that name no time themselves.
    """

    units: float
    window_s: float
    reserve: float = 0.2
    used_header: str | None = None
    header_per_unit: float = 1.0
    ban_s: float = 60.0
    long_ban_s: float = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One market of one venue: its demo account, and how it is spoken to."""

    venue: str
    title: str
    market: MarketKind
    manner: Manner
    demo: DemoMeans
    demo_name: str
    demo_host: str
    demo_header: tuple[str, str] | None
    order_id: IdRule
    kinds: frozenset[OrderKind]
    shorts: bool
    reduce_only: bool
    stacks_exits: bool
    rejects_duplicates: bool
    receive_window: timedelta
    window_parameter: str | None
    """The parameter or header that carries the receive window; None where the venue's is fixed."""
    stop_list: str | None
    """Where stops wait apart from the other orders, hence must be asked for apart; None where they do not."""
    one_way: str | None
    """How to leave the mode that holds a long and a short at once; None where there is no such mode."""
    needs_passphrase: bool
    rights_route: str
    allowance: Allowance
    bars_a_page: int
    """The most candles in one answer."""
    seconds: bool
    """Whether there are candles of one second."""
    options: Mapping[str, object]
    """What the vendor object is told besides; nothing here may change what an order means."""
    unused_urls: tuple[tuple[str, ...], ...] = ()
    """Addresses that the demo shares with live accounts and that are never asked: removed before the first call."""

    @property
    def abilities(self) -> Abilities:
        return Abilities(
            venue=self.venue,
            market=self.market,
            kinds=self.kinds,
            shorts=self.shorts,
            reduce_only=self.reduce_only,
            stacks_exits=self.stacks_exits,
            rejects_duplicates=self.rejects_duplicates,
            receive_window=self.receive_window,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class NoDemo:
    """A market of a venue that we know and refuse to trade, and why, in one sentence."""

    venue: str
    title: str
    market: MarketKind
    why: str


_ALL_KINDS = frozenset(OrderKind)
_SPOT = MarketKind.SPOT
_LINEAR = MarketKind.LINEAR
_BINANCE_IDS = r"[.A-Z:/a-z0-9_-]+"
_QUIET = MappingProxyType(
    {
        "fetchMargins": False,
        "adjustForTimeDifference": False,
        "watchBalance": {"fetchBalanceSnapshot": False, "awaitBalanceSnapshot": False},
        "watchPositions": {"fetchPositionsSnapshot": False, "awaitPositionsSnapshot": False},
    }
)
"""Questions that the vendor library would ask on its own account."""


def _binance(market: MarketKind) -> Profile:
    spot = market is _SPOT
    return Profile(
        venue="binance",
        title="Binance",
        market=market,
        manner=Manner.BINANCE_SPOT if spot else Manner.BINANCE_LINEAR,
        demo=DemoMeans.DEMO_TRADING,
        demo_name="demo trading",
        demo_host="demo-api.binance.com" if spot else "demo-fapi.binance.com",
        demo_header=None,
        order_id=IdRule(
            fields=("newClientOrderId",) if spot else ("newClientOrderId", "clientAlgoId"),
            longest=36,
            pattern=_BINANCE_IDS,
            allowed="letters, digits and . : / _ -",
        ),
        kinds=_ALL_KINDS,
        shorts=not spot,
        reduce_only=not spot,
        stacks_exits=not spot,
        rejects_duplicates=False,
        receive_window=timedelta(seconds=5),
        window_parameter="recvWindow",
        stop_list=None if spot else "the open algo orders",
        one_way=None if spot else "in the futures preferences of the demo account choose the position mode One-way",
        needs_passphrase=False,
        rights_route="GET /sapi/v1/account/apiRestrictions",
        bars_a_page=1000,
        seconds=spot,
        # 6000 weights a minute at 5 to the unit; 2400 at 1 (REQUEST_WEIGHT in each exchangeInfo).
        allowance=Allowance(
            units=1200.0 if spot else 2400.0,
            window_s=60.0,
            used_header="x-mbx-used-weight-1m",
            header_per_unit=5.0 if spot else 1.0,
        ),
        options=MappingProxyType(
            {
                **_QUIET,
                "fetchMarkets": {"types": ["spot" if spot else "linear"]},
                "defaultType": "spot" if spot else "swap",
                **({} if spot else {"defaultSubType": "linear"}),
                "recvWindow": 5000,
            }
        ),
    )


def _bybit(market: MarketKind) -> Profile:
    spot = market is _SPOT
    return Profile(
        venue="bybit",
        title="Bybit",
        market=market,
        manner=Manner.BYBIT,
        demo=DemoMeans.DEMO_TRADING,
        demo_name="demo trading",
        demo_host="api-demo.bybit.com",
        demo_header=None,
        order_id=IdRule(
            fields=("orderLinkId",), longest=36, pattern=r"[A-Za-z0-9_-]+", allowed="letters, digits, _ and -"
        ),
        kinds=_ALL_KINDS,
        shorts=not spot,
        reduce_only=not spot,
        stacks_exits=not spot,
        rejects_duplicates=False,
        receive_window=timedelta(seconds=5),
        window_parameter="X-BAPI-RECV-WINDOW",
        stop_list=None,
        one_way=None if spot else "in the position settings of the demo account choose One-Way Mode",
        needs_passphrase=False,
        rights_route="GET /v5/user/query-api",
        allowance=Allowance(units=50.0, window_s=1.0),
        bars_a_page=1000,
        seconds=False,
        options=MappingProxyType(
            {
                **_QUIET,
                "fetchMarkets": {"types": ["spot" if spot else "linear"]},
                "defaultType": "spot" if spot else "swap",
                **({} if spot else {"defaultSubType": "linear"}),
                "recvWindow": 5000,
            }
        ),
        # The demo has no public streams of its own: the library points them at the live host.
        unused_urls=(("ws", "public"),),
    )


def _okx(market: MarketKind) -> Profile:
    spot = market is _SPOT
    return Profile(
        venue="okx",
        title="OKX",
        market=market,
        manner=Manner.OKX,
        demo=DemoMeans.SANDBOX,
        demo_name="demo trading",
        demo_host="www.okx.com",
        demo_header=("x-simulated-trading", "1"),
        order_id=IdRule(
            fields=("clOrdId", "algoClOrdId"), longest=32, pattern=r"[A-Za-z0-9]+", allowed="letters and digits"
        ),
        kinds=_ALL_KINDS,
        shorts=not spot,
        reduce_only=not spot,
        stacks_exits=not spot,
        rejects_duplicates=False,
        receive_window=timedelta(seconds=30),
        window_parameter=None,
        stop_list="the pending algo orders",
        one_way=None if spot else "in the trading settings of the demo account choose the position mode Net",
        needs_passphrase=True,
        rights_route="GET /api/v5/account/config",
        bars_a_page=100,
        seconds=False,
        # The library's pace is one unit in 110 ms; the venue counts in windows of two seconds.
        allowance=Allowance(units=18.0, window_s=2.0),
        options=MappingProxyType(
            {
                **_QUIET,
                "fetchMarkets": {"types": ["spot" if spot else "swap"]},
                "defaultType": "spot" if spot else "swap",
            }
        ),
    )


def _without_demo(venue: str, title: str, why: str, *markets: MarketKind) -> tuple[NoDemo, ...]:
    return tuple(NoDemo(venue=venue, title=title, market=market, why=why) for market in markets)


_KRAKEN_FUTURES_DEMO = "demo-futures.kraken.com"
_UNTRIED = "but how it words orders has not been tried here, so no order is sent there"

_REFUSALS = (
    *_without_demo(
        "krakenfutures",
        "Kraken Futures",
        f"{_KRAKEN_FUTURES_DEMO} was {RETIRED_HOSTS[_KRAKEN_FUTURES_DEMO]}, which the venue has closed",
        _LINEAR,
    ),
    *_without_demo("krakenfutures", "Kraken Futures", "it trades no spot markets", _SPOT),
    *_without_demo("kraken", "Kraken", "it has no demo accounts for spot", _SPOT),
    *_without_demo("kraken", "Kraken", "its futures are traded as krakenfutures, whose demo is closed", _LINEAR),
    *_without_demo("coinbase", "Coinbase", "it has no demo accounts that fill orders", _SPOT, _LINEAR),
    *_without_demo("bitget", "Bitget", f"it has demo trading, {_UNTRIED}", _SPOT, _LINEAR),
    *_without_demo("deribit", "Deribit", f"it has a testnet, {_UNTRIED}", _SPOT, _LINEAR),
    *_without_demo(
        "hyperliquid",
        "Hyperliquid",
        "its order ids are 0x and 32 hexadecimal digits, which ours are not, and its keys are wallets",
        _SPOT,
        _LINEAR,
    ),
)

PROFILES: Mapping[tuple[str, MarketKind], Profile] = MappingProxyType(
    {
        (profile.venue, profile.market): profile
        for profile in (make(market) for make in (_binance, _bybit, _okx) for market in (_SPOT, _LINEAR))
    }
)
REFUSED: Mapping[tuple[str, MarketKind], NoDemo] = MappingProxyType(
    {(refusal.venue, refusal.market): refusal for refusal in _REFUSALS}
)


def known_venues() -> Mapping[tuple[str, MarketKind], Profile | NoDemo]:
    """Every venue and market that we know, tradable ones first: the capability table for pages and for checks."""
    return MappingProxyType({**PROFILES, **REFUSED})


def demand_profile(venue: str, market: MarketKind) -> Profile:
    """The profile of a venue's market; raises `ConfigurationRefused` naming what is allowed, or why it is refused."""
    profile = PROFILES.get((venue, market))
    if profile is not None:
        return profile
    refusal = REFUSED.get((venue, market))
    if refusal is not None:
        raise ConfigurationRefused(f"{refusal.title} cannot be traded on a demo account ({market}): {refusal.why}")
    allowed = ", ".join(sorted({name for name, _ in PROFILES}))
    raise ConfigurationRefused(f"the venue {venue!r} is not known; allowed are {allowed}")
