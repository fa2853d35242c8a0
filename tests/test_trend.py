"""Theil-Sen and Mann-Kendall: against scipy, exact permutations, worked examples and trends that are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dask_jobs.statistics.trend import YEAR, Trend, trend


def of(series: np.ndarray, days: np.ndarray) -> tuple[float, float]:
    made = trend(series.reshape(-1, 1, 1).astype(np.float32), days=days)
    return made.slope.item(), made.significance.item()


def from_db(values: list[float]) -> np.ndarray:
    return 10 ** (np.array(values) / 10)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.integers(1, 30),
    width=st.integers(1, 600),
    gaps=st.sampled_from([0.0, 0.2, 0.8]),
    levels=st.sampled_from([None, 4]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_slope_is_scipys(steps: int, width: int, gaps: float, levels: int | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = 18_950.1 + np.cumsum(rng.choice([6.0, 12.0, 24.0], steps))
    power = rng.gamma(4.0, 0.02, (steps, 1, width)).astype(np.float32)
    if levels:
        power = np.ceil(power * levels * 10).astype(np.float32)  # ties
    power[rng.random(power.shape) < gaps] = rng.choice([np.nan, np.inf, 0.0, -0.01])
    made = trend(power, days=days)
    assert made.slope.dtype == made.significance.dtype == np.float32
    for i in rng.choice(width, min(width, 8), replace=False):
        use = np.isfinite(power[:, 0, i]) & (power[:, 0, i] > 0)
        if use.sum() < 4:
            assert np.isnan([made.slope[0, i], made.significance[0, i]]).all()
            continue
        decibel, years = 10 * np.log10(power[use, 0, i].astype(np.float64)), days[use] / YEAR
        assert made.slope[0, i] == pytest.approx(stats.theilslopes(decibel, years)[0], rel=1e-5, abs=1e-6)
        assert made.significance[0, i] == pytest.approx(significance(decibel), rel=1e-5)


def significance(values: np.ndarray) -> float:
    """Mann-Kendall by the book: every pair, every group of ties, and the normal distribution."""
    n = values.size
    s = sum(np.sign(b - a) for a, b in itertools.combinations(values, 2))
    _, ties = np.unique(values, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    if variance == 0:
        return 1.0
    z = (s - np.sign(s)) / np.sqrt(variance)
    return float(2 * stats.norm.sf(abs(z)))


def test_a_worked_example_with_ties() -> None:
    """1, 2, 2, 3: S = 5, variance (4·3·13 - 2·1·9) / 18 = 23 / 3, z = 4 / 2.7689 = 1.4446, p = 0.1486."""
    slope, p = of(from_db([1, 2, 2, 3]), np.arange(4) * YEAR)
    assert p == pytest.approx(0.1486, abs=5e-5)
    # slopes 1, 1/2, 2/3, 0, 1/2, 1: the middle two are 1/2 and 2/3
    assert slope == pytest.approx(7 / 12, abs=1e-5)


@pytest.mark.parametrize(("n", "most"), [(4, 0.026), (5, 0.021), (6, 0.018), (7, 0.014), (8, 0.013)])
def test_for_few_dates_the_significance_is_nearly_that_of_all_orders(n: int, most: float) -> None:
    """Every order of n values is as probable as any other where there is no trend: count those with such an S or more."""
    orders = np.array(list(itertools.permutations(range(n))))
    s = sum(np.sign(orders[:, k] - orders[:, i]) for i in range(n) for k in range(i + 1, n))
    power = from_db(list(orders.T)).reshape(n, 1, -1).astype(np.float32)
    made = trend(power, days=np.arange(n) * 12.0).significance[0]
    found = np.array([(np.abs(s) >= abs(value)).mean() for value in np.unique(s)])
    exact = found[np.searchsorted(np.unique(s), s)]
    assert np.abs(made - exact).max() < most
    assert np.abs(made - exact)[exact < 0.2].max() < 0.011


def test_kendalls_tau_agrees_for_many_dates() -> None:
    """Scipy's asymptotic test is the same without correction for continuity, which matters little for many dates."""
    rng = np.random.default_rng(4)
    values = np.round(rng.normal(0, 3, 400) + np.linspace(0, 1, 400), 1)
    expected = stats.kendalltau(np.arange(400), values, method="asymptotic").pvalue
    assert of(from_db(list(values)), np.arange(400.0))[1] == pytest.approx(expected, rel=0.01)


def simulated(per_year: float, *, dates: int = 60, looks: float = 4.4, seed: int = 0) -> Trend:
    rng = np.random.default_rng(seed)
    days = 18_950 + np.sort(rng.choice(np.arange(1100), dates, replace=False))
    signal = 0.1 * 10 ** (per_year * (days - days[0]) / YEAR / 10)
    return trend((signal[:, None, None] * rng.gamma(looks, 1 / looks, (dates, 40, 50))).astype("f4"), days=days)


@pytest.mark.parametrize("per_year", [-3.0, 0.0, 0.5])
def test_a_known_trend_under_speckle_is_unbiased(per_year: float) -> None:
    made = simulated(per_year)
    assert made.slope.mean() == pytest.approx(per_year, abs=4 * made.slope.std() / np.sqrt(made.slope.size))


def test_without_a_trend_one_pixel_in_twenty_is_below_one_in_twenty() -> None:
    p = simulated(0.0).significance
    for level in (0.05, 0.2, 0.5):
        assert (p < level).mean() == pytest.approx(level, abs=4 * np.sqrt(level / p.size))
    assert (simulated(-3.0).significance < 0.05).mean() > 0.99


def test_a_single_flood_does_not_tilt_the_slope() -> None:
    """What a straight line by least squares would follow."""
    values = list(-10 + 0.5 * np.arange(24) / 12)
    values[23] = values[22] = -22.0
    slope, _ = of(from_db(values), np.arange(24) * YEAR / 12)
    assert slope == pytest.approx(0.5, abs=0.02)
    assert np.polyfit(np.arange(24) / 12, values, 1)[0] < -1


def test_the_order_of_the_dates_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    days, power = rng.uniform(0, 900, 30), rng.gamma(4.0, 0.02, (30, 5, 5)).astype(np.float32)
    order = rng.permutation(30)
    straight, mixed = trend(power, days=days), trend(power[order], days=days[order])
    np.testing.assert_array_equal(mixed.slope, straight.slope)
    np.testing.assert_array_equal(mixed.significance, straight.significance)


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        (np.full(10, 0.1), (0.0, 1.0)),  # all equal: no trend, and nothing speaks against that
        (np.zeros(10), (np.nan, np.nan)),
        (np.full(10, -0.1), (np.nan, np.nan)),
        (np.full(10, np.nan), (np.nan, np.nan)),
        (np.array([0.1]), (np.nan, np.nan)),
        (np.array([0.1, 0.2, 0.3, 0.0, np.nan]), (np.nan, np.nan)),  # three values
    ],
)
def test_series_that_tell_little_or_nothing(power: np.ndarray, expected: tuple[float, float]) -> None:
    np.testing.assert_array_equal(of(power, 12.0 * np.arange(power.size)), expected)


def test_passes_at_one_moment_are_no_pair() -> None:
    slope, p = of(from_db([1, 9, 2, 3]), np.array([0.0, 0.0, YEAR, 2 * YEAR]))
    assert slope == pytest.approx(np.median([1, 1, -7, -3, 1]), abs=1e-5)
    assert np.isnan(of(from_db([1, 2, 3, 4]), np.zeros(4))).all()
    assert 0 < p <= 1


def test_days_must_match_the_time_steps() -> None:
    with pytest.raises(ValueError, match="4 days for 5 time steps"):
        trend(np.zeros((5, 1, 1), dtype=np.float32), days=np.arange(4.0))
