"""Motion as a function of time: recovered from forward models, against dense least squares, and as MintPy has it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta
from functools import reduce
from itertools import product
from operator import add
from pathlib import Path

import numpy as np
import pytest

from dask_jobs.sbas.dem_error import DemErrorModel
from dask_jobs.sbas.geometry import slant_range
from dask_jobs.sbas.ramps import ramp_moments
from dask_jobs.sbas.residual import noisy_dates, reference_date_index, residual_rms
from dask_jobs.sbas.time_functions import DatedFunction, TimeFunction, decimal_years
from dask_jobs.sbas.troposphere import fit_height, height_delay, height_moments, sight_height, subtract_delay
from infra.errors import InputError
from infra.grid import Window

SAMPLE = Path(__file__).parents[1] / "../shared/data/hyp3-insar-sample"
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of MintPy is not at ../shared/data")
REFERENCE = (7, 26)
DATES = [date(2019, 3, 4) + timedelta(days=24 * k) for k in range(40)]
SHAPE = (5, 7)
STEP = DATES[17]
EVERYTHING = TimeFunction(polynomial=3, periods=(1.0, 0.5, 0.25), steps=(STEP, date(2020, 12, 1)))


def years(dates: list[date], origin: date) -> np.ndarray:
    """By hand: a day is 1 / 365.25 of a year that began on 1 January."""
    found = []
    for day in dates:
        start, begun = date(day.year, 1, 1), date(origin.year, 1, 1)
        found.append((day.year + (day - start).days / 365.25) - (origin.year + (origin - begun).days / 365.25))
    return np.array(found)


def field(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=SHAPE)


def test_what_a_function_gives_and_what_mintpy_calls_it() -> None:
    assert [(one.name, one.dataset, one.units) for one in EVERYTHING.rasters] == [
        ("intercept", "intercept", "m"),
        ("intercept_std", "interceptStd", "m"),
        ("velocity", "velocity", "m/year"),
        ("velocity_std", "velocityStd", "m/year"),
        ("acceleration", "acceleration", "m/year^2"),
        ("acceleration_std", "accelerationStd", "m/year^2"),
        ("polynomial_3", "poly3", "m/year^3"),
        ("polynomial_3_std", "poly3Std", "m/year^3"),
        ("annual_amplitude", "annualAmplitude", "m"),
        ("annual_phase", "annualPhase", "radian"),
        ("semi_annual_amplitude", "semiAnnualAmplitude", "m"),
        ("semi_annual_phase", "semiAnnualPhase", "radian"),
        ("period_0.25y_amplitude", "period0.25YAmplitude", "m"),
        ("period_0.25y_phase", "period0.25YPhase", "radian"),
        ("step_20200415", "step20200415", "m"),
        ("step_20200415_std", "step20200415Std", "m"),
        ("step_20201201", "step20201201", "m"),
        ("step_20201201_std", "step20201201Std", "m"),
        ("residue", "residue", "m"),
    ]
    assert EVERYTHING.parameters == 12
    assert [one.name for one in TimeFunction().rasters] == [
        "intercept",
        "intercept_std",
        "velocity",
        "velocity_std",
        "residue",
    ]


def test_every_part_of_a_motion_is_found() -> None:
    t = years(DATES, DATES[0])[:, None, None]
    expected = {
        "intercept": field(0) * 0.01,
        "velocity": field(1) * 0.02,
        "acceleration": field(2) * 0.03,
        "polynomial_3": field(3) * 0.05,
        "step_20200415": field(4) * 0.05,
        "step_20201201": field(5) * 0.02,
    }
    cycles = {"annual": 1.0, "semi_annual": 0.5, "period_0.25y": 0.25}
    for seed, name in enumerate(cycles):
        expected[f"{name}_amplitude"] = 0.01 + np.abs(field(seed + 10)) * 0.01
        expected[f"{name}_phase"] = np.clip(field(seed + 20), -3, 3)
    series = sum(
        expected[name] * t**power / math.factorial(power)
        for power, name in enumerate(["intercept", "velocity", "acceleration", "polynomial_3"])
    )
    for name, period in cycles.items():
        series += expected[f"{name}_amplitude"] * np.sin(2 * np.pi * t / period + expected[f"{name}_phase"])
    for step in EVERYTHING.steps:  # on the very day of a step, it has not been yet
        series += expected[f"step_{step:%Y%m%d}"] * np.array([day > step for day in DATES])[:, None, None]
    expected["intercept"] = expected["intercept"] - series[3]
    found = EVERYTHING.at(DATES, reference=3).fit(np.asarray(series, dtype=np.float32))
    assert list(found) == [one.name for one in EVERYTHING.rasters]
    assert {(one.shape, one.dtype) for one in found.values()} == {(SHAPE, np.dtype(np.float32))}
    for name, one in expected.items():
        np.testing.assert_allclose(found[name], one, atol=2e-5 if name.endswith("phase") else 3e-7, err_msg=name)
    assert found["residue"].max() < 1e-6
    assert found["velocity_std"].max() < 1e-6


def test_estimates_errors_and_residue_are_those_of_dense_least_squares() -> None:
    series = (0.01 * np.random.default_rng(1).normal(size=(40, *SHAPE))).astype(np.float32)
    used = np.ones(40, dtype=bool)
    used[[0, 9, 30]] = False
    function = TimeFunction(polynomial=2, periods=(1.0,), steps=(STEP,))
    one = function.at(DATES, used=used, reference=12)
    found = one.fit(series)
    t = years(DATES, DATES[1])  # the first that is used
    after = [float(day > STEP) for day in DATES]
    G = np.column_stack([np.ones(40), t, t**2 / 2, np.cos(2 * np.pi * t), np.sin(2 * np.pi * t), after])[used]
    d = (series - series[12]).reshape(40, -1)[used].astype(float)
    solved, squares = np.linalg.lstsq(G, d, rcond=None)[:2]
    errors = np.sqrt(np.diag(np.linalg.inv(G.T @ G))[:, None] * squares / (37 - 6))
    expected = {
        "intercept": solved[0],
        "intercept_std": errors[0],
        "velocity": solved[1],
        "velocity_std": errors[1],
        "acceleration": solved[2],
        "acceleration_std": errors[2],
        "annual_amplitude": np.hypot(solved[3], solved[4]),
        "annual_phase": np.arctan2(solved[3], solved[4]),
        "step_20200415": solved[5],
        "step_20200415_std": errors[5],
        "residue": np.sqrt(squares),
    }
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name].ravel(), value, rtol=2e-5, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("reference", [12, 0])  # used, and not
def test_rows_are_the_parameters_of_a_series_referred_to_its_reference_date(reference: int) -> None:
    used = np.arange(40) > 2
    one = TimeFunction(polynomial=2, periods=(1.0,), steps=(STEP,)).at(DATES, used=used, reference=reference)
    assert one.rows.shape == (6, 40)
    series = np.random.default_rng(2).normal(size=(40, *SHAPE)).astype(np.float32)
    found = np.tensordot(one.rows, series.astype(float), axes=1)
    fitted = one.fit(series)
    np.testing.assert_allclose(fitted["intercept"], found[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fitted["velocity"], found[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fitted["step_20200415"], found[5], rtol=1e-5, atol=1e-6)
    # displacement that is the same at all dates is none, by any reference
    np.testing.assert_allclose(one.rows.sum(axis=1), 0, atol=1e-12)


def test_propagated_variances_are_those_of_many_noisy_series() -> None:
    rng = np.random.default_rng(3)
    deviation = 0.002 + 0.01 * rng.random(40)  # of each date, m
    one = TimeFunction(steps=(STEP,)).at(DATES, reference=20)
    series = (deviation[:, None, None] * rng.normal(size=(40, 100, 200))).astype(np.float32)
    found = one.fit(series)
    variances = np.diag(one.rows @ np.diag(deviation**2) @ one.rows.T)
    replaced = one.with_variances(found, np.broadcast_to(variances[:, None, None], (3, 100, 200)))
    for name in ("intercept", "velocity", "step_20200415"):
        assert replaced[f"{name}_std"].dtype == np.float32
        assert replaced[f"{name}_std"][0, 0] == pytest.approx(found[name].std(), rel=0.03)
        np.testing.assert_array_equal(replaced[name], found[name])
    assert list(replaced) == list(found)


def test_variances_go_to_their_parameters_past_cycles() -> None:
    one = TimeFunction(polynomial=2, periods=(1.0, 0.5), steps=(STEP,)).at(DATES)
    variances = np.arange(8.0)[:, None, None] ** 2 * np.ones((8, *SHAPE))
    made = one.with_variances(one.fit(np.zeros((40, *SHAPE), dtype=np.float32)), variances)
    errors = {name: value[0, 0] for name, value in made.items() if name.endswith("_std")}
    assert errors == {"intercept_std": 0, "velocity_std": 1, "acceleration_std": 2, "step_20200415_std": 7}


def test_as_many_dates_as_parameters_leave_no_standard_error() -> None:
    found = TimeFunction().at(DATES[:2]).fit(np.arange(2.0)[:, None, None] * field(1))
    np.testing.assert_allclose(found["velocity"], field(1) * 365.25 / 24, rtol=1e-6)
    assert np.isnan(found["velocity_std"]).all()
    assert np.isnan(found["intercept_std"]).all()
    assert found["residue"].max() < 1e-6


def test_no_data_at_a_date_that_is_used_is_no_result() -> None:
    series = np.zeros((40, *SHAPE), dtype=np.float32)
    series[5, 0, 0] = series[6, 0, 1] = series[7, 0, 2] = np.nan
    used = np.ones(40, dtype=bool)
    used[[6, 7]] = False
    found = TimeFunction().at(DATES, used=used, reference=7).fit(series)
    np.testing.assert_array_equal(np.isnan(found["velocity"])[0, :4], [True, False, False, False])
    np.testing.assert_array_equal(np.isnan(found["velocity_std"])[0, :4], [True, False, False, False])
    np.testing.assert_array_equal(np.isnan(found["intercept"])[0, :4], [True, False, True, False])


def test_decimal_years() -> None:
    found = decimal_years([date(2020, 1, 1), date(2020, 12, 31), date(2021, 1, 1), date(2021, 12, 31)])
    np.testing.assert_allclose(found, [2020, 2020 + 365 / 365.25, 2021, 2021 + 364 / 365.25], rtol=1e-15)


def test_functions_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="order 0 has no velocity"):
        TimeFunction(polynomial=0)
    with pytest.raises(InputError, match="not all above 0"):
        TimeFunction(periods=(1.0, -1.0))
    with pytest.raises(InputError, match="period is there twice: 1, 1"):
        TimeFunction(periods=(1, 1.0))
    with pytest.raises(InputError, match=r"period is there twice: 0\.333333, 0\.333333"):
        TimeFunction(periods=(1 / 3, 0.33333333))
    with pytest.raises(InputError, match="step is there twice"):
        TimeFunction(steps=(STEP, STEP))
    with pytest.raises(InputError, match="4 dates are too few for the 5 parameters") as caught:
        TimeFunction(polynomial=2, periods=(1.0,)).at(DATES, used=np.arange(40) < 4)
    assert "Use 5 dates or more" in caught.value.remedy
    with pytest.raises(InputError, match="do not tell the 3 parameters"):
        TimeFunction(steps=(DATES[-1],)).at(DATES)
    with pytest.raises(ValueError, match="dates used"):
        TimeFunction().at(DATES, used=np.ones(3, dtype=bool))
    with pytest.raises(ValueError, match="a series of 3 dates"):
        TimeFunction().at(DATES).fit(np.zeros((3, *SHAPE)))


# --- the sample


@pytest.fixture(scope="module")
def mintpy() -> dict[str, np.ndarray]:
    """MintPy's arrays; its series with NaN where they have no data."""
    with np.load(SAMPLE / "mintpy_outputs.npz") as arrays:
        found = {name: arrays[name] for name in arrays.files}
    there = (found["timeseries/timeseries"] != 0).any(axis=0)
    there[REFERENCE] = True
    for name in [name for name in found if name.endswith("/timeseries")]:
        found[name] = np.where(there, found[name], np.float32(np.nan))
    return found


def dated(mintpy: dict[str, np.ndarray]) -> DatedFunction:
    texts = [text.decode() for text in mintpy["timeseries/date"]]
    dates = [date(int(text[:4]), int(text[4:6]), int(text[6:])) for text in texts]
    used = ~np.isin(texts, mintpy["exclude_date"])
    return TimeFunction().at(dates, used=used, reference=texts.index(mintpy["reference_date"][0]))


def differences(found: dict[str, np.ndarray], mintpy: dict[str, np.ndarray]) -> dict[str, float]:
    made = {}
    for one in TimeFunction().rasters:
        off = found[one.name] - mintpy[f"velocity/{one.dataset}"].astype(float)
        assert np.isfinite(off).sum() > 12_000
        made[one.name] = float(np.nanmax(np.abs(off)))
    return made


LIMITS = {"velocity": 5e-8, "velocity_std": 1e-8, "intercept": 5e-8, "intercept_std": 1e-8, "residue": 2e-8}


@needs_sample
def test_velocity_is_mintpys(mintpy: dict[str, np.ndarray]) -> None:
    found = dated(mintpy).fit(mintpy["timeseries_tropHgt_demErr/timeseries"])
    for name, off in differences(found, mintpy).items():
        assert off < LIMITS[name], name


class Chain:
    """From displacement to velocity with blocks of one size: no step sees more than a block, but for sums."""

    def __init__(self, mintpy: dict[str, np.ndarray], size: int) -> None:
        series = mintpy["timeseries/timeseries"]
        self.size, self.mintpy, self.series = size, mintpy, series - series[0]
        self.mask = mintpy["maskTempCoh/mask"]
        self.incidence, self.height = mintpy["geometryGeo/incidenceAngle"], mintpy["geometryGeo/height"]

    def blocks(self) -> Iterator[Window]:
        for row, col in product(range(0, 120, self.size), range(0, 120, self.size)):
            yield Window(row, col, min(self.size, 120 - row), min(self.size, 120 - col))

    def without_height(self) -> np.ndarray:
        zero = self.height[REFERENCE], self.incidence[REFERENCE]
        above = {
            w: sight_height(self.height[w.slices], incidence=self.incidence[w.slices], reference=zero)
            for w in self.blocks()
        }
        sums = [
            height_moments(self.series[:, *w.slices], sight_height=above[w], mask=self.mask[w.slices], window=w)
            for w in self.blocks()
        ]
        self.height_moments = reduce(add, sums)
        fit = fit_height(self.height_moments)
        made = np.empty_like(self.series)
        for w in self.blocks():
            made[:, *w.slices] = subtract_delay(self.series[:, *w.slices], height_delay(fit, sight_height=above[w]))
        return made

    def run(self) -> dict[str, np.ndarray]:
        series = self.without_height()
        dates = dated(self.mintpy)
        texts = [text.decode() for text in self.mintpy["timeseries/date"]]
        days = [date(int(text[:4]), int(text[4:6]), int(text[6:])) for text in texts]
        elapsed = np.array([(day - days[0]).days / 365.25 for day in days])
        model = DemErrorModel.of(elapsed, self.mintpy["timeseries/bperp"])
        distance = slant_range(self.incidence, earth_radius=6371229.7, spacecraft_height=699570.5)
        corrected, sums = np.empty_like(series), []
        for w in self.blocks():
            part = model.estimate(
                series[:, *w.slices], slant_range=distance[w.slices], incidence=self.incidence[w.slices]
            )
            corrected[:, *w.slices] = part.corrected
            sums.append(ramp_moments(part.residual, mask=self.mask[w.slices], window=w, shape=(120, 120), order=2))
        self.ramp_moments = reduce(add, sums).sums
        self.rms = residual_rms(reduce(add, sums), reference=REFERENCE)
        dates = TimeFunction().at(days, used=~noisy_dates(self.rms), reference=reference_date_index(self.rms))
        made = {one.name: np.empty((120, 120), np.float32) for one in TimeFunction().rasters}
        for w in self.blocks():
            for name, values in dates.fit(corrected[:, *w.slices]).items():
                made[name][w.slices] = values
        return made


@needs_sample
def test_the_whole_chain_is_mintpys_whatever_the_blocks(mintpy: dict[str, np.ndarray]) -> None:
    chains = [Chain(mintpy, size) for size in (64, 128)]
    small, large = (chain.run() for chain in chains)
    for kind in ("height_moments", "ramp_moments"):
        one, other = (getattr(chain, kind).products for chain in chains)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12 * np.abs(other).max())
    np.testing.assert_allclose(chains[0].rms, chains[1].rms, rtol=1e-12)
    np.testing.assert_allclose(chains[0].rms, mintpy["rms/rms"], atol=1e-8)
    for name, off in differences(small, mintpy).items():
        assert off < LIMITS[name], name
        np.testing.assert_allclose(small[name], large[name], atol=1e-8, err_msg=name)
    with np.load(SAMPLE / "truth.npz") as arrays:
        truth = arrays["vel"].astype(float)
    kept = mintpy["maskTempCoh/mask"] & np.isfinite(small["velocity"]) & np.isfinite(truth)
    errors = []
    for one in (small["velocity"], mintpy["velocity/velocity"]):
        off = (one - truth)[kept]
        errors.append(float(np.sqrt(np.mean((off - np.median(off)) ** 2))))
    assert errors[0] <= 1.001 * errors[1]
    assert errors[1] < 0.01  # m/year: they are velocities
