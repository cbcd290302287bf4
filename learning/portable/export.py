"""From a fitted estimator of scikit-learn or LightGBM to a portable part.

Nothing of either library is imported: what is read is what the estimator already holds. How exactly a part agrees
with its estimator is said at each family; beyond probabilities of 1e-6 and 1 - 1e-6 every part is drawn in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from domain.errors import InvalidInput
from learning.portable.parts import ACTIVATIONS, Kernel, Linear, Network, Part, Trees
from learning.portable.preparation import Preparation
from learning.portable.trees import Nodes
from learning.table import Floats

_ZERO = float(np.float32(1e-35))
_DUMPED_INFINITY = 1e300
_WITHOUT_MISSING = "{} cannot take missing values: it is exported with the preparation it was fitted behind"


def exported(estimator: object, preparation: Preparation | None) -> Part:
    """The part that says what this fitted two-class estimator says.

    `preparation` is what its training rows went through; None where it was fitted on raw features, which only the
    families that take missing values can be (forests, histogram boosting, LightGBM). Classes must be 0 and 1.
    A support vector machine's part has slope -1 and offset 0 until Platt's are put in.

    Raises `InvalidInput` for any other class, for one that is not fitted, and for a form that is not reproduced
    (categorical features, other losses, other kernels, LightGBM's zero as missing, linear trees).
    """
    kind = type(estimator)
    name, library = kind.__name__, kind.__module__.partition(".")[0]
    export = _EXPORTS.get((library, name))
    if export is None:
        accepted = ", ".join(sorted(accepted for _, accepted in _EXPORTS))
        raise InvalidInput(f"a {library} {name} cannot be made portable; accepted are {accepted}")
    if not hasattr(estimator, "classes_"):
        raise InvalidInput(f"a {name} that is not fitted cannot be made portable")
    classes = np.asarray(estimator.classes_)
    if classes.dtype.kind not in "iufb" or classes.shape != (2,) or not bool((classes == (0, 1)).all()):
        raise InvalidInput(f"a {name} of the classes {classes.tolist()} cannot be made portable; they must be 0 and 1")
    if preparation is not None and preparation.width != getattr(estimator, "n_features_in_", None):
        raise InvalidInput(f"a preparation of {preparation.width} columns does not belong to this {name}")
    return export(estimator, preparation)


def _linear(estimator: Any, preparation: Preparation | None) -> Part:
    """Agrees within rounding, 1e-12."""
    return Linear(
        preparation=_needed(estimator, preparation),
        weights=estimator.coef_[0],
        intercept=float(estimator.intercept_[0]),
    )


def _forest(estimator: Any, preparation: Preparation | None) -> Part:
    """The same mean of leaf shares, bit for bit: rows are rounded to float32 as the library rounds them."""
    trees = []
    for each in estimator.estimators_:
        tree = each.tree_
        shares = tree.value[:, 0, 1]
        trees.append(_nodes_of(tree, shares))
    return Trees.from_nodes(
        trees,
        width=estimator.n_features_in_,
        average=True,
        link="probability",
        single=True,
        preparation=preparation,
    )


def _gradient_boosting(estimator: Any, preparation: Preparation | None) -> Part:
    """Agrees within rounding, 1e-12; rows are rounded to float32 as the library rounds them."""
    prior = getattr(estimator.init_, "class_prior_", None)
    if estimator.loss != "log_loss" or not (prior is not None or isinstance(estimator.init_, str)):
        raise InvalidInput("a GradientBoostingClassifier needs loss log_loss and its own or no first guess")
    base = 0.0
    if prior is not None:
        nearest = np.finfo(np.float64).eps
        winners = min(max(float(prior[1]), nearest), 1.0 - nearest)
        base = math.log(winners / (1.0 - winners))
    stages = [each.tree_ for each in estimator.estimators_[:, 0]]
    return Trees.from_nodes(
        [_nodes_of(tree, tree.value[:, 0, 0] * estimator.learning_rate) for tree in stages],
        width=estimator.n_features_in_,
        base=base,
        single=True,
        preparation=_needed(estimator, preparation),
    )


def _nodes_of(tree: Any, value: Any) -> Nodes:
    return Nodes(
        feature=tree.feature,
        threshold=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        missing_left=np.asarray(tree.missing_go_to_left, dtype=np.bool_),
        value=value,
    )


def _histogram_boosting(estimator: Any, preparation: Preparation | None) -> Part:
    """The same sum of the same float64 values in the same order, bit for bit up to the last exponential."""
    categorical = estimator.is_categorical_
    if estimator.loss != "log_loss" or (categorical is not None and bool(np.any(categorical))):
        raise InvalidInput("a HistGradientBoostingClassifier needs loss log_loss and no categorical feature")
    trees = []
    for (predictor,) in estimator._predictors:  # noqa: SLF001 - the library shows its trees nowhere else
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(np.bool_)
        trees.append(
            Nodes(
                feature=nodes["feature_idx"],
                threshold=nodes["num_threshold"],
                left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
                right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
                missing_left=nodes["missing_go_to_left"].astype(np.bool_),
                value=nodes["value"],
            )
        )
    base = float(np.ravel(estimator._baseline_prediction)[0])  # noqa: SLF001 - nor its first guess
    return Trees.from_nodes(trees, width=estimator.n_features_in_, base=base, preparation=preparation)


def _network(estimator: Any, preparation: Preparation | None) -> Part:
    """Agrees within rounding, 1e-12."""
    if estimator.activation not in ACTIVATIONS:
        raise InvalidInput(f"an MLPClassifier with {estimator.activation}; allowed are {', '.join(ACTIVATIONS)}")
    return Network(
        preparation=_needed(estimator, preparation),
        weights=tuple(estimator.coefs_),
        biases=tuple(estimator.intercepts_),
        activation=estimator.activation,
    )


def _kernel(estimator: Any, preparation: Preparation | None) -> Part:
    """`Kernel.decision` agrees with the decision function within 1e-9: distances are taken from scalar products."""
    if estimator.kernel != "rbf":
        raise InvalidInput(f"an SVC with the kernel {estimator.kernel} cannot be made portable; it must be rbf")
    return Kernel(
        preparation=_needed(estimator, preparation),
        support=estimator.support_vectors_,
        coefficients=estimator.dual_coef_[0],
        intercept=float(estimator.intercept_[0]),
        gamma=float(estimator._gamma),  # noqa: SLF001 - where gamma is "scale", the number is nowhere else
        slope=-1.0,
        offset=0.0,
    )


def _lightgbm(estimator: Any, preparation: Preparation | None) -> Part:
    """Agrees within rounding, 1e-12; trees up to the best iteration, as its own prediction."""
    dump = estimator.booster_.dump_model()
    objective, *settings = str(dump["objective"]).split()
    if objective != "binary":
        raise InvalidInput(
            f"an LGBMClassifier with the objective {objective} cannot be made portable; it must be binary"
        )
    given = dict(setting.partition(":")[::2] for setting in settings)
    steepness = float(given.get("sigmoid", 1.0))
    trees = [_dumped_tree(tree["tree_structure"], steepness) for tree in dump["tree_info"]]
    return Trees.from_nodes(
        trees, width=dump["max_feature_idx"] + 1, average=bool(dump["average_output"]), preparation=preparation
    )


def _dumped_tree(root: Mapping[str, Any], steepness: float) -> Nodes:
    """One tree of LightGBM's dump; a missing value counts as 0 where the dump says that none was seen."""
    found: list[tuple[int, float, int, int, bool, float]] = []
    waiting: list[Mapping[str, Any]] = [root]
    for node in waiting:
        if "leaf_value" in node:
            if "leaf_const" in node or "leaf_coeff" in node:
                raise InvalidInput("an LGBMClassifier of linear trees cannot be made portable")
            found.append((0, 0.0, -1, -1, False, float(node["leaf_value"]) * steepness))
            continue
        missing, threshold = node["missing_type"], node["threshold"]
        if node["decision_type"] != "<=" or missing not in ("None", "NaN"):
            raise InvalidInput(f"an LGBMClassifier that decides by {node['decision_type']} with {missing} as missing")
        left = bool(node["default_left"]) if missing == "NaN" else threshold >= 0.0
        found.append((node["split_feature"], float(threshold), len(waiting), len(waiting) + 1, left, 0.0))
        waiting.extend((node["left_child"], node["right_child"]))
    feature, cut, lefts, rights, missing_left, value = zip(*found, strict=True)
    return Nodes(
        feature=np.array(feature),
        threshold=_as_lightgbm_compares(np.array(cut)),
        left=np.array(lefts),
        right=np.array(rights),
        missing_left=np.array(missing_left),
        value=np.array(value),
    )


def _as_lightgbm_compares(cut: Floats) -> Floats:
    """Thresholds for plain comparison: LightGBM takes an x within `_ZERO` of 0 for 0, and dumps infinity as 1e300."""
    beyond_zero = np.where(cut < 0, np.nextafter(-_ZERO, -np.inf), _ZERO)
    found: Floats = np.where(np.abs(cut) <= _ZERO, beyond_zero, np.where(cut >= _DUMPED_INFINITY, np.inf, cut))
    return found


def _needed(estimator: object, preparation: Preparation | None) -> Preparation:
    if preparation is None:
        raise InvalidInput(_WITHOUT_MISSING.format(f"a {type(estimator).__name__}"))
    return preparation


_EXPORTS: Mapping[tuple[str, str], Callable[[Any, Preparation | None], Part]] = {
    ("sklearn", "LogisticRegression"): _linear,
    ("sklearn", "RandomForestClassifier"): _forest,
    ("sklearn", "ExtraTreesClassifier"): _forest,
    ("sklearn", "GradientBoostingClassifier"): _gradient_boosting,
    ("sklearn", "HistGradientBoostingClassifier"): _histogram_boosting,
    ("sklearn", "SVC"): _kernel,
    ("sklearn", "MLPClassifier"): _network,
    ("lightgbm", "LGBMClassifier"): _lightgbm,
}
