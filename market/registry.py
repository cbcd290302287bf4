"""Which instruments are known, and each one's arithmetic, by class; a user's own file adds to them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Any

from domain.errors import InvalidInput
from domain.instruments import Instrument
from market.classes import CoinClass, IndexClass, InstrumentClass, MetalClass, PairClass, ShareClass
from market.currencies import plain_symbol

CLASS_NAMES = ("crypto", "forex", "metal", "equity_us", "equity_in", "equity_asx", "index")
_KINDS: Mapping[str, type[InstrumentClass]] = {
    "crypto": CoinClass,
    "forex": PairClass,
    "metal": MetalClass,
    "index": IndexClass,
}
_NUMBERS = frozenset(
    {
        "tick", "lot", "pip", "min_quantity", "min_notional", "spread_bps", "max_spread_pips", "fee_rate",
        "max_leverage", "swap_long_per_day", "swap_short_per_day",
    }
)  # fmt: skip
_WORDS = frozenset({"base", "quote", "calendar", "benchmark", "market_cap_class", "sector"})


class Registry:
    """Instruments by symbol. `resolve` is the only question; the first price decides steps that scale with it."""

    def __init__(self, classes: Mapping[str, InstrumentClass], own: Mapping[str, Mapping[str, Any]]) -> None:
        self._classes = dict(classes)
        self._own = dict(own)

    @classmethod
    def shipped(cls) -> Registry:
        """The classes that come with the product."""
        folder = resources.files("market.specs")
        texts = {name: (folder / f"{name}.toml").read_text(encoding="utf-8") for name in CLASS_NAMES}
        return cls({name: _KINDS.get(name, ShareClass)(tomllib.loads(text)) for name, text in texts.items()}, {})

    def extended(self, path: Path) -> Registry:
        """This registry and the instruments of a user's TOML file: `[instruments.SYMBOL]` with `class` and any
        figures that differ from the class (`tick = "0.05"`). Raises `InvalidInput` for anything else."""
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{path.name} cannot be read as TOML: {error}") from error
        own = document.get("instruments")
        if not isinstance(own, dict) or set(document) != {"instruments"}:
            raise InvalidInput(f"{path.name} may hold tables [instruments.SYMBOL] and nothing else")
        for symbol, figures in own.items():
            self._check_own(f"{path.name}: {symbol}", plain_symbol(symbol), figures)
        return Registry(self._classes, {**self._own, **{plain_symbol(name): dict(own[name]) for name in own}})

    def classes_of(self, symbol: str) -> tuple[str, ...]:
        """The classes that list `symbol` or recognise its form."""
        name = plain_symbol(symbol)
        if name in self._own:
            return (str(self._own[name]["class"]),)
        return tuple(known for known, one in self._classes.items() if one.lists(name))

    def resolve(
        self, symbol: str, *, class_hint: str | None = None, price: float | None = None, folder_class: str | None = None
    ) -> Instrument:
        """The instrument of `symbol`.

        `price`, the first price of the series at hand, decides steps and limits that scale with the price; without
        it they are the class's fixed ones. `class_hint` names the class for symbols of two classes or of none;
        `folder_class` only decides between two. Raises `InvalidInput` for an unknown or an ambiguous symbol.
        """
        name = plain_symbol(symbol)
        found = self._classes[self.class_name(symbol, class_hint=class_hint, folder_class=folder_class)]
        own = self._own.get(name)
        return found.instrument(name, price) if own is None else self._own_instrument(name, own, price)

    def class_name(self, symbol: str, *, class_hint: str | None = None, folder_class: str | None = None) -> str:
        """The name of the class that `resolve` would take; the same errors."""
        name = plain_symbol(symbol)
        if class_hint is not None and class_hint not in self._classes:
            raise InvalidInput(f"there is no class {class_hint}; known are {', '.join(self._classes)}")
        own = self._own.get(name)
        return str(own["class"]) if own is not None else self._class_of(name, class_hint, folder_class)

    def benchmarks(self, instrument: Instrument) -> tuple[str, ...]:
        """Symbols that may serve as its benchmark, the best first: those of the class with its kind and calendar."""
        fitting = (one for one in self._classes.values() if one.fits(instrument))
        own = () if instrument.benchmark is None else (instrument.benchmark,)
        return own + tuple(symbol for one in fitting for symbol in one.benchmarks(instrument) if symbol not in own)

    def _class_of(self, name: str, hint: str | None, folder_class: str | None) -> str:
        if hint is not None and self._classes[hint].accepts(name):
            return hint
        known = self.classes_of(name)
        if len(known) == 1:
            return known[0]
        if folder_class in known:
            return str(folder_class)
        if known:
            raise InvalidInput(f"{name} is listed in {' and '.join(known)}; say which with the class flag")
        raise InvalidInput(
            f"{name} is not a known instrument; declare it with the class flag ({', '.join(self._classes)}) or in a "
            "file of your own specifications"
        )

    def _own_instrument(self, name: str, figures: Mapping[str, Any], price: float | None) -> Instrument:
        standard = self._classes[str(figures["class"])].instrument(name, price)
        changes: dict[str, Any] = {key: Decimal(str(figures[key])) for key in sorted(_NUMBERS & figures.keys())}
        changes |= {key: str(figures[key]) for key in sorted(_WORDS & figures.keys())}
        if "shortable" in figures:
            changes["shortable"] = bool(figures["shortable"])
        return replace(standard, **changes)

    def _check_own(self, where: str, symbol: str, figures: object) -> None:
        if not isinstance(figures, dict) or figures.get("class") not in self._classes:
            raise InvalidInput(f"{where} must name its class: one of {', '.join(self._classes)}")
        strange = sorted(figures.keys() - _NUMBERS - _WORDS - {"class", "shortable"})
        if strange:
            allowed = ", ".join(sorted(_NUMBERS | _WORDS | {"shortable"}))
            raise InvalidInput(f"{where} has {', '.join(strange)}; allowed are class, {allowed}")
        if not self._classes[str(figures["class"])].accepts(symbol):
            raise InvalidInput(f"{where} does not have the form of a {figures['class']} symbol")
        for key in sorted(_NUMBERS & figures.keys()):
            _number(figures[key], f"{where}.{key}")


def _number(value: object, where: str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise InvalidInput(f"{where} is {value!r}; it must be a number") from error
    if not number.is_finite():
        raise InvalidInput(f"{where} is {value!r}; it must be a finite number")
    return number
