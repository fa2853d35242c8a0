"""Speckle filters in Earth Engine: against plain loops over pixels, and what filters must do to speckle, edges, gaps."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import ee
import numpy as np
import plain_speckle
import pytest
from ee_offline import computed, offline_client, pixels
from ee_pixels import arrays, catalogue, filtered, lattice, stored

from gee.local.pixels import Grid
from gee.speckle.boxcar import boxcar
from gee.speckle.choice import FILTERS, Speckle
from gee.speckle.despeckle import despeckle, despeckle_pass
from gee.speckle.focal_median import focal_median
from gee.speckle.gamma_map import gamma_map
from gee.speckle.lee import lee
from gee.speckle.lee_sigma import lee_sigma
from gee.speckle.multi_temporal import multi_temporal
from gee.speckle.refined_lee import refined_lee
from gee.speckle.sigma_range import sigma_range
from infra.errors import InputError

LOOKS = 4.0
Parameters = dict[str, Any]


def sigma_of_vv(image: ee.Image, *, strong: float, **parameters: Any) -> ee.Image:
    return lee_sigma(image, strong={"VV": strong}, **parameters)


CASES: dict[str, tuple[Callable[..., Any], Callable[..., np.ndarray], Parameters]] = {
    "boxcar 3": (boxcar, plain_speckle.boxcar, {"window": 3}),
    "boxcar 1": (boxcar, plain_speckle.boxcar, {"window": 1}),
    "focal_median 0": (focal_median, plain_speckle.focal_median, {"radius": 0}),
    "focal_median 1.5": (focal_median, plain_speckle.focal_median, {"radius": 1.5}),
    "focal_median 8.2": (focal_median, plain_speckle.focal_median, {"radius": 8.2}),
    "lee 5": (lee, plain_speckle.lee, {"window": 5, "looks": 4.4}),
    "lee 7": (lee, plain_speckle.lee, {"window": 7, "looks": 1}),
    "refined_lee": (refined_lee, plain_speckle.refined_lee, {}),
    "refined_lee looks": (refined_lee, plain_speckle.refined_lee, {"looks": 4.4}),
    "gamma_map 5": (gamma_map, plain_speckle.gamma_map, {"window": 5, "looks": 4.4}),
    "gamma_map 7": (gamma_map, plain_speckle.gamma_map, {"window": 7, "looks": 8}),
    "lee_sigma 9": (sigma_of_vv, plain_speckle.lee_sigma, {"window": 9, "looks": 4.4, "strong": 6.0}),
    "lee_sigma 3": (sigma_of_vv, plain_speckle.lee_sigma, {"window": 3, "looks": 1, "sigma": 0.5, "strong": 2.0}),
}
ONE_DATE: dict[str, Callable[[Any], Any]] = {
    "boxcar": partial(boxcar, window=7),
    "focal_median": partial(focal_median, radius=3),
    "lee": partial(lee, window=7, looks=LOOKS),
    "refined_lee": refined_lee,
    "refined_lee looks": partial(refined_lee, looks=LOOKS),
    "gamma_map": partial(gamma_map, window=7, looks=LOOKS),
    "lee_sigma": partial(sigma_of_vv, window=9, looks=LOOKS, strong=1e9),
}


@pytest.fixture(autouse=True, scope="module")
def _client() -> Iterator[None]:
    with offline_client():
        yield


def one(filter_: Callable[[Any], Any], power: np.ndarray) -> np.ndarray:
    return filtered(lambda images: images.map(filter_), [power])[0]


def speckle(shape: tuple[int, ...], *, seed: int) -> np.ndarray:
    """White speckle with mean 1."""
    return np.random.default_rng(seed).gamma(LOOKS, 1 / LOOKS, shape)


def landscape(seed: int, *, shape: tuple[int, int] = (33, 41)) -> np.ndarray:
    """Speckle on fields with edges and one bright target, with holes, one of them larger than any window, and a border."""
    random = np.random.default_rng(seed)
    rows, cols = np.indices(shape)
    fields = np.where(rows + 0.7 * cols > 36, 0.5, 0.08) * np.where((rows - 16) ** 2 + (cols - 12) ** 2 < 50, 3.0, 1.0)
    power = fields * random.gamma(4.4, 1 / 4.4, shape)
    power[24:26, 32:35] = random.uniform(7, 30, (2, 3))
    power[random.random(shape) < 0.05] = np.nan
    power[2:13, 28:39] = np.nan
    power[6:8, 33:35] = random.random((2, 2))  # an island in it
    power[-1, : shape[1] // 2] = np.nan
    return power


def agree(made: np.ndarray, wanted: np.ndarray) -> None:
    assert np.array_equal(np.isnan(made), np.isnan(wanted))
    np.testing.assert_allclose(made, wanted, rtol=1e-9, atol=0)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_filter_is_what_a_plain_loop_makes(case: str, seed: int) -> None:
    function, plain, parameters = CASES[case]
    power = landscape(seed)
    agree(one(partial(function, **parameters), power), plain(power, **parameters))


@pytest.mark.parametrize("case", CASES)
def test_images_smaller_than_the_window(case: str) -> None:
    function, plain, parameters = CASES[case]
    for shape in ((1, 1), (1, 6), (4, 2)):
        power = speckle(shape, seed=3)
        agree(one(partial(function, **parameters), power), plain(power, **parameters))


@pytest.mark.parametrize("looks", [None, 2.0])
def test_ties_of_refined_lee_go_to_the_first(looks: float | None) -> None:
    """Multiples of 36, so that the means of the 3 x 3 are exact, and many of them equal."""
    power = 36.0 * np.random.default_rng(5).integers(1, 4, (30, 31))
    agree(one(partial(refined_lee, looks=looks), power), plain_speckle.refined_lee(power, looks=looks))


def test_many_passes_are_what_a_plain_loop_makes() -> None:
    powers = np.array([landscape(seed)[10:33, 5:] for seed in range(4)])
    powers[0, :, :8] = np.nan
    powers[:, 18, 20] = np.nan
    powers[2, 2:14, 2:14] = 0.0
    for window in (3, 7):
        made = filtered(partial(multi_temporal, window=window), list(powers))
        agree(np.array(made), plain_speckle.multi_temporal(powers, window=window))


@pytest.mark.parametrize("name", ONE_DATE)
def test_a_constant_comes_back_as_it_is(name: str) -> None:
    for value in (0.1, 1 / 3, 1e-7, 123.456, 0.0):
        power = np.full((12, 13), value)
        power[4:6, 7:9] = np.nan
        np.testing.assert_allclose(one(ONE_DATE[name], power), power, rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", ONE_DATE)
def test_flips_and_quarter_turns_change_nothing_else(name: str) -> None:
    power = landscape(7)
    made = one(ONE_DATE[name], power)
    for turns in range(4):
        for flip in (False, True):

            def move(image: np.ndarray, turns: int = turns, flip: bool = flip) -> np.ndarray:
                turned = np.rot90(image, turns)
                return np.fliplr(turned) if flip else turned

            np.testing.assert_allclose(one(ONE_DATE[name], move(power)), move(made), rtol=1e-11)


@pytest.mark.parametrize("looks", [None, LOOKS])
@pytest.mark.parametrize("eighth", range(8))
def test_the_dark_side_of_a_noisy_step_stays_dark(eighth: int, looks: float | None) -> None:
    rows, cols = np.indices((200, 200)) - 99.5
    angle = eighth * math.pi / 4
    distance = cols * math.cos(angle) + rows * math.sin(angle)  # pixels; positive where it is bright
    power = np.where(distance > 0, 6.0, 1.0) * speckle((200, 200), seed=eighth)
    strip = (distance < 0) & (distance > -4) & (np.hypot(rows, cols) < 90)
    mean = one(partial(refined_lee, looks=looks), power)[strip].mean()
    assert abs(mean / power[strip].mean() - 1) < 0.15


@pytest.mark.parametrize("name", ["boxcar", "lee", "refined_lee", "refined_lee looks"])
def test_mean_power_is_kept_and_looks_grow_fivefold(name: str) -> None:
    made = one(ONE_DATE[name], speckle((400, 400), seed=8))
    assert abs(made.mean() - 1) < 0.01
    assert made.mean() ** 2 / made.var() > 5 * LOOKS


def test_looks_of_many_passes() -> None:
    passes, window = 6, 5
    made = filtered(partial(multi_temporal, window=window), list(speckle((passes, 200, 200), seed=10)))
    found = np.mean([one.mean() ** 2 / one.var() for one in (image[10:-10, 10:-10] for image in made)])
    assert found == pytest.approx(LOOKS * passes * window**2 / (passes + window**2 - 1), rel=0.05)


@pytest.mark.parametrize("looks", [0.5, 1, 4.4, 20, 150])
@pytest.mark.parametrize("sigma", [0.05, 0.5, 0.9, 0.99])
def test_a_sigma_range_holds_its_share_and_keeps_the_mean(looks: float, sigma: float) -> None:
    assert sigma_range(looks=looks, sigma=sigma) == pytest.approx(plain_speckle.sigma_range(looks, sigma), rel=1e-7)


# -- Earth Engine's own traps -----------------------------------------------------------------------------------------


def setting(name: str) -> Speckle:
    return Speckle(filter=name, window=5, radius=2.0, looks=4.4, strong={"VV": 3.0, "VH": 2.0})


def filtered_image(speckle: Speckle, polarizations: list[str]) -> ee.Image:
    """Image "a" after the filter that was chosen."""
    passes = ee.ImageCollection.fromImages([ee.Image("a").select(polarizations)])
    return ee.Image(despeckle(passes, speckle, polarizations=polarizations).first())


def two_bands() -> dict[str, np.ndarray]:
    return {"VV": landscape(20), "VH": 0.2 * landscape(21)}


@pytest.mark.parametrize("name", FILTERS)
def test_bands_are_filtered_by_themselves_and_keep_names_and_properties(name: str) -> None:
    bands = two_bands()
    context = catalogue({"a": stored(bands, **{"system:time_start": 86_400_000})})
    grid = lattice(*bands["VV"].shape)
    both = filtered_image(setting(name), list(bands))
    made = arrays(both, context, grid)
    assert list(made) == ["VV", "VH"]
    assert computed(both, context).properties["system:time_start"] == 86_400_000
    for band in bands:
        alone = filtered_image(setting(name), [band])
        assert np.array_equal(arrays(alone, context, grid)[band], made[band], equal_nan=True)


@pytest.mark.parametrize("name", FILTERS)
def test_what_is_filtered_does_not_depend_on_the_grid_that_is_looked_at(name: str) -> None:
    """At every third pixel, shifted by less than half of one, stands what stands there on the image's own grid."""
    bands = two_bands()
    context = catalogue({"a": stored(bands)})
    native = lattice(*bands["VV"].shape)
    made = filtered_image(setting(name), list(bands))
    whole = arrays(made, context, native)
    side, _, west, _, _, north = native.transform
    coarse = Grid(native.crs, (3 * side, 0, west + 3.0, 0, -3 * side, north - 3.0), 12, 10)
    seen = arrays(made, context, coarse)
    for band in bands:
        assert np.array_equal(seen[band], whole[band][1:31:3, 1:37:3], equal_nan=True)


@pytest.mark.parametrize("name", FILTERS)
def test_blocks_equal_the_whole(name: str) -> None:
    bands = two_bands()
    context = catalogue({"a": stored(bands)})
    native = lattice(*bands["VV"].shape)
    made = filtered_image(setting(name), list(bands))
    whole = arrays(made, context, native)
    side, _, west, _, _, north = native.transform
    block = Grid(native.crs, (side, 0, west + 7 * side, 0, -side, north - 11 * side), 13, 9)
    for band, values in arrays(made, context, block).items():
        np.testing.assert_allclose(values, whole[band][11:20, 7:20], rtol=1e-12)


@pytest.mark.parametrize("name", FILTERS)
def test_graphs_are_small(name: str) -> None:
    made = filtered_image(setting(name), ["VV", "VH"])
    assert len(made.serialize(for_cloud_api=True)) < 60_000


def test_a_filter_stands_in_a_graph_once_however_many_passes_there_are() -> None:
    def size(number: int) -> int:
        passes = ee.ImageCollection.fromImages([ee.Image(f"a{n}") for n in range(number)])
        made = despeckle(passes, setting("refined_lee"), polarizations=["VV", "VH"])
        return len(made.serialize(for_cloud_api=True))

    assert size(100) - size(1) < 99 * 200


def test_a_graph_goes_through_json() -> None:
    made = filtered_image(setting("refined_lee"), ["VV", "VH"])
    again = ee.deserializer.fromJSON(made.serialize())
    assert json.loads(again.serialize()) == json.loads(made.serialize())


def test_the_values_are_not_of_float32() -> None:
    power = 1 + 1e-12 * np.arange(90.0).reshape(9, 10)
    context = catalogue({"a": stored({"VV": power})})
    made = pixels(boxcar(ee.Image("a"), window=1), lattice(9, 10), context)[0]
    assert np.array_equal(made.data, power)


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"filter": "frost"}, "frost"),
        ({"filter": "boxcar", "window": 4}, "4"),
        ({"filter": "focal_median", "radius": -1.0}, "-1"),
        ({"filter": "lee"}, "lee"),
        ({"filter": "gamma_map", "looks": 0.0}, "0"),
        ({"filter": "lee_sigma", "looks": 4.0, "sigma": 1.0, "strong": 1.0}, "1"),
        ({"filter": "lee_sigma", "looks": 4.0}, "strong"),
    ],
)
def test_what_no_filter_can_be_made_of(parameters: Parameters, word: str) -> None:
    with pytest.raises(InputError, match=word):
        Speckle(**parameters)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda image: boxcar(image, window=2),
        lambda image: lee(image, window=3, looks=-1.0),
        lambda image: refined_lee(image, looks=0.0),
        lambda image: focal_median(image, radius=-0.5),
        lambda image: focal_median(image, radius=math.inf),
        lambda image: sigma_of_vv(image, window=3, looks=1.0, strong=1.0, least=10),
        lambda image: despeckle_pass(
            image, Speckle(filter="lee_sigma", looks=4.0, strong={"VV": 1.0}), polarizations=["VH"]
        ),
    ],
)
def test_wrong_parameters_of_one_filter(wrong: Callable[[Any], Any]) -> None:
    with pytest.raises(InputError):
        wrong(ee.Image("a"))
