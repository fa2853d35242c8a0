"""Neighbourhoods of the local Earth Engine: scipy's filters as oracles, masked pixels, metres, Refined Lee's building blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ee_offline import TEN_METRES, at, computed, offline_client, pixels, raster_band, shelf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.neighbourhoods import windows
from gee.local.pixels import Grid, Image
from gee.local.policies import Policies
from gee.local.table import implementations
from gee.local.values import Kernel, PixelType

FIELD = np.random.default_rng(1).gamma(4.4, 1 / 4.4, (40, 50))
GRID = replace(TEN_METRES, width=50, height=40)
INNER = GRID.pad(-12, -12, -12, -12)  # far enough from the edge of the field for every kernel here
CENTRE = (slice(12, -12), slice(12, -12))
CIRCLE_100_M = np.hypot(*np.mgrid[-10:11, -10:11]) <= 10
REDUCERS = {
    "mean": (), "sum": (), "variance": (), "stdDev": (), "count": (), "min": (1,), "max": (1,),
    "median": (None, None, None), "mode": (None, None, None), "percentile": ([5, 33.3, 95], None, None, None, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def one(image: Any, context: Context, grid: Grid = INNER) -> np.ndarray:
    """Data of the only band, all of it valid."""
    (found,) = pixels(image, grid, context)
    assert (found.mask == 1).all()
    return found.data


def field(data: np.ndarray = FIELD, mask: np.ndarray | None = None, **more: Any) -> Context:
    return shelf(x=Image((raster_band("b", data, mask=mask, **more),), {"system:time_start": 5}))


# -- filters ----------------------------------------------------------------------------------------------------------


def test_a_focal_median_of_100_metres_is_scipys(ee: Any) -> None:
    found = one(ee.Image("x").focal_median(100, "circle", "meters"), field())
    np.testing.assert_array_equal(found, ndimage.median_filter(FIELD, footprint=CIRCLE_100_M)[CENTRE])


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("focal_min", lambda x, near: ndimage.minimum_filter(x, footprint=near)),
        ("focal_max", lambda x, near: ndimage.maximum_filter(x, footprint=near)),
        ("focal_median", lambda x, near: ndimage.median_filter(x, footprint=near)),
        ("focal_mean", lambda x, near: ndimage.convolve(x, near / near.sum())),
    ],
)
@pytest.mark.parametrize(
    ("shape", "near"), [("square", np.ones((5, 5))), ("plus", np.eye(5)[2] + np.eye(5)[2][:, None])]
)
def test_focal_filters_are_scipys(ee: Any, name: str, oracle: Any, shape: str, near: np.ndarray) -> None:
    found = one(getattr(ee.Image("x"), name)(2, shape), field())
    np.testing.assert_allclose(found, oracle(FIELD, near > 0)[CENTRE], rtol=1e-12)


def test_both_spellings_and_iterations(ee: Any) -> None:
    twice = one(ee.Image("x").focalMax(1, "square", "pixels", 2), field())
    np.testing.assert_array_equal(twice, one(ee.Image("x").focal_max(2, "square"), field()))
    custom = one(ee.Image("x").focalMin(kernel=ee.Kernel.fixed(weights=[[1, 0, 1]])), field())
    np.testing.assert_array_equal(custom, ndimage.minimum_filter(FIELD, footprint=np.array([[1, 0, 1]]))[CENTRE])


def test_focal_mode_takes_the_smallest_of_ties(ee: Any) -> None:
    rows = np.array([[3, 1, 3], [1, 9, 8], [7, 6, 5]], float)
    found = pixels(ee.Image("x").focal_mode(1, "square"), replace(TEN_METRES, width=3, height=3), field(rows))[0]
    assert found.data[1, 1] == 1
    assert computed(ee.Image("x").focal_mode(), field(rows)).properties == {"system:time_start": 5}


def test_convolution_is_correlation_and_a_masked_neighbour_masks(ee: Any) -> None:
    weights = np.array([[1.0, 2, 3], [0, 5, -1]])
    kernel = ee.Kernel.fixed(weights=weights.tolist(), x=1, y=1)
    found = one(ee.Image("x").convolve(kernel), field())
    np.testing.assert_allclose(found, ndimage.correlate(FIELD, np.vstack([weights, [0, 0, 0]]))[CENTRE], rtol=1e-12)
    mask = np.ones(FIELD.shape)
    mask[20, 20] = 0
    (holed,) = pixels(ee.Image("x").convolve(kernel), GRID, field(mask=mask))
    assert holed.mask[20:22, 19:22].tolist() == [[0, 0, 1], [0, 0, 0]]  # the kernel's 0 does not ask for its neighbour


def test_derivatives_of_a_plane_are_its_slopes(ee: Any) -> None:
    y, x = np.mgrid[:40, :50].astype(float)
    found = pixels(ee.Image("x").convolve(ee.Kernel.sobel()), INNER, field(3 * x + 7 * y))[0]
    np.testing.assert_allclose(found.data, 8 * 3, rtol=1e-12)
    bands = pixels(ee.Image("x").derivative(), INNER, field(3 * x + 7 * y))
    assert [float(band.data.mean()) for band in bands] == pytest.approx([3, 7])


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_entropy_is_of_the_values_frequencies(kinds: int, seed: int) -> None:
    rows = np.random.default_rng(seed).integers(0, kinds, (3, 3)).astype(float)
    kernel = Kernel(np.ones((3, 3)), (1, 1))
    image = Image((raster_band("b", rows, type_=PixelType("int", 0, 9)),))
    found = (
        implementations()["Image.entropy"]
        .function(image, kernel)
        .bands[0]
        .pixels(replace(TEN_METRES, width=3, height=3))
    )
    share = np.unique(rows, return_counts=True)[1] / 9
    assert found.data[1, 1] == pytest.approx(-(share * np.log2(share)).sum())


@pytest.mark.parametrize(("new", "old"), [("focalMean", "focal_mean"), ("focalMedian", "focal_median")])
def test_new_names_of_focal_filters_do_the_same(ee: Any, new: str, old: str) -> None:
    call = ee.apifunction.ApiFunction.call_
    for more in ({}, {"radius": 30, "kernelType": "square", "units": "meters", "iterations": 2}):
        first, second = (one(call(f"Image.{name}", image=ee.Image("x"), **more), field()) for name in (new, old))
        np.testing.assert_array_equal(first, second)


def test_focal_mode_and_entropy_of_a_graph(ee: Any) -> None:
    """Nine values 1 1 1 1 2 2 2 3 3: the mode is 1, the entropy that of the shares 4/9, 3/9, 2/9 in bits."""
    rows = np.array([[1.0, 2, 3], [1, 2, 3], [1, 2, 1]])
    grid, context = replace(TEN_METRES, width=3, height=3), field(rows, type_=PixelType("int", 0, 9))
    mode = pixels(ee.apifunction.ApiFunction.call_("Image.focalMode", ee.Image("x"), 1, "square"), grid, context)[0]
    assert mode.data[1, 1] == 1
    entropy = pixels(ee.Image("x").entropy(ee.Kernel.square(1)), grid, context)[0]
    share = np.array([4, 3, 2]) / 9
    assert entropy.data[1, 1] == pytest.approx(-(share * np.log2(share)).sum())


# -- reduceNeighborhood -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REDUCERS)
@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 4), st.floats(0, 1), st.integers(0, 2**32 - 1),
    st.sampled_from(["kernel", "mask", "min"]),
)  # fmt: skip
def test_fast_ways_give_what_the_reducer_gives(
    name: str, height: int, width: int, share: float, seed: int, weight: Any
) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 3, (height, width)) / 2
    weights[rng.integers(height), rng.integers(width)] = 1
    cells = windows.cells_of(Kernel(weights, (int(rng.integers(width)), int(rng.integers(height)))), GRID)
    left, top, right, bottom = cells.margin
    shape = (9 + top + bottom, 11 + left + right)
    mask = np.where(rng.random(shape) < share, rng.choice([0.5, 1], shape), 0)
    view = windows.Window(data=rng.integers(0, 5, shape) * 1.5 + 1e6, mask=mask, cells=cells)
    reducer = implementations()[f"Reducer.{name}"].function(*REDUCERS[name])
    fast = windows.reduce_window(reducer, [view], weight)
    slow = windows.reduce_window(replace(reducer, name="another"), [view], weight)
    for (data, there), (expected, known) in zip(fast, slow, strict=True):
        np.testing.assert_array_equal(there, known)
        np.testing.assert_allclose(data[there > 0], expected[there > 0], rtol=1e-9, atol=1e-9)


def test_medians_follow_the_window_whatever_is_masked() -> None:
    """Many cells are ranked as the window slides; the oracle sorts each window."""
    rng = np.random.default_rng(3)
    cells = windows.cells_of(Kernel(CIRCLE_100_M * 1.0, (10, 10)), GRID)
    shape = (20 + 20, 30 + 20)
    mask = (rng.random(shape) < 0.5) * 1.0
    mask[:30, :25] = 0
    data = np.round(rng.normal(size=shape), 1)  # many ties
    view = windows.Window(data=data, mask=mask, cells=cells)
    found = windows.quantiles(view, [0.05, 0.5, 1])
    for row, col in np.ndindex(20, 30):
        near = (slice(row, row + 21), slice(col, col + 21))
        kept = data[near][CIRCLE_100_M & (mask[near] > 0)]
        assert [one[1][row, col] for one in found] == [kept.size > 0] * 3
        if kept.size:
            assert [one[0][row, col] for one in found] == pytest.approx(np.percentile(kept, [5, 50, 100]).tolist())


def test_masked_neighbours_are_not_used_and_centres_may_be(ee: Any) -> None:
    data = np.full((3, 3), 4.0)
    mask = np.ones((3, 3))
    mask[1, 1] = 0
    data[1, 1] = 1000
    grid = replace(TEN_METRES, width=3, height=3)
    kernel = ee.Kernel.square(1)
    closed = pixels(ee.Image("x").reduceNeighborhood(ee.Reducer.mean(), kernel), grid, field(data, mask))[0]
    open_ = pixels(ee.Image("x").reduceNeighborhood(ee.Reducer.mean(), kernel, None, False), grid, field(data, mask))[0]
    assert at(closed, 1, 1) is None
    assert at(open_, 1, 1) == 4  # 8 neighbours of value 4
    focal = ee.Image("x").focal_mean(1, "square")
    assert at(pixels(focal, grid, field(data, mask))[0], 1, 1) == 4
    strict = replace(field(data, mask), policies=Policies(focal_at_masked="masked"))
    assert at(pixels(focal, grid, strict)[0], 1, 1) is None


def test_kernels_of_ones_sum_and_normalised_ones_average(ee: Any) -> None:
    ones = ee.Kernel.fixed(3, 3, [[1, 1, 1]] * 3, 1, 1, False)
    total = one(ee.Image("x").reduceNeighborhood(ee.Reducer.sum(), ones), field())
    mean = one(ee.Image("x").reduceNeighborhood(ee.Reducer.mean(), ones), field())
    np.testing.assert_allclose(total, 9 * mean)
    normal = one(ee.Image("x").reduceNeighborhood(ee.Reducer.sum(), ee.Kernel.square(1)), field())
    np.testing.assert_allclose(normal, mean)
    variance = one(ee.Image("x").reduceNeighborhood(ee.Reducer.variance(), ee.Kernel.square(1)), field())
    np.testing.assert_allclose(variance, ndimage.generic_filter(FIELD, np.var, 3)[CENTRE], rtol=1e-10)


def test_constant_areas_have_no_variance_at_all(ee: Any) -> None:
    flat = np.full(FIELD.shape, 0.1)
    flat[:, 25:] = 1e6 + 0.3
    found = one(ee.Image("x").reduceNeighborhood(ee.Reducer.variance(), ee.Kernel.square(3)), field(flat))
    apart = np.abs(np.arange(12, 38) - 24.5) > 3
    assert (found[:, apart] == 0).all()
    assert (found[:, ~apart] > 0).all()


def test_names_of_neighbourhoods(ee: Any) -> None:
    image = ee.Image([1, 2]).rename(["a", "b"])
    kernel = ee.Kernel.square(1)
    names = computed(image.reduceNeighborhood(ee.Reducer.minMax(), kernel)).band_names
    assert names == ["a_min", "a_max", "b_min", "b_max"]
    assert computed(image.reduceNeighborhood(ee.Reducer.linearFit(), kernel)).band_names == ["scale", "offset"]
    with pytest.raises(EarthEngineError, match="Need 3 inputs"):
        computed(image.reduceNeighborhood(ee.Reducer.max(3), kernel))


def test_two_inputs_are_fitted_in_the_neighbourhood(ee: Any) -> None:
    image = ee.Image("x").addBands(ee.Image("x").multiply(2).add(1))
    scale, offset = pixels(image.reduceNeighborhood(ee.Reducer.linearFit(), ee.Kernel.square(1)), INNER, field())
    np.testing.assert_allclose(scale.data, 2)
    np.testing.assert_allclose(offset.data, 1)


# -- laid side by side ------------------------------------------------------------------------------------------------


def test_neighbours_are_named_by_their_offset_and_come_row_by_row(ee: Any) -> None:
    image = ee.Image("x").neighborhoodToBands(ee.Kernel.square(1))
    found = computed(image, field())
    assert found.band_names == [f"b_{x}_{y}" for y in (-1, 0, 1) for x in (-1, 0, 1)]
    for band, (dy, dx) in zip(pixels(found, INNER), np.ndindex(3, 3), strict=True):
        np.testing.assert_array_equal(band.data, np.roll(FIELD, (1 - dy, 1 - dx), (0, 1))[CENTRE])
    assert len(computed(ee.Image([1, 2]).neighborhoodToBands(ee.Kernel.square(1))).bands) == 18
    sparse = ee.Kernel.fixed(weights=[[0, 1], [0, 5]], x=0, y=0)
    assert computed(ee.Image(1).neighborhoodToBands(sparse)).band_names == ["constant_1_0", "constant_1_1"]


def test_neighbourhoods_as_arrays(ee: Any) -> None:
    mask = np.ones(FIELD.shape)
    mask[20, 21] = 0
    image = ee.Image("x").neighborhoodToArray(ee.Kernel.rectangle(2, 1), -7)
    (found,) = pixels(image, GRID, field(mask=mask))
    expected = FIELD[19:22, 18:23].copy()
    expected[1, 3] = -7
    assert at(found, 20, 20) == expected.tolist()
    assert at(found, 20, 21) is None  # the mask is the input band's
    total = image.arrayReduce(ee.Reducer.sum(), [0, 1]).arrayGet([0, 0])
    np.testing.assert_allclose(pixels(total, INNER, field())[0].data, ndimage.correlate(FIELD, np.ones((3, 5)))[CENTRE])


def test_windows_are_computed_where_they_are_asked_for(ee: Any) -> None:
    """The same pixels come out of any part of a grid: margins are asked for, not made up."""
    image = ee.Image("x").focal_median(2.5).reduceNeighborhood(ee.Reducer.stdDev(), ee.Kernel.circle(3))
    whole = one(image, field())
    part = one(image, field(), INNER.pad(-3, -4, -5, -6))
    np.testing.assert_array_equal(part, whole[4:-6, 3:-5])


# -- objects ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eight", [False, True])
def test_connected_pixels_are_counted_up_to_a_limit(ee: Any, eight: bool) -> None:
    rows = np.random.default_rng(7).integers(0, 2, (40, 50)).astype(float)
    found = pixels(ee.Image("x").connectedPixelCount(20, eight), GRID, field(rows))[0]
    expected = np.zeros(rows.shape)
    for value in (0, 1):
        labels, _ = ndimage.label(rows == value, np.ones((3, 3)) if eight else None)
        expected = np.where(rows == value, np.bincount(labels.ravel())[labels], expected)
    np.testing.assert_array_equal(found.data, np.minimum(expected, 20))


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [
        ("squared_euclidean", lambda x: ndimage.distance_transform_edt(x) ** 2),
        ("manhattan", lambda x: ndimage.distance_transform_cdt(x, "taxicab")),
        ("chebyshev", lambda x: ndimage.distance_transform_cdt(x, "chessboard")),
    ],
)
def test_distances_to_the_nearest_pixel_that_is_not_zero(ee: Any, metric: str, oracle: Any) -> None:
    rows = (np.random.default_rng(8).random((40, 50)) < 0.01) * 1.0
    (found,) = pixels(ee.Image("x").fastDistanceTransform(60, "pixels", metric), GRID, field(rows))
    np.testing.assert_allclose(found.data, oracle(rows == 0), atol=1e-9)
    near = pixels(ee.Image("x").fastDistanceTransform(2, "pixels", metric), GRID, field(rows))[0]
    limit = 4 if metric == "squared_euclidean" else 2
    np.testing.assert_array_equal(near.mask > 0, oracle(rows == 0) <= limit)
