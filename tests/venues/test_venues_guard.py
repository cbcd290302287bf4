"""The one transport, on real sockets: what is refused never reaches a server, and the vendor has no way of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from venue_accounts import MachineClock, credentials

from domain.errors import ConfigurationRefused, RatchetError, VenueUnavailable
from venues.budget import Budget
from venues.guard import demand_account, demand_public, guarded_session
from venues.hosts import LIVE_HOSTS
from venues.opening import open_account, open_market
from venues.profiles import PROFILES, Profile
from venues.records import MarketKind
from venues.urls import addresses, demand_demo_everywhere, move_to, switch_to_demo
from venues.vendor import Vendor, make_exchange

ACCOUNTS = list(PROFILES.values())


class Heard:
    """A server on this machine that keeps what reached it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.answers: dict[str, web.Response] = {}
        self.base = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        if request.path == "/socket":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.close()
            return socket
        location = request.query.get("to")
        if location is not None:
            return web.Response(status=int(request.query["status"]), headers={"Location": location})
        return web.json_response({"cookie": request.headers.get("Cookie", "")}, headers={"Set-Cookie": "tracked=1"})


@asynccontextmanager
async def serving() -> AsyncIterator[Heard]:
    heard = Heard()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", heard.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    heard.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield heard
    finally:
        await runner.cleanup()


def _exchange(profile: Profile, session: object) -> object:
    given = credentials()
    return make_exchange(
        profile.venue,
        {
            "session": session,
            "options": dict(profile.options),
            "apiKey": given.key,
            "secret": given.secret,
            "password": "passphrase",
        },
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_redirect_is_not_followed_wherever_it_points(status: int, method: str) -> None:
    async with serving() as heard, guarded_session(demand_account) as session:
        for target in (f"{heard.base}/elsewhere", "https://api.binance.com/api/v3/order"):
            with pytest.raises(VenueUnavailable, match="redirects are not followed"):
                await session.request(method, f"{heard.base}/order", params={"status": status, "to": target})
        assert heard.requests == [(method, "/order")] * 2


@pytest.mark.parametrize("host", sorted(LIVE_HOSTS))
async def test_no_live_host_is_reached_by_request_or_websocket(host: str) -> None:
    async with guarded_session(demand_account) as session:
        for scheme in ("https", "http"):
            with pytest.raises(ConfigurationRefused, match="live host"):
                await session.post(f"{scheme}://{host}/api/v3/order")
        for scheme in ("wss", "ws"):
            with pytest.raises(ConfigurationRefused, match="live host"):
                await session.ws_connect(f"{scheme}://{host}/ws")


async def test_the_check_sees_the_headers_as_they_leave() -> None:
    async with guarded_session(demand_account) as session:
        with pytest.raises(ConfigurationRefused, match="x-simulated-trading: 1"):
            await session.get("https://www.okx.com/api/v5/account/balance", headers={"x-simulated-trading": "0"})


async def test_another_host_in_the_headers_and_a_proxy_are_refused() -> None:
    async with serving() as heard, guarded_session(demand_account) as session:
        with pytest.raises(ConfigurationRefused, match="names another host"):
            await session.get(heard.base, headers={"Host": "api.binance.com"})
        with pytest.raises(ConfigurationRefused, match="a proxy is set"):
            await session.get(f"{heard.base}/order", proxy=heard.base)
        assert heard.requests == []
        assert (await session.get(f"{heard.base}/fine")).status == 200


async def test_proxies_of_the_environment_and_cookies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving() as heard, guarded_session(demand_account) as session:
        for _ in range(2):
            async with session.get(f"{heard.base}/order") as answer:
                assert await answer.json() == {"cookie": ""}
        assert len(heard.requests) == 2


async def test_a_websocket_on_this_machine_is_let_through() -> None:
    async with serving() as heard, guarded_session(demand_account) as session:
        socket = await session.ws_connect(heard.base.replace("http", "ws") + "/socket")
        await socket.close()
        assert heard.requests == [("GET", "/socket")]


async def test_what_may_change_something_is_not_sent_twice_over_a_connection_that_ended() -> None:
    arrived: list[bytes] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The first request on a connection is answered, the second finds it closed after it was read.
        for turn in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            arrived.append(head.split(b" ", 1)[0])
            if turn == 0:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")
                await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, guarded_session(demand_account) as session:
        async with session.get(base) as answer:
            assert await answer.json() == {}
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.delete(base)
    assert arrived == [b"GET", b"DELETE"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_public_data_is_only_read(method: str) -> None:
    with pytest.raises(ConfigurationRefused, match="with GET alone"):
        demand_public(method, "https://api.binance.com/api/v3/klines", {})


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {"X-MBX-APIKEY": "k"}),
        ("", {"x-bapi-sign": "k"}),
        ("", {"OK-ACCESS-KEY": "k"}),
        ("", {"Authorization": "Bearer k"}),
        ("", {"Cookie": "k"}),
        ("?symbol=BTCUSDT&signature=00", {}),
        ("?apiKey=00", {}),
        ("?listenKey=", {}),
        ("?recvWindow=5000", {}),
    ],
)
def test_public_data_is_read_without_any_credential(query: str, headers: Mapping[str, str]) -> None:
    with pytest.raises(ConfigurationRefused, match="it may carry no key"):
        demand_public("GET", f"https://api.binance.com/api/v3/klines{query}", headers)


def test_public_data_is_read_from_venues_and_this_machine_alone() -> None:
    for url in ("https://api.binance.com/x", "https://www.okx.com/x", "http://127.0.0.1:1/x", "https://api.bybit.com/"):
        demand_public("GET", url, {})
    for url in (
        "https://example.org/x",
        "http://api.binance.com/x",
        "https://user@api.binance.com/x",
        "ftp://localhost/",
    ):
        with pytest.raises(ConfigurationRefused):
            demand_public("GET", url, {})


@pytest.mark.parametrize("profile", ACCOUNTS, ids=lambda profile: f"{profile.venue}-{profile.market}")
async def test_every_address_of_a_demo_object_is_a_demo(profile: Profile) -> None:
    async with guarded_session(demand_account) as session:
        exchange = _exchange(profile, session)
        with pytest.raises(ConfigurationRefused):
            demand_demo_everywhere(exchange)
        switch_to_demo(exchange, profile)
        demand_demo_everywhere(exchange)
        assert len(list(addresses(exchange))) >= 2
        await exchange.close()


@pytest.mark.parametrize("profile", ACCOUNTS, ids=lambda profile: f"{profile.venue}-{profile.market}")
async def test_another_base_address_moves_every_address_and_keeps_the_paths(profile: Profile) -> None:
    async with guarded_session(demand_account) as session:
        exchange = _exchange(profile, session)
        switch_to_demo(exchange, profile)
        before = [url.split("/", 3)[3:] for url in addresses(exchange)]
        move_to(exchange, "http://127.0.0.1:8123/prefix")
        after = list(addresses(exchange))
        assert all(url.startswith(("http://127.0.0.1:8123/prefix", "ws://127.0.0.1:8123/prefix")) for url in after)
        kept = [path[0] for path in before if path]
        assert all(any(url.endswith(f"/prefix/{path}") for url in after) for path in kept)
        await exchange.close()


@pytest.mark.parametrize("profile", ACCOUNTS, ids=lambda profile: f"{profile.venue}-{profile.market}")
async def test_the_vendor_object_never_makes_a_session_of_its_own(
    profile: Profile, monkeypatch: pytest.MonkeyPatch, venue_clock: MachineClock
) -> None:
    async with guarded_session(demand_account) as session:
        made: list[object] = []
        plain = aiohttp.ClientSession.__init__

        def counting(self: aiohttp.ClientSession, *arguments: object, **options: object) -> None:
            made.append(self)
            plain(self, *arguments, **options)

        monkeypatch.setattr(aiohttp.ClientSession, "__init__", counting)
        exchange = _exchange(profile, session)
        switch_to_demo(exchange, profile)
        move_to(exchange, "http://127.0.0.1:9")
        budget = Budget(profile.title, profile.allowance, venue_clock)
        vendor = Vendor(
            exchange, venue=profile.venue, clock=venue_clock, budget=budget, check=demand_account, secrets=()
        )
        exchange.open()
        assert exchange.session is session
        with pytest.raises(RatchetError):
            await vendor.call(exchange.fetch_time)
        exchange.socksProxy = "socks5://127.0.0.1:1"
        with pytest.raises(RatchetError):
            await vendor.call(exchange.fetch_time)
        exchange.socksProxy = None
        for name in ("httpProxy", "httpsProxy", "proxyUrl"):
            setattr(exchange, name, "http://127.0.0.1:9/")
            with pytest.raises(RatchetError):
                await vendor.call(exchange.fetch_time)
            setattr(exchange, name, None)
        await vendor.close()
        with pytest.raises(RatchetError):
            await vendor.call(exchange.fetch_time)
        assert made == []


async def test_a_request_that_the_vendor_words_for_a_live_host_is_stopped_in_the_vendor_too(
    venue_clock: MachineClock,
) -> None:
    profile = PROFILES["binance", MarketKind.SPOT]
    async with guarded_session(demand_account) as session:
        exchange = _exchange(profile, session)
        budget = Budget(profile.title, profile.allowance, venue_clock)
        vendor = Vendor(
            exchange, venue=profile.venue, clock=venue_clock, budget=budget, check=demand_account, secrets=()
        )
        with pytest.raises(ConfigurationRefused, match="live host"):
            await vendor.call(exchange.fetch_time)
        with pytest.raises(RatchetError, match="live host"):
            await vendor.call(exchange.watch_orders)
        await vendor.close()


async def test_a_sandbox_call_that_fails_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = PROFILES["okx", MarketKind.SPOT]
    async with guarded_session(demand_account) as session:
        exchange = _exchange(profile, session)
        del exchange.urls["test"]
        with pytest.raises(Exception, match="sandbox"):
            switch_to_demo(exchange, profile)
        await exchange.close()


async def test_an_account_and_a_market_leave_no_session_open(venue_clock: MachineClock) -> None:
    async with serving() as heard:
        with pytest.raises(VenueUnavailable):
            await open_account(
                venue="binance",
                market=MarketKind.SPOT,
                symbols=["BTCUSDT"],
                credentials=credentials(),
                clock=venue_clock,
                base_url=heard.base,
            )
        market = await open_market(venue="bybit", market=MarketKind.SPOT, clock=venue_clock, base_url=heard.base)
        with pytest.raises(VenueUnavailable):
            await market.server_time()
        await market.close()
        assert [path for _, path in heard.requests] == ["/api/v3/time", "/v5/market/time"]
