"""The cycle of each pixel: against numpy.linalg.lstsq, and signals of known amplitude and phase on uneven dates."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_jobs.statistics.cycle_sampling import LEAST_SPREAD, sampled_spread
from dask_jobs.statistics.harmonic import YEAR, harmonic

EPOCH = date(1970, 1, 1)


def oracle(series: np.ndarray, days: np.ndarray, period: float) -> tuple[float, float]:
    """One pixel in double precision, by numpy alone."""
    use = np.isfinite(series)
    angle = 2 * np.pi * days[use] / period
    columns = np.column_stack([np.ones(angle.size), np.cos(angle), np.sin(angle)])
    if use.sum() < 4 or np.linalg.eigvalsh(np.cov(columns[:, 1:].T, ddof=0))[0] < LEAST_SPREAD:
        return np.nan, np.nan
    _, a, b = np.linalg.lstsq(columns, series[use].astype(np.float64))[0]
    return float(np.hypot(a, b)), float(np.arctan2(b, a) / (2 * np.pi) * period % period)


def apart(a: np.ndarray, b: np.ndarray, period: float) -> np.ndarray:
    """Difference of two phases, days, the short way round."""
    away = np.abs(a - b) % period
    return np.minimum(away, period - away)


def uneven(count: int, *, years: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 18_950.08 + np.sort(rng.uniform(0, 365.25 * years, count))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.integers(1, 40),
    width=st.integers(1, 700),
    gaps=st.sampled_from([0.0, 0.2, 0.8, 1.0]),
    years=st.sampled_from([0.2, 0.5, 3.0]),
    period=st.sampled_from([YEAR, 182.6, 29.53]),
    seed=st.integers(0, 2**32 - 1),
)
def test_agrees_with_least_squares(steps: int, width: int, gaps: float, years: float, period: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = uneven(steps, years=years, seed=seed)
    power = (rng.gamma(4.0, 0.02, (steps, 1, width)) - 0.02).astype(np.float32)  # noise subtracted: some are negative
    power[rng.random(power.shape) < gaps] = rng.choice([np.nan, np.inf, -np.inf])
    made = harmonic(power, days=days, period=period)
    assert made.amplitude.dtype == made.phase.dtype == np.float32
    some = rng.choice(width, min(width, 20), replace=False)
    expected = np.array([oracle(power[:, 0, i], days, period) for i in some])
    np.testing.assert_allclose(made.amplitude[0, some], expected[:, 0], rtol=1e-5)
    off = apart(made.phase[0, some], expected[:, 1], period)
    np.testing.assert_array_equal(np.isnan(off), np.isnan(expected[:, 1]))
    assert np.nanmax(off, initial=0) < 1e-4 * period


@pytest.mark.parametrize("peak", ["01-01", "03-15", "08-01", "12-31"])
def test_a_cycle_of_known_amplitude_and_peak_is_recovered_on_uneven_dates_with_gaps(peak: str) -> None:
    days = uneven(40, years=3.2)
    phase = (date.fromisoformat(f"2023-{peak}") - date(2023, 1, 1)).days
    top = (date.fromisoformat(f"2023-{peak}") - EPOCH).days
    signal = 0.1 + 0.03 * np.cos(2 * np.pi * (days - top) / YEAR)
    power = np.tile(signal[:, None, None], (1, 4, 300)).astype(np.float32)
    power[np.random.default_rng(1).random(power.shape) < 0.3] = np.nan
    made = harmonic(power, days=days)
    np.testing.assert_allclose(made.amplitude, 0.03, rtol=1e-5)
    assert apart(made.phase, np.float64(phase), YEAR).max() <= 0.75  # leap years: as promised
    assert apart(made.phase, np.float64(top % YEAR), YEAR).max() < 0.01
    assert made.phase.min() >= 0
    assert made.phase.max() < YEAR


def test_under_speckle_amplitude_and_peak_are_right_on_average() -> None:
    days = uneven(120, years=4)
    rng = np.random.default_rng(5)
    signal = 0.1 + 0.05 * np.cos(2 * np.pi * (days - 19_100) / YEAR)
    power = (signal[:, None, None] * rng.gamma(4.4, 1 / 4.4, (120, 60, 60))).astype(np.float32)
    made = harmonic(power, days=days)
    x, y = (np.mean(made.amplitude * f(2 * np.pi * made.phase / YEAR)) for f in (np.cos, np.sin))
    assert np.hypot(x, y) == pytest.approx(0.05, rel=0.01)
    assert np.arctan2(y, x) / (2 * np.pi) * YEAR % YEAR == pytest.approx(19_100 % YEAR, abs=1)


def test_the_order_of_the_dates_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    days, power = uneven(30, years=2), rng.gamma(4.0, 0.02, (30, 5, 5)).astype(np.float32)
    order = rng.permutation(30)
    straight, mixed = harmonic(power, days=days), harmonic(power[order], days=days[order])
    np.testing.assert_allclose(mixed.amplitude, straight.amplitude, rtol=1e-6)
    np.testing.assert_allclose(mixed.phase, straight.phase, atol=1e-3)


@pytest.mark.parametrize(
    ("days", "why"),
    [
        (np.array([0.0, 100, 200]), "three dates fit any cycle"),
        (np.linspace(0, 0.28 * YEAR, 30), "dates within three tenths of a year"),
        (YEAR * np.arange(30), "every date at the same place of the cycle"),
        (YEAR / 2 * np.arange(30), "two places of the cycle"),
        (np.array([18_950.0]), "one date"),
    ],
)
def test_dates_that_tell_no_cycle_give_nothing(days: np.ndarray, why: str) -> None:
    power = np.random.default_rng(0).gamma(4.0, 0.02, (days.size, 2, 3)).astype(np.float32)
    made = harmonic(power, days=days)
    assert np.isnan(made.amplitude).all(), why
    assert np.isnan(made.phase).all(), why


@pytest.mark.parametrize("share", [1.0, 0.5, 1 / 3, 0.3, 0.1])
def test_the_spread_of_dates_over_a_part_of_the_cycle(share: float) -> None:
    """By integration over an arc of half angle a: the variance along its middle direction."""
    a = np.pi * share
    days = np.linspace(5, 5 + share * 60, 40_000)
    expected = 0.5 + np.sin(2 * a) / (4 * a) - (np.sin(a) / a) ** 2
    assert sampled_spread(days, period=60.0) == pytest.approx(expected, abs=1e-4)


def test_what_does_not_vary_has_no_amplitude_and_no_phase() -> None:
    days = uneven(20, years=2)
    for level in (0.0, 0.1, -0.1, 1e4):
        made = harmonic(np.full((20, 1, 3), level, dtype=np.float32), days=days)
        np.testing.assert_allclose(made.amplitude, 0.0, atol=1e-9 * max(abs(level), 1))
        assert np.isnan(made.phase).all()


def test_no_data_at_all_is_nothing() -> None:
    made = harmonic(np.full((20, 2, 2), np.nan, dtype=np.float32), days=uneven(20, years=2))
    assert np.isnan(made.amplitude).all()
    assert harmonic(np.zeros((20, 0, 5), dtype=np.float32), days=uneven(20, years=2)).amplitude.shape == (0, 5)


def test_wrong_parameters_are_refused() -> None:
    power = np.zeros((5, 1, 1), dtype=np.float32)
    with pytest.raises(ValueError, match="4 days for 5 time steps"):
        harmonic(power, days=np.arange(4.0))
    for period in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="a period is"):
            harmonic(power, days=np.arange(5.0), period=period)
