"""Reducers of the local Earth Engine through graphs: lists and columns, against numpy, scipy and by hand (section 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ee_offline import answer, offline_client
from scipy import stats

SAMPLE = np.round(np.random.default_rng(8).normal(2, 1, 14), 3)
PAIRS = np.column_stack([SAMPLE, np.round(0.5 * SAMPLE + np.random.default_rng(9).normal(0, 0.3, 14), 3)])


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("skew", stats.skew),
        ("kurtosis", stats.kurtosis),
        ("circularMean", lambda x: stats.circmean(x, high=np.pi, low=-np.pi)),
        ("circularVariance", stats.circvar),
    ],
)
def test_moments_of_lists_are_scipys(ee: Any, name: str, oracle: Any) -> None:
    found = answer(ee.List(SAMPLE.tolist()).reduce(getattr(ee.Reducer, name)()))
    assert found == pytest.approx(float(oracle(SAMPLE)))


def test_truth_of_lists_has_short_names_too(ee: Any) -> None:
    call = ee.apifunction.ApiFunction.call_
    for values_, every, some in (([1, 2], 1, 1), ([1, 0], 0, 1), ([0, 0], 0, 0)):
        assert answer(ee.List(values_).reduce(call("Reducer.and"))) == every
        assert answer(ee.List(values_).reduce(call("Reducer.or"))) == some


@pytest.mark.parametrize(
    ("build", "oracle"),
    [
        (lambda r: r.pearsonsCorrelation(), lambda x, y: (*stats.pearsonr(x, y),)),
        (lambda r: r.spearmansCorrelation(), lambda x, y: (*stats.spearmanr(x, y),)),
        (lambda r: r.kendallsCorrelation(2), lambda x, y: (*stats.kendalltau(x, y, method="asymptotic"),)),
    ],
)
def test_correlations_of_columns_are_scipys(ee: Any, build: Any, oracle: Any) -> None:
    features = ee.FeatureCollection([ee.Feature(None, {"x": x, "y": y}) for x, y in PAIRS.tolist()])
    found = answer(features.reduceColumns(build(ee.Reducer), ["x", "y"]))
    name = next(key for key in found if key != "p-value")
    assert (found[name], found["p-value"]) == pytest.approx(oracle(*PAIRS.T))


def test_a_regression_of_columns_is_numpys_least_squares(ee: Any) -> None:
    x, y = PAIRS.T
    features = ee.FeatureCollection([ee.Feature(None, {"1": 1, "x": a, "y": b}) for a, b in PAIRS.tolist()])
    found = answer(features.reduceColumns(ee.Reducer.linearRegression(2, 1), ["1", "x", "y"]))
    table = np.column_stack([np.ones(len(x)), x])
    expected = np.linalg.lstsq(table, y, rcond=None)[0]
    np.testing.assert_allclose(np.ravel(found["coefficients"]), expected)
    assert found["residuals"] == pytest.approx([np.sqrt(np.mean((y - table @ expected) ** 2))])


def test_covariances_of_lists_of_arrays_are_numpys(ee: Any) -> None:
    arrays = ee.List([ee.Array(row) for row in PAIRS.tolist()])
    np.testing.assert_allclose(answer(arrays.reduce(ee.Reducer.covariance())), np.cov(PAIRS.T, ddof=0))
    centred = ee.List([ee.Array(row) for row in (PAIRS - PAIRS.mean(axis=0)).tolist()])
    np.testing.assert_allclose(
        answer(centred.reduce(ee.Reducer.centeredCovariance())), np.cov(PAIRS.T, ddof=0), atol=1e-12
    )


def test_histograms_by_hand(ee: Any) -> None:
    """0 to 7 in at most 4 buckets: 2 wide, the smallest power of two; means null where a bucket is empty."""
    values_ = ee.List([0, 1, 1, 4, 7])
    expected = {
        "bucketMin": 0,
        "bucketWidth": 2,
        "bucketMeans": [pytest.approx(2 / 3), None, 4, 7],
        "histogram": [3, 0, 1, 1],
    }
    assert answer(values_.reduce(ee.Reducer.histogram(4))) == expected
    assert answer(values_.reduce(ee.Reducer.histogram(4, 4))) == {
        "bucketMin": 0,
        "bucketWidth": 4,
        "bucketMeans": [pytest.approx(2 / 3), 5.5],
        "histogram": [3, 2],
    }
    assert answer(values_.reduce(ee.Reducer.autoHistogram(4))) == [[0, 3], [2, 0], [4, 1], [6, 1]]
    assert answer(values_.reduce(ee.Reducer.autoHistogram(4, cumulative=True))) == [[0, 3], [2, 3], [4, 4], [6, 5]]


def test_histograms_of_pairs_are_numpys(ee: Any) -> None:
    features = ee.FeatureCollection([ee.Feature(None, {"x": x, "y": y}) for x, y in PAIRS.tolist()])
    found = answer(features.reduceColumns(ee.Reducer.fixed2DHistogram(0, 4, 4, 0, 2, 5), ["x", "y"]))
    counts, x_edges, y_edges = np.histogram2d(*PAIRS.T, bins=(4, 5), range=((0, 4), (0, 2)))
    assert found["histogram"] == counts.tolist()
    assert (found["xAxis"], found["yAxis"]) == (pytest.approx(x_edges[:-1].tolist()), pytest.approx(y_edges[:-1]))


def test_a_reducer_for_each_band_and_each_element(ee: Any) -> None:
    bands = ee.Image([1, 2]).rename(["VV", "VH"])
    features = ee.FeatureCollection([ee.Feature(None, {"x": x, "y": 10 * x}) for x in (1, 2, 6)])
    assert answer(features.reduceColumns(ee.Reducer.mean().forEachBand(bands), ["x", "y"])) == {"VV": 3, "VH": 30}
    arrays = ee.List([ee.Array([1, 10]), ee.Array([2, 20]), ee.Array([6, 60])])
    assert answer(arrays.reduce(ee.Reducer.mean().forEachElement())) == [3, 30]


def test_a_collection_of_rows(ee: Any) -> None:
    features = ee.FeatureCollection([ee.Feature(None, {"x": x, "y": y}) for x, y in ((1, "a"), (2, "b"))])
    found = answer(features.reduceColumns(ee.Reducer.toCollection(["n", "t"]), ["x", "y"]))
    rows = found["features"]["features"]
    assert [one["properties"] for one in rows] == [{"n": 1, "t": "a"}, {"n": 2, "t": "b"}]
    assert [one["geometry"] for one in rows] == [None, None]
