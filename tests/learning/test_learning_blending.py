"""The blend: never much worse than its best member, quick to leave one that fails, whole after a restart."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from learning.blending import BlendSettings, ForecastBlend

Told = tuple[dict[str, float | None], float, int]
"""What was said, the base rate, and the label that came."""

FORECASTS = st.floats(0.001, 0.999)


def loss(probability: float, label: int) -> float:
    return -math.log(probability if label else 1 - probability)


def lived(blend: ForecastBlend, told: Sequence[Told], *, with_base_rate: bool = False) -> float:
    """The blend's cumulative log-loss, each forecast made before its label."""
    total = 0.0
    for said, base_rate, label in told:
        forecast = blend.blend(said, base_rate if with_base_rate else None)
        assert forecast is not None
        total += loss(forecast, label)
        blend.update(said, base_rate, label)
    return total


def of_member(told: Sequence[Told], name: str) -> float:
    return sum(loss(said[name] or 0.0, label) for said, _, label in told)


def regret(count: int, settings: BlendSettings, prior: float) -> float:
    """As the module's docstring derives it; Cesa-Bianchi and Lugosi's ln(k) / eta where nothing is forgotten."""
    return math.log(1 / prior) / settings.eta * (1 + (1 - settings.kept) * (count - 1))


def sequence(count: int, a: Callable[[int, int], float], b: Callable[[int, int], float], seed: int = 3) -> list[Told]:
    """Labels that win three times in ten; members say what their functions make of place and label."""
    draw = np.random.default_rng(seed)
    labels = [int(draw.random() < 0.3) for _ in range(count)]
    return [({"a": a(place, label), "b": b(place, label)}, 0.3, label) for place, label in enumerate(labels)]


def right(_place: int, label: int) -> float:
    return 0.6 if label else 0.2


def wrong(_place: int, label: int) -> float:
    return 0.05 if label else 0.95


def misled(_place: int, label: int) -> float:
    return 0.2 if label else 0.4


def base(_place: int, _label: int) -> float:
    return 0.3


# -- the bound ----------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(FORECASTS, FORECASTS, FORECASTS, FORECASTS, st.integers(0, 1)), min_size=1, max_size=60),
    half_life=st.sampled_from([1.0, 5.0, 50.0, 1e9]),
    eta=st.sampled_from([0.1, 0.5, 1.0]),
    with_base_rate=st.booleans(),
)
def test_whatever_comes_the_blend_loses_no_more_than_the_bound_to_its_best_member(
    rows: list[tuple[float, float, float, float, int]], half_life: float, eta: float, with_base_rate: bool
) -> None:
    rules = BlendSettings(half_life=half_life, eta=eta)
    told: list[Told] = [({"a": a, "b": b, "c": c}, base_rate, label) for a, b, c, base_rate, label in rows]
    total = lived(ForecastBlend(("a", "b", "c"), rules), told, with_base_rate=with_base_rate)
    best = min(of_member(told, name) for name in "abc")
    assert total <= best + regret(len(told), rules, 1 / 6 if with_base_rate else 1 / 3) + 1e-9
    if with_base_rate:
        of_base_rate = sum(loss(base_rate, label) for _, base_rate, label in told)
        assert total <= of_base_rate + regret(len(told), rules, 1 / 2) + 1e-9


@pytest.mark.parametrize("with_base_rate", [False, True])
def test_beside_a_member_that_is_always_wrong_the_blend_stays_within_the_bound_of_the_good_one(
    with_base_rate: bool,
) -> None:
    rules, told = BlendSettings(), sequence(600, right, wrong)
    blend = ForecastBlend(("a", "b"), rules)
    total = lived(blend, told, with_base_rate=with_base_rate)
    assert total - of_member(told, "a") < regret(600, rules, 1 / 4 if with_base_rate else 1 / 2)
    assert total - of_member(told, "a") < 6
    weights = blend.weights()
    assert weights["b"] < 1e-12
    assert weights["a"] > 0.9


def test_after_a_flip_half_way_the_blend_follows_the_member_that_is_right_now() -> None:
    def first(place: int, label: int) -> float:
        return right(place, label) if place < 300 else misled(place, label)

    def second(place: int, label: int) -> float:
        return misled(place, label) if place < 300 else right(place, label)

    told = sequence(600, first, second)
    blend = ForecastBlend(("a", "b"), BlendSettings(half_life=20))
    total = lived(blend, told[:300])
    assert blend.weights()["a"] > 0.75
    total += lived(blend, told[300:360])
    assert blend.weights()["b"] > 0.75
    total += lived(blend, told[360:])
    of_the_best_of_each_half = of_member(told[:300], "a") + of_member(told[300:], "b")
    assert total < of_the_best_of_each_half + 25
    assert total < min(of_member(told, "a"), of_member(told, "b")) - 30


def test_the_shorter_the_half_life_the_sooner_a_member_that_turned_is_left() -> None:
    def turncoat(place: int, label: int) -> float:
        return right(place, label) if place < 300 else misled(place, label)

    told = sequence(330, turncoat, base)
    shares = []
    for half_life in (10, 50, 1e9):
        blend = ForecastBlend(("a", "b"), BlendSettings(half_life=half_life))
        lived(blend, told)
        shares.append(blend.weights()["a"])
    assert shares[0] < 0.1
    assert shares == sorted(shares)
    assert shares[-1] > 0.99


# -- weights ------------------------------------------------------------------------------------------------------


def test_before_any_label_the_base_rate_has_half_and_members_share_the_rest() -> None:
    blend = ForecastBlend(("a", "b"))
    assert blend.weights() == {"a": 0.25, "b": 0.25}
    assert blend.weights(["a"]) == {"a": 0.5}
    assert blend.weights([]) == {}


def test_the_hand_calculation_of_two_labels_matches() -> None:
    blend = ForecastBlend(("a", "b"), BlendSettings(half_life=1.0, eta=1.0))
    blend.update({"a": 0.8, "b": 0.4}, 0.5, 1)
    blend.update({"a": 0.6, "b": 0.5}, 0.5, 0, 2.0)
    # Halved after each label: differences of log-losses from the base rate's become powers of ratios.
    a = ((0.8 / 0.5) ** 0.5 * (0.4 / 0.5) ** 2) ** 0.5
    b = ((0.4 / 0.5) ** 0.5 * (0.5 / 0.5) ** 2) ** 0.5
    weights = blend.weights()
    assert weights["a"] == pytest.approx(a / (a + b + 2), rel=1e-12)
    assert weights["b"] == pytest.approx(b / (a + b + 2), rel=1e-12)
    assert blend.blend({"a": 0.9, "b": 0.2}) == pytest.approx((0.9 * a + 0.2 * b) / (a + b), rel=1e-12)
    assert blend.blend({"a": 0.9, "b": 0.2}, 0.5) == pytest.approx((0.9 * a + 0.2 * b + 1) / (a + b + 2), rel=1e-12)
    record = blend.records()["a"]
    assert record.labels == pytest.approx(1.25)
    assert record.gain == pytest.approx(math.log(a) / 1.25)
    assert record.weight == weights["a"]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.lists(FORECASTS, min_size=3, max_size=3), st.integers(0, 1)), min_size=1, max_size=40)
)
def test_a_member_worse_than_the_base_rate_weighs_less_than_an_equal_share(rows: list[tuple[list[float], int]]) -> None:
    blend = ForecastBlend(("a", "b", "c"))
    for forecasts, label in rows:
        blend.update(dict(zip("abc", forecasts, strict=True)), 0.4, label)
    weights = blend.weights()
    assert sum(weights.values()) < 1
    for name, record in blend.records().items():
        assert weights[name] >= 0
        assert record.gain is not None
        if record.gain < 0:
            assert weights[name] < 1 / 4


def test_better_members_weigh_more_and_eta_zero_makes_them_equal() -> None:
    told = sequence(100, right, base)
    weights = {}
    for eta in (0.0, 0.1, 0.5, 1.0):
        blend = ForecastBlend(("a", "b"), BlendSettings(eta=eta))
        lived(blend, told)
        weights[eta] = blend.weights()["a"]
    assert weights[0.0] == 0.25 < weights[0.1] < weights[0.5] < weights[1.0]


def test_a_heavier_label_counts_for_more() -> None:
    light, heavy = ForecastBlend(("a", "b")), ForecastBlend(("a", "b"))
    light.update({"a": 0.8, "b": 0.2}, 0.5, 1)
    heavy.update({"a": 0.8, "b": 0.2}, 0.5, 1, 3.0)
    assert heavy.weights()["a"] > light.weights()["a"] > 0.25


# -- who is missing -----------------------------------------------------------------------------------------------


def test_members_without_a_forecast_are_left_out() -> None:
    blend = ForecastBlend(("a", "b"))
    lived(blend, sequence(50, right, base))
    assert blend.blend({"a": None, "b": 0.37}) == 0.37
    assert blend.blend({"b": 0.37}) == 0.37
    assert blend.blend({"a": None, "b": None}) is None
    assert blend.blend({}) is None


def test_silence_gains_nothing_and_loses_nothing_but_fades() -> None:
    silent, gone = ForecastBlend(("a", "b")), ForecastBlend(("a", "b"))
    for blend in (silent, gone):
        lived(blend, sequence(50, right, base))
    before = silent.records()["a"]
    for _ in range(200):
        silent.update({"a": None, "b": 0.3}, 0.3, 0)
        gone.update({"b": 0.3}, 0.3, 0)
    after = silent.records()["a"]
    assert silent.checkpoint() == gone.checkpoint()
    assert after.gain == pytest.approx(before.gain)
    assert after.labels == pytest.approx(before.labels / 2)


def test_an_average_never_leaves_the_range_of_what_was_said() -> None:
    draw = np.random.default_rng(8)
    for _ in range(300):
        blend = ForecastBlend(("a", "b", "c"))
        for label in (0, 1, 1):
            blend.update(dict(zip("abc", draw.uniform(0.01, 0.99, 3).tolist(), strict=True)), 0.3, label)
        same = float(draw.uniform(0.01, 0.99))
        assert blend.blend({"a": same, "b": same, "c": same}) == same
        assert blend.blend({"a": same, "b": same}, same) == same


def test_however_bad_all_are_the_shares_stay_numbers() -> None:
    blend = ForecastBlend(("a", "b"), BlendSettings(half_life=1e9, eta=1.0))
    for _ in range(3000):
        blend.update({"a": 1e-12, "b": 1e-9}, 0.5, 1)
    assert blend.weights() == {"a": 0.0, "b": 0.0}
    assert blend.blend({"a": 0.2, "b": 0.4}) == 0.4
    assert blend.blend({"a": 0.2, "b": 0.4}, 0.5) == 0.5


def test_however_good_all_are_the_shares_stay_numbers() -> None:
    blend = ForecastBlend(("a", "b"), BlendSettings(half_life=1e9, eta=1.0))
    for _ in range(100):
        blend.update({"a": 0.9, "b": 0.9}, 1e-12, 1)
    assert blend.weights() == {"a": 0.5, "b": 0.5}


def test_a_new_model_under_an_old_name_begins_without_a_record() -> None:
    blend = ForecastBlend(("a", "b"))
    lived(blend, sequence(50, wrong, right))
    kept = blend.records()["b"]
    blend.begin_anew("a")
    assert blend.records()["a"].gain is None
    assert (blend.records()["b"].labels, blend.records()["b"].gain) == (kept.labels, kept.gain)


# -- what is refused, and what is kept ----------------------------------------------------------------------------


@pytest.mark.parametrize("forecast", [0.0, 1.0, -0.1, 1.1, math.nan, math.inf])
def test_what_is_no_probability_is_refused_and_changes_nothing(forecast: float) -> None:
    blend = ForecastBlend(("a", "b"))
    lived(blend, sequence(5, right, base))
    before = blend.checkpoint()
    for attempt in (
        lambda: blend.blend({"a": 0.5, "b": forecast}),
        lambda: blend.blend({"a": 0.5}, forecast),
        lambda: blend.update({"a": 0.5, "b": forecast}, 0.3, 1),
        lambda: blend.update({"a": 0.5}, forecast, 1),
    ):
        with pytest.raises(InvalidInput, match=r"inside \(0, 1\)"):
            attempt()
    assert blend.checkpoint() == before


@pytest.mark.parametrize(("label", "weight"), [(2, 1.0), (-1, 1.0), (1, 0.0), (1, math.nan), (0, math.inf)])
def test_a_label_or_weight_that_makes_no_sense_is_refused(label: int, weight: float) -> None:
    blend = ForecastBlend(("a",))
    with pytest.raises(InvalidInput, match="must be 0 or 1"):
        blend.update({"a": 0.5}, 0.3, label, weight)
    assert blend.records()["a"].labels == 0


def test_strangers_and_doubles_are_refused() -> None:
    blend = ForecastBlend(("a", "b"))
    for attempt in (
        lambda: blend.blend({"z": 0.5}),
        lambda: blend.update({"z": None}, 0.5, 1),
        lambda: blend.weights(["a", "z"]),
        lambda: blend.begin_anew("z"),
    ):
        with pytest.raises(InvalidInput, match="z is no member"):
            attempt()
    for members in ((), ("a", "a")):
        with pytest.raises(InvalidInput, match="different names"):
            ForecastBlend(members)


@pytest.mark.parametrize("wrong", [{"half_life": 0.0}, {"half_life": math.inf}, {"eta": -0.1}, {"eta": 1.5}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        BlendSettings(**wrong)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.none() | FORECASTS, st.none() | FORECASTS, FORECASTS, st.integers(0, 1), st.floats(0.01, 9)),
        min_size=1,
        max_size=30,
    ),
    cut=st.integers(0, 29),
)
def test_a_restored_blend_continues_bit_for_bit(
    rows: list[tuple[float | None, float | None, float, int, float]], cut: int
) -> None:
    whole, broken = ForecastBlend(("a", "b")), ForecastBlend(("a", "b"))
    for index, (a, b, base_rate, label, weight) in enumerate(rows):
        if index == cut % len(rows):
            text = broken.checkpoint()
            broken = ForecastBlend.restore(text, ("a", "b"))
            assert broken.checkpoint() == text
        said = {"a": a, "b": b}
        assert whole.blend(said) == broken.blend(said)
        whole.update(said, base_rate, label, weight)
        broken.update(said, base_rate, label, weight)
    assert whole.checkpoint() == broken.checkpoint()
    assert whole.weights() == broken.weights()


def test_a_checkpoint_of_other_members_or_another_half_life_is_refused() -> None:
    text = ForecastBlend(("a", "b")).checkpoint()
    for members, rules in ((("a", "c"), None), (("b", "a"), None), (("a", "b"), BlendSettings(half_life=100))):
        with pytest.raises(InvalidInput, match="the blend's checkpoint is of a, b with a half-life of 200"):
            ForecastBlend.restore(text, members, rules)
    ForecastBlend.restore(text, ("a", "b"), BlendSettings(eta=1.0))


@pytest.mark.parametrize(
    "change",
    [{"format": 9}, {"family": "x"}, {"differences": [1.0]}, {"labels": [1.0, -1.0]}, {"differences": ["NaN", 1.0]}],
)
def test_a_damaged_checkpoint_is_refused_in_one_sentence(change: dict[str, object]) -> None:
    state = json.loads(ForecastBlend(("a", "b")).checkpoint()) | change
    with pytest.raises(InvalidInput, match=r"cannot be read|is not forecast-blend 1"):
        ForecastBlend.restore(json.dumps(state), ("a", "b"))
    for text in ("", "[]", "null", "{}"):
        with pytest.raises(InvalidInput, match="cannot be read"):
            ForecastBlend.restore(text, ("a", "b"))
