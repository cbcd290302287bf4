"""A pytest plugin: with RATCHET_NO_SKIPS=1 a skipped test is a failed one, and says why it was skipped.

It keeps a machine that lacks a program or a package from passing by testing less. Tests that need market data
stay skipped where there is no such data at all; where the folder exists, they fail like the others.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Final

import pytest

VARIABLE: Final = "RATCHET_NO_SKIPS"
NO_DATA: Final = "no market data at "
"""How the reason of the `market_data` fixture begins; the folder's path follows, up to a colon."""


def counts_as_failure(reason: str) -> bool:
    """Whether a skip for `reason` is a failure when no test may be skipped."""
    said = reason.removeprefix("Skipped: ")
    if not said.startswith(NO_DATA):
        return True
    return os.path.isdir(said.removeprefix(NO_DATA).split(":")[0])


def _judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get(VARIABLE) != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    if counts_as_failure(reason):
        report.outcome = "failed"
        report.longrepr = f"{VARIABLE} is set, and this was skipped: {reason.removeprefix('Skipped: ')}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(report)
    return report
