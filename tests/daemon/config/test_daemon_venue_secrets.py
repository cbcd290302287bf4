"""The key of a demo account: handed over whole, or refused in one sentence that names what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from daemon.config import Config
from daemon.connection import venue_credentials
from domain.errors import ConfigurationRefused

CONFIG = Config.model_validate(
    {"broker": {"kind": "ccxt", "venue": "binance"}, "feed": {"kind": "venue", "instruments": ["BTCUSDT"]}}
)
KEY = {"RATCHET_SECRET_VENUE_KEY": "the-long-key"}
SECRET = {"RATCHET_SECRET_VENUE_SECRET": "the-long-secret"}


def around(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    return {"STATE_DIRECTORY": str(folder), **given}


def test_what_is_handed_over_is_what_is_used(tmp_path: Path) -> None:
    found = venue_credentials(CONFIG, around(tmp_path, KEY | SECRET))
    assert (found.key, found.secret, found.passphrase) == ("the-long-key", "the-long-secret", None)


@pytest.mark.parametrize(("given", "name"), [(SECRET, "venue_key"), (KEY, "venue_secret")])
def test_one_missing_secret_is_told_in_the_singular(tmp_path: Path, given: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigurationRefused) as refused:
        venue_credentials(CONFIG, around(tmp_path, given))
    assert str(refused.value) == (
        f"the secret {name} of the demo account at binance is nowhere: give it as a systemd credential, an owner-only "
        f"file in {tmp_path}/secrets, or the environment variable RATCHET_SECRET_{name.upper()}"
    )


def test_two_missing_secrets_are_both_named_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused) as refused:
        venue_credentials(CONFIG, around(tmp_path, {}))
    assert str(refused.value) == (
        "the secrets venue_key and venue_secret of the demo account at binance are nowhere: give them as systemd "
        f"credentials, owner-only files in {tmp_path}/secrets, or the environment variables RATCHET_SECRET_VENUE_KEY "
        "and RATCHET_SECRET_VENUE_SECRET"
    )
