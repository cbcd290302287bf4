"""Candle files with every kind of fault: one clear sentence or a counted rejection, never a trade on what was wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from candle_files import HEADER, Row, broken, trading_week, walk, written
from ratchet_command import Ended, count, ratchet, rows, verified

BARS = 320
PLACE = 200
"""The row that is broken; by then the strategies are long awake."""


def good(price: float, seed: int) -> list[Row]:
    return trading_week(walk(BARS, price=price, seed=seed))


def put(column: int, value: str) -> Callable[[list[Row]], None]:
    """Another value in one column of the row at `PLACE`."""

    def change(candles: list[Row]) -> None:
        candles[PLACE][column] = value

    return change


def again(candles: list[Row]) -> None:
    candles.insert(PLACE, list(candles[PLACE]))


def other_price_for_the_same_hour(candles: list[Row]) -> None:
    twin = list(candles[PLACE])
    twin[1:5] = [f"{float(value) * 1.01:.5f}" for value in twin[1:5]]
    candles.insert(PLACE + 1, twin)


def gap(candles: list[Row]) -> None:
    del candles[PLACE : PLACE + 7]


def high_below_low(candles: list[Row]) -> None:
    candles[PLACE][2], candles[PLACE][3] = "0.5", candles[PLACE][2]


def newest_first(candles: list[Row]) -> None:
    candles.reverse()


def hundredfold_wick(candles: list[Row]) -> None:
    candles[PLACE][2] = f"{float(candles[PLACE][2]) * 100:.5f}"


def from_the_future(candles: list[Row]) -> None:
    candles.append(["2095-01-03T00:00:00Z", *candles[-1][1:]])


FAULTS: dict[str, tuple[float, Callable[[list[Row]], None], str]] = {
    "EURUSD": (1.10, put(4, "nan"), "1 nan"),
    "GBPUSD": (1.31, again, "1 duplicate"),
    "AUDUSD": (0.73, other_price_for_the_same_hour, "1 conflict"),
    "NZDUSD": (0.68, gap, "7 missing in 1 stretches"),
    "USDCAD": (1.27, high_below_low, "1 high_low"),
    "USDCHF": (0.93, newest_first, ""),
    "USDJPY": (115.4, hundredfold_wick, "1 spike"),
    "USDSEK": (9.71, from_the_future, "1 future"),
}
"""By symbol: where its price starts, what is wrong with its file, and what the summary's notes say of it."""


@pytest.fixture(scope="module")
def with_faults(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder, state = tmp_path_factory.mktemp("candles") / "forex", tmp_path_factory.mktemp("run") / "state"
    for seed, (symbol, (price, change, _)) in enumerate(FAULTS.items()):
        written(folder / f"{symbol}-1h.csv", broken(good(price, seed), change))
    return ratchet("run", "--replay", str(folder), "--timeframe", "1h", "--json", state=state)


@pytest.mark.parametrize("symbol", FAULTS)
def test_a_broken_row_is_a_counted_rejection_named_by_its_file(with_faults: Ended, symbol: str) -> None:
    told = [note for note in with_faults.document["notes"] if note.startswith(symbol)]
    assert any(FAULTS[symbol][2] in note for note in told)
    assert "future" in FAULTS[symbol][2] or not any("future" in note for note in told)


def test_nothing_is_ever_traded_at_a_price_that_was_wrong(with_faults: Ended) -> None:
    journal = Path(with_faults.document["journal"])
    assert count(journal, "SELECT count(*) FROM fills") >= 6
    for seed, (symbol, (price, _, _)) in enumerate(FAULTS.items()):
        clean = {row[0]: tuple(map(float, row[1:5])) for row in good(price, seed)}
        kept = rows(journal, "SELECT * FROM bars WHERE instrument = ?", symbol)
        assert len(kept) >= len(clean) - 8
        for bar in kept:
            at = datetime.fromtimestamp(bar["opened_at"] // 10**6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            assert (bar["open"], bar["high"], bar["low"], bar["close"]) == clean[at]
        lowest, highest = min(bar[2] for bar in clean.values()), max(bar[1] for bar in clean.values())
        prices = [float(row["price"]) for row in rows(journal, "SELECT price FROM fills WHERE instrument = ?", symbol)]
        assert all(lowest * 0.99 < each < highest * 1.01 for each in prices)
    found = "SELECT count(*) FROM job_runs WHERE job = 'data_quality' AND detail LIKE '%NZDUSD 7%'"
    assert count(journal, found) > 0
    held = rows(journal, "SELECT DISTINCT scope FROM holds WHERE cause = 'data_quality'")
    assert {"EURUSD", "NZDUSD", "USDCAD", "USDJPY"} <= {row["scope"] for row in held}
    verified(journal)


WHOLE_FILES: dict[str, tuple[str, str, str]] = {
    "empty": ("EURUSD-1h.csv", "", "is empty"),
    "no rows": ("EURUSD-1h.csv", HEADER + "\n", "no rows"),
    "wrong columns": ("EURUSD-1h.csv", "when,what\n1,2\n", "EURUSD-1h.csv"),
    "no parquet": ("EURUSD-1h.parquet", "PAR0 this is no parquet file", "EURUSD-1h.parquet"),
    "no numbers": ("EURUSD-1h.csv", HEADER + "\n2022-03-07T00:00:00Z,a,b,c,d,e\n", "EURUSD-1h.csv"),
    "no times": ("EURUSD-1h.csv", HEADER + "\nyesterday,1,1,1,1,1\n", "no time can be read"),
    "no candles": ("notes.csv", "hello\n", "holds no candles of 1h or finer"),
    "unknown symbol": ("QWERTYUIO-1h.csv", "", "QWERTYUIO"),
}
"""By fault: the file's name, what stands in it (nothing: good candles where the name is at fault), what is said."""


@pytest.mark.parametrize("fault", WHOLE_FILES)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path, fault: str) -> None:
    name, content, says = WHOLE_FILES[fault]
    path = written(tmp_path / "candles" / name, good(1.1, 1))
    if content or fault == "empty":
        path.write_text(content)
    refused = ratchet("run", "--replay", str(path.parent), "--timeframe", "1h", "--json", state=tmp_path / "state")
    assert (refused.status, refused.out) == (1, "")
    assert says in refused.sentence


def test_two_formats_of_one_series_are_refused_naming_the_choice(tmp_path: Path) -> None:
    folder, state = tmp_path / "forex", tmp_path / "state"
    written(folder / "EURUSD-1h.csv", good(1.1, 1))
    candles = ",".join(
        f"[{int(datetime.fromisoformat(row[0]).timestamp()) * 1000},{','.join(row[1:])}]" for row in good(1.1, 1)
    )
    (folder / "EURUSD-1h.json").write_text(f"[{candles}]")
    arguments = ("run", "--replay", str(folder), "--timeframe", "1h", "--json")
    refused = ratchet(*arguments, state=state)
    assert refused.status == 1
    assert "--series EURUSD=" in refused.sentence
    choice = refused.sentence.partition("--series ")[2].split()[0].rstrip(".,;")
    chosen = ratchet(*arguments, "--series", choice, state=state).document
    assert chosen["bars"] == len(good(1.1, 1))


def test_coarser_files_are_skipped_and_named_and_a_missing_folder_is_refused(tmp_path: Path) -> None:
    folder, state = tmp_path / "forex", tmp_path / "state"
    written(folder / "EURUSD-1h.csv", good(1.1, 1))
    written(folder / "EURUSD-4h.csv", good(1.1, 1)[::4])
    document = ratchet("run", "--replay", str(folder), "--timeframe", "1h", "--json", state=state).document
    assert any("EURUSD-4h.csv is coarser than 1h" in note for note in document["notes"])
    missing = ratchet("run", "--replay", str(folder / "no"), "--timeframe", "1h", state=state)
    assert missing.status == 1
    assert str(folder / "no") in missing.sentence
