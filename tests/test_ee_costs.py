"""Cheapest ways of the local Earth Engine: SciPy's shortest paths and hand-made ones as oracles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ee_offline import computed, offline_client
from ee_pixels import arrays, catalogue, lattice, stored
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from gee.local.errors import EarthEngineError
from gee.local.pixels import Grid

SIDE = 10.0


@pytest.fixture(autouse=True, scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def walked(
    ee: Any, costs: np.ndarray, sources: np.ndarray, distance: float, *, grid: Grid | None = None, **more: Any
) -> np.ndarray:
    """Cheapest ways on a grid, NaN where none leads."""
    context = catalogue({"c": stored({"c": costs}), "s": stored({"s": sources})})
    found = ee.Image("c").cumulativeCost(ee.Image("s"), distance, **more)
    ((name, values),) = arrays(found, context, grid or lattice(*costs.shape)).items()
    assert name == "cumulative_cost"
    return values


def scipys(costs: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """The same over the graph of all eight neighbours, without a limit."""
    height, width = costs.shape
    rows, cols, weights = [], [], []
    for y, x in np.argwhere(np.isfinite(costs)):
        for dy, dx in np.argwhere(np.ones((3, 3))) - 1:
            row, col = y + dy, x + dx
            if (dy or dx) and 0 <= row < height and 0 <= col < width and np.isfinite(costs[row, col]):
                rows.append(y * width + x)
                cols.append(row * width + col)
                weights.append(SIDE * np.hypot(dy, dx) * (costs[y, x] + costs[row, col]) / 2)
    graph = coo_array((weights, (rows, cols)), shape=(costs.size, costs.size)).tocsr()
    found = dijkstra(graph, indices=np.flatnonzero(sources & np.isfinite(costs)), min_only=True)
    return np.where(np.isfinite(found), found, np.nan).reshape(costs.shape)


@pytest.mark.parametrize("seed", range(4))
def test_cheapest_ways_are_scipys(ee: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    costs = random.uniform(0.1, 5.0, (18, 23))
    costs[random.random(costs.shape) < 0.3] = np.nan
    sources = random.random(costs.shape) < 0.02
    sources[9, 9], costs[9, 9] = True, 1.0
    found = walked(ee, costs, sources.astype(float), 4000.0, geodeticDistance=False)
    np.testing.assert_allclose(found, scipys(costs, sources), rtol=1e-12)
    assert np.isnan(found[np.isnan(costs)]).all()


def test_a_way_around_a_wall_and_its_end(ee: Any) -> None:
    """A corridor of the shape of a U: 3 down, 2 along, 3 up, its corners cut; its second half is out of reach."""
    costs = np.full((6, 7), np.nan)
    costs[1:5, 2], costs[4, 2:5], costs[1:5, 4] = 1, 1, 1
    sources = np.zeros(costs.shape)
    sources[1, 2] = 7.0
    corner = np.sqrt(2) * SIDE
    ways = [0, 10, 20, 20 + corner, 20 + 2 * corner, 30 + 2 * corner, 40 + 2 * corner]
    found = walked(ee, costs, sources, 400.0, geodeticDistance=False)
    np.testing.assert_allclose([found[at] for at in [(1, 2), (2, 2), (3, 2), (4, 3), (3, 4), (2, 4), (1, 4)]], ways)
    near = walked(ee, costs, sources, 50.0, geodeticDistance=False)
    assert near[3, 4] == pytest.approx(ways[4])
    assert np.isnan(near[2, 4])


def test_what_lies_beyond_the_grid_leads_into_it(ee: Any) -> None:
    costs, sources = np.ones((12, 14)), np.zeros((12, 14))
    sources[:, 0] = 1
    whole = lattice(12, 14)
    side, _, west, _, _, north = whole.transform
    part = Grid(whole.crs, (side, 0, west + 6 * side, 0, -side, north - 4 * side), 3, 2)
    found = walked(ee, costs, sources, 75.0, grid=part, geodeticDistance=False)
    np.testing.assert_array_equal(found, [[60, 70, np.nan]] * 2)


def test_distances_on_the_sphere(ee: Any) -> None:
    """At latitude -18 the spherical metre of UTM is some per mille off the plane's, and longer along parallels."""
    costs, sources = np.ones((5, 40)), np.zeros((5, 40))
    sources[2, 0] = 1
    plane = walked(ee, costs, sources, 1000.0, geodeticDistance=False)[2, 1:]
    sphere = walked(ee, costs, sources, 1000.0)[2, 1:]
    assert 1e-5 < np.abs(sphere / plane - 1).max() < 5e-3


def test_what_is_refused(ee: Any) -> None:
    costs = np.ones((4, 4))
    with pytest.raises(EarthEngineError, match="negative"):
        walked(ee, -costs, costs, 50.0, geodeticDistance=False)
    with pytest.raises(EarthEngineError, match="maxDistance"):
        walked(ee, costs, costs, 1e6, geodeticDistance=False)
    context = catalogue({"c": stored({"a": costs, "b": costs})})
    with pytest.raises(EarthEngineError, match="one band"):
        computed(ee.Image("c").cumulativeCost(ee.Image("c"), 10), context)
