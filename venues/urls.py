"""Where the vendor object speaks to: switched to the demo, moved to another host, proven before the first call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from domain.errors import ConfigurationRefused
from venues.hosts import demand_demo
from venues.profiles import DemoMeans, Profile

_SOCKETS = {"http": "ws", "https": "wss"}


def switch_to_demo(exchange: Any, profile: Profile) -> None:
    """Point the object at the demo; whatever the vendor raises on the way is not swallowed: it would still be live."""
    if profile.demo is DemoMeans.SANDBOX:
        exchange.set_sandbox_mode(True)
    else:
        exchange.enable_demo_trading(True)
    for path in profile.unused_urls:
        *parents, last = path
        node = exchange.urls["api"]
        for name in parents:
            node = node[name]
        node.pop(last, None)


def move_to(exchange: Any, base_url: str) -> None:
    """Put `base_url` in the place of every host under the object's addresses; their paths stay.

    Addresses that the live venue has and its demo lacks are added: at `base_url` they may be there.
    """
    backup = exchange.urls.get("apiBackup") or exchange.urls.get("apiBackupDemoTrading") or {}
    missing = {name: url for name, url in backup.items() if name not in exchange.urls["api"] and isinstance(url, str)}
    exchange.urls["api"] = _moved({**exchange.urls["api"], **missing}, base_url, exchange.hostname)


def demand_demo_everywhere(exchange: Any) -> None:
    """Raise `ConfigurationRefused` unless every address of the object, with the headers it always sends, is a demo."""
    for url in addresses(exchange):
        demand_demo(url, exchange.headers)


def proof_of(exchange: Any, host: str) -> str:
    """Why the account at `host` holds no real money, in one sentence."""
    url = next((url for url in addresses(exchange) if urlsplit(url).hostname == host), next(addresses(exchange)))
    return demand_demo(url, exchange.headers)


def addresses(exchange: Any) -> Iterator[str]:
    """Every address under the object's `urls['api']`, with the host name filled in."""
    return _texts(exchange.urls["api"], exchange.hostname)


def checked_base(base_url: str) -> str:
    """A base address: scheme, host and port, and nothing that rewriting would lose."""
    parts = urlsplit(base_url)
    if parts.scheme not in _SOCKETS or not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationRefused(
            f"base_url is {base_url.partition('?')[0]!r}; it must be like http://127.0.0.1:8080, without ? and #"
        )
    return base_url.rstrip("/")


def _moved(node: Any, base_url: str, hostname: str | None) -> Any:
    if isinstance(node, Mapping):
        return {name: _moved(each, base_url, hostname) for name, each in node.items()}
    if not isinstance(node, str):
        return node
    old, new = urlsplit(_named(node, hostname)), urlsplit(base_url)
    scheme = _SOCKETS[new.scheme] if old.scheme in _SOCKETS.values() else new.scheme
    query = f"?{old.query}" if old.query else ""
    return f"{scheme}://{new.netloc}{new.path}{old.path}{query}"


def _texts(node: Any, hostname: str | None) -> Iterator[str]:
    if isinstance(node, Mapping):
        for name in sorted(node):
            yield from _texts(node[name], hostname)
    elif isinstance(node, str):
        yield _named(node, hostname)


def _named(url: str, hostname: str | None) -> str:
    return url.replace("{hostname}", hostname or "")
