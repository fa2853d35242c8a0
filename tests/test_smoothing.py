"""Smoothing in days: against np.polyfit with tricube weights, and what a filter over equal steps gets wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_jobs.statistics.smoothing import Smoothing, smooth


def oracle(power: np.ndarray, days: np.ndarray, window: float, degree: int) -> np.ndarray:
    """One series, by np.polyfit around each date."""
    made = np.full(power.size, np.nan)
    for i, day in enumerate(days):
        d = np.abs(days - day) / (window / 2)
        use = (d < 1) & ~np.isnan(power)
        if use.sum() > degree:
            weights = (1 - d[use] ** 3) ** 1.5  # polyfit squares them
            made[i] = np.polyfit((days[use] - day) / window, power[use], degree, w=weights)[-1]
    return made


@settings(max_examples=80, deadline=None)
@given(
    dates=st.integers(1, 40),
    degree=st.integers(0, 3),
    window=st.sampled_from([20.0, 61.0, 90.0, 400.0]),
    gaps=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_agrees_with_polyfit(dates: int, degree: int, window: float, gaps: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = 19_000.2 + np.cumsum(rng.choice([6, 12, 24, 48], dates))
    power = rng.gamma(20.0, 0.01, (dates, 3))
    power[rng.random(power.shape) < gaps] = np.nan
    made = smooth(power, days=days, smoothing=Smoothing(window=window, degree=degree))
    for series in range(3):
        expected = oracle(power[:, series], days, window, degree)
        np.testing.assert_allclose(made[:, series], expected, rtol=1e-8, atol=1e-10)


def test_a_parabola_in_days_passes_through_unchanged_whatever_the_spacing() -> None:
    """What a filter that counts dates as if they were equally spaced cannot do."""
    from scipy.signal import savgol_filter

    days = np.cumsum(np.tile([6.0, 6.0, 24.0, 12.0], 8))
    power = 0.1 + 1e-5 * (days - 150) ** 2
    power[5] = np.nan  # a date without data gets the parabola's value too
    truth = 0.1 + 1e-5 * (days - 150) ** 2
    made = smooth(power[:, None], days=days, smoothing=Smoothing(window=90, degree=2))[:, 0]
    np.testing.assert_allclose(made, truth, rtol=1e-12)
    assert np.abs(savgol_filter(truth, 7, 2) / truth - 1).max() > 0.02


def test_the_order_of_the_dates_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    days, power = rng.uniform(0, 300, 40), rng.gamma(9.0, 0.01, (40, 2))
    order = rng.permutation(40)
    straight = smooth(power, days=days, smoothing=Smoothing())
    np.testing.assert_allclose(
        smooth(power[order], days=days[order], smoothing=Smoothing()), straight[order], rtol=1e-9
    )


def test_too_few_dates_in_a_window_give_nothing() -> None:
    days = np.array([0.0, 12, 24, 200, 212])
    made = smooth(np.full((5, 1), 0.1), days=days, smoothing=Smoothing(window=60, degree=2))[:, 0]
    np.testing.assert_allclose(made, [0.1, 0.1, 0.1, np.nan, np.nan])
    assert np.isnan(smooth(np.full((5, 1), np.nan), days=days, smoothing=Smoothing())).all()


def test_dates_of_one_day_tell_no_slope() -> None:
    """Three passes within minutes are three dates, and one place in time."""
    days = np.array([0.0, 0.001, 0.002, 12.0])
    made = smooth(np.array([[0.1], [0.2], [0.1], [0.1]]), days=days, smoothing=Smoothing(window=20, degree=2))
    assert np.isnan(made[:3]).all()


def test_the_speckle_of_single_dates_is_reduced() -> None:
    rng = np.random.default_rng(7)
    days = np.arange(100) * 6.0
    power = rng.gamma(4.4, 0.1 / 4.4, (100, 200))
    made = smooth(power, days=days, smoothing=Smoothing(window=90, degree=2))
    assert made.std() < 0.6 * power.std()
    assert made.mean() == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("wrong", [{"window": 0.0}, {"window": float("nan")}, {"degree": 4}, {"degree": -1}])
def test_wrong_parameters_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"a window is|a degree is"):
        Smoothing(**wrong)
