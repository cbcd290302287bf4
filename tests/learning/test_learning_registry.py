"""A bundle is immutable: what was written is what is loaded, and anything else is refused in one sentence."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import registry_bundles as made
from hypothesis import given, settings
from hypothesis import strategies as st

import learning
from domain.errors import InvalidInput
from learning.judgement.calibration import Constant, Identity, Isotonic, Sigmoid
from learning.portable.model import PortableModel
from learning.registry import bundle as bundle_module
from learning.registry.bundle import ARRAYS, FILES, MANIFEST, MODEL, LoadedModel, bundles, load_bundle, write_bundle
from learning.registry.manifest import FORMAT, Manifest


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def loaded(models: Path, **changes: Any) -> LoadedModel:
    written = write_bundle(models, made.content(**changes))
    return load_bundle(models, written.model_id, sha256=written.sha256, schema=made.SCHEMA)


def test_what_was_written_is_what_is_loaded(models: Path) -> None:
    content = made.content()
    model = loaded(models)
    table = made.table(60)
    assert model.names == made.NAMES
    assert model.threshold == 0.55
    assert (model.trained_until, model.known_until) == (content.trained_until, content.known_until)
    assert model.calibrator == content.calibrator
    assert model.manifest.scores == content.scores
    assert model.manifest.importances == content.importances
    expected = content.calibrator.apply(content.model.probability(table.features))
    assert model.probabilities(table) == pytest.approx(expected, rel=5e-6)


def test_a_bundle_is_found_by_the_name_of_its_content(models: Path) -> None:
    written = write_bundle(models, made.content())
    assert written.path == models / written.model_id
    family, digits = written.model_id.split("-")
    assert family == "voting"
    assert len(digits) == 12
    assert bundles(models) == (written.model_id,)
    record = written.record(made.FIRST + timedelta(days=91))
    assert (record.model_id, record.sha256) == (written.model_id, written.sha256)
    assert record.document == json.loads((written.path / MANIFEST).read_text())


def test_the_same_training_gives_the_same_name_and_the_same_bytes_anywhere(models: Path, tmp_path: Path) -> None:
    first, second = write_bundle(models, made.content()), write_bundle(tmp_path / "other", made.content())
    assert (first.model_id, first.sha256) == (second.model_id, second.sha256)
    for name in FILES:
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes()


def test_writing_a_bundle_twice_is_writing_it_once(models: Path) -> None:
    first = write_bundle(models, made.content())
    before = {name: os.stat(first.path / name) for name in FILES}
    assert write_bundle(models, made.content()) == first
    assert {name: os.stat(first.path / name) for name in FILES} == before
    assert os.listdir(models) == [first.model_id]


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0.56}, {"seed": 8}, {"samples": 641}, {"schema": "schema-2"}, {"versions": {"numpy": "2.1"}},
        {"scores": {}}, {"importances": {}}, {"settings": {}}, {"created_by": "somebody"}, {"calibrator": Identity()},
        {"trained_until": made.FIRST}, {"known_until": made.FIRST + timedelta(days=96)},
        {"trained_from": made.FIRST - timedelta(days=1)},
        {"model": PortableModel(names=made.NAMES, part=made.part(intercept=0.26))},
        {"model": PortableModel(names=("f_rsi", "f_atr", "f_spread"), part=made.part())},
    ],
)  # fmt: skip
def test_anything_else_about_a_training_gives_another_name(models: Path, change: dict[str, Any]) -> None:
    assert write_bundle(models, made.content()).model_id != write_bundle(models, made.content(**change)).model_id


def test_one_changed_weight_changes_the_name_though_no_document_does(models: Path) -> None:
    first, second = (
        write_bundle(models, made.content(model=PortableModel(names=made.NAMES, part=weighted)))
        for weighted in (made.part(), _nudged())
    )
    assert (first.path / MODEL).read_bytes() == (second.path / MODEL).read_bytes()
    assert first.model_id != second.model_id


def _nudged() -> Any:
    part: Any = made.part()
    linear = part.parts[0]
    return replace(part, parts=(replace(linear, weights=np.nextafter(linear.weights, 9.0)), part.parts[1]))


def test_a_bundle_that_was_changed_on_disk_is_not_taken_for_the_same(models: Path) -> None:
    written = write_bundle(models, made.content())
    with open(written.path / MODEL, "ab") as file:
        file.write(b" ")
    with pytest.raises(InvalidInput, match="is there with other bytes"):
        write_bundle(models, made.content())
    assert os.listdir(models) == [written.model_id]


# -- predictions ----------------------------------------------------------------------------------------------------

values = st.none() | st.floats(-1e6, 1e6)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return loaded(tmp_path_factory.mktemp("models"))


@settings(deadline=None, max_examples=60)
@given(row=st.fixed_dictionaries(dict.fromkeys(made.NAMES, values)), more=st.dictionaries(st.text(min_size=9), values))
def test_features_that_it_does_not_take_and_their_order_change_nothing(
    model: LoadedModel, row: dict[str, float | None], more: dict[str, float | None]
) -> None:
    said = model.predict(row)
    assert 0 < said < 1
    assert model.predict({**more, **{name: row[name] for name in reversed(made.NAMES)}}) == said


def test_one_signal_gets_the_same_bits_as_the_whole_table(model: LoadedModel) -> None:
    wide = made.table(200, ("f_other", *reversed(made.NAMES), "f_zoo"))
    together = model.probabilities(wide)
    for row in range(len(wide)):
        told = {
            name: None if np.isnan(value) else float(value)
            for name, value in zip(wide.names, wide.features[row], strict=True)
        }
        assert model.predict(told) == together[row]
    assert len(set(together)) > 100


def test_a_missing_value_is_no_zero_and_a_missing_name_is_an_error(model: LoadedModel) -> None:
    row: dict[str, float | None] = dict.fromkeys(made.NAMES, 1.0)
    assert model.predict({**row, "f_rsi": None}) != model.predict({**row, "f_rsi": 0.0})
    del row["f_rsi"], row["f_spread"]
    with pytest.raises(InvalidInput, match="needs the feature f_rsi, f_spread"):
        model.predict(row)
    with pytest.raises(InvalidInput, match="no feature f_spread"):
        model.probabilities(made.table(5, ("f_atr", "f_rsi")))


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_an_infinite_feature_is_refused(model: LoadedModel, value: float) -> None:
    with pytest.raises(InvalidInput, match="not finite"):
        model.predict({**dict.fromkeys(made.NAMES, 0.0), "f_rsi": value})


def test_no_rows_give_no_probabilities(model: LoadedModel) -> None:
    assert model.probabilities(made.table(0)).shape == (0,)


@pytest.mark.parametrize("said", [float("nan"), -0.1, 1.1])
def test_an_answer_that_is_no_probability_is_refused(model: LoadedModel, said: float) -> None:
    class Broken(Identity):
        def apply(self, p: Any) -> Any:
            return np.full(len(p), said)

    broken = replace(model, calibrator=Broken())
    with pytest.raises(InvalidInput, match="no probability"):
        broken.predict(dict.fromkeys(made.NAMES, 0.0))


@pytest.mark.parametrize(("said", "kept"), [(0.0, 1e-6), (1.0, 0.999999), (0.99999987, 0.999999), (1 / 3, 0.333333)])
def test_a_probability_has_six_digits_and_is_never_certain(model: LoadedModel, said: float, kept: float) -> None:
    class Certain(Identity):
        def apply(self, p: Any) -> Any:
            return np.full(len(p), said)

    certain = replace(model, calibrator=Certain())
    assert certain.predict(dict.fromkeys(made.NAMES, 0.0)) == kept
    assert certain.probabilities(made.table(3)).tolist() == [kept] * 3


@pytest.mark.parametrize(
    "calibrator",
    [
        Identity(), Constant(probability=0.4), Sigmoid(slope=1 / 3, intercept=0.1),
        Isotonic(at=(0.1, 1 / 3, 0.7), said=(0.2, 0.2, 0.9)),
    ],
)  # fmt: skip
def test_every_calibrator_comes_back_bit_for_bit(models: Path, calibrator: Any) -> None:
    assert loaded(models, calibrator=calibrator).calibrator == calibrator


def test_a_model_is_loaded_and_asked_without_any_library_that_trains(models: Path) -> None:
    written = write_bundle(models, made.content())
    program = (
        "import sys; from pathlib import Path; from learning.registry.bundle import load_bundle;"
        f"m = load_bundle(Path(sys.argv[1]), sys.argv[2], sha256=sys.argv[3], schema='{made.SCHEMA}');"
        "m.predict(dict.fromkeys(m.names, 1.0));"
        "sys.exit(str({'sklearn', 'scipy', 'lightgbm', 'river', 'pickle5', 'joblib', 'pandas'} & set(sys.modules)))"
    )
    arguments = [str(models), written.model_id, written.sha256]
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=Path(learning.__file__).parents[1],
        check=False,
    )
    assert ended.stderr.strip() == "set()"


# -- what is refused ------------------------------------------------------------------------------------------------


def refused(models: Path, model_id: str, sha256: str, says: str, schema: str | None = made.SCHEMA) -> None:
    with pytest.raises(InvalidInput, match=says) as error:
        load_bundle(models, model_id, sha256=sha256, schema=schema)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", FILES)
def test_any_tampered_byte_of_any_file_is_found(models: Path, name: str) -> None:
    written = write_bundle(models, made.content())
    path = written.path / name
    whole = path.read_bytes()
    with open(path, "r+b", buffering=0) as file:
        for place, byte in enumerate(whole):
            file.seek(place)
            file.write(bytes([byte ^ (1 << place % 8)]))
            refused(models, written.model_id, written.sha256, "was changed")
            file.seek(place)
            file.write(bytes([byte]))
    for other in (whole[:-1], whole + b"\0", b""):
        path.write_bytes(other)
        refused(models, written.model_id, written.sha256, "was changed")
    path.write_bytes(whole)
    assert load_bundle(models, written.model_id, sha256=written.sha256, schema=made.SCHEMA).threshold == 0.55


def test_the_hash_is_looked_at_before_anything_is_parsed(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_bundle(models, made.content())
    (written.path / MANIFEST).write_text("[" * 100_000)

    def never(*given: object, **named: object) -> None:
        raise AssertionError("parsed before it was verified")

    for owner, name in (
        (json, "loads"), (Manifest, "read"), (PortableModel, "read"), (bundle_module, "load_arrays"),
        (bundle_module, "calibrator_of"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, never)
    refused(models, written.model_id, written.sha256, "was changed")


def test_bytes_may_not_move_from_one_file_to_the_next(models: Path) -> None:
    written = write_bundle(models, made.content())
    first, second = (written.path / name for name in (MANIFEST, MODEL))
    both = first.read_bytes() + second.read_bytes()
    first.write_bytes(both[:10])
    second.write_bytes(both[10:])
    refused(models, written.model_id, written.sha256, "was changed")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(models: Path, name: str) -> None:
    written = write_bundle(models, made.content())
    (written.path / name).unlink()
    refused(models, written.model_id, written.sha256, f"lacks {name}")


def test_a_foreign_file_is_named(models: Path) -> None:
    written = write_bundle(models, made.content())
    (written.path / "model.pkl").write_bytes(b"cos\nsystem\n")
    refused(models, written.model_id, written.sha256, r"has the foreign model\.pkl")


@pytest.mark.parametrize("name", FILES)
def test_a_link_in_the_place_of_a_file_is_refused_though_its_bytes_are_the_same(models: Path, name: str) -> None:
    written = write_bundle(models, made.content())
    elsewhere = models.parent / name
    (written.path / name).rename(elsewhere)
    (written.path / name).symlink_to(elsewhere)
    refused(models, written.model_id, written.sha256, "cannot be read")


def test_a_link_in_the_place_of_the_folder_is_refused(models: Path) -> None:
    written = write_bundle(models, made.content())
    elsewhere = models.parent / "elsewhere"
    written.path.rename(elsewhere)
    written.path.symlink_to(elsewhere)
    refused(models, written.model_id, written.sha256, "not a folder of its own")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_at_once(models: Path, make: Callable[[Path], None]) -> None:
    written = write_bundle(models, made.content())
    (written.path / MODEL).unlink()
    make(written.path / MODEL)
    refused(models, written.model_id, written.sha256, "not a plain file|cannot be read")


def test_a_file_that_is_too_large_is_not_read(models: Path) -> None:
    written = write_bundle(models, made.content())
    os.truncate(written.path / ARRAYS, 2**40)
    refused(models, written.model_id, written.sha256, "more than the")


def test_a_bundle_that_is_not_there_is_named(models: Path) -> None:
    refused(models, "voting-0123456789ab", "0" * 64, "there is no .*voting-0123456789ab")


@pytest.mark.parametrize("name", ["", ".", "..", "../models", "a/b", ".draft-x", "/etc", "A"])
def test_a_name_that_leads_elsewhere_is_refused(models: Path, name: str) -> None:
    refused(models, name, "0" * 64, "cannot name a bundle")


def test_another_schema_is_refused_unless_none_is_given(models: Path) -> None:
    written = write_bundle(models, made.content())
    refused(models, written.model_id, written.sha256, "takes the features schema-1, not those of schema-2", "schema-2")
    assert load_bundle(models, written.model_id, sha256=written.sha256, schema=None).manifest.schema == "schema-1"


def test_a_bundle_under_another_name_is_refused(models: Path) -> None:
    written = write_bundle(models, made.content())
    other = written.model_id[:-1] + ("0" if written.model_id[-1] != "0" else "1")
    written.path.rename(models / other)
    refused(models, other, written.sha256, f"holds the model {written.model_id}")


# From here on the hash is that of the broken files: what is refused is refused for what it says.


def manifest_of(models: Path) -> tuple[Path, dict[str, Any]]:
    path = write_bundle(models, made.content()).path
    return path, json.loads((path / MANIFEST).read_text())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": FORMAT + 1}, "of format 2 cannot be read"),
        ({"format": None}, "of format None"),
        ({"threshold": 0.9}, "its content is"),
        ({"threshold": "0.9"}, "cannot be read"),
        ({"threshold": 9}, "threshold of 9"),
        ({"seed": -1}, "seed -1"),
        ({"more": 1}, "unexpected keyword"),
        ({"names": ["f_rsi"]}, "its content is"),
        ({"trained_until": "yesterday"}, "yesterday"),
        ({"trained_until": "2024-03-31T00:00:00"}, "without a zone"),
        ({"model_id": "voting-000000000000"}, "calls it 'voting-000000000000'"),
    ],
)
def test_a_manifest_that_says_anything_else_is_refused(models: Path, change: dict[str, Any], says: str) -> None:
    path, document = manifest_of(models)
    text = json.dumps({**document, **change}, sort_keys=True, separators=(",", ":")) + "\n"
    (path / MANIFEST).write_text(text)
    refused(models, path.name, made.pinned(path), says)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "{}", '{"format":1}', "\xff", "[" * 100_000])
def test_a_manifest_that_is_none_is_refused(models: Path, text: str) -> None:
    path, _ = manifest_of(models)
    (path / MANIFEST).write_text(text, encoding="latin-1")
    refused(models, path.name, made.pinned(path), "manifest cannot be read")


def test_a_manifest_in_another_written_form_is_refused(models: Path) -> None:
    path, document = manifest_of(models)
    (path / MANIFEST).write_text(json.dumps(document, indent=1))
    refused(models, path.name, made.pinned(path), "its content is")


def rewritten(models: Path, document: dict[str, Any], stored: dict[str, Any], **changes: Any) -> tuple[str, str]:
    """A bundle whose manifest is lawful and agrees with its model, whatever that is."""
    manifest = write_bundle(models.parent / "lawful", made.content()).manifest
    text = json.dumps(document)
    named = {name: bundle_module.array_sha256(array) for name, array in stored.items()}
    fitting = {"model_sha256": hashlib.sha256(text.encode()).hexdigest(), "arrays": named}
    return made.lay(models, replace(manifest, **{**fitting, **changes}), document, stored)


def test_an_unknown_part_is_refused(models: Path) -> None:
    document, arrays = made.content().model.document()
    part = document["part"]
    assert isinstance(part, dict)
    other = {**document, "part": {**part, "kind": "oracle"}}
    refused(models, *rewritten(models, other, arrays), "cannot be loaded: .*oracle")


def test_a_model_of_other_features_than_the_manifest_names_is_refused(models: Path) -> None:
    document, arrays = made.content().model.document()
    other = {**document, "names": ["f_x", "f_y", "f_z"]}
    refused(models, *rewritten(models, other, arrays), "other features than its manifest")


def test_a_model_or_an_array_that_the_manifest_does_not_name_is_refused(models: Path) -> None:
    document, arrays = made.content().model.document()
    refused(models, *rewritten(models, document, arrays, model_sha256="0" * 64), "another model than its manifest")
    swapped = {name: np.zeros_like(array) if "weights" in name else array for name, array in arrays.items()}
    named = {name: bundle_module.array_sha256(array) for name, array in swapped.items()}
    model_id, sha256 = rewritten(models, document, arrays, arrays=named)
    refused(models, model_id, sha256, "not those that its manifest names")


def test_arrays_that_change_after_they_were_verified_are_found(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_bundle(models, made.content())
    real = bundle_module.load_arrays

    def swapped(path: Path) -> Any:
        return {name: array + 1 for name, array in real(path).items()}

    monkeypatch.setattr(bundle_module, "load_arrays", swapped)
    refused(models, written.model_id, written.sha256, "not those that its manifest names")


@pytest.mark.parametrize("calibrator", [{"kind": "oracle"}, {"kind": "sigmoid", "slope": -1, "intercept": 0}, {}])
def test_an_unknown_calibrator_is_refused(models: Path, calibrator: dict[str, Any]) -> None:
    document, arrays = made.content().model.document()
    laid = rewritten(models, json.loads(bundle_module.document_text(document)), arrays, calibrator=calibrator)
    refused(models, *laid, "cannot be loaded")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"family": "../x"}, "lawful family"),
        ({"family": ""}, "lawful family"),
        ({"schema": ""}, "schema"),
        ({"threshold": float("nan")}, "threshold"),
        ({"threshold": 1.5}, "threshold"),
        ({"samples": 0}, "at least 1"),
        ({"seed": -1}, "seed"),
        ({"trained_until": made.FIRST - timedelta(days=1)}, "until before"),
        ({"known_until": made.FIRST + timedelta(days=89)}, "known before"),
        ({"trained_until": datetime(2024, 5, 1)}, "without a zone"),  # noqa: DTZ001  # that is what is refused
        ({"scores": {"auc": float("nan")}}, "finite"),
        ({"scores": {"auc": np.float32(0.5)}}, "float32"),
        ({"settings": {"families": ("a", "b")}}, "tuple"),
        ({"importances": {"f_x": np.int64(1)}}, "int64"),
    ],
)
def test_content_that_is_no_lawful_bundle_is_refused_and_nothing_is_written(
    models: Path, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        write_bundle(models, made.content(**change))
    assert not models.exists()
