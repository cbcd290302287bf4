"""A model as a document and arrays: back bit for bit, refused when tampered with, free of its libraries."""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.portable.model import PortableModel, load_arrays, save_arrays
from learning.portable.parts import Constant, Kernel, Linear, Mixture, Network, Part, Regimes, Stack, Trees
from learning.portable.preparation import Preparation
from learning.portable.trees import Nodes

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("f_a", "f_b")
X = np.array([[0.3, -1.0], [np.nan, 2.0], [1e9, np.nan], [0.5, 0.5]])


def tree(*values: float) -> Nodes:
    """A root over a leaf and a node with two leaves."""
    return Nodes(
        feature=np.array([0, 0, 1, 0, 0]),
        threshold=np.array([0.5, 0, -0.3, 0, 0]),
        left=np.array([1, -1, 3, -1, -1]),
        right=np.array([2, -1, 4, -1, -1]),
        missing_left=np.array([True, False, False, False, False]),
        value=np.array([0.0, values[0], 0.0, values[1], values[2]]),
    )


def every_kind() -> Part:
    rng = np.random.default_rng(9)
    preparation = Preparation.fit(rng.normal(size=(30, 2)), np.ones(30))
    linear = Linear(preparation=preparation, weights=rng.normal(size=2), intercept=0.1)
    network = Network(
        preparation=preparation,
        weights=(rng.normal(size=(2, 3)), rng.normal(size=(3, 1))),
        biases=(rng.normal(size=3), rng.normal(size=1)),
        activation="logistic",
    )
    kernel = Kernel(
        preparation=preparation,
        support=rng.normal(size=(4, 2)),
        coefficients=rng.normal(size=4),
        intercept=-0.2,
        gamma=0.4,
        slope=-2.0,
        offset=0.1,
    )
    forest = Trees.from_nodes(
        [tree(0.1, 0.4, 0.8), tree(0.3, 0.2, 0.6)], width=2, average=True, link="probability", single=True
    )
    boosted = Trees.from_nodes([tree(-1 / 3, 0.1, 0.7)], width=2, base=-0.3, preparation=preparation)
    mixture = Mixture(parts=(network, kernel, forest), weights=np.array([0.2, 0.3, 0.5]))
    regimes = Regimes(
        parts=(linear, boosted), columns=(1,), edges=(np.array([0.0]),), weights=np.array([[1, 0], [0, 1], [0.5, 0.5]])
    )
    return Stack(
        parts=(mixture, regimes, Constant(log_odds_value=-0.3)), coefficients=np.array([0.7, 0.2, 1.0]), intercept=0.05
    )


def model() -> PortableModel:
    return PortableModel(names=NAMES, part=every_kind())


def test_a_model_is_the_same_bits_after_its_document_went_through_json_and_a_file(tmp_path: Path) -> None:
    document, arrays = model().document()
    save_arrays(arrays, tmp_path / "arrays.npz")
    read = PortableModel.read(json.loads(json.dumps(document)), load_arrays(tmp_path / "arrays.npz"))
    assert np.array_equal(read.probability(X), model().probability(X))
    again, same = read.document()
    assert again == document
    assert same.keys() == arrays.keys()
    assert all(np.array_equal(same[name], arrays[name]) and same[name].dtype == arrays[name].dtype for name in arrays)


def test_equal_arrays_give_equal_bytes_whatever_their_order_and_memory_order(tmp_path: Path) -> None:
    _, arrays = model().document()
    save_arrays(arrays, tmp_path / "one.npz")
    other = {name: np.asfortranarray(arrays[name]) for name in reversed(arrays)}
    save_arrays(other, tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_the_bytes_of_a_file_hold_no_time_and_no_compression(tmp_path: Path) -> None:
    save_arrays({"b": np.arange(3), "a": np.ones((2, 2))}, tmp_path / "arrays.npz")
    with zipfile.ZipFile(tmp_path / "arrays.npz") as archive:
        members = archive.infolist()
    assert [member.filename for member in members] == ["a.npy", "b.npy"]
    assert {(member.date_time, member.compress_type, member.create_system) for member in members} == {
        ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3)
    }


def test_numpy_itself_reads_the_file(tmp_path: Path) -> None:
    save_arrays({"a": np.array([1.5, -2.0]), "flag": np.array(True), "none": np.empty((0, 3))}, tmp_path / "arrays.npz")
    assert load_arrays(tmp_path / "arrays.npz")["none"].shape == (0, 3)
    with np.load(tmp_path / "arrays.npz", allow_pickle=False) as read:
        assert read["a"].tolist() == [1.5, -2.0]
        assert read["flag"].tolist() is True


def test_probabilities_stay_away_from_certainty() -> None:
    certain = PortableModel(names=("f_a",), part=Constant(log_odds_value=1e9))
    assert certain.probability(np.zeros((2, 1))).tolist() == [1 - 1e-6, 1 - 1e-6]


@pytest.mark.parametrize("shape", [(3, 1), (3, 3), (2,), (1, 2, 2)])
def test_rows_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="rows of shape"):
        model().probability(np.zeros(shape))


def test_an_answer_that_is_no_number_is_refused() -> None:
    one = Constant(log_odds_value=10.0)
    part = Stack(parts=(one, one), coefficients=np.array([1.7e308, -1.7e308]), intercept=0.0)
    with pytest.raises(InvalidInput, match="not a number"):
        PortableModel(names=NAMES, part=part)


@pytest.mark.parametrize("names", [(), ("f_a",), ("f_a", "f_a"), ("f_a", "")])
def test_names_that_do_not_fit_the_part_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="column"):
        PortableModel(names=names, part=every_kind())


def test_a_regime_column_that_no_row_has_is_refused_when_the_model_is_made() -> None:
    part = Regimes(
        parts=(Constant(log_odds_value=0.1),), columns=(2,), edges=(np.array([0.0]),), weights=np.ones((3, 1))
    )
    with pytest.raises(InvalidInput, match="columns"):
        PortableModel(names=NAMES, part=part)


def boosted() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    part = Trees.from_nodes([tree(-1.0, 0.1, 0.7), tree(0.2, 0.3, 0.4)], width=2)
    document, arrays = PortableModel(names=NAMES, part=part).document()
    return document, {name: array.copy() for name, array in arrays.items()}


def test_the_untampered_trees_are_read() -> None:
    PortableModel.read(*boosted())


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("feature", 0, 2),
        ("feature", 0, -1),
        ("threshold", 2, np.nan),
        ("threshold", 2, -np.inf),
        ("value", 1, np.nan),
        ("value", 1, np.inf),
        ("child", 0, 9),  # its right child would lie outside
        ("child", 0, 2**31 - 1),
        ("child", 0, -2),
        ("child", 2, 0),  # a cycle
        ("child", 2, 2),  # a node that is its own child
        ("child", 2, 1),  # a sibling that is its own child's parent
        ("child", 0, 3),  # two parents
        ("child", 0, 6),  # a child in another tree
        ("child", 0, -1),  # nodes that hang on nothing
        ("roots", 1, 4),  # a root within another tree
        ("roots", 1, 0),
        ("roots", 1, 10),
        ("roots", 0, -1),
    ],
)
def test_trees_that_were_tampered_with_are_refused(name: str, place: int, value: float) -> None:
    document, arrays = boosted()
    arrays[f"part.{name}"][place] = value
    with pytest.raises(InvalidInput, match="trees"):
        PortableModel.read(document, arrays)


def test_nodes_that_form_a_ring_beside_the_trees_are_refused() -> None:
    document, arrays = boosted()
    arrays["part.child"][:5] = (-1, 3, -1, 1, -1)  # each but the root has one parent
    with pytest.raises(InvalidInput, match="one of the nodes after it"):
        PortableModel.read(document, arrays)


@pytest.mark.parametrize("name", model().document()[1])
def test_an_array_that_is_missing_of_another_type_or_of_another_shape_is_refused(name: str) -> None:
    document, arrays = model().document()
    for spoilt in (None, arrays[name].astype(np.complex128), arrays[name].astype(">f8"), arrays[name].astype(str)):
        rest = {**arrays, name: spoilt} if spoilt is not None else {key: arrays[key] for key in arrays if key != name}
        with pytest.raises(InvalidInput, match=name.replace(".", r"\.")):
            PortableModel.read(document, rest)
    for spoilt in (arrays[name][..., np.newaxis], arrays[name][:-1], arrays[name].ravel()[0]):
        with pytest.raises(InvalidInput):
            PortableModel.read(document, {**arrays, name: np.asarray(spoilt)})


@pytest.mark.parametrize("name", [name for name, array in model().document()[1].items() if array.dtype.kind == "f"])
def test_a_number_that_is_not_finite_is_refused(name: str) -> None:
    document, arrays = model().document()
    for value in (np.nan, -np.inf):
        spoilt = arrays[name].copy()
        spoilt.flat[-1] = value
        with pytest.raises(InvalidInput, match="finite"):
            PortableModel.read(document, {**arrays, name: spoilt})


def test_an_array_too_many_is_refused() -> None:
    document, arrays = model().document()
    with pytest.raises(InvalidInput, match="does not name the arrays stray"):
        PortableModel.read(document, {**arrays, "stray": np.zeros(1)})


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a document, containers included."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [(*path, key) for key, _ in inner] + [
        deeper for key, value in inner for deeper in places(value, (*path, key))
    ]


@pytest.mark.parametrize("path", [(), ("part",), ("part", "parts", 2), ("part", "parts", 0, "parts", 0, "preparation")])
def test_a_field_too_many_is_refused(path: tuple[Any, ...]) -> None:
    document, arrays = model().document()
    at(document, path)["stray"] = 1
    with pytest.raises(InvalidInput, match=r"format|fields"):
        PortableModel.read(document, arrays)


WRONG = (None, True, "?", -1, 10**400, float("nan"), [{}], {"kind": []}, {"kind": "linear", "x": 1})


def allowed(path: tuple[Any, ...], was: Any, value: Any) -> bool:
    """Another number is a number, and another name a name."""
    return (
        (isinstance(was, bool) and value is True)
        or (isinstance(was, float) and value == -1)
        or (path[0] == "names" and len(path) == 2 and value == "?")
    )


@pytest.mark.parametrize("path", places(model().document()[0]), ids=lambda path: ".".join(map(str, path)))
def test_a_field_of_the_document_that_is_missing_or_of_another_type_is_refused(path: tuple[Any, ...]) -> None:
    document, arrays = model().document()
    *above, last = path
    was = at(document, path)
    for value in [wrong for wrong in WRONG if not allowed(path, was, wrong) and wrong is not was]:
        tampered = copy.deepcopy(document)
        at(tampered, above)[last] = value
        with pytest.raises(InvalidInput):
            PortableModel.read(tampered, arrays)
    tampered = copy.deepcopy(document)
    del at(tampered, above)[last]
    with pytest.raises(InvalidInput):
        PortableModel.read(tampered, arrays)


def at(document: Any, path: Sequence[Any]) -> Any:
    for key in path:
        document = document[key]
    return document


def test_parts_nested_without_end_are_refused() -> None:
    part: Part = Constant(log_odds_value=0.0)
    for _ in range(9):
        part = Stack(parts=(part,), coefficients=np.ones(1), intercept=0.0)
    with pytest.raises(InvalidInput, match="deeper"):
        PortableModel.read(*PortableModel(names=NAMES, part=part).document())


def written(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=pickled)
    return content.getvalue()


GOOD = npy(np.arange(4.0))
CLAIMS_A_TERABYTE = GOOD.replace(b"(4,), }         ", b"(99999999999,), }")
FILES = {
    "empty": b"",
    "no archive": b"not an archive",
    "a single array": GOOD,
    "a truncated archive": written(**{"a.npy": GOOD})[:-30],
    "objects": written(**{"a.npy": npy(np.array([object, None]), pickled=True)}),
    "text": written(**{"a.npy": npy(np.array(["a"]))}),
    "a member that is no array": written(**{"a.npy": b"hello"}),
    "a member of another name": written(**{"a.txt": GOOD}),
    "bytes after the array": written(**{"a.npy": GOOD + b"x"}),
    "bytes missing from the array": written(**{"a.npy": GOOD[:-1]}),
    "a header that lies": written(**{"a.npy": CLAIMS_A_TERABYTE}),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_a_file_that_is_no_archive_of_arrays_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "arrays.npz").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"arrays\.npz"):
        load_arrays(tmp_path / "arrays.npz")


def test_the_lying_header_claims_what_it_should() -> None:
    assert b"99999999999" in CLAIMS_A_TERABYTE
    assert len(CLAIMS_A_TERABYTE) == len(GOOD) + 1


def test_a_compressed_archive_and_one_with_a_name_twice_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "packed.npz", a=np.zeros(1000))
    with pytest.raises(InvalidInput, match="compressed"):
        load_arrays(tmp_path / "packed.npz")
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as archive:
        archive.writestr("a.npy", GOOD)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", GOOD)
    with pytest.raises(InvalidInput, match="once"):
        load_arrays(tmp_path / "twice.npz")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"gone\.npz"):
        load_arrays(tmp_path / "gone.npz")


def test_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="only numbers"):
        save_arrays({"a": np.array([None])}, tmp_path / "arrays.npz")
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_reads_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    kept = {"a": np.arange(5.0), "b": np.array([[True, False]])}
    save_arrays(kept, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        read = load_arrays(path)
    except InvalidInput:
        return
    assert [array.tolist() for array in read.values()] == [array.tolist() for array in kept.values()]


READ_AND_ANSWER = """
import json, sys
from pathlib import Path
import numpy as np
from learning.portable.model import PortableModel, load_arrays
folder = Path(sys.argv[1])
model = PortableModel.read(json.loads((folder / "model.json").read_text()), load_arrays(folder / "arrays.npz"))
said = model.probability(np.array([[0.3, -1.0], [np.nan, 2.0]])).tolist()
import learning.portable.export
heavy = {"sklearn", "lightgbm", "scipy", "pandas", "river", "pickle5", "joblib"}
print(json.dumps([said, sorted(heavy & {name.partition(".")[0] for name in sys.modules})]))
"""


def test_a_stored_model_answers_in_a_process_that_has_none_of_the_training_libraries(tmp_path: Path) -> None:
    document, arrays = model().document()
    (tmp_path / "model.json").write_text(json.dumps(document))
    save_arrays(arrays, tmp_path / "arrays.npz")
    done = subprocess.run(
        [sys.executable, "-c", READ_AND_ANSWER, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said, heavy = json.loads(done.stdout)
    assert heavy == []
    assert said == model().probability(X[:2]).tolist()
