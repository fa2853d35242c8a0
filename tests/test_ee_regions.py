"""Regions of the local Earth Engine: which pixels take part and with which weight, samples, series, error texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from ee_offline import TEN_METRES, answer, computed, offline_client, raster_band, shelf
from hypothesis import given, settings
from hypothesis import strategies as st

from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Image
from gee.local.regions import region_pixels
from gee.local.regions.area_fractions import centres_inside, fractions, in_8_bits
from gee.local.table import implementations
from gee.local.values import Array, Collection, Geometry, PixelType

DATA = np.arange(60.0).reshape(6, 10)
UTM = TEN_METRES.crs
WHOLE = PixelType("int", 0, 100)


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def field(mask: np.ndarray | None = None, data: np.ndarray = DATA) -> Context:
    return shelf(x=Image((raster_band("b", data, mask=mask, type_=WHOLE),), {"name": "n", "system:time_start": 7}))


def box(ee: Any, left: float, top: float, right: float, bottom: float) -> Any:
    """Rectangle in pixels of the raster, y downwards."""
    x, y = 500000.0, 8000000.0
    ring = [[x + 10 * a, y - 10 * b] for a, b in ((left, bottom), (right, bottom), (right, top), (left, top))]
    return ee.Geometry.Polygon([ring], UTM, False)


def region(ee: Any, reducer: Any, place: Any, context: Context | None = None, **more: Any) -> Any:
    return answer(ee.Image("x").reduceRegion(reducer, place, **more), context or field())


# -- which pixels, which weight (section 6) ---------------------------------------------------------------------------


def test_centres_decide_for_unweighted_reducers_and_shares_for_weighted_ones(ee: Any) -> None:
    place = box(ee, 0, 0, 1.4, 1)
    assert region(ee, ee.Reducer.count(), place) == {"b": 1}
    assert region(ee, ee.Reducer.toList(), place) == {"b": [0]}
    assert region(ee, ee.Reducer.sum(), place)["b"] == pytest.approx(0.4)  # weights 1 and 0.4 of 0 and 1
    assert region(ee, ee.Reducer.mean().unweighted(), place) == {"b": 0}
    assert region(ee, ee.Reducer.count(), box(ee, 0, 0, 1.6, 1)) == {"b": 2}


def test_masks_limit_the_weight(ee: Any) -> None:
    mask = np.ones(DATA.shape)
    mask[0, 1] = 0.3
    found = region(ee, ee.Reducer.sum(), box(ee, 0, 0, 2, 1), field(mask))
    assert found["b"] == pytest.approx(0.3)
    mask[0, 1] = 0
    assert region(ee, ee.Reducer.count(), box(ee, 0, 0, 2, 1), field(mask)) == {"b": 1}


def test_a_sliver_counts_for_nothing(ee: Any) -> None:
    assert region(ee, ee.Reducer.sum(), box(ee, 1, 0, 2.003, 1)) == {"b": 1}
    assert region(ee, ee.Reducer.sum(), box(ee, 1, 0, 2.005, 1))["b"] == pytest.approx(1 + 2 / 255)


def test_edges_through_centres_belong_to_the_left_and_top(ee: Any) -> None:
    found = region(ee, ee.Reducer.toList(), box(ee, 0.5, 0.5, 2.5, 1.5))
    assert found == {"b": [0, 1]}


def test_names_of_outputs(ee: Any) -> None:
    both = ee.Reducer.mean().combine(ee.Reducer.stdDev(), "", True)
    found = region(ee, both, box(ee, 0, 0, 2, 1))
    assert found == {"b_mean": 0.5, "b_stdDev": 0.5}
    two = ee.Image("x").addBands(ee.Image("x").multiply(2).rename("c"))
    place = box(ee, 0, 0, 3, 2)
    assert answer(two.reduceRegion(ee.Reducer.max(), place), field()) == {"b": 12, "c": 24}
    fit = answer(two.reduceRegion(ee.Reducer.linearFit(), place), field())
    assert fit == pytest.approx({"scale": 2, "offset": 0})
    groups = answer(two.reduceRegion(ee.Reducer.sum().group(1, "twice"), box(ee, 0, 0, 2, 1)), field())
    assert groups == {"groups": [{"twice": 0, "sum": 0}, {"twice": 2, "sum": 1}]}
    with pytest.raises(EarthEngineError, match=r"Need 2 inputs for Reducer\.linearFit, got 1"):
        region(ee, ee.Reducer.linearFit(), place)


def test_nothing_valid_is_null_and_counts_nothing(ee: Any) -> None:
    empty = field(np.zeros(DATA.shape))
    place = box(ee, 0, 0, 2, 1)
    assert region(ee, ee.Reducer.mean(), place, empty) == {"b": None}
    assert region(ee, ee.Reducer.sum(), place, empty) == {"b": None}
    assert region(ee, ee.Reducer.count(), place, empty) == {"b": 0}


def test_larger_pixels_lie_on_the_projections_origin(ee: Any) -> None:
    found = region(ee, ee.Reducer.toList(), box(ee, 0, 0, 4, 2), scale=20)
    assert found == {"b": [11, 13]}  # a centre on a corner takes the pixel right of and below it
    shifted = region(ee, ee.Reducer.toList(), box(ee, 0, 0, 4, 2), crsTransform=[20, 0, 500010, 0, -20, 8000000])
    assert shifted == {"b": [10, 12]}  # centres on the left edge are in, those on the right edge out


def test_too_many_pixels_are_refused_in_the_documented_words(ee: Any) -> None:
    with pytest.raises(EarthEngineError) as caught:
        region(ee, ee.Reducer.mean(), box(ee, 0, 0, 10, 6), maxPixels=59)
    assert caught.value.message.startswith(
        "Image.reduceRegion: Too many pixels in the region. Found 60, but only 59 allowed."
    )
    found = region(ee, ee.Reducer.count(), box(ee, 0, 0, 10, 6), maxPixels=30, bestEffort=True)
    assert 15 < found["b"] < 36


def test_default_projections_are_refused_in_the_documented_words(ee: Any) -> None:
    place = ee.Geometry.Point([0, 0])
    with pytest.raises(
        EarthEngineError,
        match=r"The default WGS84 projection is invalid for aggregations. Specify a scale or crs & crs_transform.",
    ):
        computed(ee.Image(1).reduceRegion(ee.Reducer.mean(), place))
    with pytest.raises(EarthEngineError, match="both 'scale' and 'crsTransform'"):
        region(ee, ee.Reducer.mean(), place, scale=10, crsTransform=[10, 0, 0, 0, -10, 0])
    with pytest.raises(EarthEngineError, match="has no scale"):
        region(ee, ee.Reducer.mean(), place, crs="EPSG:32720")
    with pytest.raises(EarthEngineError, match="unbounded region"):
        computed(ee.Image(1).reduceRegion(ee.Reducer.mean(), scale=10))


def test_tiles_give_what_the_whole_gives(ee: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reducers = ee.Reducer.mean().combine(ee.Reducer.median(), "", True).combine(ee.Reducer.count(), "", True)
    place = box(ee, 0.3, 0.2, 8.7, 5.1)
    whole = region(ee, reducers, place)
    monkeypatch.setattr(region_pixels, "TILE", 3)
    assert region(ee, reducers, place) == pytest.approx(whole)


def test_regions_become_properties(ee: Any) -> None:
    places = ee.FeatureCollection(
        [ee.Feature(box(ee, 0, 0, 2, 1), {"k": 1}), ee.Feature(box(ee, 8, 5, 10, 6), {"k": 2})]
    )
    found = computed(ee.Image("x").reduceRegions(places, ee.Reducer.minMax()), field())
    assert [one.properties for one in found.elements] == [
        {"k": 1, "min": 0, "max": 1},
        {"k": 2, "min": 58, "max": 59},
    ]
    two = ee.Image("x").addBands(ee.Image("x").rename("c"))
    first = computed(two.reduceRegions(places, ee.Reducer.max()), field()).elements[0]
    assert first.properties == {"k": 1, "b": 1, "c": 1}


# -- samples and series -----------------------------------------------------------------------------------------------


def test_a_point_samples_one_pixel(ee: Any) -> None:
    found = computed(ee.Image([1.5, 2]).sample(ee.Geometry.Point([-121, 42]), 500)).elements
    assert [one.properties for one in found] == [{"constant": 1.5, "constant_1": 2}]
    assert found[0].geometry is None


def test_pixels_with_a_null_are_dropped_unless_told(ee: Any) -> None:
    mask = np.ones(DATA.shape)
    mask[0, 1] = 0
    image = ee.Image("x").addBands(ee.Image(3).rename("c"))
    place = box(ee, 0, 0, 3, 1)
    kept = computed(image.sample(place), field(mask)).elements
    assert [one.properties["b"] for one in kept] == [0, 2]
    every = computed(image.sample(place, dropNulls=False, geometries=True), field(mask)).elements
    assert [one.properties for one in every] == [{"b": 0, "c": 3}, {"b": None, "c": 3}, {"b": 2, "c": 3}]
    from pyproj import Transformer

    centre = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(500005, 7999995)
    assert (every[0].geometry.shape.x, every[0].geometry.shape.y) == pytest.approx(centre)


def test_random_samples_are_the_same_for_the_same_seed(ee: Any) -> None:
    place = box(ee, 0, 0, 10, 6)

    def chosen(**more: Any) -> list[int]:
        return [one.properties["b"] for one in computed(ee.Image("x").sample(place, **more), field()).elements]

    assert len(chosen(numPixels=7)) == 7
    assert chosen(numPixels=7) == chosen(numPixels=7) != chosen(numPixels=7, seed=1)
    assert 10 < len(chosen(factor=0.5)) < 50
    with pytest.raises(EarthEngineError, match="both 'factor' and 'numPixels'"):
        chosen(factor=0.5, numPixels=7)


def test_partly_masked_pixels_of_regions_are_left_out(ee: Any) -> None:
    """36 pixels, 7 of them with a masked band: 29 features, as the documentation's sample prints."""
    data, mask = np.arange(36.0).reshape(6, 6), np.ones((6, 6))
    mask.flat[:7] = 0
    places = ee.FeatureCollection([ee.Feature(box(ee, 0, 0, 6, 6), {"k": 1, "l": 2})])
    found = computed(ee.Image("x").sampleRegions(places, ["k"]), field(mask, data)).elements
    assert len(found) == 29
    assert found[0].properties == {"k": 1, "b": 7}


def test_rectangles_become_arrays(ee: Any) -> None:
    found = computed(ee.Image("x").sampleRectangle(box(ee, 1, 1, 4, 3)), field())
    assert found.properties["b"].values.tolist() == [[11, 12, 13], [21, 22, 23]]
    assert found.properties["name"] == "n"
    mask = np.ones(DATA.shape)
    mask[1, 2] = 0
    with pytest.raises(EarthEngineError, match="no default value"):
        computed(ee.Image("x").sampleRectangle(box(ee, 1, 1, 4, 3)), field(mask))
    filled = computed(ee.Image("x").sampleRectangle(box(ee, 1, 1, 4, 3), defaultValue=-1), field(mask))
    assert filled.properties["b"].values.tolist() == [[11, -1, 13], [21, 22, 23]]
    arrays = ee.Image("x").addBands(ee.Image("x")).toArray()
    cube = computed(arrays.sampleRectangle(box(ee, 0, 0, 2, 1)), field()).properties["array"]
    assert isinstance(cube, Array)
    assert cube.values.tolist() == [[[0, 0], [1, 1]]]


def test_series_of_5_images_and_2_pixels_have_11_rows(ee: Any) -> None:
    images = [ee.Image(t).rename("v").updateMask(int(t != 2)).set("system:time_start", t) for t in range(5)]
    place = ee.Geometry.MultiPoint([[0, 0], [0.5, 0.5]])
    rows = answer(ee.ImageCollection(images).getRegion(place, 10000))
    assert rows[0] == ["id", "longitude", "latitude", "time", "v"]
    assert len(rows) == 11
    assert [row[4] for row in rows[1:6]] == [0, 1, None, 3, 4]
    assert [row[3] for row in rows[1:6]] == [0, 1, 2, 3, 4]
    assert len({(row[1], row[2]) for row in rows[1:6]}) == 1
    assert len({(row[1], row[2]) for row in rows[1:]}) == 2


def test_images_that_do_not_reach_a_pixel_have_no_row() -> None:
    here = Geometry(shapely.box(-1, -1, 1, 1), geodesic=False)
    images = [replace(Image((raster_band("b", DATA),)), footprint=place) for place in (here, None)]
    function = implementations()["ImageCollection.getRegion"].function
    from gee.local.values import Projection

    def rows(x: float) -> int:
        place = Geometry(shapely.Point(x, 0))
        collection = Collection(tuple(images), images=True)
        return len(function(collection, place, 1000.0, Projection(), None, Context())) - 1

    assert (rows(0), rows(5)) == (2, 1)


def test_too_many_values_of_a_series_are_refused(ee: Any) -> None:
    with pytest.raises(EarthEngineError, match="Too many values"):
        computed(ee.ImageCollection([ee.Image(1)]).getRegion(ee.Geometry.Rectangle([0, 0, 10, 10]), 100))


# -- covered shares ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 9), st.floats(2, 40))
def test_shares_add_up_to_the_area(seed: int, corners: int, size: float) -> None:
    """Any polygon, also one that crosses itself: the sum over pixels is its area, to 8 bits per pixel of its edge."""
    points = np.random.default_rng(seed).random((corners, 2)) * size + 3
    shape = shapely.make_valid(shapely.Polygon(points))
    share = fractions(shape, 50, 50)
    edge = np.count_nonzero((share > 0) & (share < 1))
    assert abs(share.sum() - shape.area) <= (edge + 1) * (0.5 / 255 + 1 / 256)
    assert share.min() >= 0
    assert share.max() <= 1
    inside = centres_inside(shape, 50, 50)
    y, x = np.mgrid[:50, :50] + 0.5
    np.testing.assert_array_equal(inside, shapely.contains_xy(shape, x, y))


def test_holes_and_parts_are_respected() -> None:
    ring = shapely.Point(25, 25).buffer(20).difference(shapely.Point(25, 25).buffer(8))
    both = shapely.union(ring, shapely.box(0, 0, 3, 3.5))
    assert fractions(both, 50, 50).sum() == pytest.approx(both.area, rel=1e-3)
    assert fractions(both, 50, 50)[25, 25] == 0
    assert fractions(both, 50, 50)[3, 1] == pytest.approx(0.5, abs=0.01)


def test_points_and_lines_take_the_pixels_they_touch() -> None:
    assert np.argwhere(fractions(shapely.Point(2, 3), 5, 5)).tolist() == [[3, 2]]
    line = fractions(shapely.LineString([(0.5, 0.5), (3.5, 0.5)]), 5, 5)
    assert np.argwhere(line == 1).tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]
    assert centres_inside(shapely.MultiPoint([(1.1, 1.1), (4.2, 0)]), 5, 5).sum() == 2


def test_shares_are_kept_in_8_bits() -> None:
    np.testing.assert_allclose(in_8_bits(np.array([0, 0.003, 0.004, 0.4, 1])), [0, 0, 1 / 255, 0.4, 1])
