"""Corrections of a displacement series: geometry, height, ramps, elevation, noisy dates; each against a forward model."""

from __future__ import annotations

import pickle
from functools import reduce
from itertools import product
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dask_jobs.sbas.dem_error import DemErrorModel
from dask_jobs.sbas.geometry import azimuth_angle, incidence_angle, line_of_sight, slant_range
from dask_jobs.sbas.moments import Moments
from dask_jobs.sbas.ramps import RampMoments, fit_ramps, ramp_moments, ramps
from dask_jobs.sbas.residual import noisy_dates, reference_date_index, residual_rms
from dask_jobs.sbas.troposphere import fit_height, height_delay, height_moments, sight_height, subtract_delay
from infra.errors import InputError
from infra.grid import Window

SAMPLE = Path(__file__).parents[1] / "../shared/data/hyp3-insar-sample"
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of MintPy is not at ../shared/data")
REFERENCE = (7, 26)
EARTH_RADIUS, SPACECRAFT_HEIGHT = 6371229.7, 699570.5  # m, attributes EARTH_RADIUS and HEIGHT of MintPy's files
YEARS = np.arange(12) * 36 / 365.25
BASELINES = np.array([0, 60, -45, 20, 110, -80, 35, -10, 75, -60, 15, 50], dtype=float)


@pytest.fixture(scope="module")
def mintpy() -> dict[str, np.ndarray]:
    """MintPy's arrays; series with NaN where they have no data."""
    with np.load(SAMPLE / "mintpy_outputs.npz") as arrays:
        found = {name: arrays[name] for name in arrays.files}
    there = (found["timeseries/timeseries"] != 0).any(axis=0)
    there[REFERENCE] = True
    for name in [name for name in found if name.endswith("/timeseries")]:
        found[name] = np.where(there, found[name], np.float32(np.nan))
    return found


def since_first(series: np.ndarray) -> np.ndarray:
    """MintPy refers its series to the quietest date at the end; before that, it was the first."""
    return np.asarray(series - series[0])


def blocks(shape: tuple[int, int], size: int) -> list[Window]:
    starts = product(range(0, shape[0], size), range(0, shape[1], size))
    return [Window(row, col, min(size, shape[0] - row), min(size, shape[1] - col)) for row, col in starts]


def largest(difference: np.ndarray) -> float:
    return float(np.nanmax(np.abs(difference)))


def sum_heights(series: np.ndarray, heights: np.ndarray, mask: np.ndarray, *, size: int, **more: Any) -> Moments:
    return reduce(
        add,
        [
            height_moments(
                series[:, *window.slices],
                sight_height=heights[window.slices],
                mask=mask[window.slices],
                window=window,
                **more,
            )
            for window in blocks(mask.shape, size)
        ],
    )


def sum_ramps(series: np.ndarray, mask: np.ndarray, *, size: int, order: Any) -> RampMoments:
    return reduce(
        add,
        [
            ramp_moments(
                series[:, *window.slices], mask=mask[window.slices], window=window, shape=mask.shape, order=order
            )
            for window in blocks(mask.shape, size)
        ],
    )


def model(**more: Any) -> DemErrorModel:
    return DemErrorModel.of(YEARS, BASELINES, **more)


def surface(shape: tuple[int, int], coefficients: tuple[float, ...]) -> np.ndarray:
    """Of pixels, not of what the code scales them to: 1, y, x, yx, y², x²."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    return np.asarray(sum(c * one for c, one in zip(coefficients, (1 + 0 * y, y, x, y * x, y**2, x**2), strict=True)))


# --- geometry


def test_angles_of_one_pixel_by_hand() -> None:
    # a satellite in the west, 50 degrees above the horizon: 180 degrees from east, 90 from north counter-clockwise
    theta, phi = np.deg2rad([[50.0, 0.0]]).astype(np.float32), np.deg2rad([[180.0, 0.0]]).astype(np.float32)
    incidence, azimuth = incidence_angle(theta), azimuth_angle(phi)
    np.testing.assert_allclose(incidence, [[40.0, np.nan]], rtol=1e-6)
    np.testing.assert_allclose(azimuth, [[90.0, np.nan]], rtol=1e-6)
    # from -170 degrees, by -90, to -260, which is 100
    assert azimuth_angle(np.deg2rad([[-170.0]]))[0, 0] == pytest.approx(100.0)


def test_the_line_of_sight_is_hyp3s_look_vector() -> None:
    theta, phi = np.deg2rad(np.array([[50.0, 35.0, 48.0]])), np.deg2rad(np.array([[168.0, -13.0, -170.0]]))
    expected = [np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta)]
    found = line_of_sight(incidence_angle(theta), azimuth=azimuth_angle(phi))
    np.testing.assert_allclose(found, expected, atol=2e-7)
    assert np.isnan(line_of_sight(np.array([[40.0]]), azimuth=np.array([[np.nan]]))).all()


def test_the_slant_range_closes_the_triangle() -> None:
    incidence = np.array([[0.0, 20.0, 40.0, np.nan]])
    found = slant_range(incidence, earth_radius=EARTH_RADIUS, spacecraft_height=SPACECRAFT_HEIGHT).astype(float)
    # law of cosines, from the ground: the angle between the Earth's centre and the satellite is 180 - incidence
    satellite = EARTH_RADIUS**2 + found**2 + 2 * EARTH_RADIUS * found * np.cos(np.deg2rad(incidence))
    np.testing.assert_allclose(satellite[:, :3], (EARTH_RADIUS + SPACECRAFT_HEIGHT) ** 2, rtol=1e-8)
    assert found[0, 0] == pytest.approx(SPACECRAFT_HEIGHT)
    assert np.isnan(found[0, 3])
    with pytest.raises(InputError, match="spacecraft height is 0 m"):
        slant_range(incidence, earth_radius=EARTH_RADIUS, spacecraft_height=0.0)


@needs_sample
def test_geometry_is_mintpys(mintpy: dict[str, np.ndarray]) -> None:
    import rasterio

    folder = sorted((SAMPLE / "products").iterdir())[0]
    angles = {}
    for name in ("lv_theta", "lv_phi"):
        with rasterio.open(folder / f"{folder.name}_{name}_clip.tif") as raster:
            angles[name] = raster.read(1)
    incidence = incidence_angle(angles["lv_theta"])
    np.testing.assert_allclose(incidence, mintpy["geometryGeo/incidenceAngle"], atol=1e-5)
    np.testing.assert_allclose(azimuth_angle(angles["lv_phi"]), mintpy["geometryGeo/azimuthAngle"], atol=5e-5)
    found = slant_range(incidence, earth_radius=EARTH_RADIUS, spacecraft_height=SPACECRAFT_HEIGHT)
    # MintPy's is in single precision: 2.4 m off the triangle
    np.testing.assert_allclose(found, mintpy["geometryGeo/slantRangeDistance"], atol=4)


# --- height


def hills(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Heights and incidence."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    return 900 + 500 * np.sin(x / 17) * np.cos(y / 23) + 3 * y, 34 + 8 * x / shape[1]


def test_a_delay_that_goes_with_height_is_found_and_taken_away() -> None:
    shape = (137, 150)
    heights, incidence = hills(shape)
    above = sight_height(heights, incidence=incidence, reference=(heights[REFERENCE], incidence[REFERENCE]))
    assert above[REFERENCE] == 0
    mask = np.random.default_rng(1).random(shape) < 0.8
    slopes = np.array([0.0, 4e-5, -2e-5])  # m per m
    series = (slopes[:, None, None] * above).astype(np.float32)
    fit = fit_height(sum_heights(series, above, mask, size=64))
    np.testing.assert_allclose(fit.coefficients[:, 1], slopes * 1000, atol=1e-8)
    np.testing.assert_allclose(fit.correlation[1:], [1, -1], rtol=1e-9)
    left = subtract_delay(series, height_delay(fit, sight_height=above))
    assert left.dtype == np.float32
    assert largest(left) < 1e-8


def test_a_curved_delay_needs_its_order_and_its_constant_drops_out() -> None:
    shape = (128, 128)
    heights, incidence = hills(shape)
    above = sight_height(heights, incidence=incidence, reference=(heights[REFERENCE], incidence[REFERENCE]))
    # one cell has one height: means of powers are then powers of means, and the forward model is exact
    above = np.kron(above[::8, ::8], np.ones((8, 8)))
    above -= above[REFERENCE]
    series = np.stack([0.03 + 2e-5 * above - 1e-8 * above**2 + 3e-12 * above**3]).astype(np.float32)
    fit = fit_height(sum_heights(series, above, np.ones(shape, dtype=bool), size=64, order=3))
    np.testing.assert_allclose(fit.coefficients, [[0.03, 0.02, -0.01, 0.003]], atol=1e-6)
    delay = height_delay(fit, sight_height=above)
    assert delay[0][REFERENCE] == 0
    assert largest(subtract_delay(series, delay) - 0.03) < 2e-8


def test_moments_of_height_are_those_of_plain_means_over_cells_for_any_blocks() -> None:
    rng = np.random.default_rng(2)
    shape = (131, 142)
    heights, incidence = hills(shape)
    above = sight_height(heights, incidence=incidence, reference=(800.0, 36.0))
    above[3:30, 100:] = np.nan
    series = rng.normal(size=(3, *shape)).astype(np.float32)
    series[1][rng.random(shape) < 0.3] = np.nan
    series[2] = np.nan
    mask = rng.random(shape) < 0.6
    mask[64:80, :40] = False
    whole = sum_heights(series, above, mask, size=192)
    for size in (64, 128):
        np.testing.assert_allclose(sum_heights(series, above, mask, size=size).products, whole.products, rtol=1e-12)
    for t in range(3):
        columns = []
        for row, col in product(range(0, 128, 8), range(0, 136, 8)):
            cell = slice(row, row + 8), slice(col, col + 8)
            kept = mask[cell] & np.isfinite(above[cell]) & np.isfinite(series[t][cell])
            if kept.any():
                columns.append((1.0, above[cell][kept].mean() / 1000, series[t][cell][kept].mean(dtype=float)))
        table = np.array(columns).reshape(-1, 3)
        np.testing.assert_allclose(whole.products[t], table.T @ table, rtol=1e-10, atol=1e-12)
        assert whole.count[t] == len(table)
    fit = fit_height(pickle.loads(pickle.dumps(whole)))
    assert np.isfinite(fit.coefficients[:2]).all()
    assert np.isnan(fit.coefficients[2]).all()  # nothing is known of that date, which is not the same as no delay


def test_a_weak_correlation_leaves_a_date_as_it_is() -> None:
    shape = (128, 128)
    heights, _ = hills(shape)
    above = heights - heights[REFERENCE]
    noise = np.random.default_rng(3).normal(size=(2, *shape))
    series = (np.array([0.0, 4e-5])[:, None, None] * above + 0.01 * noise).astype(np.float32)
    moments = sum_heights(series, above, np.ones(shape, dtype=bool), size=64)
    fit = fit_height(moments, min_correlation=0.5)
    assert abs(fit.correlation[0]) < 0.5 < fit.correlation[1]
    np.testing.assert_array_equal(height_delay(fit, sight_height=above)[0], 0)
    assert largest(height_delay(fit, sight_height=above)[1]) > 0.01
    assert (fit_height(moments).coefficients[0] != 0).all()


def test_height_says_what_is_wrong() -> None:
    series, above, mask = np.zeros((2, 64, 64), np.float32), np.zeros((64, 64)), np.zeros((64, 64), dtype=bool)
    whole = Window(0, 0, 64, 64)
    with pytest.raises(InputError, match="at most 0 cells have height and displacement to fit 2 numbers"):
        fit_height(height_moments(series, sight_height=above, mask=mask, window=whole))
    with pytest.raises(InputError, match="polynomial of order 0"):
        height_moments(series, sight_height=above, mask=mask, window=whole, order=0)
    with pytest.raises(ValueError, match="row 4, column 0 cuts cells"):
        height_moments(series, sight_height=above, mask=mask, window=Window(4, 0, 64, 64))
    with pytest.raises(ValueError, match="differ"):
        height_moments(series, sight_height=above[:8], mask=mask, window=whole)
    with pytest.raises(InputError, match="reference pixel has height nan m"):
        sight_height(above, incidence=above, reference=(np.nan, 38.0))
    with pytest.raises(ValueError, match="a delay of"):
        subtract_delay(series, series[0])
    with pytest.raises(ValueError, match="cannot be added"):
        add(*(height_moments(series, sight_height=above, mask=mask, window=whole, order=order) for order in (1, 2)))


def test_what_is_zero_stays_zero_and_no_data_stays_none() -> None:
    series = np.array([0.0, 1.0, np.nan, 0.0], dtype=np.float32).reshape(1, 1, 4)
    delay = np.array([0.5, 0.25, 0.5, np.nan]).reshape(1, 1, 4)
    np.testing.assert_array_equal(subtract_delay(series, delay).ravel(), [0.0, 0.75, np.nan, np.nan])


@needs_sample
def test_the_correction_by_height_is_mintpys(mintpy: dict[str, np.ndarray]) -> None:
    series = since_first(mintpy["timeseries/timeseries"])
    incidence, heights = mintpy["geometryGeo/incidenceAngle"], mintpy["geometryGeo/height"]
    above = sight_height(heights, incidence=incidence, reference=(heights[REFERENCE], incidence[REFERENCE]))
    fit = fit_height(sum_heights(series, above, mintpy["maskTempCoh/mask"], size=64))
    found = subtract_delay(series, height_delay(fit, sight_height=above))
    expected = since_first(mintpy["timeseries_tropHgt/timeseries"])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    assert largest(found - expected) < 3e-8


# --- ramps


@pytest.mark.parametrize(
    ("order", "coefficients"),
    [(1, (0.01, 2e-4, -3e-4, 0, 0, 0)), (2, (0.01, 2e-4, -3e-4, 1e-6, -2e-6, 3e-6))],
)
def test_ramps_are_found_and_taken_away(order: Any, coefficients: tuple[float, ...]) -> None:
    shape, reference = (130, 200), (101, 77)
    ramp = surface(shape, coefficients)
    ramp -= ramp[reference]
    series = np.stack([0 * ramp, ramp, -0.5 * ramp]).astype(np.float32)
    mask = np.random.default_rng(4).random(shape) < 0.5
    fit = fit_ramps(sum_ramps(series, mask, size=64, order=order))
    for window in blocks(shape, 64):
        part = series[:, *window.slices]
        left = subtract_delay(part, ramps(fit, window=window, reference=reference))
        assert left.dtype == np.float32
        assert largest(left) < 2e-8


@pytest.mark.parametrize("order", [1, 2])
def test_ramps_are_those_of_plain_least_squares_with_each_dates_own_pixels(order: Any) -> None:
    rng = np.random.default_rng(5)
    shape, reference = (100, 140), (12, 130)
    series = (rng.normal(size=(4, *shape)) + surface(shape, (1, 0.02, 0.01, 0, 1e-4, 0))).astype(np.float32)
    series[0] = 0
    series[1][rng.random(shape) < 0.4] = np.nan
    series[2][rng.random(shape) < 0.4] = 0
    series[3][:, :70] = np.inf
    mask = rng.random(shape) < 0.7
    moments = sum_ramps(series, mask, size=192, order=order)
    for size in (64, 128):
        parts = sum_ramps(series, mask, size=size, order=order)
        np.testing.assert_allclose(parts.sums.products, moments.sums.products, rtol=1e-12, atol=1e-9)
        np.testing.assert_array_equal(parts.sums.count, moments.sums.count)
    found = ramps(fit_ramps(moments), window=Window(0, 0, *shape), reference=reference)
    y, x = np.mgrid[: shape[0], : shape[1]] / 50.0
    columns = np.stack([1 + 0 * y, y, x, y * x, y**2, x**2][: 3 * order])
    for t in range(4):
        kept = mask & np.isfinite(series[t]) & (series[t] != 0)
        solved = np.linalg.lstsq(columns[:, kept].T, series[t][kept].astype(float), rcond=None)[0]
        expected = np.tensordot(solved, columns, axes=1)
        np.testing.assert_allclose(found[t], expected - expected[reference], atol=2e-6)
        assert moments.sums.count[t] == (mask & np.isfinite(series[t])).sum()


def test_a_small_mask_in_a_large_raster_still_tells_a_quadratic_surface() -> None:
    shape, window = (12_800, 12_800), Window(12_672, 64, 64, 64)
    y, x = np.mgrid[window.row : window.row + 64, window.col : window.col + 64] / 12_800
    ramp = 0.3 * y - 0.2 * x + 0.1 * x * y + 0.2 * y**2
    ramp -= ramp[10, 10]
    fit = fit_ramps(ramp_moments(ramp[None], mask=np.ones((64, 64), dtype=bool), window=window, shape=shape, order=2))
    found = ramps(fit, window=window, reference=(window.row + 10, window.col + 10))
    assert largest(found[0] - ramp) < 1e-8


def test_moments_of_different_ramps_do_not_add() -> None:
    series, mask = np.zeros((1, 64, 64), np.float32), np.ones((64, 64), dtype=bool)
    with pytest.raises(ValueError, match="ramps of order 1"):
        add(*(sum_ramps(series, mask, size=64, order=order) for order in (1, 2)))
    with pytest.raises(ValueError, match="differ"):
        ramp_moments(series, mask=mask[:9], window=Window(0, 0, 64, 64), shape=(64, 64), order=1)


@needs_sample
def test_ramps_and_rms_are_mintpys(mintpy: dict[str, np.ndarray]) -> None:
    series, mask = mintpy["timeseriesResidual/timeseries"], mintpy["maskTempCoh/mask"]
    expected = mintpy["timeseriesResidual_ramp/timeseries"]
    for size in (64, 128):
        moments = sum_ramps(series, mask, size=size, order=2)
        fit = fit_ramps(moments)
        for window in blocks(mask.shape, size):
            found = subtract_delay(series[:, *window.slices], ramps(fit, window=window, reference=REFERENCE))
            assert largest(found - expected[:, *window.slices]) < 1e-7
        rms = residual_rms(moments, reference=REFERENCE)
        np.testing.assert_allclose(rms, mintpy["rms/rms"], atol=1e-8)
        dates = mintpy["rms/date"]
        assert list(dates[noisy_dates(rms)]) == list(mintpy["exclude_date"])
        assert dates[reference_date_index(rms)] == mintpy["reference_date"][0]


# --- noise of dates


def test_rms_by_moments_is_that_of_the_pixels_under_a_ramp_a_thousand_times_as_large() -> None:
    rng = np.random.default_rng(6)
    shape, reference = (128, 130), (50, 60)
    series = 0.002 * rng.normal(size=(3, *shape)) + surface(shape, (0.0, 0.02, -0.02, 0, 1e-5, 0))
    series[:, *reference] = 0
    series = series.astype(np.float32)
    series[1][rng.random(shape) < 0.2] = np.nan
    series[2] = np.nan
    mask = rng.random(shape) < 0.8
    mask[reference] = True
    moments = sum_ramps(series, mask, size=64, order=2)
    found = residual_rms(moments, reference=reference)
    y, x = np.mgrid[: shape[0], : shape[1]] / 64.0
    columns = np.stack([1 + 0 * y, y, x, y * x, y**2, x**2])
    for t in range(2):
        values = series[t].astype(float)
        kept = mask & np.isfinite(values) & (values != 0)
        ramp = np.tensordot(np.linalg.lstsq(columns[:, kept].T, values[kept], rcond=None)[0], columns, axes=1)
        left = np.where(values == 0, 0, values - (ramp - ramp[reference]))
        assert found[t] == pytest.approx(np.sqrt(np.nanmean(left[mask] ** 2)), rel=1e-8)
    assert np.isnan(found[2])


def test_noisy_and_quietest_dates() -> None:
    rms = np.array([2.0, 1.0, 3.0, 1.0, 8.89, 8.90, np.nan])  # of the known, the median is 2.5: 11.12
    np.testing.assert_array_equal(noisy_dates(rms), [0, 0, 0, 0, 0, 0, 1])
    rms = np.array([2.0, 1.0, 2.0, 1.0, 8.89, 8.90, np.nan])  # 2: 8.8956
    np.testing.assert_array_equal(noisy_dates(rms), [0, 0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(noisy_dates(rms, cutoff=0.5), [1, 0, 1, 0, 1, 1, 1])
    assert reference_date_index(rms) == 1
    with pytest.raises(InputError, match="cutoff of 0"):
        noisy_dates(rms, cutoff=0)
    for of_dates in (noisy_dates, reference_date_index):
        with pytest.raises(InputError, match="no date has a residual"):
            of_dates(np.full(3, np.nan))


# --- elevation

SHAPE = (9, 14)


def seen() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slant range, incidence and errors of elevation."""
    rng = np.random.default_rng(7)
    return 845e3 + 5e4 * rng.random(SHAPE), 33 + 12 * rng.random(SHAPE), 30 * rng.normal(size=SHAPE)


def moving(z: np.ndarray, distance: np.ndarray, incidence: np.ndarray, baselines: np.ndarray) -> np.ndarray:
    """Displacement by errors of elevation alone, dims (time, y, x)."""
    return np.asarray(baselines[:, None, None] * (z / (distance * np.sin(np.deg2rad(incidence)))))


@pytest.mark.parametrize("phase_velocity", [False, True])
@pytest.mark.parametrize(
    "more",
    [{"poly_order": 0}, {"poly_order": 2}, {"poly_order": 1, "steps": (0.4,)}, {"poly_order": 2, "periods": (1.0,)}],
)
def test_the_error_of_elevation_is_found(phase_velocity: bool, more: dict[str, Any]) -> None:
    distance, incidence, z = seen()
    t = YEARS[:, None, None]
    topography = moving(z, distance, incidence, BASELINES)
    motion = 0.01 + 0.02 * np.cos(distance) * np.ones_like(t)
    motion += 0 if more["poly_order"] < 1 else -0.03 * t * np.sin(incidence)
    motion += 0 if more["poly_order"] < 2 else 0.05 * t**2
    motion += sum(0.04 * z / 30 * (t > step) for step in more.get("steps", ()))
    motion += sum(0.006 * np.sin(2 * np.pi * t / period + 1) for period in more.get("periods", ()))
    series = (topography + motion).astype(np.float32)
    found = model(phase_velocity=phase_velocity, **more).estimate(series, slant_range=distance, incidence=incidence)
    np.testing.assert_allclose(found.dem_error, z, atol=2e-3)
    np.testing.assert_allclose(found.corrected, motion, atol=5e-7)
    assert largest(found.residual) < 5e-7
    assert {one.dtype for one in found} == {np.dtype(np.float32)}


@pytest.mark.parametrize("phase_velocity", [False, True])
def test_the_closed_form_is_least_squares_of_each_pixel(phase_velocity: bool) -> None:
    rng = np.random.default_rng(8)
    distance, incidence, _ = seen()
    series = (0.01 * rng.normal(size=(12, *SHAPE))).astype(np.float32)
    used = np.ones(12, dtype=bool)
    used[[0, 5]] = False
    found = model(used=used, phase_velocity=phase_velocity).estimate(series, slant_range=distance, incidence=incidence)
    for at in ((0, 0), (4, 7), (8, 13)):
        lever = distance[at] * np.sin(np.deg2rad(incidence[at]))
        G = np.column_stack([BASELINES / lever, YEARS, YEARS**2 / 2])
        d = series[:, *at].astype(float)
        if phase_velocity:
            step = np.diff(YEARS[used])
            solved = np.linalg.lstsq(np.diff(G[used], axis=0) / step[:, None], np.diff(d[used]) / step, rcond=None)[0]
            constant = (d - G @ solved)[used].mean()
        else:
            *solved, constant = np.linalg.lstsq(np.column_stack([G, np.ones(12)])[used], d[used], rcond=None)[0]
        assert found.dem_error[at] == pytest.approx(solved[0], rel=1e-5)
        np.testing.assert_allclose(found.corrected[:, *at], d - G[:, 0] * solved[0], atol=1e-8)
        np.testing.assert_allclose(found.residual[:, *at], d - G @ solved - constant, atol=1e-8)


def test_no_data_and_no_geometry_have_no_result() -> None:
    distance, incidence, z = seen()
    series = moving(z, distance, incidence, BASELINES).astype(np.float32)
    series[3, 0, 0] = np.nan  # used
    series[5, 0, 1] = np.nan  # not used
    distance[0, 2] = 0
    incidence[0, 3:5] = np.nan, 0
    used = np.arange(12) != 5
    found = model(used=used).estimate(series, slant_range=distance, incidence=incidence)
    np.testing.assert_array_equal(np.argwhere(np.isnan(found.dem_error)), [[0, 0], [0, 2], [0, 3], [0, 4]])
    for one in (found.corrected, found.residual):
        np.testing.assert_array_equal(np.isnan(one).sum(axis=0)[0, :6], [12, 1, 12, 12, 12, 0])
        assert np.isfinite(one[:, 1:]).all()


def test_too_few_dates_and_models_that_cannot_be_told_apart_are_said() -> None:
    used = np.arange(12) < 3
    for phase_velocity in (False, True):
        with pytest.raises(InputError, match="3 dates are too few for the 4 parameters") as caught:
            model(used=used, phase_velocity=phase_velocity)
        assert "Use 4 dates or more" in caught.value.remedy
        with pytest.raises(InputError, match="do not tell the 5 parameters"):
            model(steps=(5.0,), phase_velocity=phase_velocity)  # after the last date
    with pytest.raises(InputError, match="do not tell"):
        DemErrorModel.of(YEARS, 3 * YEARS)
    with pytest.raises(InputError, match="order 2, periods"):
        model(periods=(0.0,))
    with pytest.raises(ValueError, match="times ascend"):
        DemErrorModel.of(YEARS[::-1], BASELINES)
    with pytest.raises(ValueError, match="differ"):
        model().estimate(np.zeros((12, 2, 2)), slant_range=np.ones((2, 3)), incidence=np.ones((2, 3)))
    exact = model(used=np.arange(12) < 4)  # as many as parameters
    assert exact.rows.shape == (4, 12)
    assert not exact.rows[:, 4:].any()


@needs_sample
def test_the_error_of_elevation_is_mintpys(mintpy: dict[str, np.ndarray]) -> None:
    from datetime import datetime

    days = [datetime.strptime(text.decode(), "%Y%m%d").toordinal() for text in mintpy["timeseries/date"]]  # noqa: DTZ007
    years = (np.array(days) - days[0]) / 365.25
    incidence = mintpy["geometryGeo/incidenceAngle"]
    distance = slant_range(incidence, earth_radius=EARTH_RADIUS, spacecraft_height=SPACECRAFT_HEIGHT)
    series = since_first(mintpy["timeseries_tropHgt/timeseries"])
    one = DemErrorModel.of(years, mintpy["timeseries/bperp"])
    found = one.estimate(series, slant_range=distance, incidence=incidence)
    assert largest(found.dem_error - mintpy["demErr/dem"]) < 4e-4  # its slant range is in single precision
    exact = one.estimate(series, slant_range=mintpy["geometryGeo/slantRangeDistance"], incidence=incidence)
    assert largest(exact.dem_error - mintpy["demErr/dem"]) < 1e-4
    expected = since_first(mintpy["timeseries_tropHgt_demErr/timeseries"])
    assert largest(since_first(found.corrected) - expected) < 3e-8
    assert largest(found.residual - mintpy["timeseriesResidual/timeseries"]) < 1e-7
