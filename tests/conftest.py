"""What all tests share: where the market data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ("no_skips",)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of real candles, calendars and texts; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("RATCHET_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no market data at {folder}: set RATCHET_TEST_DATA to a folder of real candles to run this test")
    return folder
