"""The threshold on the coefficient of variation: the exact quantile of pixels nobody holds, what is kept, the floor."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_jobs.statistics.exact_median import RADIX, Counts, lower_counts, upper_counts
from dask_jobs.statistics.speckle_floor import mode, speckle_floor
from dask_jobs.statistics.threshold import (
    NOT_KNOWN,
    Bounds,
    Tally,
    Threshold,
    mask,
    quantile_places,
    quantile_value,
    tally,
    thresholded,
)


def from_blocks(blocks: list[np.ndarray], quantile: float) -> float:
    """The quantile as the driver and its workers find it."""
    count = sum(block.size for block in blocks)
    upper = [upper_counts([block]) for block in blocks]
    found = quantile_places(count, quantile=quantile, blocks=lambda: iter(upper))
    lower = [lower_counts([block], found=found) for block in blocks]
    return quantile_value(found, count=count, quantile=quantile, blocks=lambda: iter(lower))


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    quantile=st.floats(0.0, 1.0),
    levels=st.sampled_from([None, 4]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_quantile_is_numpys_to_the_last_bit(
    sizes: list[int], quantile: float, levels: int | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    blocks = [rng.gamma(4.0, 0.1, size).astype(np.float32) for size in sizes]
    if levels:
        blocks = [np.round(block * levels).astype(np.float32) for block in blocks]  # ties, also across blocks, and 0
    every = np.concatenate(blocks).astype(np.float64)
    found = from_blocks(blocks, quantile)
    if every.size:
        assert found == np.quantile(every, quantile)
    else:
        assert math.isnan(found)


def test_what_is_kept_reaches_the_threshold_and_not_more_than_the_upper_bound() -> None:
    values = np.array([[0.1, 0.3, 0.5], [1.5, 1.6, np.nan]], dtype=np.float32)
    bounds = Bounds(lower=float(np.float32(0.3)), upper=1.5)
    np.testing.assert_array_equal(mask(values, bounds=bounds), [[0, 1, 1], [1, 0, NOT_KNOWN]])
    assert mask(values, bounds=bounds).dtype == np.uint8
    kept = thresholded(values, bounds=bounds)
    assert kept.dtype == np.float32
    np.testing.assert_array_equal(kept, np.float32([[np.nan, 0.3, 0.5], [1.5, np.nan, np.nan]]))
    assert tally(values, bounds=bounds) == Tally(pixels=5, kept=3, above_upper=1)


def test_a_value_is_compared_as_it_was_given_not_rounded_to_the_pixels_precision() -> None:
    below = np.float32(0.3)  # 0.300000012: above 0.3
    values = np.array([below, np.nextafter(below, np.float32(0))], dtype=np.float32)
    assert mask(values, bounds=Bounds(lower=0.3)).tolist() == [1, 0]


def test_without_any_value_nothing_is_kept() -> None:
    values = np.full((2, 2), np.nan, dtype=np.float32)
    assert (mask(values, bounds=Bounds(lower=math.nan)) == NOT_KNOWN).all()
    assert tally(values, bounds=Bounds(lower=math.nan)) == Tally(0, 0, 0)


@pytest.mark.parametrize("wrong", [{}, {"quantile": 0.9, "value": 0.3}])
def test_a_threshold_is_one_thing(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="either a quantile or a value"):
        Threshold(**wrong)


def histogram(values: np.ndarray) -> np.ndarray:
    counts: Counts = upper_counts([values.astype(np.float32)])
    dense = np.zeros((1, RADIX), dtype=np.int64)
    counts.add_to(dense, first=0)
    return dense[0]


@pytest.mark.parametrize("looks", [4.4, 20.0, 60.0])
@pytest.mark.parametrize("dates", [10, 21, 60])
def test_the_looks_of_simulated_speckle_are_found(looks: float, dates: int) -> None:
    """Gamma speckle of known looks; a fifth of the pixels changes, which must not matter."""
    rng = np.random.default_rng(int(looks * dates))
    power = rng.gamma(looks, 0.1 / looks, (dates, 20_000))
    power[:, :4000] *= 1 + 2 * rng.random((dates, 4000))
    found = speckle_floor(histogram(power.std(axis=0) / power.mean(axis=0)), dates=dates)
    assert found.source == "estimated"
    assert found.looks == pytest.approx(looks, rel=0.15)
    assert found.value == pytest.approx(1 / np.sqrt(looks), rel=0.08)


def test_looks_that_are_given_are_taken() -> None:
    found = speckle_floor(histogram(np.full(500, 0.2)), dates=21, looks=16)
    assert (found.looks, found.value, found.source) == (16, 0.25, "given")
    assert found.mode == pytest.approx(0.2, rel=1 / 128)


def test_too_little_to_tell_is_said_not_guessed() -> None:
    few = histogram(np.full(99, 0.2))
    assert mode(few) is None
    for found in (speckle_floor(few, dates=21), speckle_floor(histogram(np.full(500, 0.2)), dates=2)):
        assert found.looks is None
        assert found.value is None
    assert mode(histogram(np.zeros(500))) is None  # constant pixels, simulated or masked to 0, are no speckle


def test_the_mode_holds_for_any_scale_of_values() -> None:
    rng = np.random.default_rng(3)
    for scale in (1e-30, 1e-3, 1.0, 1e30):
        assert mode(histogram(scale * rng.normal(1.0, 0.1, 50_000))) == pytest.approx(scale, rel=0.03)
    assert mode(histogram(np.full(500, 3.4e38))) == pytest.approx(3.4e38, rel=0.01)
