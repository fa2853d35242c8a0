"""Images and collections reduced pixel by pixel: composites, mosaics, stacks (sections 5 and 13)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ee_offline import TEN_METRES, at, computed, offline_client, pixels, raster_band, shelf
from scipy import stats

from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Grid, Image, Pixels
from gee.local.policies import Policies
from gee.local.reduction.stacks import HELD_BYTES
from gee.local.table import implementations
from gee.local.values import Collection, PixelType


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


# -- images and collections -------------------------------------------------------------------------------------------


def images(*stack: np.ndarray, masks: Any = None, **types: PixelType) -> Context:
    bands = {
        f"i{index}": Image((raster_band("b", one, mask=None if masks is None else masks[index], **types),))
        for index, one in enumerate(stack)
    }
    return shelf(**bands)


def all_of(ee: Any, count: int) -> Any:
    return ee.ImageCollection([ee.Image(f"i{index}") for index in range(count)])


STACK = np.random.default_rng(4).normal(size=(5, 3, 4))
MASKS = np.random.default_rng(5).random((5, 3, 4)) < 0.6
MASKS[:, 0, 0] = False


def test_bands_are_reduced_without_a_prefix(ee: Any) -> None:
    image = ee.Image([1, 2, 6])
    assert computed(image.reduce(ee.Reducer.mean())).band_names == ["mean"]
    assert computed(image.reduce(ee.Reducer.minMax())).band_names == ["min", "max"]
    assert [at(one, 0, 0) for one in pixels(image.reduce(ee.Reducer.minMax()))] == [1, 6]


def test_collections_prefix_outputs_and_shortcuts_do_not(ee: Any) -> None:
    collection = ee.ImageCollection([ee.Image([1, 2]).rename(["VV", "VH"])])
    reduced = computed(collection.reduce(ee.Reducer.percentile([5, 50])))
    assert reduced.band_names == ["VV_p5", "VV_p50", "VH_p5", "VH_p50"]
    assert computed(collection.median()).band_names == ["VV", "VH"]
    assert computed(collection.reduce(ee.Reducer.linearFit())).band_names == ["scale", "offset"]


ORACLES = {
    "mean": np.mean, "sum": np.sum, "min": np.min, "max": np.max, "median": np.median, "product": np.prod,
    "count": np.size, "mode": lambda kept: stats.mode(kept).mode,
}  # fmt: skip


@pytest.mark.parametrize("name", ORACLES)
def test_pixels_of_a_collection_are_reduced_where_they_are_valid(ee: Any, name: str) -> None:
    (found,) = pixels(getattr(all_of(ee, 5), name)(), context=images(*STACK, masks=MASKS))
    assert found.mask[0, 0] == 0  # never observed: masked, counts too
    for row, col in np.ndindex(3, 4):
        kept = STACK[:, row, col][MASKS[:, row, col]]
        if kept.size:
            assert found.data[row, col] == pytest.approx(ORACLES[name](kept))
        else:
            assert found.mask[row, col] == 0


def test_two_inputs_take_two_bands(ee: Any) -> None:
    times = ee.ImageCollection([ee.Image([t, 3 * t + 1]).rename(["t", "y"]) for t in range(4)])
    assert [at(one, 0, 0) for one in pixels(times.reduce(ee.Reducer.linearFit()))] == pytest.approx([3, 1])


def test_histograms_of_pixels_are_arrays(ee: Any) -> None:
    collection = ee.ImageCollection([ee.Image(value) for value in (0, 1, 1, 3)])
    (found,) = pixels(collection.reduce(ee.Reducer.fixedHistogram(0, 4, 2)))
    assert at(found, 0, 0) == [[0, 3], [2, 1]]
    with pytest.raises(EarthEngineError, match="per pixel"):
        pixels(collection.reduce(ee.Reducer.toList()))


def test_an_empty_collection_makes_an_image_without_bands(ee: Any) -> None:
    empty = ee.ImageCollection([])
    assert computed(empty.mean()).bands == ()
    with pytest.raises(EarthEngineError, match="was applied to an Image with no bands"):
        computed(empty.mean().select("VV"))


def test_incompatible_images_are_refused_in_the_documented_words(ee: Any) -> None:
    mixed = ee.ImageCollection([ee.Image(1).toFloat(), ee.Image(1)])
    with pytest.raises(EarthEngineError) as caught:
        computed(mixed.sum())
    assert "Expected a homogeneous image collection, but an image with incompatible bands" in caught.value.message
    assert "Mismatched type for band 'constant':\nExpected type: Float" in caught.value.message
    with pytest.raises(EarthEngineError, match="homogeneous"):
        computed(ee.ImageCollection([ee.Image([1, 2]), ee.Image(1)]).sum())


def test_ranges_are_compared_by_policy(ee: Any) -> None:
    times = ee.ImageCollection([ee.Image(0.0).double(), ee.Image.constant(1.5), ee.Image.constant(0.5)])
    assert [at(one, 0, 0) for one in pixels(times.sum())] == [2]
    with pytest.raises(EarthEngineError, match=r"Actual type: Double<1\.5,1\.5>"):
        computed(times.sum(), Context(policies=Policies(ranges="error")))


def test_many_dates_are_reduced_strip_by_strip(ee: Any) -> None:
    """More pixels than are held at once are asked for in strips; the result is the same as of all at once."""
    width, height, steps = 2048, 600, 20
    asked: list[int] = []
    base = np.random.default_rng(6).normal(size=(height, 1))
    band = raster_band("b", np.zeros((1, 1)))

    def compute(grid: Grid) -> Pixels:
        asked.append(grid.height)
        top = -round((grid.transform[5] - 8000000.0) / 10)
        data = np.broadcast_to(base[top : top + grid.height], (grid.height, grid.width))
        return Pixels(data, np.ones(data.shape))

    image = Image((replace(band, compute=compute),))
    grid = replace(TEN_METRES, width=width, height=height)
    function = implementations()["reduce.median"].function
    composite = function(Collection((image,) * steps, images=True), Context())
    found = composite.bands[0].pixels(grid)
    assert max(asked) * width * steps * 16 <= HELD_BYTES
    assert max(asked) < height
    np.testing.assert_array_equal(found.data, np.broadcast_to(base, (height, width)))


# -- composites -------------------------------------------------------------------------------------------------------


def test_mosaic_takes_the_last_valid_image(ee: Any) -> None:
    (found,) = pixels(all_of(ee, 5).mosaic(), context=images(*STACK, masks=MASKS))
    for row, col in np.ndindex(3, 4):
        valid = np.flatnonzero(MASKS[:, row, col])
        assert at(found, row, col) == (STACK[valid[-1], row, col] if valid.size else None)


def test_fractional_masks_let_through_what_is_below(ee: Any) -> None:
    top = ee.Image(10.0).updateMask(0.25)
    (found,) = pixels(ee.ImageCollection([ee.Image(2.0), top]).mosaic())
    assert at(found, 0, 0) == pytest.approx(0.25 * 10 + 0.75 * 2)
    assert found.mask[0, 0] == 1


def test_quality_mosaic_takes_all_bands_of_the_best_image(ee: Any) -> None:
    rows = [(1.0, 5.0), (2.0, 9.0), (3.0, 9.0), (4.0, 99.0)]
    images_ = [ee.Image.constant(list(row)).rename(["v", "q"]) for row in rows]
    images_[3] = images_[3].addBands(images_[3].select("q").updateMask(0), None, True)
    found = pixels(ee.ImageCollection(images_).qualityMosaic("q"))
    assert [at(one, 0, 0) for one in found] == [3, 9]  # a tie goes to the later; masked quality never wins


def test_arrays_of_a_collection_leave_out_masked_images(ee: Any) -> None:
    (found,) = pixels(all_of(ee, 5).toArray(), context=images(*STACK, masks=MASKS))
    (kept,) = pixels(all_of(ee, 5).toArrayPerBand(0, True), context=images(*STACK, masks=MASKS))
    for row, col in np.ndindex(3, 4):
        expected = STACK[:, row, col][MASKS[:, row, col]].tolist()
        assert at(found, row, col) == ([[one] for one in expected] or None)
        assert at(kept, row, col) == (expected or None)
    strict = pixels(all_of(ee, 5).toArrayPerBand(0), context=images(*STACK, masks=MASKS))[0]
    np.testing.assert_array_equal(strict.mask > 0, MASKS.all(axis=0))


def test_bands_of_images_get_their_ids() -> None:
    images_ = [
        Image((raster_band("VV", STACK[0]),), {"system:index": name}) for name in ("S1A_1SDV", "S1B_1SDV", "S1A_1SDV")
    ]
    found = implementations()["ImageCollection.toBands"].function(Collection(images_, images=True))
    assert found.band_names == ["S1A_1SDV_VV", "S1B_1SDV_VV", "S1A_1SDV_VV_1"]


def test_bands_of_a_collection_are_prefixed_by_its_ids(ee: Any) -> None:
    merged = ee.ImageCollection([ee.Image(1).rename("VV"), ee.Image([2, 3]).rename(["VV", "VH"])]).toBands()
    assert computed(merged).band_names == ["0_VV", "1_VV", "1_VH"]
    assert [at(one, 0, 0) for one in pixels(merged)] == [1, 2, 3]


def test_truth_of_a_collection(ee: Any) -> None:
    collection = ee.ImageCollection([ee.Image([1, 0, 2]), ee.Image([1, 0, 0])])
    assert [at(one, 0, 0) for one in pixels(collection.And())] == [1, 0, 0]
    assert [at(one, 0, 0) for one in pixels(collection.Or())] == [1, 0, 1]


def test_collections_are_cast_and_combined(ee: Any) -> None:
    one = ee.ImageCollection([ee.Image(1).rename("VV")])
    two = ee.ImageCollection([ee.Image(2).rename("VV"), ee.Image(3).rename("VV")])  # ids 0 and 1
    both = computed(one.combine(two))
    assert [image.band_names for image in both.elements] == [["VV", "VV_1"]]
    cast = computed(one.cast({"VV": "float", "VH": "int8"}, ["VH", "VV"]))
    assert [(band.name, band.type.precision) for band in cast.elements[0].bands] == [("VH", "int"), ("VV", "float")]
