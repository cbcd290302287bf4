"""The one transport: every request, websockets included, is looked at here after the vendor library has worded it.

What may trade speaks to demo hosts alone. What reads public data speaks to venues alone, asks only, and carries no key.
Nothing follows a redirect, goes through a proxy, or names another host in its headers than in its address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession

from domain.errors import ConfigurationRefused, VenueUnavailable
from venues.hosts import DEMO_HOSTS, LIVE_HOSTS, demand_demo

Check = Callable[[str, str, Mapping[str, str]], None]
"""Raises `ConfigurationRefused` for (method, address, headers) that may not leave."""

KEEP_ALIVE_S = 10.0
_KNOWN_HOSTS = frozenset(LIVE_HOSTS) | {demo.host for demo in DEMO_HOSTS}
_READING = frozenset({"GET"})
_CREDENTIAL_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-mbx-apikey",
        "x-bapi-api-key",
        "x-bapi-sign",
        "ok-access-key",
        "ok-access-sign",
        "ok-access-passphrase",
        "api-key",
        "api-sign",
        "apikey",
        "authent",
    }
)
_CREDENTIAL_WORDS = frozenset(
    {
        "signature",
        "sign",
        "apikey",
        "api_key",
        "api-key",
        "accesskey",
        "access_key",
        "listenkey",
        "recvwindow",
        "token",
        "secret",
        "passphrase",
    }
)


def demand_account(method: str, url: str, headers: Mapping[str, str]) -> None:
    """The account's door: any method, demo hosts alone."""
    del method
    demand_demo(url, headers)


def demand_public(method: str, url: str, headers: Mapping[str, str]) -> None:
    """The public door: reading alone, from known venues or this machine, with nothing that could name an account."""
    if method.upper() not in _READING:
        raise ConfigurationRefused(f"public data is read with GET alone, not with {method.upper()}")
    carried = sorted({name.lower() for name in headers} & _CREDENTIAL_HEADERS)
    parts = urlsplit(url)
    carried += sorted({name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)} & _CREDENTIAL_WORDS)
    if carried:
        raise ConfigurationRefused(f"a request for public data carries {', '.join(carried)}; it may carry no key")
    if parts.hostname in _KNOWN_HOSTS and "@" not in parts.netloc and parts.scheme in ("https", "wss"):
        return
    demand_demo(url, headers)


def guarded_session(check: Check) -> ClientSession:
    """A session that sends nothing that `check` refuses. Proxies of the environment are not used, cookies not kept."""

    async def middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        _check_request(check, request)
        try:
            response = await handler(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if request.method in _READING or isinstance(error, aiohttp.ClientConnectorError):
                raise
            # Otherwise the session would send it again by itself on a fresh connection.
            raise aiohttp.ClientConnectionError("the connection ended before the answer") from error
        if 300 <= response.status < 400:
            response.close()
            raise VenueUnavailable(f"{request.url.host} points to another address; redirects are not followed")
        return response

    return ClientSession(
        connector=aiohttp.TCPConnector(keepalive_timeout=KEEP_ALIVE_S),
        middlewares=(middleware,),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def _check_request(check: Check, request: ClientRequest) -> None:
    if request.proxy is not None:
        raise ConfigurationRefused("a proxy is set; requests to venues go to them directly")
    names = request.headers.getall("Host", [])
    if any(name.lower() != _authority(request) for name in names):
        raise ConfigurationRefused(f"a request to {request.url.host} names another host in its headers")
    check(request.method, str(request.url), request.headers)


def _authority(request: ClientRequest) -> str:
    """Host and port as the Host header writes them."""
    host = (request.url.raw_host or "").lower()
    shown = f"[{host}]" if ":" in host else host
    return shown if request.url.is_default_port() else f"{shown}:{request.url.port}"
