"""Kernels of the local Earth Engine as the documentation prints them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ee_offline import computed, offline_client
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gee.local.errors import EarthEngineError
from gee.local.neighbourhoods import kernel_shapes
from gee.local.values import Kernel


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def picture(weights: np.ndarray) -> list[str]:
    return ["".join("#" if one else "." for one in row) for row in weights]


@pytest.mark.parametrize(
    ("name", "cells", "printed"),
    [
        ("circle", 29, 0.034),
        ("diamond", 25, 0.04),
        ("octagon", 37, 0.027),
        ("cross", 13, 0.076),
        ("plus", 13, 0.076),
        ("square", 49, 0.020),
    ],
)
def test_shapes_of_radius_3(ee: Any, name: str, cells: int, printed: float) -> None:
    found = computed(getattr(ee.Kernel, name)(3))
    assert found.weights.shape == (7, 7)
    assert found.focus == (3, 3)
    assert np.count_nonzero(found.weights) == cells
    assert found.weights.sum() == pytest.approx(1)  # these normalise by default
    assert np.floor(found.weights.max() * 1000) / 1000 == printed  # prints are cut, not rounded


def test_shapes_look_as_they_are_called(ee: Any) -> None:
    assert picture(computed(ee.Kernel.octagon(3)).weights) == [
        "..###..", ".#####.", "#######", "#######", "#######", ".#####.", "..###..",
    ]  # fmt: skip
    assert picture(computed(ee.Kernel.cross(1)).weights) == ["#.#", ".#.", "#.#"]
    assert picture(computed(ee.Kernel.plus(1)).weights) == [".#.", "###", ".#."]
    assert picture(computed(ee.Kernel.circle(1.5)).weights) == ["###"] * 3  # the default of focal filters


@pytest.mark.parametrize(("name", "corner"), [("euclidean", 18**0.5), ("manhattan", 6), ("chebyshev", 3)])
def test_distances_of_radius_3(ee: Any, name: str, corner: float) -> None:
    weights = computed(getattr(ee.Kernel, name)(3)).weights
    assert weights.shape == (7, 7)
    assert weights[0, 0] == pytest.approx(corner)
    assert weights[3, 3] == 0
    assert weights[3, 6] == 3


def test_gaussian_of_radius_3_is_printed_as_5_by_5(ee: Any) -> None:
    weights = computed(ee.Kernel.gaussian(3)).weights
    assert weights.shape == (5, 5)
    assert (np.floor(weights[2, 2] * 1000), np.floor(weights[0, 0] * 1000)) == (162, 2)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("sobel", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        ("prewitt", [[1, 0, -1], [1, 0, -1], [1, 0, -1]]),
        ("kirsch", [[5, -3, -3], [5, 0, -3], [5, -3, -3]]),
        ("compass", [[1, 1, -1], [1, -2, -1], [1, 1, -1]]),
        ("laplacian4", [[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        ("laplacian8", [[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
        ("roberts", [[1, 0], [0, -1]]),
    ],
)
def test_edge_detectors(ee: Any, name: str, printed: list[list[int]]) -> None:
    found = computed(getattr(ee.Kernel, name)())
    np.testing.assert_array_equal(found.weights, printed)
    assert found.focus == (1, 1)
    np.testing.assert_array_equal(computed(getattr(ee.Kernel, name)(2)).weights, 2 * np.array(printed))
    assert computed(getattr(ee.Kernel, name)(1, True)).weights.sum() == pytest.approx(0, abs=1e-12)


def test_rotation_is_clockwise(ee: Any) -> None:
    found = computed(ee.Kernel.sobel().rotate(1)).weights
    np.testing.assert_array_equal(found, [[-1, -2, -1], [0, 0, 0], [1, 2, 1]])


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=4), elements=st.integers(1, 9)),
    st.integers(-5, 5),
    st.data(),
)
def test_the_focus_turns_with_its_weight(weights: np.ndarray, turns: int, data: st.DataObject) -> None:
    focus = data.draw(st.integers(0, weights.shape[1] - 1)), data.draw(st.integers(0, weights.shape[0] - 1))
    found = kernel_shapes.rotated(Kernel(weights, focus), turns)
    np.testing.assert_array_equal(found.weights, np.rot90(weights, -turns))
    assert found.weights[found.focus[::-1]] == weights[focus[::-1]]
    back = kernel_shapes.rotated(found, -turns)
    np.testing.assert_array_equal(back.weights, weights)
    assert back.focus == focus


def test_fixed_weights_keep_their_order(ee: Any) -> None:
    found = computed(ee.Kernel.fixed(3, 2, [[1, 2, 3], [4, 5, 6]], 2, 0))
    np.testing.assert_array_equal(found.weights, [[1, 2, 3], [4, 5, 6]])
    assert found.focus == (2, 0)
    assert computed(ee.Kernel.fixed(weights=[[1, 2, 3], [4, 5, 6]])).focus == (1, 0)
    assert computed(ee.Kernel.fixed(weights=[[1, 3]], normalize=True)).weights.tolist() == [[0.25, 0.75]]
    with pytest.raises(EarthEngineError, match="3x1, not 2x1"):
        computed(ee.Kernel.fixed(2, 1, [[1, 2, 3]]))


def test_addition_lays_focus_upon_focus(ee: Any) -> None:
    both = computed(ee.Kernel.fixed(weights=[[1, 1]], x=0, y=0).add(ee.Kernel.square(1, "pixels", False)))
    np.testing.assert_array_equal(both.weights, [[1, 1, 1], [1, 2, 2], [1, 1, 1]])
    assert both.focus == (1, 1)
    metres = computed(ee.Kernel.square(20, "meters", False).add(ee.Kernel.plus(1, "pixels", False)))
    assert metres.at(10).weights.shape == (5, 5)
    assert metres.at(10).weights.sum() == 25 + 5


def test_inversion_leaves_zeros(ee: Any) -> None:
    found = computed(ee.Kernel.chebyshev(2).inverse()).weights
    assert (found[2, 2], found[2, 3], found[0, 0]) == (0, 1, 0.5)


@pytest.mark.parametrize(
    ("radius", "metres", "side"), [(100, 10, 21), (100, 30, 7), (35, 10, 7), (100, 9.9999999999, 21)]
)
def test_metres_become_pixels_where_the_kernel_is_used(ee: Any, radius: float, metres: float, side: int) -> None:
    found = computed(ee.Kernel.circle(radius, "meters"))
    weights = found.at(metres).weights
    assert weights.shape == (side, side)
    assert weights.sum() == pytest.approx(1)
    turned = computed(ee.Kernel.rectangle(2 * radius, radius, "meters").rotate(1)).at(metres).weights
    assert turned.shape[0] > turned.shape[1]


def test_magnitude_scales_the_sum(ee: Any) -> None:
    assert computed(ee.Kernel.circle(2, "pixels", True, 5)).weights.sum() == pytest.approx(5)
    assert computed(ee.Kernel.circle(2, "pixels", False, 5)).weights.max() == 5
    assert computed(ee.Kernel.rectangle(2, 1)).weights.shape == (3, 5)


def test_kernels_that_make_no_sense_are_refused(ee: Any) -> None:
    for kernel, message in (
        (ee.Kernel.circle(3, "miles"), "Unknown kernel units"),
        (ee.Kernel.circle(-1), "must not be negative"),
        (ee.Kernel.square(600), "at most 1025 a side"),
        (ee.Kernel.fixed(weights=[[1, 2], [3]]), "rows of equal length"),
    ):
        with pytest.raises(EarthEngineError, match=message):
            computed(kernel)
