"""Currency rates from the latest closes of the pairs at hand, each with an age."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from domain.clock import require_utc
from domain.errors import InvalidInput
from domain.instruments import AssetClass, FxRates, Instrument
from domain.numbers import decimal_of

_PAIRS = (AssetClass.FOREX, AssetClass.METAL, AssetClass.CRYPTO)
DEFAULT_MAX_AGE = timedelta(days=5)
"""Long enough for a weekend with a holiday on either side."""


class RateBook:
    """The newest close of every pair, and the rates that follow from those that are young enough.

    `pegs` are rates taken as given, (USDT, USD) -> 1 for example; nothing is pegged unless declared.
    """

    __slots__ = ("_last", "_max_age", "_pairs", "_pegs", "_told")

    def __init__(
        self,
        instruments: Iterable[Instrument],
        *,
        max_age: timedelta = DEFAULT_MAX_AGE,
        pegs: Mapping[tuple[str, str], Decimal] | None = None,
    ) -> None:
        if max_age <= timedelta(0):
            raise InvalidInput(f"a rate's age limit of {max_age} lets no rate pass; it must be above 0")
        self._pairs = {one.symbol: (one.base, one.quote) for one in instruments if one.asset_class in _PAIRS}
        self._last: dict[str, tuple[float, datetime]] = {}
        self._max_age = max_age
        self._pegs = dict(pegs or {})
        self._told: tuple[datetime, frozenset[str] | None, FxRates] | None = None

    def update(self, symbol: str, price: float, at: datetime) -> None:
        """Remember a close; symbols that are no pair of currencies are remembered and never used."""
        self._last[symbol] = (price, at)
        self._told = None

    def rates(self, now: datetime, needed: Iterable[str] | None = None) -> FxRates:
        """The rates known at `now`: pegs, and pairs whose close is within the age limit.

        `needed` names the currencies that will be asked for; only pairs that touch one of them are taken in, which
        is all that a path with one currency between can use. A currency without a young enough rate is simply not
        there: `FxRates.rate` then raises `NoRate`.
        """
        require_utc(now, "now")
        wanted = None if needed is None else frozenset(needed)
        if wanted is not None and len(wanted) < 2:
            return FxRates(as_of=now)
        # Asked for several times in every moment between two closes.
        if self._told is not None and self._told[0] == now and self._told[1] == wanted:
            return self._told[2]
        rates = dict(self._pegs)
        for symbol, pair in self._pairs.items():
            last = self._last.get(symbol)
            if last is None or not timedelta(0) <= now - last[1] <= self._max_age or pair in self._pegs:
                continue
            if wanted is None or not wanted.isdisjoint(pair):
                rates[pair] = decimal_of(last[0])
        self._told = (now, wanted, FxRates(as_of=now, rates=rates))
        return self._told[2]
