"""Bundles: one immutable folder a trained model, verified by its hash before anything in it is read.

`manifest.json` says what it is, `model.json` and `arrays.npz` are the portable model. The hash over all three is pinned
in the journal. No library that trained a model is needed to load it, and nothing in a bundle is ever run.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import InvalidInput
from domain.learning import ModelRecord, is_model_name
from domain.numbers import significant_array
from learning.judgement.calibration import Calibrator, calibrator_of
from learning.portable.model import PortableModel, load_arrays, save_arrays
from learning.registry import folders
from learning.registry.manifest import Manifest, array_sha256, document_text
from learning.table import Floats, SampleTable

MANIFEST = "manifest.json"
MODEL = "model.json"
ARRAYS = "arrays.npz"
FILES = (MANIFEST, MODEL, ARRAYS)

LEAST_KEPT = 3
NEAREST = 1e-6
"""No probability comes nearer to 0 or 1; at six significant digits it would become one of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleContent:
    """What a training hands over; `Manifest` says what each of these is. `settings` are those it was trained with."""

    family: str
    created_by: str
    schema: str
    model: PortableModel
    calibrator: Calibrator
    threshold: float
    trained_from: datetime
    trained_until: datetime
    known_until: datetime
    samples: int
    seed: int
    versions: Mapping[str, str]
    settings: Mapping[str, object]
    scores: Mapping[str, object]
    importances: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A bundle that lies on disk. `sha256` covers every file, as the journal pins it."""

    path: Path
    sha256: str
    manifest: Manifest

    @property
    def model_id(self) -> str:
        return self.manifest.model_id

    def record(self, created_at: datetime) -> ModelRecord:
        """What the journal keeps of it."""
        return self.manifest.record(sha256=self.sha256, created_at=created_at)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadedModel:
    """A model that can be asked: the portable model and its calibrator, with what the manifest says of them."""

    manifest: Manifest
    model: PortableModel
    calibrator: Calibrator

    def __post_init__(self) -> None:
        if self.model.names != self.manifest.names:
            raise InvalidInput(f"the model of bundle {self.model_id} takes other features than its manifest says")

    @property
    def model_id(self) -> str:
        return self.manifest.model_id

    @property
    def names(self) -> tuple[str, ...]:
        """The features it takes; others are not looked at."""
        return self.manifest.names

    @property
    def threshold(self) -> float:
        """The probability from which a signal passes."""
        return self.manifest.threshold

    @property
    def trained_until(self) -> datetime:
        return self.manifest.trained_until

    @property
    def known_until(self) -> datetime:
        """Decisions after it are unseen by the model."""
        return self.manifest.known_until

    def predict(self, values: Mapping[str, float | None]) -> float:
        """P(net R > 0) of one signal, at six significant digits and inside (0, 1).

        `values` are features by name, None where one is missing; features that it does not take are left aside.
        Raises `InvalidInput` when a name is not there at all, a value is not finite, or the answer is no probability.
        """
        try:
            row = [values[name] for name in self.names]
        except KeyError:
            lacking = [name for name in self.names if name not in values]
            raise InvalidInput(f"model {self.model_id} needs the feature {', '.join(lacking)}") from None
        return float(self._said(np.array([[np.nan if value is None else value for value in row]], dtype=np.float64))[0])

    def probabilities(self, table: SampleTable) -> Floats:
        """(n,) probabilities of n samples; the same as `predict` on each. Raises `InvalidInput` as it does."""
        return self._said(table.project(self.names))

    def _said(self, rows: Floats) -> Floats:
        if not len(rows):
            return np.empty(0)
        if bool(np.isinf(rows).any()):
            raise InvalidInput(f"model {self.model_id} was asked about a feature that is not finite")
        said = self.calibrator.apply(self.model.probability(rows))
        if not bool(((said >= 0) & (said <= 1)).all()):
            raise InvalidInput(f"model {self.model_id} gave an answer that is no probability")
        return significant_array(np.clip(said, NEAREST, 1 - NEAREST))


def write_bundle(folder: Path, content: BundleContent) -> Bundle:
    """Lay the bundle down in `folder`, whole and durable, or not at all.

    One that is there already with the same bytes stays as it is. Raises `InvalidInput` when one is there with others,
    when something cannot be written, or when the content is no lawful bundle.
    """
    document, arrays = content.model.document()
    model_text = document_text(document)
    manifest = Manifest(
        family=content.family,
        created_by=content.created_by,
        schema=content.schema,
        names=content.model.names,
        threshold=content.threshold,
        calibrator=content.calibrator.document(),
        trained_from=content.trained_from,
        trained_until=content.trained_until,
        known_until=content.known_until,
        samples=content.samples,
        seed=content.seed,
        versions=content.versions,
        settings=content.settings,
        scores=content.scores,
        importances=content.importances,
        model_sha256=hashlib.sha256(model_text.encode()).hexdigest(),
        arrays={name: array_sha256(array) for name, array in arrays.items()},
    )

    def fill(draft: Path) -> None:
        (draft / MANIFEST).write_text(manifest.text(), encoding="ascii")
        (draft / MODEL).write_text(model_text, encoding="ascii")
        save_arrays(arrays, draft / ARRAYS)

    path = folders.place(folder, manifest.model_id, fill)
    return Bundle(path=path, sha256=folders.sha256_of(folders.read(path, FILES)), manifest=manifest)


def load_bundle(folder: Path, model_id: str, *, sha256: str, schema: str | None) -> LoadedModel:
    """The model `model_id` in `folder`. Its files must have the hash `sha256`: that is looked at before anything else.

    `schema` is the hash of the features that will be given, None where any superset of its own may be. Raises
    `InvalidInput`, in one sentence, for a missing or foreign file, a link, any other byte, another format version, an
    unknown part, or another schema.
    """
    if not is_model_name(model_id):
        raise InvalidInput(f"{model_id!r} cannot name a bundle")
    files = folders.read(folder / model_id, FILES)
    found = folders.sha256_of(files)
    if found != sha256:
        raise InvalidInput(f"bundle {model_id} was changed: its files have the hash {found}, not {sha256}")
    manifest = Manifest.read(files[MANIFEST].decode("utf-8", "replace"))
    if manifest.model_id != model_id:
        raise InvalidInput(f"bundle {model_id} holds the model {manifest.model_id}")
    if schema is not None and schema != manifest.schema:
        raise InvalidInput(f"bundle {model_id} takes the features {manifest.schema}, not those of {schema}")
    if hashlib.sha256(files[MODEL]).hexdigest() != manifest.model_sha256:
        raise InvalidInput(f"bundle {model_id} holds another model than its manifest says")
    try:
        document: dict[str, Any] = json.loads(files[MODEL])
        arrays = load_arrays(folder / model_id / ARRAYS)
        # The file is read again here: what counts is that these are the arrays that the verified manifest names.
        if {name: array_sha256(array) for name, array in arrays.items()} != manifest.arrays:
            raise InvalidInput("its arrays are not those that its manifest names")
        model = PortableModel.read(document, arrays)
        calibrator = calibrator_of(manifest.calibrator)
        return LoadedModel(manifest=manifest, model=model, calibrator=calibrator)
    except (InvalidInput, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInput(f"bundle {model_id} cannot be loaded: {error}") from error


def bundles(folder: Path) -> tuple[str, ...]:
    """The names of the bundles in `folder`, not verified; the newest first, by the last sample, then by name."""
    try:
        entries = [entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InvalidInput(f"the models in {folder} cannot be listed: {error.strerror or error}") from error
    named = [name for name in entries if is_model_name(name)]
    return tuple(sorted(named, key=lambda name: (_trained_until(folder / name), name), reverse=True))


def prune(folder: Path, keep: Collection[str], least: int = LEAST_KEPT) -> tuple[str, ...]:
    """Remove old bundles, and what interrupted writings have left; gives the names of the bundles removed.

    What stays: every one in `keep`, and the `least` newest besides. Raises `InvalidInput` for a `least` below 3, or
    when something cannot be removed.
    """
    if least < LEAST_KEPT:
        raise InvalidInput(f"{least} bundles are fewer than the {LEAST_KEPT} that always stay")
    there = bundles(folder)
    removed = tuple(name for name in there[least:] if name not in keep)
    try:
        for name in removed:
            folders.remove(folder / name)
        if folder.is_dir():
            folders.sweep(folder)
    except OSError as error:
        raise InvalidInput(f"the models in {folder} cannot be pruned: {error.strerror or error}") from error
    return removed


def _trained_until(path: Path) -> str:
    """For the order only: an ISO time as the manifest tells it, empty where it tells none."""
    try:
        told = json.loads((path / MANIFEST).read_bytes())["trained_until"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
    return told if isinstance(told, str) else ""
