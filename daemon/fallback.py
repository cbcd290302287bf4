"""The second provider of candles, where one is configured: who it is, its key, and the calls it has been asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import httpx

from daemon.config import Config
from daemon.paths import AccountPaths, secrets_folder, state_root
from daemon.secrets import read_secret
from domain.clock import Clock
from domain.errors import ConfigurationRefused
from domain.instruments import Instrument
from market.call_budget import CallBudget
from market.candle_source import CandleSource
from market.twelvedata import CALLS_PER_DAY, CALLS_PER_MINUTE, VENUE, TwelveData

TWELVEDATA_KEY: Final = "twelvedata_key"
CALLS_FILE: Final = "twelvedata_calls"
ANSWER_WITHIN_S: Final = 10.0


class KeptCalls:
    """The calls spent, in a file beside the journal: a restart does not give them back."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> str | None:
        return self._path.read_text() if self._path.exists() else None

    def save(self, text: str) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(self._path)


def fallback_of(
    config: Config,
    paths: AccountPaths,
    clock: Clock,
    environ: Mapping[str, str],
    exits: AsyncExitStack,
    instruments: Mapping[str, Instrument],
) -> CandleSource | None:
    """The configured provider, its connection closed with `exits`; None where none is configured.

    Raises `ConfigurationRefused` when its key is nowhere.
    """
    if config.feed.fallback is None:
        return None
    key = read_secret(TWELVEDATA_KEY, environ=environ, folder=secrets_folder(state_root(environ)))
    if key is None:
        raise ConfigurationRefused(
            f"feed.fallback is {config.feed.fallback}, and its key, the secret {TWELVEDATA_KEY}, is nowhere"
        )
    client = httpx.AsyncClient(timeout=ANSWER_WITHIN_S, follow_redirects=False)
    exits.push_async_callback(client.aclose)
    return TwelveData(
        client=client,
        key=key.reveal(),
        symbols={symbol: provider_name(instrument) for symbol, instrument in instruments.items()},
        budget=CallBudget(
            provider=VENUE,
            per_minute=CALLS_PER_MINUTE,
            per_day=CALLS_PER_DAY,
            clock=clock,
            store=KeptCalls(paths.folder / CALLS_FILE),
        ),
    )


def provider_name(instrument: Instrument) -> str:
    """TwelveData's name of a coin: what it is quoted in there is the dollar, which the dollar's tokens follow."""
    return f"{instrument.base}/{'USD' if instrument.quote in DOLLAR_TOKENS else instrument.quote}"


DOLLAR_TOKENS: Final = frozenset({"USDT", "USDC", "FDUSD", "TUSD"})
