"""Reducers of the local Earth Engine: documented results, numpy and scipy as oracles, pixels and plain values alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ee_offline import answer, computed, offline_client
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from gee.local.errors import EarthEngineError
from gee.local.reduction.calling import reduce_rows
from gee.local.reduction.correlations import regularized_beta
from gee.local.table import implementations
from gee.local.values import Array, PixelType

NUMBERS = [3, 1, 3, 1, 8]


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def reducer(name: str, *arguments: Any, **named: Any) -> Any:
    return implementations()[f"Reducer.{name}"].function(*arguments, **named)


# -- names and definitions (section 5) --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "values", "expected"),
    [
        (lambda r: r.mean(), [1, 2, 6], 3),
        (lambda r: r.sum(), NUMBERS, 16),
        (lambda r: r.product(), NUMBERS, 72),
        (lambda r: r.median(), [1, 2, 3, 10], 2.5),  # release note 2014-02-18
        (lambda r: r.mode(), [3, 1, 3, 1], 1),  # sample: of ties the smallest
        (lambda r: r.min(), NUMBERS, 1),
        (lambda r: r.max(), ["b", "a"], "b"),
        (lambda r: r.minMax(), NUMBERS, {"min": 1, "max": 8}),
        (lambda r: r.count(), [1, None, 3], 2),
        (lambda r: r.count(), ["", None], 1),
        (lambda r: r.countEvery(), [1, 1, None, 2], 4),
        (lambda r: r.countDistinct(), [1, 1, None, 2], 3),
        (lambda r: r.countDistinctNonNull(), [1, 1, None, 2], 2),
        (lambda r: r.countRuns(), [1, 1, None, 2], 2),
        (lambda r: r.count(), [], 0),
        (lambda r: r.mean(), [], None),
        (lambda r: r.sum(), [None], None),
        (lambda r: r.first(), [None, 2], None),
        (lambda r: r.firstNonNull(), [None, 2], 2),
        (lambda r: r.last(), [2, None], None),
        (lambda r: r.lastNonNull(), [2, None], 2),
        (lambda r: r.allNonZero(), [1, 0], 0),
        (lambda r: r.anyNonZero(), [1, 0], 1),
        (lambda r: r.bitwiseAnd(), [6, 3], 2),
        (lambda r: r.bitwiseOr(), [6, 3], 7),
        (lambda r: r.variance(), [5, 5, 5], 0),
        (lambda r: r.sampleVariance(), [5], None),
        (lambda r: r.percentile([0, 50, 100]), [4, 1, 2, 3], {"p0": 1, "p50": 2.5, "p100": 4}),
        (lambda r: r.percentile([50], ["middle"]), [4, 1, 3], 3),
        (lambda r: r.intervalMean(0, 50), [1, 2, 3, 100, 200], 2),
        (lambda r: r.toList(), [3, None, "a"], [3, "a"]),
        (lambda r: r.toList(2, 1), [[1, None], [None, 2], [3, 4]], [[1, None], [3, 4]]),
        (lambda r: r.frequencyHistogram(), [1, 2, 1], {"1": 2, "2": 1}),
        (lambda r: r.fixedHistogram(0, 4, 2), [0, 1, 2, 4, -1], [[0, 2], [2, 1]]),
        (lambda r: r.max(2), [[1, 7], [5, 8]], {"max": 5, "max1": 8}),
        (lambda r: r.mean().repeat(2), [[1, 2], [3, 4]], [2, 3]),
        (lambda r: r.minMax().forEach(["a", "b"]), [[1, 2], [3, 4]], {"a_min": 1, "a_max": 3, "b_min": 2, "b_max": 4}),
        (lambda r: r.mean().forEach(["a", "b"]), [[1, 2], [3, 4]], {"a": 2, "b": 3}),
        (lambda r: r.sum().group(), [[1, 2], [3, 4], [1, 5]], [{"group": 1, "sum": 7}, {"group": 3, "sum": 4}]),
        (lambda r: r.sum().group(1, "g"), [[1, 2], [3, 4]], [{"g": 2, "sum": 1}, {"g": 4, "sum": 3}]),
        (lambda r: r.mean().splitWeights(), [[1, 1], [2, 2], [3, 3]], 14 / 6),  # weighted 1, 2, 3: 2.3333
        (lambda r: r.mean().combine(r.count(), "n_", True), [1, 3], {"mean": 2, "n_count": 2}),
        (lambda r: r.mean().combine(r.sum()), [[1, 5], [3, 6]], {"mean": 2, "sum": 11}),
        (lambda r: r.minMax().setOutputs(["low", None]), [3, 4], 3),
        (lambda r: r.sum().disaggregate(), [[1, 2], [3, [4]], 5], 15),
    ],
)
def test_lists_are_reduced(ee: Any, build: Any, values: list[Any], expected: Any) -> None:
    found = answer(ee.List(values).reduce(build(ee.Reducer)))
    assert found == expected or found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("sampleStdDev", ["stdDev"]),
        ("sampleVariance", ["variance"]),
        ("firstNonNull", ["first"]),
        ("countRuns", ["count"]),
        ("allNonZero", ["all"]),
        ("circularStddev", ["circularStdDev"]),
        ("linearFit", ["scale", "offset"]),
        ("frequencyHistogram", ["histogram"]),
        ("sensSlope", ["slope", "offset"]),
    ],
)
def test_outputs_have_the_documented_names(ee: Any, name: str, outputs: list[str]) -> None:
    assert computed(getattr(ee.Reducer, name)().getOutputs()) == outputs


def test_statistics_of_a_property_as_printed() -> None:
    """n = 66: total_var 214307.383, sample_var 217604.420, so their ratio is n / (n - 1)."""
    values = np.random.default_rng(0).normal(0, 460, 66).tolist()
    total, sample = (reduce_rows(reducer(name), values)["variance"] for name in ("variance", "sampleVariance"))
    assert sample / total == pytest.approx(217604.420 / 214307.383, rel=1e-8)
    assert total == pytest.approx(np.var(values))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda r: r.mean(), "Need 1 inputs|inputs must be numbers"),
        (lambda r: r.linearFit(), "Need 2 inputs for Reducer.linearFit, got 3"),
    ],
)
def test_wrong_inputs_are_refused(ee: Any, build: Any, message: str) -> None:
    with pytest.raises(EarthEngineError, match=message):
        computed(ee.List([[1, 2, 3]]).reduce(build(ee.Reducer)))


def test_clashing_outputs_are_refused(ee: Any) -> None:
    with pytest.raises(EarthEngineError, match="use outputPrefix"):
        computed(ee.List([1]).reduce(ee.Reducer.stdDev().combine(ee.Reducer.sampleStdDev(), "", True)))


# -- oracles ----------------------------------------------------------------------------------------------------------

ORACLES = {
    "mean": np.mean,
    "sum": np.sum,
    "product": np.prod,
    "variance": np.var,
    "stdDev": np.std,
    "sampleVariance": lambda x: np.var(x, ddof=1),
    "sampleStdDev": lambda x: np.std(x, ddof=1),
    "skew": stats.skew,
    "kurtosis": stats.kurtosis,
    "median": np.median,
    "min": np.min,
    "max": np.max,
    "count": np.size,
    "countDistinct": lambda x: len(set(x)),
    "countRuns": lambda x: 1 + np.count_nonzero(np.diff(x)),
    "mode": lambda x: stats.mode(x).mode,
    "first": lambda x: x[0],
    "last": lambda x: x[-1],
    "circularMean": lambda x: stats.circmean(x, high=np.pi, low=-np.pi),
    "circularVariance": stats.circvar,
    "circularStddev": stats.circstd,
}
ARGUMENTS: dict[str, tuple[Any, ...]] = {"median": (None,) * 3, "mode": (None,) * 3, "min": (1,), "max": (1,)}


@pytest.mark.parametrize("name", ORACLES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_each_pixel_is_reduced_as_numpy_reduces_its_valid_values(name: str, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, 7))
    values = data.draw(hnp.arrays(np.int64, (steps, 2, 3), elements=st.integers(-9, 9))).astype(float)
    present = data.draw(hnp.arrays(bool, values.shape))
    ((found, mask),) = reducer(name, *ARGUMENTS.get(name, ())).reduce([values], present * 1.0)
    for place in np.ndindex(2, 3):
        kept = values[(slice(None), *place)][present[(slice(None), *place)]]
        if kept.size == 0:
            assert mask[place] == 0 or (name.startswith("count") and found[place] == 0)
        elif name.startswith("sample") and kept.size == 1:
            assert mask[place] == 0
        elif name in ("skew", "kurtosis") and np.ptp(kept) == 0:
            assert found[place] == 0
        elif name.startswith("circular") and abs(np.exp(1j * kept).mean()) < 1e-9:
            pass  # no direction
        elif name == "circularMean":  # pi and -pi are one direction
            assert np.exp(1j * found[place]) == pytest.approx(np.exp(1j * ORACLES[name](kept)))
        else:
            assert mask[place] == 1
            near = 1e-7 if name == "circularStddev" else 1e-9  # a root of a difference from 1
            assert found[place] == pytest.approx(ORACLES[name](kept), rel=1e-9, abs=near)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 9), st.just(2)), elements=st.floats(-1e3, 1e3)),
    st.lists(st.floats(0, 100), min_size=1, max_size=3, unique=True),
)
def test_percentiles_are_numpys(values: np.ndarray, ranks: list[float]) -> None:
    names = [f"q{index}" for index in range(len(ranks))]
    found = reducer("percentile", ranks, names, None, None, None).reduce([values], np.ones(values.shape))
    expected = np.percentile(values, ranks, axis=0)
    np.testing.assert_allclose([data for data, _ in found], expected, atol=1e-9)


def test_weights_count_in_means_and_moments_only() -> None:
    values, weights = np.array([2.0, 8.0]), np.array([1.0, 0.5])
    assert reducer("mean").reduce([values], weights)[0][0] == pytest.approx(4)  # derived in section 2
    assert reducer("variance").reduce([values], weights)[0][0] == pytest.approx(
        np.average((values - 4) ** 2, weights=weights)
    )
    assert reducer("median", None, None, None).reduce([values], weights)[0][0] == 5
    assert reducer("count").reduce([values], weights)[0][0] == 2
    assert reducer("unweighted", reducer("mean")).reduce([values], weights)[0][0] == 5


def test_variance_of_a_constant_is_nothing_whatever_its_size() -> None:
    values = np.full((7, 1), 0.1 + 1e9)
    assert reducer("variance").reduce([values], np.ones((7, 1)))[0][0] == 0


def test_regressions_and_correlations_are_scipys() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=25)
    y = np.round(0.4 * x + rng.normal(size=25), 1)
    rows = np.column_stack([x, y]).tolist()
    fit = stats.linregress(x, y)
    line = reduce_rows(reducer("linearFit"), rows)
    assert (line["scale"], line["offset"]) == pytest.approx((fit.slope, fit.intercept))
    pearson, spearman = stats.pearsonr(x, y), stats.spearmanr(x, y)
    assert list(reduce_rows(reducer("pearsonsCorrelation"), rows).values()) == pytest.approx(list(pearson))
    assert list(reduce_rows(reducer("spearmansCorrelation"), rows).values()) == pytest.approx(list(spearman))
    assert reduce_rows(reducer("kendallsCorrelation", 2), rows)["tau"] == pytest.approx(stats.kendalltau(x, y)[0])
    sen = stats.theilslopes(y, x)
    assert list(reduce_rows(reducer("sensSlope"), rows).values()) == pytest.approx([sen.slope, sen.intercept])


def test_kendalls_probability_without_ties_is_scipys_asymptotic_one() -> None:
    y = np.random.default_rng(2).normal(size=20)
    found = reduce_rows(reducer("kendallsCorrelation", 1), y.tolist())
    expected = stats.kendalltau(np.arange(20), y, method="asymptotic")
    assert (found["tau"], found["p-value"]) == pytest.approx((expected.statistic, expected.pvalue))


def test_linear_regression_solves_a_known_system() -> None:
    """y = 2 + 3 x, z = -x: coefficients (numX, numY) = [[2, 0], [3, -1]], no residuals; null where underdetermined."""
    rows = [[1, x, 2 + 3 * x, -x] for x in (0.0, 1.0, 4.0)]
    found = reduce_rows(reducer("linearRegression", 2, 2), rows)
    np.testing.assert_allclose(found["coefficients"].values, [[2, 0], [3, -1]], atol=1e-9)
    np.testing.assert_allclose(found["residuals"].values, [0, 0], atol=1e-9)
    assert reduce_rows(reducer("linearRegression", 2, 2), rows[:2]) == {"coefficients": None, "residuals": None}


def test_incomplete_beta_function_is_scipys() -> None:
    from scipy import special

    x, a = np.linspace(0, 1, 41), np.linspace(0.5, 60, 41)
    np.testing.assert_allclose(regularized_beta(x, a, 0.5), special.betainc(a, 0.5, x), rtol=1e-10, atol=1e-14)


def test_covariances_are_numpys() -> None:
    rows = np.random.default_rng(3).normal(size=(8, 3))
    arrays = [Array(row, PixelType("double", dimensions=1)) for row in rows]
    found = reduce_rows(reducer("covariance"), arrays)["covariance"].values
    np.testing.assert_allclose(found, np.cov(rows.T, ddof=0))


def test_each_element_of_arrays_is_reduced() -> None:
    arrays = [Array(np.full((2, 2), float(value)), PixelType("double", dimensions=2)) for value in range(5)]
    found = reduce_rows(reducer("forEachElement", reducer("sum")), arrays)["sum"].values
    np.testing.assert_array_equal(found, np.full((2, 2), 10.0))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=1, max_size=40))
def test_histograms_hold_every_value_in_buckets_of_a_power_of_two(values: list[float]) -> None:
    found = reduce_rows(reducer("histogram", 8, None, None), values)["histogram"]
    assert sum(found["histogram"]) == len(values)
    assert len(found["histogram"]) <= 8
    assert np.log2(found["bucketWidth"]).is_integer()
    assert found["bucketMin"] <= min(values) < found["bucketMin"] + found["bucketWidth"]
    two_columns = reduce_rows(reducer("autoHistogram", 8, None, None, cumulative=True), values)["histogram"].values
    assert two_columns[-1, 1] == len(values)
