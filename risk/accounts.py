"""What the account itself may do: the rules of its provider's jurisdiction, and what its owner permits.

Two jurisdictions are known beside none. Their figures can be made stricter for an account, never looser.

`esma_retail`: contracts for difference of retail clients in the European Union. Decision (EU) 2018/796 of ESMA under
Article 40 of Regulation (EU) No 600/2014, kept by the member states as national measures of their own since 2019:
initial margin (Article 2(a), Annex I) and margin close-out (Article 2(b)).

`us_retail_forex`: forex with a dealer member of the NFA. Security deposits by NFA Financial Requirements Section 12
(the minimum of CFTC Regulation 5.9) with the raises of Notice to Members I-23-08, in force since 13 March 2023; no
offsetting positions and first in, first out by NFA Compliance Rule 2-43(b).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import ROUND_DOWN, Context, Decimal
from enum import StrEnum
from typing import Any

from domain.errors import InvalidRecord
from domain.identity import digest
from domain.instruments import AssetClass, Instrument
from domain.numbers import above_zero

_DOWN = Context(prec=28, rounding=ROUND_DOWN)
ONE = Decimal(1)


class Jurisdiction(StrEnum):
    NONE = "none"
    ESMA_RETAIL = "esma_retail"
    US_RETAIL_FOREX = "us_retail_forex"


class Holding(StrEnum):
    """What two opposed orders of one instrument come to at the venue."""

    NETTING = "netting"
    """One position: the second order reduces the first."""
    HEDGING = "hedging"
    """Two positions. This program still opens one an instrument."""


class LeverageClass(StrEnum):
    """The rows of a leverage table."""

    MAJOR_PAIR = "major_pair"
    MINOR_PAIR = "minor_pair"
    GOLD = "gold"
    COMMODITY = "commodity"
    MAJOR_INDEX = "major_index"
    MINOR_INDEX = "minor_index"
    EQUITY = "equity"
    CRYPTO = "crypto"


ESMA_MAJOR_CURRENCIES = frozenset({"USD", "EUR", "JPY", "GBP", "CAD", "CHF"})
"""A major pair is made of any two of them: Decision (EU) 2018/796, Annex I(a)."""

_MAJOR_INDICES: Mapping[str, frozenset[str]] = {
    "FTSE 100": frozenset({"UKX", "FTSE", "FTSE100", "UK100"}),
    "CAC 40": frozenset({"CAC", "CAC40", "PX1", "FRA40"}),
    "DAX": frozenset({"DAX", "DAX30", "DAX40", "GDAXI", "GER30", "GER40", "DE40"}),
    "DJIA": frozenset({"DJI", "DJIA", "US30"}),
    "S&P 500": frozenset({"SPX", "GSPC", "SP500", "SPX500", "US500"}),
    "NASDAQ Composite": frozenset({"IXIC", "COMP"}),
    "NASDAQ 100": frozenset({"NDX", "NAS100", "US100", "NASDAQ100"}),
    "Nikkei 225": frozenset({"N225", "NI225", "NIKKEI225", "JPN225", "JP225"}),
    "S&P/ASX 200": frozenset({"AXJO", "XJO", "ASX200", "AUS200"}),
    "EURO STOXX 50": frozenset({"STOXX50E", "SX5E", "EUSTX50", "EU50"}),
}
"""Usual symbols of the indices that Annex I(b) lists. Any other index is a minor one."""
ESMA_MAJOR_INDICES = frozenset().union(*_MAJOR_INDICES.values())

US_MAJOR_CURRENCIES = frozenset({"USD", "GBP", "CHF", "CAD", "JPY", "EUR", "AUD", "NZD", "SEK", "NOK", "DKK"})
"""The dollar and the ten currencies of NFA Financial Requirements Section 12(a)(i)."""

US_RAISED_DEPOSITS: Mapping[str, Decimal] = {
    currency: Decimal(percent) / 100
    for currency, percent in {
        "TRY": 25,
        "RUB": 20,
        "MXN": 10,
        "BRL": 9,
        "ZAR": 7,
        "NOK": 7,
        "GBP": 5,
        "JPY": 5,
        "AUD": 3,
        "NZD": 3,
        "CHF": 3,
        "SEK": 3,
    }.items()
}
"""Deposits above Section 12's own as a share of notional, by currency: Notice I-23-08. The higher currency of a pair
decides. They last until the NFA changes them; a provider's own, stricter figure comes with its instruments."""

_ESMA_CAPS: Mapping[LeverageClass, Decimal] = {
    LeverageClass.MAJOR_PAIR: Decimal(30),
    LeverageClass.MINOR_PAIR: Decimal(20),
    LeverageClass.GOLD: Decimal(20),
    LeverageClass.MAJOR_INDEX: Decimal(20),
    LeverageClass.COMMODITY: Decimal(10),
    LeverageClass.MINOR_INDEX: Decimal(10),
    LeverageClass.EQUITY: Decimal(5),
    LeverageClass.CRYPTO: Decimal(2),
}
_US_CAPS: Mapping[LeverageClass, Decimal] = {
    LeverageClass.MAJOR_PAIR: Decimal(50),
    LeverageClass.MINOR_PAIR: Decimal(20),
}

WELL_ABOVE_CLOSE_OUT = Decimal("1.5")
"""Equity over margin that an entry must leave in both jurisdictions. A choice of this house, no rule of theirs."""

_PRESETS: Mapping[Jurisdiction, Mapping[str, Any]] = {
    Jurisdiction.NONE: {},
    Jurisdiction.ESMA_RETAIL: {
        "leverage_caps": _ESMA_CAPS,
        "margin_close_out": Decimal("0.5"),
        "margin_after_entry": WELL_ABOVE_CLOSE_OUT,
    },
    Jurisdiction.US_RETAIL_FOREX: {
        "fifo": True,
        "no_hedge": True,
        "leverage_caps": _US_CAPS,
        "margin_close_out": ONE,
        "margin_after_entry": WELL_ABOVE_CLOSE_OUT,
        "permitted_classes": frozenset({AssetClass.FOREX}),
    },
}

LEVERAGE_SOURCES: Mapping[Jurisdiction, str] = {
    Jurisdiction.NONE: "the account's own leverage caps",
    Jurisdiction.ESMA_RETAIL: "Decision (EU) 2018/796 Art. 2(a), Annex I",
    Jurisdiction.US_RETAIL_FOREX: "NFA Financial Requirements Section 12",
}
CLOSE_OUT_SOURCES: Mapping[Jurisdiction, str] = {
    Jurisdiction.NONE: "the account's own margin close-out",
    Jurisdiction.ESMA_RETAIL: "Decision (EU) 2018/796 Art. 2(b)",
    Jurisdiction.US_RETAIL_FOREX: "NFA Financial Requirements Section 12(e)",
}
OFFSET_SOURCES: Mapping[Jurisdiction, str] = {
    Jurisdiction.NONE: "the account's own rule",
    Jurisdiction.ESMA_RETAIL: "the account's own rule",
    Jurisdiction.US_RETAIL_FOREX: "NFA Compliance Rule 2-43(b)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountRules:
    """The rules one account lives under. `AccountRules()` has none; `rules_of` makes a jurisdiction's.

    `fifo`: what was bought first is sold first, lots of one size aside. `no_hedge`: no position against another one.
    `leverage_caps` limit what an instrument's own leverage may be, by row. `margin_close_out` is the share of the
    margin needed below which equity may not fall, `margin_after_entry` the share an entry must leave; None asks
    nothing. `permitted_classes` and `permitted_instruments` None permit all; `forbidden_instruments` go before both.
    `price_collars` are fractions of the mid by class and `max_quantities` base units by symbol, where these are
    stricter than the limits. Raises `InvalidRecord` for figures that are none, or looser than the jurisdiction's.
    """

    jurisdiction: Jurisdiction = Jurisdiction.NONE
    holding: Holding = Holding.NETTING
    fifo: bool = False
    no_hedge: bool = False
    leverage_caps: Mapping[LeverageClass, Decimal] = field(default_factory=dict)
    margin_close_out: Decimal | None = None
    margin_after_entry: Decimal | None = None
    permitted_classes: frozenset[AssetClass] | None = None
    permitted_instruments: frozenset[str] | None = None
    forbidden_instruments: frozenset[str] = frozenset()
    price_collars: Mapping[AssetClass, Decimal] = field(default_factory=dict)
    max_quantities: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = [*self._figures_that_are_none(), *self._looser_than_the_jurisdiction()]
        if faults:
            raise InvalidRecord("account rules: " + "; ".join(faults))

    def leverage_of(self, instrument: Instrument) -> Decimal:
        """The most leverage at which `instrument` may be opened here; never above the instrument's own."""
        caps = [instrument.max_leverage]
        row = self.row_of(instrument)
        if row in self.leverage_caps:
            caps.append(self.leverage_caps[row])
        if self.jurisdiction is Jurisdiction.US_RETAIL_FOREX:
            raised = [US_RAISED_DEPOSITS.get(currency) for currency in (instrument.base, instrument.quote)]
            caps.extend(_DOWN.divide(ONE, share) for share in raised if share is not None)
        return min(caps)

    def row_of(self, instrument: Instrument) -> LeverageClass:
        """The row of the leverage table that `instrument` falls under."""
        if instrument.asset_class is AssetClass.FOREX:
            us = self.jurisdiction is Jurisdiction.US_RETAIL_FOREX
            majors = US_MAJOR_CURRENCIES if us else ESMA_MAJOR_CURRENCIES
            major = {instrument.base, instrument.quote} <= majors
            return LeverageClass.MAJOR_PAIR if major else LeverageClass.MINOR_PAIR
        if instrument.asset_class is AssetClass.METAL:
            return LeverageClass.GOLD if instrument.base == "XAU" else LeverageClass.COMMODITY
        if instrument.asset_class is AssetClass.INDEX:
            major = instrument.symbol.removeprefix("^").upper() in ESMA_MAJOR_INDICES
            return LeverageClass.MAJOR_INDEX if major else LeverageClass.MINOR_INDEX
        return LeverageClass.CRYPTO if instrument.asset_class is AssetClass.CRYPTO else LeverageClass.EQUITY

    def digest(self) -> str:
        """A name for these rules: equal rules have equal digests."""
        parts = (f"{declared.name}={_canonical(getattr(self, declared.name))}" for declared in fields(self))
        return digest("account rules", *parts)

    def _figures_that_are_none(self) -> list[str]:
        tables: tuple[tuple[str, Mapping[Any, Decimal]], ...] = (
            ("leverage_caps", self.leverage_caps),
            ("price_collars", self.price_collars),
            ("max_quantities", self.max_quantities),
        )
        faults = [
            f"{name} of {key} is {value}; it must be above 0"
            for name, table in tables
            for key, value in table.items()
            if not above_zero(value)
        ]
        for name in ("margin_close_out", "margin_after_entry"):
            share: Decimal | None = getattr(self, name)
            if share is not None and not above_zero(share):
                faults.append(f"{name} is {share}; it must be above 0, or none")
        return faults

    def _looser_than_the_jurisdiction(self) -> list[str]:
        preset = _PRESETS[self.jurisdiction]
        faults = [
            f"{name} cannot be off" for name in ("fifo", "no_hedge") if preset.get(name) and not getattr(self, name)
        ]
        for row, cap in preset.get("leverage_caps", {}).items():
            own = self.leverage_caps.get(row)
            if own is None or not own <= cap:
                faults.append(f"leverage_caps of {row} is {own}; at most {cap} is allowed")
        close_out: Decimal | None = preset.get("margin_close_out")
        if close_out is not None and (self.margin_close_out is None or not self.margin_close_out >= close_out):
            faults.append(f"margin_close_out is {self.margin_close_out}; at least {close_out} is demanded")
        after: Decimal | None = preset.get("margin_after_entry")
        if after is not None and (self.margin_after_entry is None or not self.margin_after_entry >= after):
            faults.append(f"margin_after_entry is {self.margin_after_entry}; at least {after} is demanded")
        permitted = preset.get("permitted_classes")
        if permitted is not None and (self.permitted_classes is None or not self.permitted_classes <= permitted):
            faults.append(f"permitted_classes may only be among {', '.join(sorted(permitted))}")
        return [f"{self.jurisdiction}: {fault}" for fault in faults]


def rules_of(jurisdiction: Jurisdiction | str, **stricter: Any) -> AccountRules:
    """A jurisdiction's rules with some of them made stricter; `leverage_caps` need only name the rows that change.

    Raises `InvalidRecord` for a jurisdiction that is not known or a rule that would be looser.
    """
    try:
        known = Jurisdiction(jurisdiction)
    except ValueError as problem:
        allowed = ", ".join(Jurisdiction)
        raise InvalidRecord(f"account rules: {jurisdiction!r} is no jurisdiction; allowed are {allowed}") from problem
    values = {**_PRESETS[known], **stricter, "jurisdiction": known}
    values["leverage_caps"] = {**_PRESETS[known].get("leverage_caps", {}), **stricter.get("leverage_caps", {})}
    return AccountRules(**values)


def _canonical(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{_canonical(each)}" for key, each in sorted(value.items()))
    if isinstance(value, frozenset):
        return ",".join(sorted(value))
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
