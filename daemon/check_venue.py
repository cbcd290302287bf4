"""What `ratchet check` finds out at the venue of a demo account, before anything could be sent there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from daemon.check_row import CheckRow
from daemon.clock import LiveClock
from daemon.config import Config
from daemon.connection import account_of, venue_credentials
from daemon.rights import demand_harmless, is_proven
from domain.errors import RatchetError
from trading.clock_watch import LARGEST_SKEW
from venues.account import CcxtAccount
from venues.profiles import demand_profile
from venues.records import MarketKind, VenueMarket

ANSWER_WITHIN_S: Final = 30.0


def venue_rows(config: Config, environ: Mapping[str, str]) -> list[CheckRow]:
    """One row a question, the first refusal last: what follows from it cannot be asked any more."""
    rows: list[CheckRow] = []
    try:
        asyncio.run(asyncio.wait_for(_ask(config, environ, rows), ANSWER_WITHIN_S))
    except RatchetError as refusal:
        rows.append(CheckRow(f"venue {config.broker.venue}", False, str(refusal)))
    except TimeoutError:
        detail = f"{config.broker.venue} did not answer all questions within {ANSWER_WITHIN_S:.0f} s"
        rows.append(CheckRow(f"venue {config.broker.venue}", False, detail))
    return rows


async def _ask(config: Config, environ: Mapping[str, str], rows: list[CheckRow]) -> None:
    profile = demand_profile(config.broker.venue or "", MarketKind(config.broker.market))
    rows.append(CheckRow("venue", True, f"{profile.title}, {config.broker.market} market"))
    credentials = venue_credentials(config, environ)
    rows.append(CheckRow("venue key", True, "there; neither it nor its secret is ever shown"))
    account = await account_of(config, credentials, LiveClock())
    try:
        rows.append(CheckRow("demo proof", True, account.proof))
        await _look_at(account, rows)
    finally:
        await account.close()


async def _look_at(account: CcxtAccount, rows: list[CheckRow]) -> None:
    rows.append(_clock_row(await account.measure_clock()))
    rights = await account.rights()
    try:
        finding = demand_harmless(rights)
    except RatchetError as refusal:
        rows.append(CheckRow("key rights", False, str(refusal)))
    else:
        rows.append(CheckRow("key rights", True if is_proven(rights) else None, finding))
    holdings = await account.holdings()
    quotes = {market.quote for market in account.markets.values()}
    money = ", ".join(f"{holdings.totals.get(quote, 0)} {quote}" for quote in sorted(quotes))
    rows.append(CheckRow("balance", any(holdings.totals.get(quote, 0) > 0 for quote in quotes), money))
    rows.append(CheckRow("instruments", True, "; ".join(_told(market) for market in account.markets.values())))


def _clock_row(skew: timedelta) -> CheckRow:
    milliseconds = skew / timedelta(milliseconds=1)
    allowed = LARGEST_SKEW / timedelta(milliseconds=1)
    detail = f"the venue's clock is {milliseconds:+.0f} ms from ours; {allowed:.0f} ms are allowed"
    return CheckRow("venue clock", abs(skew) <= LARGEST_SKEW, detail)


def _told(market: VenueMarket) -> str:
    least = f"at least {market.min_quantity} {market.base} and {market.min_notional} {market.quote}"
    return f"{market.symbol} in steps of {market.lot} at steps of {market.tick}, {least}"
