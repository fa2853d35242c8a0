"""Speckle filters: against plain loops over pixels, and what filters must do to speckle, edges and point targets."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import plain_speckle
import pytest

from dask_jobs.speckle.boxcar import boxcar
from dask_jobs.speckle.choice import FILTERS, Speckle, halo
from dask_jobs.speckle.despeckle import despeckle
from dask_jobs.speckle.focal_median import focal_median
from dask_jobs.speckle.gamma_map import gamma_map
from dask_jobs.speckle.lee import lee
from dask_jobs.speckle.lee_sigma import lee_sigma
from dask_jobs.speckle.multi_temporal import multi_temporal
from dask_jobs.speckle.refined_lee import refined_lee
from dask_jobs.speckle.sigma_range import sigma_range
from infra.errors import InputError

LOOKS = 4.0
Filter = Callable[[np.ndarray], np.ndarray]

CASES: dict[str, tuple[Callable[..., np.ndarray], Callable[..., np.ndarray], dict[str, float]]] = {
    "boxcar 3": (boxcar, plain_speckle.boxcar, {"window": 3}),
    "boxcar 9": (boxcar, plain_speckle.boxcar, {"window": 9}),
    "boxcar 1": (boxcar, plain_speckle.boxcar, {"window": 1}),
    "focal_median 0": (focal_median, plain_speckle.focal_median, {"radius": 0}),
    "focal_median 1.5": (focal_median, plain_speckle.focal_median, {"radius": 1.5}),
    "focal_median 3": (focal_median, plain_speckle.focal_median, {"radius": 3}),
    "focal_median 11.2": (focal_median, plain_speckle.focal_median, {"radius": 11.2}),
    "lee 5": (lee, plain_speckle.lee, {"window": 5, "looks": 4.4}),
    "lee 7": (lee, plain_speckle.lee, {"window": 7, "looks": 1}),
    "refined_lee": (refined_lee, plain_speckle.refined_lee, {}),
    "refined_lee looks": (refined_lee, plain_speckle.refined_lee, {"looks": 4.4}),
    "gamma_map 5": (gamma_map, plain_speckle.gamma_map, {"window": 5, "looks": 4.4}),
    "gamma_map 7": (gamma_map, plain_speckle.gamma_map, {"window": 7, "looks": 8}),
    "lee_sigma 9": (lee_sigma, plain_speckle.lee_sigma, {"window": 9, "looks": 4.4, "strong": 6.0}),
    "lee_sigma 3": (lee_sigma, plain_speckle.lee_sigma, {"window": 3, "looks": 1, "sigma": 0.5, "strong": 2.0}),
}
ONE_DATE: dict[str, Filter] = {
    "boxcar": partial(boxcar, window=7),
    "focal_median": partial(focal_median, radius=3),
    "lee": partial(lee, window=7, looks=LOOKS),
    "refined_lee": refined_lee,
    "refined_lee looks": partial(refined_lee, looks=LOOKS),
    "gamma_map": partial(gamma_map, window=7, looks=LOOKS),
    "lee_sigma": partial(lee_sigma, window=9, looks=LOOKS, strong=1e9),
}


def speckle(shape: tuple[int, ...], *, looks: float = LOOKS, seed: int = 0) -> np.ndarray:
    """White speckle with mean 1."""
    return np.random.default_rng(seed).gamma(looks, 1 / looks, shape)


def landscape(seed: int, *, shape: tuple[int, int] = (41, 53)) -> np.ndarray:
    """Speckle on fields with edges and one bright target, with holes, one of them larger than any window, and a border."""
    random = np.random.default_rng(seed)
    rows, cols = np.indices(shape)
    fields = np.where(rows + 0.7 * cols > 45, 0.5, 0.08) * np.where((rows - 20) ** 2 + (cols - 15) ** 2 < 60, 3.0, 1.0)
    power = fields * random.gamma(4.4, 1 / 4.4, shape)
    power[30:32, 40:43] = random.uniform(7, 30, (2, 3))
    power[random.random(shape) < 0.05] = np.nan
    power[3:16, 38:51] = np.nan
    power[8:10, 43:45] = random.random((2, 2))  # an island in it
    power[-1, : shape[1] // 2] = np.nan
    return power


def agree(made: np.ndarray, wanted: np.ndarray) -> None:
    assert made.dtype == np.float64
    assert np.array_equal(np.isnan(made), np.isnan(wanted))
    np.testing.assert_allclose(made, wanted, rtol=1e-9, atol=0)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_filter_is_what_a_plain_loop_makes(case: str, seed: int) -> None:
    function, plain, parameters = CASES[case]
    power = landscape(seed)
    agree(function(power, **parameters), plain(power, **parameters))


@pytest.mark.parametrize("case", CASES)
def test_images_smaller_than_the_window(case: str) -> None:
    function, plain, parameters = CASES[case]
    for shape in ((1, 1), (1, 6), (4, 2)):
        power = speckle(shape, seed=3)
        agree(function(power, **parameters), plain(power, **parameters))


def test_ties_go_to_the_first() -> None:
    """On a ramp of whole numbers gradients are the same to the bit, and so are the distances of the two sides."""
    rows, cols = np.indices((15, 16)).astype(np.float64)
    for ramp in (rows, 20 - rows, cols, 20 - cols, rows + cols, rows - cols):
        agree(refined_lee(ramp + 30), plain_speckle.refined_lee(ramp + 30))


def test_many_dates_are_what_a_plain_loop_makes() -> None:
    powers = np.array([landscape(seed)[15:41, 5:] for seed in range(4)])
    powers[0, :, :8] = np.nan
    powers[:, 18, 20] = np.nan
    powers[2, 2:14, 2:14] = 0.0
    for window in (3, 7):
        agree(multi_temporal(powers, window=window), plain_speckle.multi_temporal(powers, window=window))


@pytest.mark.parametrize("name", ONE_DATE)
def test_floats_of_32_bits_and_infinities_are_read(name: str) -> None:
    power = landscape(5).astype(np.float32)
    wanted = ONE_DATE[name](power.astype(np.float64))
    power[np.isnan(power)] = np.inf
    power[0, 0] = -np.inf
    wanted_there = power.astype(np.float64)
    wanted_there[~np.isfinite(wanted_there)] = np.nan
    made = ONE_DATE[name](power)
    assert np.array_equal(made, ONE_DATE[name](wanted_there), equal_nan=True)
    assert np.array_equal(made[10:, 10:], wanted[10:, 10:], equal_nan=True)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-7, 123.456, 0.0])
@pytest.mark.parametrize("name", ONE_DATE)
def test_a_constant_comes_back_as_it_is(name: str, value: float) -> None:
    power = np.full((30, 31), value)
    power[4:6, 7:9] = np.nan
    assert np.array_equal(ONE_DATE[name](power), power, equal_nan=True)


def test_constant_dates_come_back_as_they_are() -> None:
    powers = np.stack([np.full((12, 13), value) for value in (0.1, 0.7, 0.0)])
    powers[1, 3, 3:6] = np.nan
    assert np.array_equal(multi_temporal(powers, window=5), powers, equal_nan=True)


@pytest.mark.parametrize("name", ONE_DATE)
def test_a_constant_area_beside_others_comes_back_as_it_is(name: str) -> None:
    power = speckle((40, 40), seed=4)
    power[10:35, 10:35] = 0.1
    inside = ONE_DATE[name](power)[15:30, 15:30]
    assert np.all(inside == 0.1)


@pytest.mark.parametrize("name", ONE_DATE)
def test_flips_and_quarter_turns_change_nothing_else(name: str) -> None:
    power = landscape(7)
    made = ONE_DATE[name](power)
    for turns in range(4):
        for flip in (False, True):

            def move(image: np.ndarray, turns: int = turns, flip: bool = flip) -> np.ndarray:
                turned = np.rot90(image, turns)
                return np.fliplr(turned) if flip else turned

            np.testing.assert_allclose(ONE_DATE[name](np.ascontiguousarray(move(power))), move(made), rtol=1e-11)


@pytest.mark.parametrize("looks", [None, LOOKS])
@pytest.mark.parametrize("eighth", range(8))
def test_the_dark_side_of_a_noisy_step_stays_dark(eighth: int, looks: float | None) -> None:
    rows, cols = np.indices((400, 400)) - 199.5
    angle = eighth * math.pi / 4
    distance = cols * math.cos(angle) + rows * math.sin(angle)  # pixels; positive where it is bright
    power = np.where(distance > 0, 6.0, 1.0) * speckle((400, 400), seed=eighth)
    strip = (distance < 0) & (distance > -4) & (np.hypot(rows, cols) < 180)
    mean = refined_lee(power, looks=looks)[strip].mean()
    assert abs(mean / power[strip].mean() - 1) < 0.15
    blurred = boxcar(power, window=7)[strip].mean()
    assert blurred > 1.8  # the mean of the square window is far off


@pytest.mark.parametrize("name", ["boxcar", "lee", "refined_lee", "refined_lee looks"])
def test_mean_power_is_kept(name: str) -> None:
    assert abs(ONE_DATE[name](speckle((600, 600), seed=8)).mean() - 1) < 0.01


def test_mean_power_is_kept_over_dates() -> None:
    assert abs(multi_temporal(speckle((6, 250, 250), seed=8), window=7).mean() - 1) < 0.01


@pytest.mark.parametrize("name", sorted({*ONE_DATE} - {"focal_median"}))
def test_looks_grow_fivefold_on_white_speckle(name: str) -> None:
    made = ONE_DATE[name](speckle((500, 500), seed=9))
    assert made.mean() ** 2 / made.var() > 5 * LOOKS


@pytest.mark.parametrize(("dates", "window"), [(1, 5), (4, 3), (8, 7), (12, 5)])
def test_looks_of_many_dates(dates: int, window: int) -> None:
    made = multi_temporal(speckle((dates, 300, 300), looks=LOOKS, seed=10), window=window)[:, 10:-10, 10:-10]
    found = np.mean([one.mean() ** 2 / one.var() for one in made])
    pixels = window**2
    assert found == pytest.approx(LOOKS * dates * pixels / (dates + pixels - 1), rel=0.05)


def test_a_date_keeps_its_own_backscatter() -> None:
    scale = np.array([0.1, 1.0, 5.0])[:, None, None]
    made = multi_temporal(scale * speckle((3, 200, 200), seed=11), window=7)
    np.testing.assert_allclose(made.mean(axis=(1, 2)), scale[:, 0, 0], rtol=0.02)


# Lee et al. (2009), intensity: looks, sigma: I1, I2, standard deviation. For one look and 0.95 they have 0.8599, where
# integration gives 0.8934.
PUBLISHED = {
    (1, 0.5): (0.436, 1.920, 0.4057),
    (1, 0.7): (0.254, 2.582, 0.5911),
    (1, 0.8): (0.168, 3.094, 0.6966),
    (1, 0.9): (0.084, 3.941, 0.8191),
    (2, 0.5): (0.582, 1.584, 0.2763),
    (2, 0.9): (0.221, 2.744, 0.5699),
    (3, 0.6): (0.580, 1.586, 0.2736),
    (3, 0.9): (0.313, 2.320, 0.4624),
    (4, 0.5): (0.694, 1.385, 0.1921),
    (4, 0.8): (0.480, 1.804, 0.3354),
    (4, 0.9): (0.378, 2.094, 0.3991),
    (4, 0.95): (0.302, 2.360, 0.4391),
}


@pytest.mark.parametrize(("case", "published"), PUBLISHED.items())
def test_the_published_sigma_ranges(case: tuple[float, float], published: tuple[float, float, float]) -> None:
    found = sigma_range(looks=case[0], sigma=case[1])
    print(case, published, tuple(found))
    assert found == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize("looks", [0.5, 1, 2.7, 4.4, 20, 150])
@pytest.mark.parametrize("sigma", [0.05, 0.5, 0.9, 0.99])
def test_a_sigma_range_holds_its_share_and_keeps_the_mean(looks: float, sigma: float) -> None:
    assert sigma_range(looks=looks, sigma=sigma) == pytest.approx(plain_speckle.sigma_range(looks, sigma), rel=1e-7)


def test_point_targets_are_kept() -> None:
    power = speckle((60, 60), seed=12)
    power[20:22, 30:33] = [[40.0, 50.0, 60.0], [45.0, 90.0, 35.0]]  # six strong pixels: a target
    power[40, 40], power[50, 10:13] = 70.0, [50.0, 60.0, 80.0]  # one, and three: not
    made = lee_sigma(power, window=9, looks=LOOKS, strong=30.0)
    assert np.array_equal(made[20:22, 30:33], power[20:22, 30:33])
    plain = lee_sigma(power, window=9, looks=LOOKS, strong=1e9)
    changed = np.argwhere(made != plain)
    assert {tuple(at) for at in changed} <= {(y, x) for y in (20, 21) for x in (30, 31, 32)}
    assert made[40, 40] != 70.0
    assert not np.array_equal(made[50, 10:13], power[50, 10:13])
    smeared = boxcar(power, window=9)[20:22, 30:33]
    assert np.all(smeared < 10)


SETTINGS = [
    Speckle(filter=name, window=window, radius=radius, looks=4.4, strong={"VV": 5.0})
    for name, window, radius in [(name, 7, 4.3) for name in FILTERS] + [("lee_sigma", 3, 0), ("lee", 11, 0)]
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: f"{one.filter} {one.window}")
def test_blocks_that_bring_their_neighbourhood_equal_the_whole(setting: Speckle) -> None:
    powers = np.array([landscape(seed) for seed in (20, 21, 22)]).astype(np.float32)
    powers[:, 11:13, 20:23] = np.linspace(6, 30, 6).reshape(2, 3)
    powers[:, 13, 21] = 60.0  # a target across blocks: this pixel of it counts on those two rows up
    whole = despeckle(powers, setting, "VV")
    reach, side = halo(setting), 13
    height, width = powers.shape[1:]
    for row in range(0, height, side):
        for col in range(0, width, side):
            top, left = max(row - reach, 0), max(col - reach, 0)
            part = powers[:, top : row + side + reach, left : col + side + reach]
            inner = despeckle(part, setting, "VV")[:, row - top :, col - left :][:, :side, :side]
            assert np.array_equal(inner, whole[:, row : row + side, col : col + side], equal_nan=True)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: f"{one.filter} {one.window}")
def test_data_stay_data_and_nothing_else_becomes_any(setting: Speckle) -> None:
    powers = np.array([landscape(seed) for seed in (30, 31)])
    made = despeckle(powers, setting, "VV")
    assert np.array_equal(np.isnan(made), np.isnan(powers))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: f"{one.filter} {one.window}")
def test_a_neighbourhood_is_no_larger_than_it_must_be(setting: Speckle) -> None:
    """Within the halo something matters, beyond it nothing."""
    random = np.random.default_rng(40)
    powers = random.gamma(4.4, 1 / 4.4, (2, 41, 41))
    powers[:, 20, 20] = 1e-4
    reach, before = halo(setting), despeckle(powers, setting, "VV")
    powers[:, 20, 20] = 1e4
    changed = np.argwhere(despeckle(powers, setting, "VV") != before)[:, 1:]
    assert np.abs(changed - 20).max() <= reach


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_is_reached_by_its_name(name: str) -> None:
    powers = speckle((2, 20, 20), seed=13)
    setting = Speckle(filter=name, window=5, radius=2.0, looks=3.0, sigma=0.8, strong=4.0)
    wanted = {
        "boxcar": lambda p: boxcar(p, window=5),
        "focal_median": lambda p: focal_median(p, radius=2.0),
        "lee": lambda p: lee(p, window=5, looks=3.0),
        "refined_lee": lambda p: refined_lee(p, looks=3.0),
        "gamma_map": lambda p: gamma_map(p, window=5, looks=3.0),
        "lee_sigma": lambda p: lee_sigma(p, window=5, looks=3.0, sigma=0.8, strong=4.0),
    }
    made = despeckle(powers, setting, "VH")
    if name == "multi_temporal":
        assert np.array_equal(made, multi_temporal(powers, window=5))
    else:
        assert np.array_equal(made, np.array([wanted[name](power) for power in powers]))


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"filter": "frost"}, "frost"),
        ({"filter": "boxcar", "window": 4}, "4"),
        ({"filter": "boxcar", "window": -3}, "-3"),
        ({"filter": "focal_median", "radius": -1.0}, "-1"),
        ({"filter": "focal_median", "radius": math.nan}, "nan"),
        ({"filter": "lee"}, "lee"),
        ({"filter": "gamma_map", "looks": 0.0}, "0"),
        ({"filter": "lee_sigma", "looks": 4.0, "sigma": 1.0, "strong": 1.0}, "1"),
        ({"filter": "lee_sigma", "looks": 4.0}, "strong"),
    ],
)
def test_what_no_filter_can_be_made_of(parameters: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        Speckle(**parameters)  # type: ignore[arg-type] # wrong on purpose


def test_strong_power_of_a_polarization_that_has_none() -> None:
    setting = Speckle(filter="lee_sigma", looks=4.0, strong={"VV": 1.0})
    with pytest.raises(InputError, match="VH"):
        despeckle(np.ones((1, 3, 3)), setting, "VH")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p: boxcar(p, window=2),
        lambda p: lee(p, window=3, looks=-1.0),
        lambda p: refined_lee(p, looks=0.0),
        lambda p: focal_median(p, radius=-0.5),
        lambda p: lee_sigma(p, window=3, looks=1.0, sigma=0.0, strong=1.0),
        lambda p: lee_sigma(p, window=3, looks=1.0, strong=1.0, least=10),
        lambda p: sigma_range(looks=math.inf, sigma=0.9),
    ],
)
def test_wrong_parameters_of_one_filter(wrong: Filter) -> None:
    with pytest.raises(InputError):
        wrong(np.ones((3, 3)))
