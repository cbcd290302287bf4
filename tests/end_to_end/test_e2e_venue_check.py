"""`ratchet check` before a demo account is traded: what must not be is refused in one sentence, with exit 78."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from decimal import Decimal
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from exchange.keys import MAIN, TRADE_KEY, WITHDRAW_KEY, ApiKey
from exchange.process import RunningExchange
from live_daemon import toml
from ratchet_command import Ended, ended, running, the_sentence
from venue_daemon import PRICES, Market, key_of, venue_config

from venues.profiles import REFUSED as REFUSED_MARKETS

REFUSED = 78
SYMBOLS = ("BTCUSDT", "ETHUSDT")
FORGED = ApiKey(TRADE_KEY.key, "not-the-secret-of-it", MAIN)
NOTHING: dict[str, str] = {}
CASES: Mapping[str, tuple[dict[str, str], Mapping[str, Any]]] = {
    "fine": (key_of(), {}),
    "linear": (key_of(), {"market": "linear"}),
    "withdrawal": (key_of(WITHDRAW_KEY), {}),
    "forged": (key_of(FORGED), {}),
    "no secret": (NOTHING, {}),
    "half a secret": ({"RATCHET_SECRET_VENUE_KEY": TRADE_KEY.key}, {}),
    "no demo": (key_of(), {"venue": "kraken"}),
    "unknown venue": (key_of(), {"venue": "mtgox"}),
    "live host": (key_of(), {"base_url": "https://api.binance.com"}),
    "other host": (key_of(), {"base_url": "https://demo-api.binance.com.example.org"}),
    "skewed": (key_of(), {}),
}
"""What is handed over and what is configured, besides what is right."""


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ended]]:
    """Every case checked, two at a time: most of one is the start of a process."""
    folder = tmp_path_factory.mktemp("venue-check")
    with RunningExchange(seed=6) as exchange, RunningExchange(seed=7) as skewed:
        for each in (exchange, skewed):
            market = Market(each)
            for symbol in SYMBOLS:
                market.trade(symbol, Decimal(PRICES[symbol]))
        skewed.switch(skew_ms=5000)
        ports = {name: (skewed if name == "skewed" else exchange).port for name in CASES}
        found: dict[str, Ended] = {}
        names = list(CASES)
        for pair in (names[number : number + 2] for number in range(0, len(names), 2)):
            with ExitStack() as stack:
                begun = {name: stack.enter_context(_checking(folder, name, ports[name])) for name in pair}
                found.update({name: ended(process) for name, process in begun.items()})
        assert exchange.ledger()["requests"] == skewed.ledger()["requests"] == []
        yield found


def _checking(folder: Path, name: str, port: int) -> AbstractContextManager[Popen[str]]:
    given, changes = CASES[name]
    state = folder / name.replace(" ", "-")
    state.mkdir()
    config = venue_config(port, SYMBOLS, timeframe="1m")
    config["broker"].update(changes)
    file = folder / f"{state.name}.toml"
    file.write_text(toml(config))
    return running("check", "-c", str(file), "--json", state=state / "state", extra=given)


def rows_of(check: Ended) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(check.out)["checks"]}


def refusals(check: Ended) -> dict[str, str]:
    return {name: row["detail"] for name, row in rows_of(check).items() if row["ok"] is False and name != "free disk"}


@pytest.mark.parametrize("case", ["fine", "linear"])
def test_a_demo_account_with_a_key_that_may_only_trade_is_fine(checks: dict[str, Ended], case: str) -> None:
    told = rows_of(checks[case])
    assert refusals(checks[case]) == {}
    assert checks[case].status == 0
    assert "this machine" in told["demo proof"]["detail"]
    assert told["key rights"]["detail"].startswith("the key may trade, and neither withdraw nor transfer")
    assert told["balance"]["detail"] == "10000 USDT"
    assert told["venue"]["detail"] == f"Binance, {'linear' if case == 'linear' else 'spot'} market"


@pytest.mark.parametrize(
    ("case", "row", "words"),
    [
        (
            "withdrawal",
            "key rights",
            "the key may withdraw and transfer (GET /sapi/v1/account/apiRestrictions): make one",
        ),
        ("forged", "venue binance", "Signature for this request is not valid."),
        (
            "no secret",
            "venue binance",
            "the secrets venue_key and venue_secret of the demo account at binance are nowhere: give them as systemd "
            "credentials, owner-only files in ",
        ),
        (
            "half a secret",
            "venue binance",
            "the secret venue_secret of the demo account at binance is nowhere: give it as a systemd credential, an "
            "owner-only file in ",
        ),
        (
            "no demo",
            "venue kraken",
            "Kraken cannot be traded on a demo account (spot): it has no demo accounts for spot",
        ),
        ("unknown venue", "venue mtgox", "the venue 'mtgox' is not known; allowed are binance, bybit, okx"),
        ("skewed", "venue clock", "ms from ours; 500 ms are allowed"),
    ],
)
def test_what_must_not_be_is_one_refused_row(checks: dict[str, Ended], case: str, row: str, words: str) -> None:
    check = checks[case]
    assert check.status == REFUSED
    (name,) = refusals(check)
    detail = refusals(check)[name]
    assert (name, words in detail, "\n" in detail) == (row, True, False), detail
    assert "Traceback" not in check.err


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (
            "live host",
            "api.binance.com is Binance's live host, where orders move real money; only demo hosts are allowed",
        ),
        ("other host", "'https://demo-api.binance.com.example.org' is on no list of demo hosts"),
    ],
)
def test_a_host_that_is_no_demo_host_is_refused_with_the_configuration(
    checks: dict[str, Ended], case: str, words: str
) -> None:
    check = checks[case]
    assert check.status == REFUSED
    assert check.out == ""
    assert the_sentence(check.err) == "the configuration has 1 fault:"
    assert words in check.err


def test_no_check_shows_what_it_was_handed(checks: dict[str, Ended]) -> None:
    secrets = {value for given, _ in CASES.values() for value in given.values()}
    shown = "".join(check.out + check.err for check in checks.values())
    assert [secret for secret in secrets if secret in shown] == []


PAGE = Path(__file__).resolve().parents[2] / "docs" / "demo-accounts.md"
FAULT = re.compile(r"(?m)^  .*: (?P<fault>broker\.base_url is .*\))$")
SHOWN = ("account", "venue", "venue key", "demo proof", "key rights", "balance", "instruments")


def test_the_page_shows_what_is_printed(checks: dict[str, Ended]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = rows_of(checks["fine"])
    printed = [re.sub(" {2,}", "  ", line) for line in page.splitlines()]
    missing = [name for name in SHOWN if f"{name}  ok  {told[name]['detail']}" not in printed]
    assert missing == []
    for case in ("withdrawal", "forged", "no demo", "unknown venue"):
        (detail,) = refusals(checks[case]).values()
        assert detail in page
    (nowhere,) = refusals(checks["no secret"]).values()
    assert re.sub(r"files in \S+,", "files in …,", nowhere) in page
    (nowhere,) = refusals(checks["half a secret"]).values()
    assert re.sub(r"file in \S+,", "file in …,", nowhere) in page
    assert "| flag --set: " + FAULT.search(checks["live host"].err)["fault"] + " |" in page


def test_the_page_shows_in_what_the_linear_market_differs(checks: dict[str, Ended]) -> None:
    spot, linear = (
        {name: row["detail"] for name, row in rows_of(checks[case]).items() if name in SHOWN}
        for case in ("fine", "linear")
    )
    printed = [re.sub(" {2,}", "  ", line) for line in PAGE.read_text(encoding="utf-8").splitlines()]
    differing = {name: detail for name, detail in linear.items() if detail != spot[name]}
    assert differing.keys() == {"venue", "instruments"}
    assert [name for name, detail in differing.items() if f"{name}  ok  {detail}" not in printed] == []


def test_the_page_gives_the_reason_for_every_venue_without_a_demo() -> None:
    page = PAGE.read_text(encoding="utf-8").replace("trading (a testnet)", "trading")
    unsaid = [
        refusal for refusal in REFUSED_MARKETS.values() if refusal.why not in page and "testnet" not in refusal.why
    ]
    assert {(refusal.venue, refusal.market) for refusal in unsaid} <= {("kraken", "linear"), ("krakenfutures", "spot")}
