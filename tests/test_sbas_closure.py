"""Triplets that do not close, and the mean velocity of a stack, against plain loops and MintPy."""

from __future__ import annotations

import itertools
import math
from datetime import date, timedelta

import numpy as np
import plain_sbas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sbas_sample import needs_sample, sample

from dask_jobs.sbas.closure import STRIP, closure_counts, triplets
from dask_jobs.sbas.overview import stacked_velocity
from dask_jobs.sbas.pairs import Pairs
from infra.errors import InputError

DAYS = [date(2018, 1, 6) + timedelta(days=12 * i) for i in range(12)]
SAME = {"rtol": 0, "atol": 0, "equal_nan": True}


def network(edges: list[tuple[int, int]]) -> Pairs:
    return Pairs(
        reference=tuple(DAYS[i] for i, _ in edges),
        secondary=tuple(DAYS[j] for _, j in edges),
        perpendicular_baseline=(0.0,) * len(edges),
    )


THREE = network([(0, 1), (1, 2), (0, 2)])
CHAIN = [(i, j) for i in range(8) for j in range(i + 1, min(i + 4, 8))]


def test_triplets_of_a_network() -> None:
    assert triplets(THREE).tolist() == [[0, 1, 2]]
    assert triplets(network([(0, 2), (1, 3), (0, 1), (2, 3), (1, 2)])).tolist() == [[2, 4, 0], [4, 3, 1]]
    assert triplets(network([(0, 1), (1, 2)])).shape == (0, 3)
    assert triplets(network([(0, 1), (0, 1), (1, 2), (0, 2)])).tolist() == [[0, 2, 3]]
    assert len(triplets(network(list(itertools.combinations(range(7), 2))))) == math.comb(7, 3)


@pytest.mark.parametrize(
    ("closure", "count"), [(0, 0), (3.1, 0), (3.2, 1), (-3.1, 0), (-3.2, 1), (2 * math.pi, 1), (100.0, 1)]
)
def test_a_triplet_that_does_not_close(closure: float, count: int) -> None:
    phase = np.array([[1.0], [2.0], [3.0 - closure]], dtype=np.float32)
    assert closure_counts(phase, np.zeros(3), triplets=triplets(THREE)).tolist() == [count]
    shifted = phase + np.array([[5], [-7], [40]], dtype=np.float32)
    assert closure_counts(shifted, np.array([5.0, -7, 40]), triplets=triplets(THREE)).tolist() == [count]


def test_series_of_dates_close() -> None:
    walk = np.random.default_rng(1).normal(0, 50, (8, 4, 5))
    pairs = network(CHAIN)
    phase = (walk[pairs.second] - walk[pairs.first]).astype(np.float32)
    assert (closure_counts(phase, np.zeros(len(pairs)), triplets=triplets(pairs)) == 0).all()
    phase[0] += 2 * np.pi  # of dates 0 and 1, which two triplets have
    assert (closure_counts(phase, np.zeros(len(pairs)), triplets=triplets(pairs)) == 2).all()


@settings(deadline=None, max_examples=60)
@given(
    edges=st.lists(st.sampled_from(list(itertools.combinations(range(6), 2))), min_size=1, max_size=15),
    seed=st.integers(0, 2**32 - 1),
    lacking=st.sampled_from([0.0, 0.2]),
)
def test_any_network_is_counted_as_plain_loops_do(edges: list[tuple[int, int]], seed: int, lacking: float) -> None:
    random, pairs = np.random.default_rng(seed), network(edges)
    phase = random.normal(0, 5, (len(edges), 6)).astype(np.float32)
    phase[random.random(phase.shape) < lacking] = np.nan
    reference = random.normal(0, 5, len(edges))
    found = closure_counts(phase, reference, triplets=triplets(pairs))
    plain = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    expected = [plain_sbas.count_open_triplets(phase[:, x] - reference, edges=plain) for x in range(6)]
    np.testing.assert_allclose(found, expected, **SAME)


def test_a_missing_phase_leaves_out_its_triplets() -> None:
    pairs = network(CHAIN)
    phase = np.zeros((len(CHAIN), 3), dtype=np.float32)
    phase[-1] = 9.0  # of the last two dates, which two triplets have
    phase[0, 1] = np.nan
    phase[:, 2] = np.nan
    phase[0, 2] = 1.0
    zero = np.zeros(len(CHAIN))
    np.testing.assert_allclose(closure_counts(phase, zero, triplets=triplets(pairs)), [2, 2, np.nan], **SAME)
    theirs = closure_counts(phase, zero, triplets=triplets(pairs), missing="mintpy")
    np.testing.assert_allclose(theirs, [2, np.nan, np.nan], **SAME)


def test_with_mintpy_nothing_that_closes_is_nothing() -> None:
    phase = np.array([[9.0, 0], [1, 1], [1, 1]], dtype=np.float32)
    assert closure_counts(phase, np.zeros(3), triplets=triplets(THREE)).tolist() == [1, 0]
    theirs = closure_counts(phase, np.zeros(3), triplets=triplets(THREE), missing="mintpy")
    np.testing.assert_allclose(theirs, [np.nan, 0], **SAME)


def test_counts_do_not_depend_on_how_a_scene_is_cut() -> None:
    pairs = network(CHAIN)
    phase = np.random.default_rng(4).normal(0, 3, (len(CHAIN), 2 * STRIP + 9)).astype(np.float32)
    found = triplets(pairs)
    whole = closure_counts(phase, np.zeros(len(CHAIN)), triplets=found)
    parts = [closure_counts(phase[:, i : i + 7], np.zeros(len(CHAIN)), triplets=found) for i in range(0, len(whole), 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert closure_counts(phase[:, :0].reshape(len(CHAIN), 0, 3), np.zeros(len(CHAIN)), triplets=found).shape == (0, 3)


def test_phases_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="1 triplets"):
        closure_counts(np.zeros((2, 4), dtype=np.float32), np.zeros(2), triplets=triplets(THREE))
    with pytest.raises(InputError, match="for 3 pairs"):
        stacked_velocity(np.zeros((2, 4), dtype=np.float32), pairs=THREE, reference_phase=np.zeros(2))


@needs_sample
def test_the_sample_is_counted_as_mintpy_did() -> None:
    """Which masks the sea, and pixels that are never coherent."""
    given = sample()
    found = triplets(given.pairs)
    assert len(found) == 82
    counts = closure_counts(given.phase, given.reference_phase, triplets=found, missing="mintpy")
    counts[~given.land | (given.mintpy["avgSpatialCoh/coherence"] == 0)] = np.nan
    np.testing.assert_array_equal(counts, given.mintpy["numTriNonzeroIntAmbiguity/mask"])


# -- stacked velocity ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wavelength", [0.0555, 0.24])
def test_a_steady_velocity_is_found(wavelength: float) -> None:
    pairs = network(CHAIN)
    velocity = np.linspace(-0.1, 0.1, 6).reshape(2, 3)
    phase = -4 * np.pi / wavelength * velocity * pairs.years[:, None, None] + np.arange(len(pairs))[:, None, None]
    phase = phase.astype(np.float32)
    phase[:3, 0, 0] = np.nan
    phase[:, 1, 2] = np.nan
    found = stacked_velocity(phase, pairs=pairs, reference_phase=np.arange(float(len(pairs))), wavelength=wavelength)
    velocity[1, 2] = np.nan
    np.testing.assert_allclose(found, velocity, atol=3e-7)


def test_missing_phases_may_count_as_zero() -> None:
    phase, pairs = np.array([[1.0], [np.nan], [4.0]], dtype=np.float32), THREE
    rates = -(0.0555 / (4 * np.pi)) * (np.array([1.0, 0.0, 4.0]) - 0.5) / pairs.years
    options = {"pairs": pairs, "reference_phase": np.full(3, 0.5), "wavelength": 0.0555}
    np.testing.assert_allclose(stacked_velocity(phase, **options), (rates[0] + rates[2]) / 2, rtol=1e-6)
    np.testing.assert_allclose(stacked_velocity(phase, missing="zero", **options), rates.mean(), rtol=1e-6)


@needs_sample
def test_the_sample_is_stacked_as_mintpy_did() -> None:
    """Which takes zeros for phases, and leaves out what is NaN as stored."""
    given = sample()
    found = stacked_velocity(given.phase, pairs=given.pairs, reference_phase=given.reference_phase)
    np.testing.assert_allclose(found, given.mintpy["avgPhaseVelocity/velocity"], rtol=0, atol=1e-7)
    zeros = np.where(np.isnan(given.phase), np.float32(np.nan), given.masked)
    whole = ~np.isnan(given.phase).any(axis=0)
    again = stacked_velocity(zeros, pairs=given.pairs, reference_phase=given.reference_phase, missing="zero")
    np.testing.assert_allclose(again[whole], found[whole], rtol=0, atol=1e-7)
