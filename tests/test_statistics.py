"""Temporal statistics against NumPy, pixel by pixel, and the sorting network against every order."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_jobs.statistics.percentile_name import percentile_name
from dask_jobs.statistics.sorting_network import compare_exchanges
from dask_jobs.statistics.temporal import temporal_statistics

PERCENTILES = (0.0, 2.5, 5.0, 50.0, 95.0, 100.0)


def oracle(power: np.ndarray, days: np.ndarray, min_count: int) -> dict[str, np.ndarray]:
    data = np.where(np.isfinite(power), power, np.nan).astype(np.float64)
    count = np.isfinite(data).sum(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of pixels without data, which is what is tested
        mean, std = np.nanmean(data, axis=0), np.nanstd(data, axis=0)
        expected = {"mean": mean, "std": std, "min": np.nanmin(data, axis=0), "max": np.nanmax(data, axis=0)}
        expected["cov"] = np.where((count >= min_count) & (mean > 0), std / mean, np.nan)
        for p in PERCENTILES:
            expected[percentile_name(p)] = np.nanpercentile(data, p, axis=0)
    first = {"min_date": np.where(np.isnan(data), np.inf, data).argmin(axis=0)}
    first["max_date"] = np.where(np.isnan(data), -np.inf, data).argmax(axis=0)
    return {**expected, "count": count, **{k: np.where(count > 0, days[v], -1) for k, v in first.items()}}


def agree(power: np.ndarray, *, min_count: int = 1) -> None:
    days = (np.arange(power.shape[0]) * 12 + 18950).astype(np.int32)
    made = temporal_statistics(power, days=days, percentiles=PERCENTILES, min_count=min_count)
    expected = oracle(power, days, min_count)
    assert made.keys() == expected.keys()
    for name, values in made.items():
        assert values.shape == power.shape[1:]
        if name in {"count", "min_date", "max_date"}:
            assert values.dtype == np.int32
            np.testing.assert_array_equal(values, expected[name], err_msg=name)
        else:
            assert values.dtype == np.float32
            # a std far below the mean is a difference of equal numbers: compare it on the scale of the values
            scale = np.nanmax(np.abs(power), initial=0.0, where=np.isfinite(power)) if name == "std" else 0.0
            np.testing.assert_allclose(values, expected[name], rtol=1e-6, atol=1e-12 + 1e-9 * scale, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.integers(1, 40),
    height=st.integers(1, 7),
    width=st.integers(1, 60),
    gaps=st.sampled_from([0.0, 0.1, 0.6, 0.95, 1.0]),
    levels=st.sampled_from([None, 3]),
    min_count=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_agrees_with_numpy_for_any_shape_and_gaps(
    steps: int, height: int, width: int, gaps: float, levels: int | None, min_count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    power = rng.gamma(1.5, 0.05, (steps, height, width)).astype(np.float32)
    if levels:  # few values: many ties
        power = np.ceil(power * levels).astype(np.float32) / levels
    power[rng.random(power.shape) < gaps] = np.nan
    agree(power, min_count=min_count)


@pytest.mark.parametrize("steps", [1, 2, 3, 64, 65, 600])
def test_agrees_with_numpy_over_several_strips(steps: int) -> None:
    rng = np.random.default_rng(steps)
    power = rng.gamma(4.0, 0.02, (steps, 3, 1100 if steps < 100 else 90)).astype(np.float32)
    power[rng.random(power.shape) < 0.1] = np.nan
    power[:, 1] = np.nan  # whole strips without data lie between others
    agree(power)


def test_infinite_values_are_no_data_and_zero_and_negative_ones_are_data() -> None:
    power = np.array([np.inf, 0.5, -np.inf, 0.0, -0.25, np.nan, 0.25], dtype=np.float32).reshape(7, 1, 1)
    made = temporal_statistics(power, days=np.arange(7, dtype=np.int32), percentiles=[50])
    assert {k: v.item() for k, v in made.items()} == {
        "mean": 0.125,
        "std": pytest.approx(np.std([0.5, 0.0, -0.25, 0.25])),
        "cov": pytest.approx(np.std([0.5, 0.0, -0.25, 0.25]) / 0.125),
        "min": -0.25,
        "max": 0.5,
        "min_date": 4,
        "max_date": 1,
        "count": 4,
        "p50": 0.125,
    }


def test_ties_go_to_the_first_date() -> None:
    power = np.array([2, 1, 3, 1, 3], dtype=np.float32).reshape(5, 1, 1)
    made = temporal_statistics(power, days=np.array([10, 20, 30, 40, 50], dtype=np.int32))
    assert (made["min_date"].item(), made["max_date"].item()) == (20, 30)


def test_a_small_deviation_of_a_large_mean_keeps_its_digits() -> None:
    """What the one-pass formula mean(x²) - mean(x)² loses."""
    power = (1000 + np.arange(8) % 2 / 16).astype(np.float32).reshape(8, 1, 1)
    made = temporal_statistics(power, days=np.arange(8, dtype=np.int32))
    assert made["std"].item() == pytest.approx(1 / 32, rel=1e-7)


def test_constant_in_constant_out_and_scaling_scales() -> None:
    rng = np.random.default_rng(3)
    power = rng.gamma(4.0, 0.02, (9, 4, 5)).astype(np.float32)
    days = np.arange(9, dtype=np.int32)
    once, eight = (temporal_statistics(power * np.float32(k), days=days) for k in (1, 8))  # powers of two scale exactly
    for name in ("mean", "std", "min", "max", "p05", "p50", "p95"):
        np.testing.assert_array_equal(once[name] * 8, eight[name])
    for name in ("cov", "min_date", "max_date", "count"):
        np.testing.assert_array_equal(once[name], eight[name])
    flat = temporal_statistics(np.full((9, 1, 1), 0.3, dtype=np.float32), days=days)
    assert flat["mean"] == flat["p50"] == flat["min"] == np.float32(0.3)
    assert flat["std"] == flat["cov"] == 0


@pytest.mark.parametrize("percentile", [-1.0, 100.5, float("nan")])
def test_a_percentile_outside_0_to_100_is_refused(percentile: float) -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        temporal_statistics(
            np.ones((2, 1, 1), dtype=np.float32), days=np.arange(2, dtype=np.int32), percentiles=[percentile]
        )


def test_days_must_match_the_time_steps() -> None:
    with pytest.raises(ValueError, match="3 days for 2 time steps"):
        temporal_statistics(np.ones((2, 1, 1), dtype=np.float32), days=np.arange(3, dtype=np.int32))


@pytest.mark.parametrize(
    ("percentile", "name"), [(0, "p00"), (5, "p05"), (2.5, "p02.5"), (50.0, "p50"), (99.9, "p99.9"), (100, "p100")]
)
def test_percentiles_are_named_by_two_digits(percentile: float, name: str) -> None:
    assert percentile_name(percentile) == name


@pytest.mark.parametrize("n", range(14))
def test_the_network_sorts_every_order_of_zeros_and_ones(n: int) -> None:
    """The zero-one principle (Knuth 5.3.4, theorem Z): then it sorts everything."""
    rows = np.array(list(itertools.product([0, 1], repeat=n)), dtype=np.int8).reshape(2**n, n).T
    for i, j in compare_exchanges(n):
        rows[[i, j]] = np.minimum(rows[i], rows[j]), np.maximum(rows[i], rows[j])
    assert (np.diff(rows, axis=0) >= 0).all()


def test_the_network_is_small() -> None:
    assert [len(compare_exchanges(n)) for n in (1, 2, 4, 8, 16)] == [0, 1, 5, 19, 63]  # Knuth 5.3.4, table 1
