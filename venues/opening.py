"""Opening a venue: the account's door and the public one, checked before the first call leaves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from domain.clock import Clock
from domain.errors import ConfigurationRefused, InvalidInput
from domain.identity import client_order_id
from venues.account import CcxtAccount, CloseSession, measured_offset
from venues.binance import BinanceSpot
from venues.binance_linear import BinanceLinear
from venues.book import Book, book_of
from venues.budget import Budget
from venues.bybit import Bybit
from venues.credentials import Credentials
from venues.guard import Check, demand_account, demand_public, guarded_session
from venues.market import CcxtMarket
from venues.okx import Okx
from venues.profiles import Manner, Profile, demand_profile, known_venues
from venues.records import MarketKind
from venues.stream import SILENCE_S, Listening
from venues.urls import checked_base, demand_demo_everywhere, move_to, proof_of, switch_to_demo
from venues.vendor import Vendor, make_exchange
from venues.words import Settings, Words

__all__ = ["known_venues", "open_account", "open_market"]


async def open_account(
    *,
    venue: str,
    market: MarketKind,
    symbols: Sequence[str],
    credentials: Credentials,
    clock: Clock,
    base_url: str | None = None,
    session: object | None = None,
    budget: Budget | None = None,
    silence_s: float = SILENCE_S,
) -> CcxtAccount:
    """The demo account of `venue`, its clock measured and the markets of `symbols` loaded.

    `base_url` puts another host in the place of all of the venue's: this machine, or another of its demo hosts.
    `session` takes the place of one with sockets, and stays its owner's to close. `budget` is to be shared by all who
    ask the same host. Raises `ConfigurationRefused` (no such venue, no demo, a live host, an instrument that is not
    traded, an account that holds two sides), and what every question may raise.
    """
    profile = demand_profile(venue, market)
    _demand_credentials(profile, credentials)
    profile.order_id.demand(profile.title, client_order_id("account", "decision", "cause", "entry", 1))
    used, close_session = _session(session, demand_account)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(close_session)
        exchange = _account_exchange(profile, credentials, used, base_url)
        vendor = Vendor(
            exchange,
            venue=profile.venue,
            clock=clock,
            budget=budget or Budget(profile.title, profile.allowance, clock),
            check=demand_account,
            secrets=credentials.texts,
        )
        opened.push_async_callback(vendor.close)
        vendor.offset = await measured_offset(vendor, clock)
        book = await _loaded_book(vendor, profile, symbols)
        settings = await words_of(profile, vendor, book).settings()
        book = _with_settings(book, profile, settings)
        opened.pop_all()
    return CcxtAccount(
        profile=profile,
        vendor=vendor,
        words=words_of(profile, vendor, book),
        book=book,
        clock=clock,
        proof=proof_of(exchange, profile.demo_host),
        listening=Listening(vendor, possible=hasattr(used, "ws_connect"), silence_s=silence_s),
        close_session=close_session,
    )


async def open_market(
    *,
    venue: str,
    market: MarketKind,
    clock: Clock,
    base_url: str | None = None,
    session: object | None = None,
    budget: Budget | None = None,
) -> CcxtMarket:
    """Public data of `venue`, live unless `base_url` names another host. Raises `ConfigurationRefused`."""
    profile = demand_profile(venue, market)
    used, close_session = _session(session, demand_public)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(close_session)
        exchange = make_exchange(profile.venue, {"session": used, "options": dict(profile.options)})
        if base_url is not None:
            move_to(exchange, checked_base(base_url))
            demand_public("GET", base_url, {})
        vendor = Vendor(
            exchange,
            venue=profile.venue,
            clock=clock,
            budget=budget or Budget(profile.title, profile.allowance, clock),
            check=demand_public,
            secrets=(),
        )
        opened.pop_all()
    return CcxtMarket(profile=profile, vendor=vendor, clock=clock, close_session=close_session)


def words_of(profile: Profile, vendor: Vendor, book: Book) -> Words:
    """The venue's own words for an account's questions."""
    if profile.manner is Manner.BINANCE_SPOT:
        return BinanceSpot(vendor, book)
    if profile.manner is Manner.BINANCE_LINEAR:
        return BinanceLinear(vendor, book)
    if profile.manner is Manner.BYBIT:
        return Bybit(vendor, book, profile.market)
    return Okx(vendor, book, profile.market)


def _account_exchange(profile: Profile, credentials: Credentials, session: object, base_url: str | None) -> Any:
    """The vendor's object at the demo, every address of it proven; none is called before that."""
    keys = {"apiKey": credentials.key, "secret": credentials.secret, "password": credentials.passphrase}
    exchange = make_exchange(
        profile.venue,
        {
            "session": session,
            "options": dict(profile.options),
            **{name: value for name, value in keys.items() if value is not None},
        },
    )
    switch_to_demo(exchange, profile)
    if base_url is not None:
        move_to(exchange, checked_base(base_url))
    demand_demo_everywhere(exchange)
    return exchange


async def _loaded_book(vendor: Vendor, profile: Profile, symbols: Sequence[str]) -> Book:
    listed = await vendor.call(vendor.exchange.load_markets)
    refused: InvalidInput
    try:
        return book_of(listed.values(), symbols, profile.market, profile.title)
    except InvalidInput as error:
        refused = error
    raise ConfigurationRefused(str(refused)) from refused


def _with_settings(book: Book, profile: Profile, settings: Settings) -> Book:
    """The book with the leverage that the account is set to, where the venue says it; raises `ConfigurationRefused`
    for an account that can hold a long and a short of one instrument at once."""
    if settings.both_sides:
        raise ConfigurationRefused(
            f"the {profile.title} account holds longs and shorts of one instrument apart (hedge mode), which is not "
            f"traded: {profile.one_way}"
        )
    markets = {
        symbol: replace(market, max_leverage=settings.leverage.get(symbol, market.max_leverage))
        for symbol, market in book.markets.items()
    }
    return Book(markets=markets, ids=book.ids)


def _demand_credentials(profile: Profile, credentials: Credentials) -> None:
    if profile.needs_passphrase and credentials.passphrase is None:
        raise ConfigurationRefused(f"{profile.title} gives out a passphrase with every key; it is missing")


def _session(session: object | None, check: Check) -> tuple[object, CloseSession]:
    """The session to use, and what closes it: nothing where it was given."""
    if session is not None:
        return session, _leave_open
    made = guarded_session(check)
    return made, made.close


async def _leave_open() -> None:
    """The session belongs to whoever gave it."""
