"""Parts as documents and back: numbers and names in the document, arrays beside it under the path of their field."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import InvalidInput
from learning.portable.parts import Constant, Kernel, Linear, Mixture, Network, Part, Regimes, Stack, Trees
from learning.portable.preparation import Preparation

DEEPEST = 8
"""Parts within parts within parts: an ensemble of ensembles needs three."""


class Field(Enum):
    """What a field of a part is in a document."""

    NUMBER = auto()
    WHOLE = auto()
    TRUTH = auto()
    TEXT = auto()
    WHOLES = auto()
    FLOATS = auto()
    THRESHOLDS = auto()
    INDICES = auto()
    TRUTHS = auto()
    LAYERS = auto()
    PREPARATION = auto()
    PREPARATION_OR_NONE = auto()
    PARTS = auto()


_DTYPES: Mapping[Field, tuple[str, ...]] = {
    Field.FLOATS: ("float64",),
    Field.THRESHOLDS: ("float32", "float64"),
    Field.INDICES: ("int32",),
    Field.TRUTHS: ("bool",),
}
_PREPARATION = {"centre": Field.FLOATS, "scale": Field.FLOATS, "fill": Field.FLOATS, "clip": Field.NUMBER}
_PARTS: Mapping[str, tuple[Callable[..., Part], Mapping[str, Field]]] = {
    "constant": (Constant, {"log_odds_value": Field.NUMBER}),
    "linear": (
        Linear,
        {"preparation": Field.PREPARATION, "weights": Field.FLOATS, "intercept": Field.NUMBER},
    ),
    "trees": (
        Trees,
        {
            "feature": Field.INDICES,
            "threshold": Field.THRESHOLDS,
            "child": Field.INDICES,
            "missing_left": Field.TRUTHS,
            "value": Field.FLOATS,
            "roots": Field.INDICES,
            "width": Field.WHOLE,
            "base": Field.NUMBER,
            "average": Field.TRUTH,
            "link": Field.TEXT,
            "preparation": Field.PREPARATION_OR_NONE,
        },
    ),
    "network": (
        Network,
        {
            "preparation": Field.PREPARATION,
            "weights": Field.LAYERS,
            "biases": Field.LAYERS,
            "activation": Field.TEXT,
        },
    ),
    "kernel": (
        Kernel,
        {
            "preparation": Field.PREPARATION,
            "support": Field.FLOATS,
            "coefficients": Field.FLOATS,
            "intercept": Field.NUMBER,
            "gamma": Field.NUMBER,
            "slope": Field.NUMBER,
            "offset": Field.NUMBER,
        },
    ),
    "mixture": (Mixture, {"parts": Field.PARTS, "weights": Field.FLOATS}),
    "stack": (Stack, {"parts": Field.PARTS, "coefficients": Field.FLOATS, "intercept": Field.NUMBER}),
    "regimes": (
        Regimes,
        {"parts": Field.PARTS, "columns": Field.WHOLES, "edges": Field.LAYERS, "weights": Field.FLOATS},
    ),
}
_KINDS = {part: kind for kind, (part, _) in _PARTS.items()}

Arrays = dict[str, NDArray[Any]]


def write_part(part: Part, path: str, arrays: Arrays) -> dict[str, object]:
    """The part's document; its arrays are added to `arrays` under names that begin with `path`."""
    kind = _KINDS[type(part)]
    return {"kind": kind, **_written(part, _PARTS[kind][1], path, arrays)}


def read_part(document: object, path: str, arrays: Arrays, depth: int = 0) -> Part:
    """The part of a document; what it takes from `arrays` is taken out. Raises `InvalidInput` at any fault."""
    if depth > DEEPEST:
        raise InvalidInput(f"{path} lies deeper than {DEEPEST} parts within each other")
    kind = document.get("kind") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(kind, str) or kind not in _PARTS:
        raise InvalidInput(f"{path} is of the kind {kind!r}; allowed are {', '.join(_PARTS)}")
    build, fields = _PARTS[kind]
    given = {name: value for name, value in document.items() if name != "kind"}
    return build(**_read_fields(given, fields, path, arrays, depth))


def _written(owner: object, fields: Mapping[str, Field], path: str, arrays: Arrays) -> dict[str, object]:
    document: dict[str, object] = {}
    for name, field in fields.items():
        value, place = getattr(owner, name), f"{path}.{name}"
        if field in _DTYPES:
            arrays[place] = value
        elif field is Field.LAYERS:
            arrays.update({f"{place}.{layer}": array for layer, array in enumerate(value)})
            document[name] = len(value)
        elif field is Field.PARTS:
            document[name] = [write_part(part, f"{place}.{number}", arrays) for number, part in enumerate(value)]
        elif isinstance(value, Preparation):
            document[name] = _written(value, _PREPARATION, place, arrays)
        else:
            document[name] = list(value) if field is Field.WHOLES else value
    return document


def _read_fields(
    given: Mapping[str, object], fields: Mapping[str, Field], path: str, arrays: Arrays, depth: int
) -> dict[str, Any]:
    wanted = {name for name, field in fields.items() if field not in _DTYPES}
    if set(given) != wanted:
        raise InvalidInput(f"{path} has the fields {sorted(given)}; it must have {sorted(wanted)}")
    return {
        name: _read_field(given.get(name), field, f"{path}.{name}", arrays, depth) for name, field in fields.items()
    }


def _read_field(value: object, field: Field, place: str, arrays: Arrays, depth: int) -> object:
    if field in _DTYPES:
        return _taken(place, _DTYPES[field], arrays)
    if field is Field.LAYERS:
        count = _whole(value, place)
        if count > len(arrays):
            raise InvalidInput(f"{place} names {count} arrays, of which some are missing")
        return tuple(_taken(f"{place}.{layer}", ("float64",), arrays) for layer in range(count))
    if field is Field.PARTS:
        if not isinstance(value, list):
            raise InvalidInput(f"{place} is no list of parts")
        return tuple(read_part(each, f"{place}.{number}", arrays, depth + 1) for number, each in enumerate(value))
    if field is Field.PREPARATION_OR_NONE and value is None:
        return None
    if field in (Field.PREPARATION, Field.PREPARATION_OR_NONE):
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{place} is no preparation")
        return Preparation(**_read_fields(value, _PREPARATION, place, arrays, depth))
    return _read_plain(value, field, place)


def _read_plain(value: object, field: Field, place: str) -> object:
    if field is Field.WHOLE:
        return _whole(value, place)
    if field is Field.WHOLES:
        if not isinstance(value, list):
            raise InvalidInput(f"{place} is no list of whole numbers")
        return tuple(_whole(each, place) for each in value)
    if field is Field.TRUTH and isinstance(value, bool):
        return value
    if field is Field.TEXT and isinstance(value, str):
        return value
    if field is Field.NUMBER and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise InvalidInput(f"{place} is {value!r}, which is no finite {field.name.lower()}")


def _whole(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise InvalidInput(f"{place} is {value!r}; it must be a whole number from 0 on")
    return value


def _taken(place: str, dtypes: tuple[str, ...], arrays: Arrays) -> NDArray[Any]:
    array = arrays.pop(place, None)
    if array is None:
        raise InvalidInput(f"array {place} is missing")
    if array.dtype not in [np.dtype(dtype) for dtype in dtypes]:
        raise InvalidInput(f"array {place} is of {array.dtype}; allowed is {' or '.join(dtypes)}")
    return array
