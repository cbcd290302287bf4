"""What the tests of the command line share: the real `ratchet`, and a state directory with a real journal."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_account import Ratchet, write_journal


@pytest.fixture
def ratchet(tmp_path: Path) -> Ratchet:
    """The command, with nothing there yet."""
    return Ratchet(home=tmp_path)


@pytest.fixture
def told(ratchet: Ratchet) -> Ratchet:
    """The command, with one account's journal in its state directory."""
    write_journal(ratchet.state / "paper-main" / "journal.sqlite")
    return ratchet
