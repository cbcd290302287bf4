"""Model families by name: those that are shipped, and the loader of a user's own."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType

from domain.errors import InvalidInput
from learning.families.boosters import LightGbm, XgBoost
from learning.families.ensembles import Ensemble
from learning.families.family import Family, Setting
from learning.families.kernel import Svm
from learning.families.linear import Logistic
from learning.families.network import NeuralNetwork
from learning.families.trees import GradientBoosting, HistogramBoosting, RandomForest

__all__ = ["FAMILIES", "Family", "Setting", "families_in", "family_named"]

_SHIPPED: tuple[Family, ...] = (
    Logistic(),
    HistogramBoosting(),
    RandomForest(),
    GradientBoosting(),
    LightGbm(),
    XgBoost(),
    Svm(),
    NeuralNetwork(),
)
FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in _SHIPPED})
"""The shipped families. LightGBM and XGBoost say how to get their library when it is not there."""


def family_named(name: str, families: Mapping[str, Family] = FAMILIES) -> Family:
    """The family of this name; raises `InvalidInput` with the names there are."""
    found = families.get(name)
    if found is None:
        raise InvalidInput(f"there is no model family {name!r}; there are {', '.join(sorted(families))}")
    return found


def families_in(folder: Path) -> Mapping[str, Family]:
    """The shipped families and, in order of file name, one from every `*.py` file of `folder`, by name.

    Raises `InvalidInput`, naming the file, when the folder is not there, a file cannot be run, holds no or more
    than one family, or reuses a name. The files are Python and run with all rights of the process.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is not a folder of model families")
    found = dict(FAMILIES)
    for path in sorted(folder.glob("*.py")):
        family = _load(path)
        if family.name in found or family.name in tuple(Ensemble):
            raise InvalidInput(f"{path}: a family or ensemble named {family.name!r} is already there; names are unique")
        found[family.name] = family
    return MappingProxyType(found)


def _load(path: Path) -> Family:
    module = _run(path)
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and Family in value.__mro__ and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise InvalidInput(f"{path}: it holds {len(classes)} families; exactly one subclass of Family is allowed")
    found = classes[0]
    if inspect.isabstract(found) or not isinstance(getattr(found, "name", None), str):
        raise InvalidInput(f"{path}: {found.__name__} must define settings(), fit() and the text name")
    family: Family = found()
    return family


def _run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ratchet_family_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{path}: this file cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError, OSError) as error:
        raise InvalidInput(f"{path}: this model family file cannot be run: {error}") from error
    return module
