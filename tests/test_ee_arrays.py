"""Arrays and matrices of the local Earth Engine, built by the real client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from ee_offline import answer, computed, offline_client
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gee.local.algorithms.values import array_reductions, arrays, matrices
from gee.local.algorithms.values.arrays import held
from gee.local.bands.pixel_types import DOUBLE, named
from gee.local.errors import EarthEngineError
from gee.local.values import Array, PixelType

Made = Callable[[Any], Any]


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def doubles(values: Any) -> Array:
    return held(np.asarray(values, float), DOUBLE)


def test_types(ee: Any) -> None:
    assert computed(ee.Array([0, 0, 255])).type == PixelType("int", 0, 255, 1)
    assert computed(ee.Array([-1, 255])).type == PixelType("int", -(2**15), 2**15 - 1, 1)
    assert computed(ee.Array([[0.5]])).type == PixelType("double", None, None, 2)
    assert computed(ee.Array([1, 300], ee.PixelType.int8())).values.tolist() == [1, 127]
    assert computed(ee.Array([200]).add(ee.Array([100]))).values.tolist() == [300]  # nothing wraps
    assert computed(ee.Array([1.1]).toFloat()).values.tolist() == [float(np.float32(1.1))]
    assert computed(ee.Array([1]).eq(1)).type == PixelType("int", 0, 1, 1)


GOLDEN: list[tuple[Made, Any]] = [
    (lambda ee: ee.Array([[1, 2], [3, 4]]).add(10), [[11, 12], [13, 14]]),
    (lambda ee: ee.Array([1, 2]).divide(ee.Array([0, 4])), [0, 0.5]),
    (lambda ee: ee.Array([2**53]).add(1), [2**53 + 1]),
    (lambda ee: ee.Array([[1, 2, 3]]).length(), [1, 3]),
    (lambda ee: ee.Array([[1, 2], [3, 4]]).get([1, 0]), 3),
    (lambda ee: ee.Array([[1, 2], [3, 4]]).toList(), [[1, 2], [3, 4]]),
    (lambda ee: ee.Array([[1, 2], [3, 4]]).transpose(), [[1, 3], [2, 4]]),
    (lambda ee: ee.Array([1, 2]).transpose(), [[1, 2]]),
    (lambda ee: ee.Array([1, 2, 3, 4]).reshape([2, -1]), [[1, 2], [3, 4]]),
    (lambda ee: ee.Array([1, 2]).repeat(1, 3), [[1, 1, 1], [2, 2, 2]]),
    (lambda ee: ee.Array([1, 2]).repeat(), [1, 2, 1, 2]),
    (lambda ee: ee.Array([[1, 2]]).pad([2, 3], 9), [[1, 2, 9], [9, 9, 9]]),
    (lambda ee: ee.Array([[1, 2]]).pad([2, 3], 300.7), [[1, 2, 255], [255, 255, 255]]),
    (lambda ee: ee.Array([[1], [2]]).project([0]), [1, 2]),
    (lambda ee: ee.Array([[3, 1, 2]]).sort(), [[1, 2, 3]]),
    (lambda ee: ee.Array([[1, 2], [3, 4], [5, 6]]).sort(ee.Array([[3], [1], [2]])), [[3, 4], [5, 6], [1, 2]]),
    (lambda ee: ee.Array([[1, 2, 3]]).mask(ee.Array([[0, 1, 1]])), [[2, 3]]),
    (lambda ee: ee.Array([5, 6, 7]).slice(0, -2), [6, 7]),
    (lambda ee: ee.Array([5, 6, 7]).slice(0, 0, None, 2), [5, 7]),
    (lambda ee: ee.Array([[1, 2], [3, 4]]).accum(0), [[1, 2], [4, 6]]),
    (lambda ee: ee.Array([[3, 1], [2, 4]]).accum(1, ee.Reducer.max()), [[3, 3], [2, 4]]),
    (lambda ee: ee.Array([[1, 2], [3, 5]]).reduce(ee.Reducer.mean(), [1]), [[1.5], [4]]),
    (lambda ee: ee.Array([[1, 2], [3, 5]]).reduce(ee.Reducer.mean(), [0, 1]), [[2.75]]),
    (lambda ee: ee.Array([[1], [2], [6]]).reduce(ee.Reducer.minMax(), [0], 1), [[1, 6]]),
    (lambda ee: ee.Array.bitsToArray(6), [0, 1, 1]),
    (lambda ee: ee.Array([[1, 2], [3, 4]]).matrixMultiply(ee.Array([[1], [1]])), [[3], [7]]),
    (lambda ee: ee.Array([[1, 2], [3, 4]]).matrixTrace(), 5),
    (lambda ee: ee.Array([[1, 2], [3, 4]]).matrixDiagonal(), [[1], [4]]),
    (lambda ee: ee.Array([[1], [4]]).matrixToDiag(), [[1, 0], [0, 4]]),
    (lambda ee: ee.Array([[3, 4]]).matrixFnorm(), 5),
    (lambda ee: ee.Array([[1, 1], [1, 0]]).eigen().multiply(100).round(), [[162, 85, 53], [-62, 53, -85]]),
]  # fmt: skip


@pytest.mark.parametrize(("made", "expected"), GOLDEN)
def test_arrays(ee: Any, made: Made, expected: Any) -> None:
    found = answer(made(ee))
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda ee: ee.Array([]), "Array: The pixelType must be provided"),
        (lambda ee: ee.Array([[1], [2, 3]]), "same depth must have the same length"),
        (lambda ee: ee.Array([[1], 2]), "same depth must have the same length"),
        (lambda ee: ee.Array(["a"]), "made of a number or of nested lists"),
        (lambda ee: ee.Array([1, 2]).add([1, 2, 3]), "Array.add: Arrays must have the same lengths"),
        (lambda ee: ee.Array([1, 2]).get([2]), "Position 2 is not on axis 0"),
        (lambda ee: ee.Array([1, 2]).get([0, 0]), "A position has 1 coordinates, not 2"),
        (lambda ee: ee.Array([1, 2]).slice(1), "Axis 1 is not there"),
        (lambda ee: ee.Array([1, 2]).slice(0, 0, 2, 0), "step must be positive"),
        (lambda ee: ee.Array([1, 2]).project([]), "at most length 1"),
        (lambda ee: ee.Array([1, 2]).reshape([3]), "cannot have the lengths"),
        (lambda ee: ee.Array.cat([ee.Array([1]), ee.Array([[1]])]), "same lengths on all axes"),
        (lambda ee: ee.Array([[1, 2], [2, 4]]).matrixInverse(), "cannot be decomposed"),
        (lambda ee: ee.Array([[1, 2]]).matrixInverse(), "must be square"),
        (lambda ee: ee.Array([1, 2]).matrixInverse(), "A matrix is needed"),
        (lambda ee: ee.Array([[0, -1], [1, 0]]).eigen(), "complex eigenvalues"),
        (lambda ee: ee.Array([[1, 2]]).reduce(ee.Reducer.minMax(), [0]), "fieldAxis is needed"),
        (lambda ee: ee.Array([[1, 2]]).reduce(ee.Reducer.minMax(), [0], 1), "fieldAxis 1 must be as long"),
        (lambda ee: ee.Array([[1, 2]]).reduce(ee.Reducer.fixedHistogram(0, 9, 2), [0]), "must be a number"),
    ],
)
def test_what_cannot_be_is_refused(ee: Any, made: Made, words: str) -> None:
    with pytest.raises(EarthEngineError, match=words):
        answer(made(ee))


def test_an_axis_without_a_number_cannot_be_left_out(ee: Any) -> None:
    assert answer(ee.Array([[], []], ee.PixelType.int8()).project([0])) is None


SQUARE = st.integers(1, 5).flatmap(lambda n: hnp.arrays(float, (n, n), elements=st.integers(-9, 9).map(float)))


@given(SQUARE)
def test_triangles_make_the_matrix(values: np.ndarray) -> None:
    found = {name: one.values for name, one in matrices.matrix_lu_decomposition(doubles(values)).items()}
    np.testing.assert_allclose(found["P"] @ values, found["L"] @ found["U"], atol=1e-9)
    assert np.all(np.diag(found["L"]) == 1)
    assert np.all(np.abs(found["L"]) <= 1 + 1e-12)  # partial pivoting
    assert np.all(np.tril(found["U"], -1) == 0)
    np.testing.assert_array_equal(np.sort(found["P"], axis=0)[-1], 1)


@given(SQUARE)
def test_decompositions_make_the_matrix(values: np.ndarray) -> None:
    array = doubles(values)
    qr = matrices.matrix_qr_decomposition(array)
    np.testing.assert_allclose(qr["Q"].values @ qr["R"].values, values, atol=1e-9)
    svd = matrices.matrix_singular_value_decomposition(array)
    np.testing.assert_allclose(svd["U"].values @ svd["S"].values @ svd["V"].values.T, values, atol=1e-9)
    positive = values @ values.T + np.eye(len(values))
    lower = matrices.matrix_cholesky_decomposition(doubles(positive))["L"].values
    np.testing.assert_allclose(lower @ lower.T, positive, atol=1e-8)
    solution = matrices.matrix_solve(doubles(positive), doubles(values))
    np.testing.assert_allclose(positive @ solution.values, values, atol=1e-6)


@given(SQUARE)
def test_eigenvectors_are_some(values: np.ndarray) -> None:
    symmetric = values + values.T
    rows = matrices.eigen(doubles(symmetric)).values
    assert rows.shape == (len(values), len(values) + 1)
    assert np.all(np.diff(rows[:, 0]) <= 0)
    np.testing.assert_allclose(symmetric @ rows[:, 1:].T, rows[:, 1:].T * rows[:, 0], atol=1e-8)


def test_overdetermined_systems_are_solved_by_least_squares() -> None:
    x = np.arange(6.0)
    design = np.column_stack([np.ones(6), x])
    found = matrices.matrix_solve(doubles(design), doubles((3 - 2 * x)[:, None]))
    np.testing.assert_allclose(found.values.ravel(), [3, -2], atol=1e-12)


@given(hnp.arrays(np.int64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.integers(-99, 99)), st.data())
def test_cutting_and_joining(values: np.ndarray, data: Any) -> None:
    array = held(values, named("int8"))
    axis = data.draw(st.integers(0, values.ndim - 1))
    at = data.draw(st.integers(0, values.shape[axis]))
    parts = [arrays.slice_(array, axis, 0, at, 1), arrays.slice_(array, axis, at, None, 1)]
    np.testing.assert_array_equal(arrays.cat(parts, axis).values, values)
    np.testing.assert_array_equal(array_reductions.accum(array, axis, None).values, np.cumsum(values, axis=axis))
    flat = arrays.reshape(array, held(np.array([-1]), named("int8")))
    np.testing.assert_array_equal(flat.values, values.ravel())


def test_inverses_and_cholesky_factors_are_numpys(ee: Any) -> None:
    matrix = [[4.0, 2, 0.5], [2, 5, 1], [0.5, 1, 3]]
    array = ee.Array(matrix)
    np.testing.assert_allclose(computed(array.matrixInverse()).values, np.linalg.inv(matrix), rtol=1e-12)
    low = computed(array.matrixCholeskyDecomposition())["L"].values
    np.testing.assert_allclose(low, np.linalg.cholesky(matrix), rtol=1e-12)
    for name in ("matrixInverse", "matrixCholeskyDecomposition"):
        with pytest.raises(EarthEngineError, match=r"(?i)singular|positive definite"):
            computed(getattr(ee.Array([[0.0, 0], [0, 0]]), name)())
