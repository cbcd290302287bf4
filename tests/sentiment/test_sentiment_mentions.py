"""What a text is about, and for whom its good news is good."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.errors import ConfigurationRefused
from domain.instruments import Instrument
from sentiment.mentions import Mentions


@pytest.fixture(scope="module")
def mentions(instruments: dict[str, Instrument]) -> Mentions:
    return Mentions(instruments.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("EUR/USD rallies", {"EUR": 1, "USD": -1}),
        ("$EURUSD higher", {"EUR": 1, "USD": -1}),
        ("EURUSD: buyers in control", {"EUR": 1, "USD": -1}),
        ("USD/JPY at 150", {"USD": 1, "JPY": -1}),
        ("Euro climbs against the dollar", {"EUR": 1, "USD": -1}),
        ("Dollar slips vs yen", {"USD": 1, "JPY": -1}),
        ("Euro and dollar steady", {"EUR": 1, "USD": 1}),
        ("The greenback weakens", {"USD": 1}),
        ("Fed hikes rates", {"USD": 1}),
        ("I am fed up with this", {}),
        ("Australian dollar jumps", {"AUD": 1}),
        ("Hong Kong dollar peg under strain", {}),
        ("Dollar General misses estimates", {}),
        ("Bitcoin drops", {"BTC": 1}),
        ("BTCUSDT breaks out", {"BTC": 1, "USDT": -1}),
        ("Gold shines as the dollar sinks", {"XAU": 1, "USD": 1}),
        ("Gold gains versus the dollar", {"XAU": 1, "USD": -1}),
        ("$AAPL beats estimates", {"AAPL": 1}),
        ("AAPL beats estimates", {"AAPL": 1}),
        ("Apple's profit rose", {"AAPL": 1}),
        ("Commonwealth Bank raises its dividend", {"CBA.AX": 1}),
        ("CBA.AX higher", {"CBA.AX": 1}),
        ("Tesla recalls cars", {}),
        ("", {}),
    ],
)
def test_texts_are_about_what_a_reader_says(mentions: Mentions, text: str, expected: dict[str, int]) -> None:
    assert dict(mentions.of(text)) == expected


def test_capitals_do_not_make_every_word_a_ticker(instruments: dict[str, Instrument]) -> None:
    known = Mentions([instruments["AAPL"], instruments["CBA.AX"]])
    assert known.of("CBA RAISES RATES AGAIN THIS YEAR") == {}
    assert known.of("CBA raises rates again this year") == {"CBA.AX": 1}


def test_users_extend_the_names_by_a_file(instruments: dict[str, Instrument], tmp_path: Path) -> None:
    own = tmp_path / "names.toml"
    own.write_text('[companies]\nAAPL = ["the cupertino company"]\n')
    known = Mentions(instruments.values(), own_names=own)
    assert known.of("The Cupertino company beats") == {"AAPL": 1}
    assert known.of("Apple beats") == {"AAPL": 1}


@pytest.mark.parametrize(
    "content", ["[companies", '[companies]\nAAPL = "apple"\n', "[companies]\nAAPL = [3]\n", "x = 1\n"]
)
def test_a_broken_file_of_names_is_refused(instruments: dict[str, Instrument], tmp_path: Path, content: str) -> None:
    own = tmp_path / "broken.toml"
    own.write_text(content)
    with pytest.raises(ConfigurationRefused, match=r"broken\.toml"):
        Mentions(instruments.values(), own_names=own)
