"""What each part says, by hand and by its definition."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.portable.odds import FARTHEST, NEAREST, log_odds_of, probability_of
from learning.portable.parts import Constant, Kernel, Linear, Mixture, Network, Part, Regimes, Stack, Trees
from learning.portable.preparation import Preparation
from learning.portable.trees import Nodes

WIDTH = 3


def plain(width: int = WIDTH, clip: float = 100.0) -> Preparation:
    return Preparation(centre=np.zeros(width), scale=np.ones(width), fill=np.zeros(width), clip=clip)


def stump(feature: int, threshold: float, low: float, high: float, *, missing_left: bool = False) -> Nodes:
    return Nodes(
        feature=np.array([feature, 0, 0]),
        threshold=np.array([threshold, 0.0, 0.0]),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        missing_left=np.array([missing_left, False, False]),
        value=np.array([0.0, low, high]),
    )


def leaf(value: float) -> Nodes:
    nothing = np.zeros(1, dtype=np.int64)
    return Nodes(
        feature=nothing,
        threshold=np.zeros(1),
        left=nothing - 1,
        right=nothing - 1,
        missing_left=np.zeros(1, dtype=np.bool_),
        value=np.array([value]),
    )


def linear(*weights: float, intercept: float = 0.0) -> Linear:
    return Linear(preparation=plain(len(weights)), weights=np.array(weights), intercept=intercept)


def every_part() -> list[Part]:
    rng = np.random.default_rng(5)
    network = Network(
        preparation=plain(),
        weights=(rng.normal(size=(WIDTH, 7)), rng.normal(size=(7, 4)), rng.normal(size=(4, 1))),
        biases=(rng.normal(size=7), rng.normal(size=4), rng.normal(size=1)),
        activation="tanh",
    )
    kernel = Kernel(
        preparation=plain(clip=4.0),
        support=rng.normal(size=(9, WIDTH)),
        coefficients=rng.normal(size=9),
        intercept=0.1,
        gamma=0.3,
        slope=-1.3,
        offset=0.2,
    )
    trees = Trees.from_nodes([stump(0, 0.5, -1, 1), leaf(0.2), stump(2, -0.1, 0.3, 0.1)], width=WIDTH, base=0.1)
    line = linear(0.3, -0.7, 0.2, intercept=-0.1)
    regimes = Regimes(
        parts=(line, trees),
        columns=(1,),
        edges=(np.array([-0.5, 0.5]),),
        weights=np.array([[1, 0], [0.5, 0.5], [0, 1], [0.3, 0.7]]),
    )
    mixture = Mixture(parts=(network, kernel, trees), weights=np.array([0.5, 0.25, 0.25]))
    stack = Stack(
        parts=(mixture, regimes, Constant(log_odds_value=0.4)), coefficients=np.array([1, 2, 0.5]), intercept=0
    )
    return [Constant(log_odds_value=-1.0), line, trees, network, kernel, mixture, regimes, stack]


def test_a_constant_says_the_same_of_every_row() -> None:
    assert Constant(log_odds_value=-0.7).log_odds(np.zeros((3, 5))).tolist() == [-0.7] * 3


def test_a_linear_part_weighs_prepared_columns() -> None:
    preparation = Preparation(
        centre=np.array([1.0, 0.0]), scale=np.array([2.0, 1.0]), fill=np.array([5.0, 0.0]), clip=3.0
    )
    part = Linear(preparation=preparation, weights=np.array([1.0, 0.5]), intercept=-0.25)
    assert part.log_odds(np.array([[3.0, 2.0], [np.nan, -9.0]])).tolist() == [1.75, 0.25]


@pytest.mark.parametrize(
    ("activation", "inner"),
    [
        ("relu", lambda z: max(z, 0.0)),
        ("tanh", math.tanh),
        ("logistic", lambda z: 1 / (1 + math.exp(-z))),
    ],
)
def test_a_network_activates_all_layers_but_the_last(activation: str, inner: Callable[[float], float]) -> None:
    part = Network(
        preparation=plain(1),
        weights=(np.array([[1.0, -2.0]]), np.array([[0.5], [3.0]])),
        biases=(np.array([0.1, 0.2]), np.array([-1.0])),
        activation=activation,
    )
    expected = [0.5 * inner(x + 0.1) + 3.0 * inner(-2 * x + 0.2) - 1.0 for x in (-1.5, 0.0, 2.0)]
    assert part.log_odds(np.array([[-1.5], [0.0], [2.0]])).tolist() == pytest.approx(expected, rel=1e-14)


def test_a_network_of_one_layer_is_a_linear_model() -> None:
    part = Network(
        preparation=plain(2), weights=(np.array([[1.0], [2.0]]),), biases=(np.array([0.5]),), activation="relu"
    )
    assert part.log_odds(np.array([[-1.0, -1.0]])).tolist() == [-2.5]


def test_a_kernel_part_turns_its_distance_into_platts_probability() -> None:
    part = Kernel(
        preparation=plain(2),
        support=np.array([[0.0, 0.0], [1.0, 1.0]]),
        coefficients=np.array([2.0, -1.0]),
        intercept=0.3,
        gamma=0.5,
        slope=-1.5,
        offset=0.4,
    )
    d = 2 * math.exp(-0.5 * 1) - math.exp(-0.5 * 1) + 0.3
    assert part.decision(np.array([[1.0, 0.0]]))[0] == pytest.approx(d, rel=1e-14)
    probability = probability_of(part.log_odds(np.array([[1.0, 0.0]])))
    assert probability[0] == pytest.approx(1 / (1 + math.exp(-1.5 * d + 0.4)), rel=1e-14)


def test_trees_send_equal_values_left_and_missing_ones_where_their_node_says() -> None:
    right = Trees.from_nodes([stump(0, 1.0, -1.0, 2.0)], width=1)
    left = Trees.from_nodes([stump(0, 1.0, -1.0, 2.0, missing_left=True)], width=1)
    X = np.array([[1.0], [np.nextafter(1.0, 2)], [np.nan], [-np.inf], [np.inf]])
    assert right.log_odds(X).tolist() == [-1.0, 2.0, 2.0, -1.0, 2.0]
    assert left.log_odds(X).tolist() == [-1.0, 2.0, -1.0, -1.0, 2.0]


def test_an_infinite_threshold_separates_missing_values_from_all_others() -> None:
    part = Trees.from_nodes([stump(0, np.inf, -1.0, 2.0)], width=1)
    assert part.log_odds(np.array([[1e308], [np.inf], [np.nan]])).tolist() == [-1.0, -1.0, 2.0]


def test_trees_add_to_their_base_or_are_averaged() -> None:
    nodes = [stump(0, 0.0, 1.0, 3.0), leaf(0.5)]
    X = np.array([[-1.0], [1.0]])
    assert Trees.from_nodes(nodes, width=1, base=0.25).log_odds(X).tolist() == [1.75, 3.75]
    assert Trees.from_nodes(nodes, width=1, average=True).log_odds(X).tolist() == [0.75, 1.75]


def test_a_forest_of_probabilities_says_their_log_odds_within_the_bound() -> None:
    part = Trees.from_nodes([stump(0, 0.0, 0.2, 1.0)], width=1, average=True, link="probability")
    assert part.log_odds(np.array([[-1.0], [1.0]])) == pytest.approx([math.log(0.25), FARTHEST])


def test_rows_are_rounded_to_float32_where_the_library_does_so() -> None:
    threshold = float(np.float32(0.1))
    just_above = np.array([[threshold + 1e-10]])
    nodes = [stump(0, threshold, -1.0, 1.0)]
    assert Trees.from_nodes(nodes, width=1, single=True).log_odds(just_above).tolist() == [-1.0]
    assert Trees.from_nodes(nodes, width=1).log_odds(just_above).tolist() == [1.0]


@settings(deadline=None)
@given(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_a_float64_threshold_decides_on_float32_rows_as_it_did(threshold: float, near: float) -> None:
    part = Trees.from_nodes([stump(0, threshold, -1.0, 1.0)], width=1, single=True)
    for x in (near, threshold, float(np.float32(threshold)), float(np.nextafter(np.float32(threshold), np.float32(1)))):
        goes_left = float(np.float32(x)) <= threshold
        assert part.log_odds(np.array([[x]]))[0] == (-1.0 if goes_left else 1.0)


def test_a_value_beyond_float32_is_on_the_far_side_of_every_threshold() -> None:
    part = Trees.from_nodes([stump(0, 3e38, -1.0, 1.0)], width=1, single=True)
    assert part.log_odds(np.array([[1e300], [-1e300]])).tolist() == [1.0, -1.0]


def test_a_mixture_averages_probabilities_not_log_odds() -> None:
    part = Mixture(
        parts=(Constant(log_odds_value=log_odds(0.9)), Constant(log_odds_value=log_odds(0.2))),
        weights=np.array([0.25, 0.75]),
    )
    assert probability_of(part.log_odds(np.zeros((2, 1)))) == pytest.approx([0.375, 0.375], rel=1e-14)


def test_a_stack_is_linear_in_the_log_odds_of_its_parts() -> None:
    part = Stack(parts=(Constant(log_odds_value=2.0), linear(1.0)), coefficients=np.array([0.5, -1.0]), intercept=0.1)
    assert part.log_odds(np.array([[0.3]]))[0] == pytest.approx(0.8)


def test_a_row_is_answered_by_the_weights_of_its_cell() -> None:
    parts = (Constant(log_odds_value=log_odds(0.2)), Constant(log_odds_value=log_odds(0.6)))
    share = np.linspace(0.0, 1.0, 7)
    part = Regimes(
        parts=parts,
        columns=(2, 0),
        edges=(np.array([0.0]), np.array([10.0, 20.0])),
        weights=np.stack([share, 1 - share], axis=1),
    )
    rows = [[5, -1, -1], [10, 9, -1], [25, 9, -1], [5, 9, 0], [15, 9, 1], [20, 9, 1], [np.nan, 9, 1], [5, 9, np.nan]]
    X = np.array(rows, dtype=np.float64)
    assert part.cell(X).tolist() == [0, 1, 2, 3, 4, 5, 6, 6]
    expected = 0.2 * share[part.cell(X)] + 0.6 * (1 - share[part.cell(X)])
    assert probability_of(part.log_odds(X)) == pytest.approx(expected, rel=1e-13)


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_probabilities_and_log_odds_are_each_others_inverse_up_to_the_bound() -> None:
    probability = np.array([0.0, NEAREST, 0.3, 1 - NEAREST, 1.0])
    kept = np.array([NEAREST, NEAREST, 0.3, 1 - NEAREST, 1 - NEAREST])
    assert probability_of(log_odds_of(probability)) == pytest.approx(kept, rel=1e-9)
    assert probability_of(np.array([-1e308, 1e308])) == pytest.approx([NEAREST, 1 - NEAREST], rel=1e-9)


CELLS = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-2, 2) | st.sampled_from([0.5, -0.5, -0.1])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12))
def test_what_a_part_says_of_a_row_is_finite_and_does_not_depend_on_its_neighbours(
    rows: list[tuple[float, ...]],
) -> None:
    X = np.array(rows)
    for part in every_part():
        said = part.log_odds(X)
        assert said.shape == (len(X),)
        assert (np.abs(said) <= FARTHEST).all()
        alone = [part.log_odds(X[row : row + 1])[0] for row in range(len(X))]
        assert np.array_equal(said, alone)
        assert np.array_equal(said, part.log_odds(np.asfortranarray(X)))


def test_rows_are_answered_alike_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(2).normal(size=(50, WIDTH))
    whole = [part.log_odds(X) for part in every_part()]
    monkeypatch.setattr("learning.portable.trees._PAIRS", 7)
    monkeypatch.setattr("learning.portable.parts._BLOCK", 20)
    assert all(np.array_equal(said, part.log_odds(X)) for said, part in zip(whole, every_part(), strict=True))


def test_a_row_alone_is_added_up_over_many_trees_as_it_is_among_others() -> None:
    values = np.random.default_rng(3).normal(size=200) * 0.01
    part = Trees.from_nodes([stump(0, 0.0, value, value) for value in values], width=1)
    one_by_one = 0.0
    for value in values:
        one_by_one += value
    assert part.log_odds(np.zeros((1, 1))).tolist() == [one_by_one]
    assert part.log_odds(np.zeros((5, 1))).tolist() == [one_by_one] * 5


def test_rounding_never_brings_a_row_nearer_to_a_support_vector_than_it_can_be() -> None:
    support = np.random.default_rng(4).normal(size=(50, 44)) * 3
    part = Kernel(
        preparation=plain(44),
        support=support,
        coefficients=np.ones(50),
        intercept=0.0,
        gamma=1e15,
        slope=-1.0,
        offset=0.0,
    )
    assert (part.decision(support) <= 1.0).all()


def test_no_rows_are_answered_by_nothing() -> None:
    assert [part.log_odds(np.empty((0, WIDTH))).shape for part in every_part()] == [(0,)] * 8


def test_rows_of_another_width_are_refused_by_every_part_that_looks_at_them() -> None:
    for part in every_part()[1:]:
        for shape in ((2, WIDTH - 1), (2, WIDTH + 1), (WIDTH,)):
            with pytest.raises(InvalidInput, match="rows of shape"):
                part.log_odds(np.zeros(shape))


HALVES = np.array([0.5, 0.5])
ONE = Constant(log_odds_value=0.0)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: Constant(log_odds_value=math.nan), "finite"),
        (lambda: Linear(preparation=plain(2), weights=np.ones(3), intercept=0.0), "weights of a linear part"),
        (lambda: Linear(preparation=plain(2), weights=np.array([1, np.nan]), intercept=0.0), "no finite float64"),
        (lambda: linear(1.0, intercept=math.inf), "intercept"),
        (
            lambda: Network(preparation=plain(1), weights=(np.ones((1, 2)),), biases=(np.ones(2),), activation="relu"),
            "2 o",
        ),
        (
            lambda: Network(preparation=plain(1), weights=(np.ones((2, 1)),), biases=(np.ones(1),), activation="relu"),
            "layer 0",
        ),
        (
            lambda: Network(preparation=plain(1), weights=(np.ones((1, 1)),), biases=(), activation="relu"),
            "0 of biases",
        ),
        (
            lambda: Network(preparation=plain(1), weights=(np.ones((1, 1)),), biases=(np.ones(1),), activation="sine"),
            "activation",
        ),
        (lambda: Mixture(parts=(ONE, ONE), weights=np.array([0.5, 0.6])), "sum of 1"),
        (lambda: Mixture(parts=(ONE, ONE), weights=np.array([1.5, -0.5])), "sum of 1"),
        (lambda: Mixture(parts=(ONE,), weights=HALVES), "weights of a mixture"),
        (lambda: Mixture(parts=(), weights=np.empty(0)), "sum of 1"),
        (lambda: Mixture(parts=(linear(1.0), linear(1.0, 2.0)), weights=HALVES), "one width"),
        (lambda: Stack(parts=(), coefficients=np.empty(0), intercept=0.0), "one part"),
        (lambda: Stack(parts=(ONE,), coefficients=np.ones(2), intercept=0.0), "coefficients"),
        (lambda: Regimes(parts=(ONE,), columns=(0,), edges=(np.array([1.0]),), weights=np.ones((2, 1))), "weights of"),
        (lambda: Regimes(parts=(ONE,), columns=(0,), edges=(np.array([1, 1]),), weights=np.ones((4, 1))), "ascend"),
        (lambda: Regimes(parts=(ONE,), columns=(), edges=(), weights=np.ones((2, 1))), "0 columns"),
        (lambda: Regimes(parts=(linear(1.0),), columns=(1,), edges=(np.ones(1),), weights=np.ones((3, 1))), "columns"),
        (lambda: Trees.from_nodes([], width=1), "at least one root"),
        (lambda: Trees.from_nodes([stump(1, 0.0, 0.0, 0.0)], width=1), "feature of trees"),
        (lambda: Trees.from_nodes([stump(0, math.nan, 0.0, 0.0)], width=1), "threshold"),
        (lambda: Trees.from_nodes([stump(0, -math.inf, 0.0, 0.0)], width=1), "threshold"),
        (lambda: Trees.from_nodes([leaf(math.inf)], width=1), "value of trees"),
        (lambda: Trees.from_nodes([leaf(0.0)], width=1, link="odds"), "link"),
        (lambda: Trees.from_nodes([leaf(0.0)], width=1, preparation=plain(2)), "preparation of 2"),
    ],
)
def test_a_part_that_could_not_answer_may_not_exist(make: Callable[[], Part], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        make()


@pytest.mark.parametrize(("left", "right"), [(0, 2), (1, 1), (1, 3), (2, 0)])
def test_nodes_that_are_no_tree_are_refused(left: int, right: int) -> None:
    nodes = stump(0, 0.0, 1.0, 2.0)
    nodes.left[0], nodes.right[0] = left, right
    with pytest.raises(InvalidInput, match="tree"):
        Trees.from_nodes([nodes], width=1)
