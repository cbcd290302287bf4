"""Which of a folder's candle files are replayed: one series per instrument, and never a silent choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from domain.errors import InvalidInput
from domain.instruments import Timeframe
from market.currencies import plain_symbol
from market.naming import CandleName, file_format, parse_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The files to read, by symbol in alphabetical order, and in sentences what was left aside and why."""

    files: Mapping[str, CandleName]
    notes: tuple[str, ...]


def list_files(folder: Path) -> tuple[list[CandleName], list[str]]:
    """The candle files directly in `folder` (or the one file it is), and sentences about look-alikes."""
    if not folder.exists():
        raise InvalidInput(f"{folder} does not exist: give a folder of candle files")
    try:
        paths = [folder] if folder.is_file() else sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be listed: {error.strerror}") from error
    found: list[CandleName] = []
    notes: list[str] = []
    for path in paths:
        name = parse_name(path)
        if isinstance(name, CandleName):
            found.append(name)
        elif file_format(path) is not None:
            notes.append(f"{name}; the file was skipped")
    return found, notes


def choose(
    folder: Path, timeframe: Timeframe, wanted: Mapping[str, str] | None = None, symbols: Iterable[str] | None = None
) -> Choice:
    """One file per symbol: the asked timeframe, or the coarsest finer one where there is none.

    `wanted` picks a series by symbol (EURUSD -> EURUSD_FXCM, or a whole file name); `symbols` limits to these.
    Raises `InvalidInput` when a choice would have to be guessed, or nothing is left.
    """
    found, notes = list_files(folder)
    picks = {plain_symbol(symbol): series for symbol, series in (wanted or {}).items()}
    only = None if symbols is None else {plain_symbol(symbol) for symbol in symbols}
    by_symbol: dict[str, list[CandleName]] = {}
    for name in found:
        if only is None or name.symbol in only or name.benchmark:
            by_symbol.setdefault(name.symbol, []).append(name)
    absent = sorted({*picks, *(only or ())} - by_symbol.keys())
    if absent:
        raise InvalidInput(f"{folder} holds no candles of {', '.join(absent)}; it has {_listed(by_symbol) or 'none'}")
    files = {}
    for symbol in sorted(by_symbol):
        taken = _one(symbol, by_symbol[symbol], timeframe, picks.get(symbol), notes)
        if taken is not None:
            files[symbol] = taken
    if not any(not name.benchmark for name in files.values()):
        seen = ", ".join(sorted({name.timeframe.value for name in found})) or "none at all"
        raise InvalidInput(f"{folder} holds no candles of {timeframe.value} or finer; the timeframes there are: {seen}")
    return Choice(files=files, notes=tuple(notes))


def _one(
    symbol: str, names: list[CandleName], timeframe: Timeframe, pick: str | None, notes: list[str]
) -> CandleName | None:
    usable = [name for name in names if name.timeframe.seconds <= timeframe.seconds]
    coarser = [name.path.name for name in names if name not in usable]
    notes.extend(f"{file} is coarser than {timeframe.value} and was skipped" for file in coarser)
    if pick is not None:
        usable = [name for name in usable if pick in (name.series, name.path.name)]
        if not usable:
            have = ", ".join(sorted(name.path.name for name in names))
            raise InvalidInput(f"{symbol}: there is no series {pick} of {timeframe.value} or finer; there is {have}")
    if not usable:
        return None
    best = max(name.timeframe.seconds for name in usable)
    rivals = [name for name in usable if name.timeframe.seconds == best]
    taken = rivals[0] if len(rivals) == 1 else _decided(symbol, rivals, notes)
    if best < timeframe.seconds:
        notes.append(f"{taken.path.name} was resampled to {timeframe.value}: there is no file of that timeframe")
    elif not taken.exact and len(rivals) == 1 and not taken.benchmark:
        notes.append(f"{symbol} is told by {taken.path.name}")
    finer = sorted(name.path.name for name in usable if name.timeframe.seconds < best)
    if finer:
        notes.append(f"{', '.join(finer)} was not needed beside {taken.path.name}")
    return taken


def _decided(symbol: str, rivals: list[CandleName], notes: list[str]) -> CandleName:
    """The one named exactly as the symbol; a second series is refused and named. Raises when that decides nothing."""
    exact = [name for name in rivals if name.exact]
    if len(exact) != 1:
        options = " or ".join(f"--series {symbol}={_handle(name, rivals)}" for name in rivals)
        files = ", ".join(name.path.name for name in rivals)
        raise InvalidInput(f"{symbol} is told by several files ({files}); choose with {options}")
    notes.extend(
        f"{name.path.name} is a second series of {symbol} and was refused beside {exact[0].path.name}; "
        f"choose it with --series {symbol}={_handle(name, rivals)}"
        for name in rivals
        if name is not exact[0]
    )
    return exact[0]


def _handle(name: CandleName, rivals: list[CandleName]) -> str:
    """What to write to choose `name`: its series, or the whole file name where the series alone is not enough."""
    alike = [rival for rival in rivals if rival.series == name.series]
    return name.series if len(alike) == 1 else name.path.name


def _listed(symbols: Iterable[str]) -> str:
    return ", ".join(sorted(symbols))
