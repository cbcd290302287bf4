"""Which hosts may be spoken to with an order in hand: the venues' demo, testnet and practice hosts, and this machine.

The lists are closed. A host that is not among them is refused, whether it is known to be live or not known at all,
and no setting adds one. The hosts are those that the venues' API documentation names for trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from domain.errors import ConfigurationRefused

HTTPS_PORT = 443


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoHost:
    """One host whose accounts hold no real money; where live accounts share it, `header` makes a request a demo."""

    host: str
    venue: str
    what: str
    ports: frozenset[int] = frozenset({HTTPS_PORT})
    header: tuple[str, str] | None = None


_STREAM_PORTS = frozenset({HTTPS_PORT, 9443})
_OKX_PORTS = frozenset({HTTPS_PORT, 8443})
_OKX_HEADER = ("x-simulated-trading", "1")

DEMO_HOSTS: tuple[DemoHost, ...] = (
    DemoHost(host="testnet.binance.vision", venue="Binance", what="spot testnet"),
    DemoHost(host="ws-api.testnet.binance.vision", venue="Binance", what="spot testnet", ports=_STREAM_PORTS),
    DemoHost(host="stream.testnet.binance.vision", venue="Binance", what="spot testnet", ports=_STREAM_PORTS),
    DemoHost(host="demo-api.binance.com", venue="Binance", what="demo mode"),
    DemoHost(host="demo-ws-api.binance.com", venue="Binance", what="demo mode", ports=_STREAM_PORTS),
    DemoHost(host="demo-stream.binance.com", venue="Binance", what="demo mode", ports=_STREAM_PORTS),
    DemoHost(host="testnet.binancefuture.com", venue="Binance", what="futures testnet"),
    DemoHost(host="stream.binancefuture.com", venue="Binance", what="futures testnet"),
    DemoHost(host="fstream.binancefuture.com", venue="Binance", what="futures testnet"),
    DemoHost(host="dstream.binancefuture.com", venue="Binance", what="futures testnet"),
    DemoHost(host="demo-fapi.binance.com", venue="Binance", what="futures demo"),
    DemoHost(host="demo-dapi.binance.com", venue="Binance", what="futures demo"),
    DemoHost(host="demo-fstream.binance.com", venue="Binance", what="futures demo"),
    DemoHost(host="api-testnet.bybit.com", venue="Bybit", what="testnet"),
    DemoHost(host="stream-testnet.bybit.com", venue="Bybit", what="testnet"),
    DemoHost(host="api-demo.bybit.com", venue="Bybit", what="demo trading"),
    DemoHost(host="stream-demo.bybit.com", venue="Bybit", what="demo trading"),
    DemoHost(host="www.okx.com", venue="OKX", what="demo trading", header=_OKX_HEADER),
    DemoHost(host="openapi.okx.com", venue="OKX", what="demo trading", header=_OKX_HEADER),
    DemoHost(host="wspap.okx.com", venue="OKX", what="demo trading", ports=_OKX_PORTS),
    DemoHost(host="api.bitget.com", venue="Bitget", what="demo trading", header=("paptrading", "1")),
    DemoHost(host="wspap.bitget.com", venue="Bitget", what="demo trading"),
    DemoHost(host="test.deribit.com", venue="Deribit", what="testnet"),
    DemoHost(host="api.hyperliquid-testnet.xyz", venue="Hyperliquid", what="testnet"),
    DemoHost(host="api-fxpractice.oanda.com", venue="OANDA", what="practice"),
    DemoHost(host="stream-fxpractice.oanda.com", venue="OANDA", what="practice"),
    DemoHost(host="paper-api.alpaca.markets", venue="Alpaca", what="paper trading"),
)

LIVE_HOSTS: Mapping[str, str] = MappingProxyType(
    {
        "api.binance.com": "Binance",
        "api1.binance.com": "Binance",
        "api2.binance.com": "Binance",
        "api3.binance.com": "Binance",
        "api4.binance.com": "Binance",
        "api-gcp.binance.com": "Binance",
        "ws-api.binance.com": "Binance",
        "stream.binance.com": "Binance",
        "fapi.binance.com": "Binance",
        "dapi.binance.com": "Binance",
        "fstream.binance.com": "Binance",
        "dstream.binance.com": "Binance",
        "api.bybit.com": "Bybit",
        "api.bytick.com": "Bybit",
        "stream.bybit.com": "Bybit",
        "ws.okx.com": "OKX",
        "ws.bitget.com": "Bitget",
        "api.kraken.com": "Kraken",
        "ws.kraken.com": "Kraken",
        "ws-auth.kraken.com": "Kraken",
        "futures.kraken.com": "Kraken",
        "api.coinbase.com": "Coinbase",
        "www.deribit.com": "Deribit",
        "api.hyperliquid.xyz": "Hyperliquid",
        "api-fxtrade.oanda.com": "OANDA",
        "stream-fxtrade.oanda.com": "OANDA",
        "api.alpaca.markets": "Alpaca",
    }
)

RETIRED_HOSTS: Mapping[str, str] = MappingProxyType({"demo-futures.kraken.com": "Kraken's futures demo"})
"""Once demo, closed by their venue since, and now redirecting: where to is not ours to follow."""

_DEMO = MappingProxyType({demo.host: demo for demo in DEMO_HOSTS})
_UNUSED = frozenset(' \\"<>^`{|}')
"""Printable characters that readers of addresses take apart differently."""
_SECURE = frozenset({"https", "wss"})
_PLAIN = frozenset({"http", "ws"})


def demand_demo(url: str, headers: Mapping[str, str]) -> str:
    """Why a request to `url` with `headers` cannot lose real money, in one sentence.

    Give the URL as the vendor's library resolved it, and the headers as they will be sent. Raises
    `ConfigurationRefused` for everything that is not a listed demo host over TLS, or this machine.
    """
    parts = _parts(url)
    host = parts.hostname or ""
    if parts.scheme not in _SECURE and parts.scheme not in _PLAIN:
        raise ConfigurationRefused(f"{_shown(url)} has the scheme {parts.scheme!r}; https or wss is allowed")
    if _is_loopback(host):
        return f"{host} is this machine: what is sent there reaches no venue."
    demo = _DEMO.get(host)
    if demo is None:
        raise ConfigurationRefused(_unlisted(url, host))
    if parts.scheme not in _SECURE:
        raise ConfigurationRefused(f"{_shown(url)} is not encrypted; {host} may be reached by https or wss alone")
    port = parts.port or HTTPS_PORT
    if port not in demo.ports:
        allowed = ", ".join(str(each) for each in sorted(demo.ports))
        raise ConfigurationRefused(f"{_shown(url)} names port {port}; on {host} the demo answers on {allowed} alone")
    return _proof(demo, headers)


def _parts(url: str) -> SplitResult:
    """The parts of a URL that every reader takes apart alike; anything ambiguous is refused."""
    if not url.isascii() or not url.isprintable() or not _UNUSED.isdisjoint(url):
        raise ConfigurationRefused(
            f"{_shown(url)} holds characters that no venue's address holds; plain ASCII is allowed"
        )
    return _place(url.partition("?")[0])


@lru_cache(maxsize=256)
def _place(url: str) -> SplitResult:
    """The parts of an address without its query, which says nothing of the place: few ever occur, every one often."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationRefused(f"{_shown(url)} is not an address: {error}") from error
    if port == 0 or not parts.hostname:
        raise ConfigurationRefused(f"{_shown(url)} names no host and port that can be reached")
    if "@" in parts.netloc:
        raise ConfigurationRefused("an address with a user name in it is refused: it hides which host is meant")
    return parts


@lru_cache(maxsize=256)
def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _unlisted(url: str, host: str) -> str:
    if host in LIVE_HOSTS:
        return f"{host} is {LIVE_HOSTS[host]}'s live host, where orders move real money; only demo hosts are allowed"
    if host in RETIRED_HOSTS:
        return f"{host} was {RETIRED_HOSTS[host]}, which the venue has closed; only demo hosts in use are allowed"
    return f"{_shown(url)} is on no list of demo hosts; only listed demo hosts are allowed"


def _proof(demo: DemoHost, headers: Mapping[str, str]) -> str:
    if demo.header is None:
        return f"{demo.host} is {demo.venue}'s {demo.what} host: its accounts hold no real money."
    name, value = demo.header
    # A header given twice in different cases is sent twice: every one of them must say demo.
    given = [each for key, each in headers.items() if key.lower() == name]
    if not given or any(each != value for each in given):
        raise ConfigurationRefused(
            f"{demo.host} serves {demo.venue}'s live accounts too; a request must carry the header {name}: {value}"
        )
    return f"{demo.host} with the header {name}: {value} is {demo.venue}'s {demo.what}: no real money is held there."


def _shown(url: str) -> str:
    """The address without its query, which may carry a signature."""
    shown = url.split("?", 1)[0]
    return "an address with a user name" if "@" in shown else repr(shown)
