"""The page on risk tells every rule, every reason, every limit and its default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from risk.accounts import US_RAISED_DEPOSITS, Jurisdiction
from risk.gate import DEFAULT_RULES
from risk.limits import ALLOWED, Limits
from risk.reasons import DENIAL_REASONS

PAGE = (Path(__file__).parents[2] / "docs" / "risk.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def test_the_gates_table_has_every_rule_in_the_order_it_is_asked() -> None:
    table = PAGE.partition("## The gate")[2].partition("## Breakers")[0]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert rows == [rule.name for rule in DEFAULT_RULES]


@pytest.mark.parametrize("reason", DENIAL_REASONS)
def test_every_reason_of_a_denial_is_told(reason: str) -> None:
    kind = reason.partition("_")[0]
    assert f"`{reason}`" in TEXT or kind in ("hold", "breaker")


@pytest.mark.parametrize("name", ALLOWED)
def test_every_limit_is_told_with_its_default(name: str) -> None:
    default = getattr(Limits(), name)
    assert f"`{name}` {'none' if default is None else default}" in TEXT


def test_every_jurisdiction_and_raised_deposit_is_told() -> None:
    assert all(f"`{jurisdiction}`" in TEXT for jurisdiction in Jurisdiction)
    told = TEXT.partition("13 March 2023: ")[2].partition(";")[0]
    found = {
        currency: int(percent)
        for currencies, percent in re.findall(r"((?:[A-Z]{3}(?:, | and )?)+) (\d+)%", told)
        for currency in re.findall(r"[A-Z]{3}", currencies)
    }
    assert found == {currency: int(share * 100) for currency, share in US_RAISED_DEPOSITS.items()}
