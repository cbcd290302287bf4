"""Hierarchical risk parity: risk divided along a tree of what moves together."""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Linkage = Literal["ward", "single", "complete", "average"]
LINKAGES: Final[tuple[Linkage, ...]] = get_args(Linkage)


def hierarchical(returns: Floats, covariance: Floats, lower: Floats, upper: Floats, linkage: Linkage) -> Floats:
    """The weights (N,) of Lopez de Prado, "Building diversified portfolios that outperform out of sample", Journal of
    Portfolio Management 42 (2016), for returns (T, N), their covariance (N, N), and bounds (N,) that can be met.

    Instruments are put in the order of the tree of their distances sqrt((1 - correlation) / 2), turned so that
    neighbours are near, and the order is halved again and again; each half gets its share by the inverse of the
    variance that weighting by inverse variance would give it. Bounds cut the shares. The tree is that of the returns'
    own correlations: it asks who is nearest, which shrinking would only blur. The paper joins by single linkage over
    distances of distances; `linkage` "single" joins over the distances themselves.
    """
    weights = np.ones_like(lower)
    groups = [_order(returns, linkage)]
    while groups:
        halves = [(group[: group.size // 2], group[group.size // 2 :]) for group in groups if group.size > 1]
        for left, right in halves:
            whole = weights[left[0]]
            risk_left, risk_right = _variance(covariance, left), _variance(covariance, right)
            share = risk_right / (risk_left + risk_right)
            least = max(lower[left].sum() / whole, 1.0 - upper[right].sum() / whole) if whole > 0 else 0.0
            most = min(upper[left].sum() / whole, 1.0 - lower[right].sum() / whole) if whole > 0 else 1.0
            share = min(max(share, least), most)
            weights[left] *= share
            weights[right] *= 1.0 - share
        groups = [half for pair in halves for half in pair]
    return np.asarray(np.clip(weights, lower, upper), dtype=np.float64)


def _order(returns: Floats, linkage: Linkage) -> NDArray[np.intp]:
    count = returns.shape[1]
    if count <= 2:
        return np.arange(count)
    from scipy.cluster.hierarchy import (  # noqa: PLC0415 - a third of a second that only this method pays
        leaves_list,
        optimal_leaf_ordering,
    )
    from scipy.cluster.hierarchy import linkage as tree_of  # noqa: PLC0415 - as above

    correlation = np.corrcoef(returns, rowvar=False)
    distance = np.sqrt(np.maximum(1.0 - correlation, 0.0) / 2.0)[np.triu_indices(count, 1)]
    tree = optimal_leaf_ordering(tree_of(distance, method=linkage), distance)
    return np.asarray(leaves_list(tree), dtype=np.intp)


def _variance(covariance: Floats, group: NDArray[np.intp]) -> float:
    """The variance of a group weighted by inverse variances."""
    part = covariance[np.ix_(group, group)]
    weights = 1.0 / np.diag(part)
    weights /= weights.sum()
    return float(weights @ part @ weights)
