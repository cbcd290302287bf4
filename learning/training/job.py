"""What a training is asked, and what it answers; both cross a process boundary as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from domain.clock import require_utc
from domain.errors import InvalidInput
from learning.training.settings import TrainingSettings

Progress = Callable[[str, int, int], None]
"""Told as work goes on: what is being done, how many steps are done, of how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinned:
    """A bundle as the journal knows it: its name, the hash its files must have, and how many verdicts on it were tested
    so far."""

    model_id: str
    sha256: str
    tests: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingJob:
    """`samples` is a sample file, `models` the folder of bundles, into which the new one goes.

    `alpha` is the error that this cycle's verdicts may spend, 0 where none is due yet. `champion` is what the new model
    must beat (None: trading unfiltered), `challenger` one that waits for its verdict and is judged again beside the new
    one. `families` is a folder of the user's own model families. `at` is when the training was asked for.
    """

    samples: Path
    models: Path
    settings: TrainingSettings
    alpha: float
    at: datetime
    champion: Pinned | None = None
    challenger: Pinned | None = None
    families: Path | None = None

    def __post_init__(self) -> None:
        require_utc(self.at, "at")
        if not 0 <= self.alpha < 0.5:
            raise InvalidInput(f"alpha is {self.alpha}; a verdict may spend an error in [0, 0.5)")

    def to_json(self) -> str:
        return json.dumps(
            {
                "samples": str(self.samples),
                "models": str(self.models),
                "settings": self.settings.document(),
                "alpha": self.alpha,
                "at": self.at.isoformat(),
                "champion": _pin_document(self.champion),
                "challenger": _pin_document(self.challenger),
                "families": None if self.families is None else str(self.families),
            },
            sort_keys=True,
        )

    @property
    def against(self) -> str | None:
        """The model that a new one must beat; None for unfiltered trading."""
        return None if self.champion is None else self.champion.model_id

    def terms(self) -> str:
        """All that the answer depends on beside the samples, wherever they and the bundles lie."""
        document: dict[str, Any] = json.loads(self.to_json())
        for place in ("samples", "models", "families"):
            del document[place]
        return json.dumps(document, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TrainingJob:
        """The job `to_json` wrote; raises `InvalidInput` for anything else."""
        try:
            document: Mapping[str, Any] = json.loads(text)
            families = document["families"]
            return cls(
                samples=Path(document["samples"]),
                models=Path(document["models"]),
                settings=TrainingSettings.read(document["settings"]),
                alpha=float(document["alpha"]),
                at=datetime.fromisoformat(document["at"]),
                champion=_pinned(document["champion"]),
                challenger=_pinned(document["challenger"]),
                families=None if families is None else Path(families),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"a training job cannot be read: {error!r}") from error


def _pin_document(pinned: Pinned | None) -> dict[str, Any] | None:
    if pinned is None:
        return None
    return {"model_id": pinned.model_id, "sha256": pinned.sha256, "tests": pinned.tests}


def _pinned(document: Mapping[str, Any] | None) -> Pinned | None:
    return None if document is None else Pinned(**document)
