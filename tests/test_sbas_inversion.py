"""Inversion of a network: against dense matrices in double precision, cases by hand, and what MintPy made of the sample."""

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

from dask_jobs.compiled import compiled
from dask_jobs.sbas.inversion import Inversion, combination_variance, invert
from dask_jobs.sbas.laplacian import LANES
from dask_jobs.sbas.pairs import Pairs
from dask_jobs.sbas.weights import WEIGHTS, effective_looks, phase_variance_table, weights_of
from infra.errors import InputError

LOOKS = 41
NAN = np.float32(np.nan)


def network(edges: list[tuple[int, int]], days: list[int] | None = None) -> Pairs:
    """Pairs of numbered dates, 12 days apart unless said otherwise."""
    days = [12 * i for i in range(1 + max(j for _, j in edges))] if days is None else days
    start = date(2018, 1, 6)
    return Pairs(
        reference=tuple(start + timedelta(days=days[i]) for i, _ in edges),
        secondary=tuple(start + timedelta(days=days[j]) for _, j in edges),
        perpendicular_baseline=(0.0,) * len(edges),
    )


def edges_of(pairs: Pairs) -> list[tuple[int, int]]:
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


CHAIN = network([(i, j) for i in range(12) for j in range(i + 1, min(i + 4, 12))])


def observe(pairs: Pairs, pixels: int, *, seed: int, lacking: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    phase = random.normal(0, 2, (len(pairs), pixels)).astype(np.float32)
    phase[random.random(phase.shape) < lacking] = np.nan
    coherence = random.uniform(0, 1, phase.shape).astype(np.float32)
    coherence[random.random(phase.shape) < 0.05] = np.nan
    return phase, coherence


# -- weights ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coherence", "variance"),
    [(0.05, 2.297), (0.2, 0.466), (0.5, 0.0395), (0.7, 0.01331), (0.9, 0.003012), (0.99, 0.000333)],
)
def test_the_variance_of_41_looks(coherence: float, variance: float) -> None:
    assert 1 / weights_of(np.array(coherence), weight="var", looks=41) == pytest.approx(variance, rel=2e-3)


@pytest.mark.parametrize("looks", [1, 2, 5, 20, 41, 80])
def test_the_variance_table_is_that_of_another_closed_form(looks: int) -> None:
    table = phase_variance_table(looks)
    expected = [plain_sbas.phase_variance(0.0025 + 0.005 * i, looks) for i in range(200)]
    np.testing.assert_allclose(table, expected, rtol=2e-7)  # what cancels at 80 looks and coherence 0.9975
    assert (np.diff(table) < 0).all()


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_of_any_coherence(kind: str) -> None:
    values = np.array([0.0, 0.03, 0.05, 0.3, 0.7775, 0.8525, 0.99, 0.9991, 1.0, np.nan], dtype=np.float32)
    found = weights_of(values.reshape(2, 5), weight=kind, looks=20)
    expected = [plain_sbas.weight(float(one), kind=kind, looks=20) for one in values]
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-7)


def test_coherence_that_cannot_be_stays_in_the_table() -> None:
    values = np.array([-np.inf, -1, 1.5, 1e30, np.inf], dtype=np.float32)
    found = weights_of(values, weight="var", looks=20)
    np.testing.assert_array_equal(found, 1 / phase_variance_table(20)[[9, 9, 199, 199, 199]])


def test_effective_looks() -> None:
    assert effective_looks(range_looks=20, azimuth_looks=4) == 41
    assert effective_looks(range_looks=10, azimuth_looks=2) == 10
    assert effective_looks(range_looks=40, azimuth_looks=8) == 80
    assert effective_looks(range_looks=1, azimuth_looks=1) == 1


# -- inversion ----------------------------------------------------------------------------------------------------------


@st.composite
def networks(draw: st.DrawFn) -> Pairs:
    """Of 2 to 9 dates, some not connected, some pairs twice."""
    number = draw(st.integers(2, 9))
    every = list(itertools.combinations(range(number), 2))
    edges = draw(st.lists(st.sampled_from(every), min_size=1, max_size=24))
    gaps = draw(st.lists(st.integers(1, 100), min_size=number, max_size=number))
    return network(edges, days=[sum(gaps[:i]) for i in range(number)])


@settings(deadline=None, max_examples=150)
@given(
    pairs=networks(),
    seed=st.integers(0, 2**32 - 1),
    lacking=st.sampled_from([0.0, 0.1, 0.5]),
    kind=st.sampled_from(WEIGHTS),
    norm=st.sampled_from(["velocity", "phase"]),
    redundancy=st.sampled_from([0.0, 1.0, 2.0]),
    first_too=st.booleans(),
)
def test_any_network_is_solved_as_the_pseudo_inverse_does(
    pairs: Pairs, seed: int, lacking: float, kind: str, norm: str, redundancy: float, first_too: bool
) -> None:
    phase, coherence = observe(pairs, 5, seed=seed, lacking=lacking)
    reference = np.random.default_rng(seed).normal(0, 2, len(pairs))
    setup = Inversion(
        looks=LOOKS, weight=kind, norm=norm, min_redundancy=redundancy, count_first_date=first_too
    )  # fmt: skip
    made = invert(phase, coherence, pairs=pairs, reference_phase=reference, setup=setup)
    rows = np.random.default_rng(seed + 1).normal(0, 1, (2, len(pairs.dates)))
    variance = combination_variance(coherence, np.isfinite(phase), pairs=pairs, rows=rows, setup=setup)
    for x in range(phase.shape[1]):
        weights = weights_of(coherence[:, x], weight=kind, looks=LOOKS)
        series, quality, used = plain_sbas.invert_pixel(
            phase[:, x] - reference,
            weights,
            edges=edges_of(pairs),
            days=pairs.days,
            norm=norm,
            redundancy=redundancy,
            first_too=first_too,
        )
        np.testing.assert_allclose(made.series[:, x], series * setup.scale, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(made.temporal_coherence[x], quality, atol=2e-7)
        assert made.used[x] == used
        there = np.isfinite(phase[:, x])
        for row, found in zip(rows, variance[:, x], strict=True):
            expected = np.nan
            if used:
                expected = setup.scale**2 * plain_sbas.variance_of(
                    row,
                    1 / weights_of(coherence[there, x], weight="var", looks=LOOKS),
                    weights[there],
                    edges=[edge for edge, one in zip(edges_of(pairs), there, strict=True) if one],
                    days=pairs.days,
                    norm=norm,
                )
            np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-13)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_a_long_network_is_solved_as_the_pseudo_inverse_does(weight: str) -> None:
    pairs = network([(i, j) for i in range(40) for j in range(i + 1, min(i + 5, 40))])
    phase, coherence = observe(pairs, 20, seed=3, lacking=0.02)
    setup = Inversion(looks=LOOKS, weight=weight)
    made = invert(phase, coherence, pairs=pairs, reference_phase=np.zeros(len(pairs)), setup=setup)
    for x in range(phase.shape[1]):
        series, quality, used = plain_sbas.invert_pixel(
            phase[:, x].astype(np.float64),
            weights_of(coherence[:, x], weight=weight, looks=LOOKS),
            edges=edges_of(pairs),
            days=pairs.days,
        )
        np.testing.assert_allclose(made.series[:, x], series * setup.scale, rtol=1e-6, atol=1e-8)
        assert made.temporal_coherence[x] == pytest.approx(quality, abs=2e-7)
        assert made.used[x] == used


@pytest.mark.parametrize("weight", WEIGHTS)
def test_what_made_the_interferograms_is_recovered(weight: str) -> None:
    random = np.random.default_rng(5)
    truth = random.normal(0, 0.02, (len(CHAIN.dates), 4, 6)).cumsum(axis=0)
    truth -= truth[0]
    setup, offset = Inversion(looks=LOOKS, weight=weight), random.normal(0, 3, len(CHAIN))
    phase = (truth[CHAIN.second] - truth[CHAIN.first]) / setup.scale + offset[:, None, None]
    coherence = random.uniform(0.1, 1, phase.shape).astype(np.float32)
    made = invert(phase.astype(np.float32), coherence, pairs=CHAIN, reference_phase=offset, setup=setup)
    np.testing.assert_allclose(made.series, truth, atol=5e-9)
    np.testing.assert_allclose(made.temporal_coherence, 1, atol=1e-7)
    assert (made.used == len(CHAIN)).all()
    assert made.series.dtype == made.temporal_coherence.dtype == np.float32
    assert made.used.dtype == np.int16


def test_phase_falls_where_the_ground_comes_nearer() -> None:
    setup = Inversion(looks=LOOKS, weight="no", wavelength=0.056)
    made = invert(
        np.full((1, 1), -2 * np.pi, dtype=np.float32), None, pairs=network([(0, 1)]), reference_phase=np.zeros(1), setup=setup
    )  # fmt: skip
    np.testing.assert_allclose(made.series[:, 0], [0, 0.028])  # half a wavelength, there and back


def test_temporal_coherence_by_hand() -> None:
    """Of φ(01) = φ(12) = 0 and φ(02) = c equal weights leave residuals -c/3, -c/3, c/3."""
    pairs, c = network([(0, 1), (1, 2), (0, 2)]), 1.5
    phase = np.array([[0], [0], [c]], dtype=np.float32)
    made = invert(phase, None, pairs=pairs, reference_phase=np.zeros(3), setup=Inversion(looks=1, weight="no"))
    expected = abs(2 * np.exp(-1j * c / 3) + np.exp(1j * c / 3)) / 3
    assert made.temporal_coherence[0] == pytest.approx(expected, abs=1e-7)


def test_results_do_not_depend_on_how_a_scene_is_cut() -> None:
    phase, coherence = observe(CHAIN, 5 * LANES + 7, seed=11, lacking=0.15)
    setup, reference = Inversion(looks=LOOKS, min_redundancy=0), np.linspace(0, 1, len(CHAIN))
    rows = np.random.default_rng(1).normal(0, 1, (2, len(CHAIN.dates)))

    def both(part: slice) -> list[np.ndarray]:
        made = invert(phase[:, part], coherence[:, part], pairs=CHAIN, reference_phase=reference, setup=setup)
        valid = np.isfinite(phase[:, part])
        return [*made, combination_variance(coherence[:, part], valid, pairs=CHAIN, rows=rows, setup=setup)]

    whole = both(slice(None))
    for size in (1, 3, LANES - 1, LANES, LANES + 5):
        parts = [both(slice(start, start + size)) for start in range(0, phase.shape[1], size)]
        for number, expected in enumerate(whole):
            np.testing.assert_array_equal(np.concatenate([part[number] for part in parts], axis=-1), expected)
    square = (len(CHAIN), 1, -1)
    made = invert(
        phase.reshape(square), coherence.reshape(square), pairs=CHAIN, reference_phase=reference, setup=setup
    )  # fmt: skip
    np.testing.assert_array_equal(made.series[:, 0], whole[0])
    np.testing.assert_array_equal(made.used[0], whole[2])


def test_no_pixels_make_no_pixels() -> None:
    phase = np.empty((len(CHAIN), 0, 5), dtype=np.float32)
    made = invert(phase, phase, pairs=CHAIN, reference_phase=np.zeros(len(CHAIN)), setup=Inversion(looks=LOOKS))
    assert made.series.shape == (len(CHAIN.dates), 0, 5)
    assert made.used.shape == made.temporal_coherence.shape == (0, 5)


# -- networks that fall apart -------------------------------------------------------------------------------------------

ISLANDS = network([(0, 1), (1, 2), (3, 4)])


@pytest.mark.parametrize(
    ("norm", "expected"),
    [("velocity", [0, 1, 3, 3, 8]), ("phase", [0, 1, 3, -2.5, 2.5])],
)
def test_across_a_gap(norm: str, expected: list[float]) -> None:
    """Still across it for the least velocity; the second island about 0 for the least phase."""
    setup = Inversion(looks=1, weight="no", norm=norm)
    made = invert(
        np.array([[1], [2], [5]], dtype=np.float32), None, pairs=ISLANDS, reference_phase=np.zeros(3), setup=setup
    )  # fmt: skip
    np.testing.assert_allclose(made.series[:, 0] / setup.scale, expected, atol=1e-6)
    assert made.temporal_coherence[0] == pytest.approx(1)
    assert made.used[0] == 3


def test_a_pixel_without_the_first_date() -> None:
    """With MintPy's rule it is solved, and still up to the second date."""
    phase = np.array([1, 2, 3, 4, 5, 6], dtype=np.float32)[:, None]
    pairs = network([(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4)])
    phase[:2] = np.nan
    made = {
        first: invert(
            phase,
            None,
            pairs=pairs,
            reference_phase=np.zeros(6),
            setup=Inversion(looks=1, weight="no", count_first_date=first),
        )
        for first in (True, False)
    }
    assert np.isnan(made[True].series).all()
    assert np.isnan(made[True].temporal_coherence).all()
    assert made[True].used[0] == 0
    assert made[False].series[1, 0] == made[False].series[0, 0] == 0
    assert made[False].used[0] == 4


def test_a_date_on_its_own_stays_where_time_leaves_it() -> None:
    """Least Σ v² over steps of 10 and 30 days: (x / 10)² + ((8 - x) / 30)² is least at x = 0.8; no step after the last."""
    pairs, scale = network([(0, 2), (1, 2), (2, 3)], days=[0, 10, 40, 60]), Inversion(looks=1).scale
    phase = np.array([[8], [np.nan], [np.nan]], dtype=np.float32)
    setup = Inversion(looks=1, weight="no", min_redundancy=0)
    made = invert(phase, None, pairs=pairs, reference_phase=np.zeros(3), setup=setup)
    np.testing.assert_allclose(made.series[:, 0] / scale, [0, 0.8, 8, 8], rtol=1e-6)


@pytest.mark.parametrize("redundancy", [0, 1])
def test_nothing_is_not_solved(redundancy: float) -> None:
    phase = np.full((len(CHAIN), 3), np.nan, dtype=np.float32)
    phase[:, 1] = 0
    setup = Inversion(looks=LOOKS, weight="no", min_redundancy=redundancy)
    made = invert(phase, None, pairs=CHAIN, reference_phase=np.zeros(len(CHAIN)), setup=setup)
    assert np.isnan(made.series).all(axis=0).tolist() == [True, False, True]
    assert made.used.tolist() == [0, len(CHAIN), 0]
    np.testing.assert_array_equal(made.series[:, 1], 0)


def test_a_pair_without_data_is_as_if_it_were_not() -> None:
    phase, coherence = observe(CHAIN, 50, seed=2)
    phase[4] = np.nan
    index = [k for k in range(len(CHAIN)) if k != 4]
    setup = Inversion(looks=LOOKS)
    zero = np.zeros(len(CHAIN))
    lacking = invert(phase, coherence, pairs=CHAIN, reference_phase=zero, setup=setup)
    fewer = invert(phase[index], coherence[index], pairs=CHAIN.take(index), reference_phase=zero[1:], setup=setup)
    for one, other in zip(lacking, fewer, strict=True):
        np.testing.assert_array_equal(one, other)


def test_pairs_of_one_date_with_all_others() -> None:
    pairs = network([(0, 2), (1, 2), (2, 3), (2, 4)])
    phase = np.array([[5], [3], [1], [4]], dtype=np.float32)
    setup = Inversion(looks=1, weight="no")
    made = invert(phase, None, pairs=pairs, reference_phase=np.zeros(4), setup=setup)
    np.testing.assert_allclose(made.series[:, 0] / setup.scale, [0, 2, 5, 6, 9], rtol=1e-6)


def test_the_same_pair_twice_is_weighed() -> None:
    pairs = network([(0, 1), (0, 1)])
    setup = Inversion(looks=1, weight="coh")
    phase, coherence = np.array([[1], [4]], dtype=np.float32), np.array([[0.5], [0.25]], dtype=np.float32)
    made = invert(phase, coherence, pairs=pairs, reference_phase=np.zeros(2), setup=setup)
    assert made.series[1, 0] / setup.scale == pytest.approx(2)


# -- parts --------------------------------------------------------------------------------------------------------------


def test_sine_and_cosine() -> None:
    import numba

    from dask_jobs.sbas.phasors import cosine_and_sine

    @numba.njit
    def all_of(phases, cosines, sines):  # type: ignore[no-untyped-def]
        for i in range(phases.size):
            cosines[i], sines[i] = cosine_and_sine(phases[i])

    phases = np.concatenate([np.linspace(-20, 20, 40001), np.linspace(-1e6, 1e6, 1001), np.pi * np.arange(-9, 10) / 2])
    cosines, sines = np.empty(phases.size), np.empty(phases.size)
    compiled(all_of)(phases, cosines, sines)
    np.testing.assert_allclose(cosines, np.cos(phases), rtol=0, atol=5e-10)
    np.testing.assert_allclose(sines, np.sin(phases), rtol=0, atol=5e-10)


def test_variance_with_its_own_weights_is_the_inverse_of_the_normal_equations() -> None:
    _, coherence = observe(CHAIN, 9, seed=8)
    setup = Inversion(looks=LOOKS)
    rows = np.eye(len(CHAIN.dates))
    made = combination_variance(coherence, np.ones(coherence.shape, bool), pairs=CHAIN, rows=rows, setup=setup)
    matrix = CHAIN.incidence[:, 1:]
    assert (made[0] == 0).all()
    for x in range(coherence.shape[1]):
        weights = weights_of(coherence[:, x], weight="var", looks=LOOKS)
        covariance = np.linalg.inv(matrix.T @ (weights[:, None] * matrix))
        np.testing.assert_allclose(made[1:, x], np.diag(covariance) * setup.scale**2, rtol=1e-6)


# -- wrong input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": "both"},
        {"norm": "l1"},
        {"min_redundancy": -1.0},
        {"min_redundancy": math.nan},
        {"wavelength": 0.0},
        {"looks": 0},
    ],
)
def test_a_setup_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=str(next(iter(wrong.values())))):
        Inversion(**{"looks": LOOKS, **wrong})


def test_observations_that_do_not_fit() -> None:
    phase, coherence = observe(CHAIN, 4, seed=0)
    zero, setup = np.zeros(len(CHAIN)), Inversion(looks=LOOKS)
    with pytest.raises(InputError, match="for 30 pairs"):
        invert(phase[:-1], coherence[:-1], pairs=CHAIN, reference_phase=zero, setup=setup)
    with pytest.raises(InputError, match="reference phases for 30 pairs"):
        invert(phase, coherence, pairs=CHAIN, reference_phase=zero[1:], setup=setup)
    with pytest.raises(InputError, match="no coherence"):
        invert(phase, None, pairs=CHAIN, reference_phase=zero, setup=setup)
    with pytest.raises(InputError, match="coherence of dims"):
        invert(phase, coherence[:, :2], pairs=CHAIN, reference_phase=zero, setup=setup)
    with pytest.raises(InputError, match="no phase in pairs 3"):
        invert(
            phase, coherence, pairs=CHAIN, reference_phase=np.where(np.arange(len(zero)) == 3, np.nan, 0), setup=setup
        )
    with pytest.raises(InputError, match="no pairs"):
        invert(phase[:0], coherence[:0], pairs=CHAIN.take([]), reference_phase=zero[:0], setup=setup)
    rows, equal = np.zeros((1, len(CHAIN.dates))), Inversion(looks=LOOKS, weight="no")
    with pytest.raises(InputError, match="coherence of dims"):
        combination_variance(coherence[:, :2], phase > 0, pairs=CHAIN, rows=rows, setup=equal)
    with pytest.raises(InputError, match="combinations"):
        combination_variance(coherence, phase > 0, pairs=CHAIN, rows=np.zeros(5), setup=setup)


# -- the sample ---------------------------------------------------------------------------------------------------------


@needs_sample
def test_the_sample_is_inverted_as_mintpy_did() -> None:
    given = sample()
    setup = Inversion(looks=effective_looks(range_looks=20, azimuth_looks=4), count_first_date=False)
    made = invert(given.masked, given.coherence, pairs=given.pairs, reference_phase=given.reference_phase, setup=setup)
    used = given.mintpy["numInvIfgram/mask"]
    solved = (used > 0) & (made.used > 0)  # the sea is masked there
    assert (solved == (used > 0)).all()
    np.testing.assert_array_equal(made.used[solved], used[solved])
    theirs = given.mintpy["temporalCoherence/temporalCoherence"]
    np.testing.assert_allclose(made.temporal_coherence[solved], theirs[solved], atol=1e-5)
    dates = [day.strftime("%Y%m%d") for day in given.pairs.dates]
    series = made.series - made.series[dates.index(str(given.mintpy["reference_date"][0]))]
    np.testing.assert_allclose(series[:, solved], given.mintpy["timeseries/timeseries"][:, solved], atol=1e-6)


@needs_sample
def test_the_sample_is_inverted_as_dense_matrices_do() -> None:
    given = sample()
    setup = Inversion(looks=LOOKS, count_first_date=False)
    made = invert(given.masked, given.coherence, pairs=given.pairs, reference_phase=given.reference_phase, setup=setup)
    lacks = np.isnan(given.masked).any(axis=0) & (made.used > 0)
    pixels = [*np.argwhere(lacks)[:20], *np.argwhere(made.used == len(given.pairs))[::1500]]
    assert len(pixels) > 25
    for y, x in pixels:
        series, quality, used = plain_sbas.invert_pixel(
            given.masked[:, y, x] - given.reference_phase,
            weights_of(given.coherence[:, y, x], weight="var", looks=LOOKS),
            edges=edges_of(given.pairs),
            days=given.pairs.days,
        )
        np.testing.assert_allclose(made.series[:, y, x], series * setup.scale, atol=1e-8)
        assert made.temporal_coherence[y, x] == pytest.approx(quality, abs=1e-7)
        assert made.used[y, x] == used
