"""What a bundle says of itself: everything that a training was, without the time at which it happened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.clock import require_utc
from domain.errors import InvalidInput, InvalidRecord
from domain.learning import ModelRecord, is_model_name, require_json

FORMAT = 1
ID_DIGITS = 12
_TIMES = ("trained_from", "trained_until", "known_until")


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """Everything about a bundle but its arrays.

    `names` are the features it takes, in order, and `schema` the hash of all those it was trained beside. `threshold`
    is the probability from which a signal passes; `calibrator` is a document of `learning.judgement.calibration`.
    `trained_from` and `trained_until` are the times of the first and the last decision learned from, `known_until` when
    the last of their labels became known: only decisions after it are unseen. `versions` are of the libraries that
    trained it, `settings` what they were told, `scores` what it scored in training, `importances` are by feature.
    `model_sha256` and `arrays` are hashes of the portable model's document and of each of its arrays.
    """

    family: str
    created_by: str
    schema: str
    names: tuple[str, ...]
    threshold: float
    calibrator: Mapping[str, object]
    trained_from: datetime
    trained_until: datetime
    known_until: datetime
    samples: int
    seed: int
    versions: Mapping[str, str]
    settings: Mapping[str, object]
    scores: Mapping[str, object]
    importances: Mapping[str, float]
    model_sha256: str
    arrays: Mapping[str, str]

    def __post_init__(self) -> None:
        if not is_model_name(self.family) or not self.created_by or not self.schema:
            raise InvalidInput(f"a bundle of family {self.family!r} lacks a lawful family, a maker or a schema")
        if not 0 <= self.threshold <= 1:
            raise InvalidInput(f"a threshold of {self.threshold} does not lie in [0, 1]")
        if require_utc(self.trained_until, "trained_until") < require_utc(self.trained_from, "trained_from"):
            raise InvalidInput("a bundle was trained until before it was trained from")
        if require_utc(self.known_until, "known_until") < self.trained_until:
            raise InvalidInput("a bundle's labels were known before its last decision was taken")
        if self.samples < 1 or not 0 <= self.seed < 2**63:
            raise InvalidInput(
                f"{self.samples} samples or seed {self.seed}: at least 1 and one in [0, 2^63) are needed"
            )
        require_json(self._content(), "a manifest")

    @property
    def model_id(self) -> str:
        """The family and the first digits of the hash of the content: the same training has the same name."""
        return f"{self.family}-{hashlib.sha256(_text(self._content()).encode()).hexdigest()[:ID_DIGITS]}"

    def document(self) -> dict[str, object]:
        """As plain JSON values."""
        return {"model_id": self.model_id, **self._content()}

    def text(self) -> str:
        """The document in its one written form."""
        return _text(self.document())

    def record(self, *, sha256: str, created_at: datetime) -> ModelRecord:
        """What the journal keeps of a bundle with this manifest, whose files have the hash `sha256`."""
        return ModelRecord(
            model_id=self.model_id,
            created_at=created_at,
            family=self.family,
            sha256=sha256,
            schema=self.schema,
            samples=self.samples,
            trained_from=self.trained_from,
            trained_until=self.trained_until,
            threshold=self.threshold,
            seed=self.seed,
            document=self.document(),
        )

    @classmethod
    def read(cls, text: str) -> Manifest:
        """The manifest that `text` is of; raises `InvalidInput` when it is not one, or of another format version."""
        try:
            document: dict[str, Any] = json.loads(text)
            version = document.pop("format")
            if version != FORMAT:
                raise InvalidInput(f"a bundle of format {version!r} cannot be read: this version reads {FORMAT}")
            told = document.pop("model_id")
            times = {name: datetime.fromisoformat(document.pop(name)) for name in _TIMES}
            manifest = cls(**{**document, **times, "names": tuple(document["names"])})
        except InvalidRecord as error:
            raise InvalidInput(f"a bundle's manifest cannot be read: {error}") from error
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise InvalidInput(f"a bundle's manifest cannot be read: {error!r}") from error
        if manifest.text() != text or told != manifest.model_id:
            raise InvalidInput(f"a bundle's manifest calls it {told!r}; its content is {manifest.model_id}")
        return manifest

    def _content(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "family": self.family,
            "created_by": self.created_by,
            "schema": self.schema,
            "names": list(self.names),
            "threshold": self.threshold,
            "calibrator": dict(self.calibrator),
            "trained_from": self.trained_from.isoformat(),
            "trained_until": self.trained_until.isoformat(),
            "known_until": self.known_until.isoformat(),
            "samples": self.samples,
            "seed": self.seed,
            "versions": dict(self.versions),
            "settings": dict(self.settings),
            "scores": dict(self.scores),
            "importances": dict(self.importances),
            "model_sha256": self.model_sha256,
            "arrays": dict(self.arrays),
        }


def array_sha256(array: NDArray[Any]) -> str:
    """The hash of an array: its type and shape, and its numbers in C order, little-endian."""
    stored = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(f"{stored.dtype.str}:{array.shape}:".encode() + stored.tobytes()).hexdigest()


def document_text(document: Mapping[str, object]) -> str:
    """A JSON document in its one written form; raises `InvalidInput` for what JSON has no form for."""
    require_json(document, "a model's document")
    return _text(document)


def _text(document: Mapping[str, object]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"
