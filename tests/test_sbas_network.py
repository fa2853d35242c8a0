"""Which pairs are used, whether they connect all dates, baselines of dates, and the reference point that is drawn."""

from __future__ import annotations

import math
import pickle
from collections import Counter
from datetime import date, timedelta

import numpy as np
import plain_sbas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sbas_sample import needs_sample, sample

from dask_jobs.sbas.network import (
    DisconnectedNetworkError,
    NetworkCriteria,
    check_connected,
    connected_components,
    minimum_spanning_tree,
    perpendicular_baselines,
    select_pairs,
)
from dask_jobs.sbas.pairs import Pairs
from dask_jobs.sbas.reference_point import Candidate, best, candidate
from infra.errors import InputError

START = date(2018, 1, 6)
DAYS = [START + timedelta(days=12 * i) for i in range(20)]


def network(edges: list[tuple[int, int]], baselines: list[float] | None = None) -> Pairs:
    return Pairs(
        reference=tuple(DAYS[i] for i, _ in edges),
        secondary=tuple(DAYS[j] for _, j in edges),
        perpendicular_baseline=tuple(baselines or [0.0] * len(edges)),
    )


EDGES = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4)]
PAIRS = network(EDGES, baselines=[10, -120, 30, 40, -80, 0, 5])


# -- pairs --------------------------------------------------------------------------------------------------------------


def test_pairs_that_cannot_be() -> None:
    with pytest.raises(InputError, match="earlier"):
        Pairs(reference=(DAYS[1],), secondary=(DAYS[0],), perpendicular_baseline=(0.0,))
    with pytest.raises(InputError, match=r"\(1, 2, 1\)"):
        Pairs(reference=(DAYS[0],), secondary=(DAYS[1], DAYS[2]), perpendicular_baseline=(0.0,))


def test_pairs_as_numbers() -> None:
    assert PAIRS.dates == tuple(DAYS[:5])
    np.testing.assert_array_equal(PAIRS.incidence @ np.arange(5.0), [1, 2, 1, 2, 1, 2, 1])
    np.testing.assert_allclose(PAIRS.years, np.array([12, 24, 12, 24, 12, 24, 12]) / 365.25)
    assert PAIRS.take([2, 0]).reference == (DAYS[1], DAYS[0])


# -- selection ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criteria", "dropped"),
    [
        ({}, {}),
        ({"max_temporal_baseline": 24}, {}),
        ({"max_temporal_baseline": 23}, {1: "temporal", 3: "temporal", 5: "temporal"}),
        ({"max_perpendicular_baseline": 80}, {1: "120.0 > 80 m"}),
        ({"max_perpendicular_baseline": 79.9}, {1: "perpendicular", 4: "perpendicular"}),
        ({"connections": 1}, {1: "2 dates apart", 3: "2 dates", 5: "2 dates"}),
        ({"exclude_pairs": ((DAYS[1], DAYS[3]), (DAYS[0], DAYS[4]))}, {3: "excluded pair"}),
        ({"exclude_dates": (DAYS[0],)}, {0: f"date {DAYS[0]}", 1: f"date {DAYS[0]}"}),
        ({"start_date": DAYS[1]}, {0: f"before {DAYS[1]}", 1: "before"}),
        ({"end_date": DAYS[3]}, {5: f"after {DAYS[3]}", 6: "after"}),
        ({"connections": 1, "end_date": DAYS[2]}, {1: "2", 3: "2", 4: "after", 5: "2", 6: "after"}),
    ],
)
def test_pairs_are_dropped_by_their_dates_and_baselines(criteria: dict, dropped: dict[int, str]) -> None:
    found = select_pairs(PAIRS, NetworkCriteria(**criteria))
    assert dict(found.dropped).keys() == dropped.keys()
    for index, reason in found.dropped:
        assert dropped[index] in reason
    assert found.kept == tuple(k for k in range(len(PAIRS)) if k not in dropped)


def test_incoherent_pairs_are_dropped_but_for_the_tree() -> None:
    coherence = [0.9, 0.2, 0.3, 0.4, 0.35, math.nan, 0.1]
    strict = select_pairs(
        PAIRS, NetworkCriteria(min_coherence=0.7, keep_minimum_spanning_tree=False), mean_coherence=coherence
    )
    assert strict.kept == (0,)
    assert dict(strict.dropped)[1] == "mean coherence 0.200 < 0.7"
    kept = select_pairs(PAIRS, NetworkCriteria(min_coherence=0.7), mean_coherence=coherence).kept
    assert kept == (0, 3, 4, 6)
    check_connected(PAIRS.take(kept))


def test_the_tree_is_of_what_other_criteria_leave() -> None:
    coherence = [0.9, 0.2, 0.3, 0.4, 0.35, 0.6, 0.1]
    criteria = NetworkCriteria(min_coherence=0.7, exclude_pairs=((DAYS[1], DAYS[3]),))
    assert select_pairs(PAIRS, criteria, mean_coherence=coherence).kept == (0, 2, 4, 5)


def test_the_area_ratio_keeps_the_most_coherent_tree() -> None:
    coherence, ratio = [0.9, 0.2, 0.3, 0.4, 0.35, 0.6, 0.1], [0.8, 0.8, 0.1, 0.1, 0.1, 0.1, 0.76]
    criteria = NetworkCriteria(min_area_ratio=0.75)
    assert select_pairs(PAIRS, criteria, mean_coherence=coherence, area_ratio=ratio).kept == (0, 1, 3, 4, 5, 6)
    with pytest.raises(InputError, match="spanning tree"):
        select_pairs(PAIRS, criteria, area_ratio=ratio)
    alone = NetworkCriteria(min_area_ratio=0.75, keep_minimum_spanning_tree=False)
    assert select_pairs(PAIRS, alone, area_ratio=ratio).kept == (0, 1, 6)


def test_what_a_criterion_needs_is_asked_for() -> None:
    with pytest.raises(InputError, match=r"no mean coherence to hold against 0\.7"):
        select_pairs(PAIRS, NetworkCriteria(min_coherence=0.7))
    with pytest.raises(InputError, match="for 7 pairs"):
        select_pairs(PAIRS, NetworkCriteria(), mean_coherence=[0.5])


@pytest.mark.parametrize(
    "wrong",
    [
        {"connections": 0},
        {"max_temporal_baseline": -3},
        {"max_perpendicular_baseline": math.nan},
        {"min_coherence": 1.5},
        {"min_area_ratio": -0.1},
        {"start_date": DAYS[2], "end_date": DAYS[1]},
    ],
)
def test_criteria_that_cannot_be(wrong: dict) -> None:
    with pytest.raises(InputError, match="network"):
        NetworkCriteria(**wrong)


@settings(deadline=None, max_examples=60)
@given(
    edges=st.lists(st.sampled_from([(i, j) for i in range(5) for j in range(i + 1, 5)]), min_size=4, max_size=9),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_tree_is_more_coherent(edges: list[tuple[int, int]], seed: int) -> None:
    pairs = network(edges)
    coherence = np.random.default_rng(seed).uniform(0.05, 1, len(edges))
    tree = minimum_spanning_tree(pairs, coherence)
    renumbered = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    others = plain_sbas.spanning_trees(renumbered, len(pairs.dates))
    assert bool(others) == (len(connected_components(pairs)) == 1)
    if others:
        assert tree == min(others, key=lambda chosen: sum(1 / coherence[list(chosen)]))


def test_of_equally_coherent_pairs_the_first_make_the_tree() -> None:
    assert minimum_spanning_tree(PAIRS, [0.5] * 7) == (0, 1, 3, 5)


# -- connectedness ------------------------------------------------------------------------------------------------------


def test_a_network_that_falls_apart_is_named() -> None:
    pairs = network([(0, 1), (1, 2), (3, 5), (4, 5), (8, 9)])
    assert connected_components(pairs) == (tuple(DAYS[:3]), tuple(DAYS[3:6]), tuple(DAYS[8:10]))
    with pytest.raises(DisconnectedNetworkError) as error:
        check_connected(pairs)
    assert "3 groups" in error.value.message
    assert f"{DAYS[0]} to {DAYS[2]} (3 dates)" in error.value.message
    assert f"{DAYS[2]} with {DAYS[3]}, {DAYS[5]} with {DAYS[8]}" in error.value.remedy
    again = pickle.loads(pickle.dumps(error.value))
    assert type(again) is DisconnectedNetworkError
    assert str(again) == str(error.value)


def test_islands_may_interlock() -> None:
    pairs = network([(0, 2), (2, 4), (1, 3)])
    assert connected_components(pairs) == ((DAYS[0], DAYS[2], DAYS[4]), (DAYS[1], DAYS[3]))
    with pytest.raises(DisconnectedNetworkError, match=f"{DAYS[0]} with {DAYS[1]}"):
        check_connected(pairs)


def test_a_connected_network_passes_and_none_does_not() -> None:
    check_connected(PAIRS)
    with pytest.raises(InputError, match="no pairs"):
        check_connected(network([]))


# -- baselines ----------------------------------------------------------------------------------------------------------


def test_baselines_of_dates_are_recovered() -> None:
    truth = np.array([0.0, 30.0, -70.0, 12.0, 55.0])
    pairs = network(EDGES, baselines=[truth[j] - truth[i] for i, j in EDGES])
    np.testing.assert_allclose(perpendicular_baselines(pairs), truth, atol=1e-10)


@needs_sample
def test_baselines_of_the_sample_are_mintpys() -> None:
    given = sample()
    np.testing.assert_allclose(perpendicular_baselines(given.pairs), given.mintpy["timeseries/bperp"], atol=1e-4)


# -- reference point ----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(-(2**70), 2**70), height=st.integers(1, 9), width=st.integers(1, 9))
def test_the_reference_point_does_not_depend_on_blocks(seed: int, height: int, width: int) -> None:
    mask = np.random.default_rng(abs(seed)).random((23, 31)) < 0.1
    whole = candidate(mask, 0, 0, seed=seed)
    found = [
        candidate(mask[row : row + height, col : col + width], row, col, seed=seed)
        for row in range(0, 23, height)
        for col in range(0, 31, width)
    ]
    assert whole is not None
    assert best(found) == best(reversed(found)) == whole
    assert mask[whole.row, whole.col]


def test_without_candidates_there_is_none() -> None:
    assert candidate(np.zeros((3, 4), dtype=bool), 5, 6, seed=1) is None
    assert best([None, None]) is None
    assert best([None, Candidate(3, 1, 1), Candidate(4, 0, 0)]) == Candidate(4, 0, 0)


def test_each_candidate_is_as_likely() -> None:
    """χ² of 3000 draws among 12 neighbours; its 99.9 % is 31.3 for 11 degrees of freedom."""
    mask = np.zeros((40, 40), dtype=bool)
    mask[20:23, 30:34] = True
    draws = Counter(candidate(mask, 100, 200, seed=seed)[1:] for seed in range(3000))
    assert len(draws) == 12
    assert sum((number - 250) ** 2 / 250 for number in draws.values()) < 31.3
