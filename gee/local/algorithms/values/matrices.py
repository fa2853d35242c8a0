"""Matrices: arrays with two axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gee.local.algorithms.values.arrays import alike, allowed, held, number
from gee.local.bands import pixel_types
from gee.local.errors import EarthEngineError
from gee.local.table import algorithm
from gee.local.values import Array

LEAST = 1e-12  # of the largest eigenvalue: smaller imaginary parts are rounding


def matrix(array: Array, *, square: bool = False) -> np.ndarray:
    """Numbers of a matrix."""
    if array.values.ndim != 2:
        raise EarthEngineError(f"A matrix is needed: 2 axes, not {array.values.ndim}.")
    if square and array.values.shape[0] != array.values.shape[1]:
        raise EarthEngineError(f"The matrix must be square, but has lengths {list(array.values.shape)}.")
    return array.values.astype(np.float64)


def doubles(values: np.ndarray) -> Array:
    """Array of doubles."""
    return held(np.asarray(values, np.float64), pixel_types.DOUBLE)


def _solved(formula: Callable[[], np.ndarray]) -> np.ndarray:
    try:
        return formula()
    except np.linalg.LinAlgError as error:
        raise EarthEngineError(f"The matrix cannot be decomposed: {error}.") from error


@algorithm("Array.identity")
def identity(size: int) -> Array:
    """Ones on the diagonal."""
    if size < 0:
        raise EarthEngineError(f"size must not be negative, but is {size}.")
    allowed([size, size])
    return held(np.eye(size, dtype=np.int64), pixel_types.named("uint8"))


@algorithm("Array.eigen", policies=("signs_of_vectors",))
def eigen(input_: Array) -> Array:
    """Rows of an eigenvalue and its eigenvector, greatest value first; the sign of the first entry is not negative.

    Only real ones: a matrix with complex ones is refused. Length and sign are not documented.
    """
    values = matrix(input_, square=True)
    if values.size == 0:
        return doubles(np.empty((0, 1)))
    symmetric = np.array_equal(values, values.T)
    found, vectors = np.linalg.eigh(values) if symmetric else np.linalg.eig(values)
    if np.abs(np.imag(found)).max() > LEAST * max(np.abs(found).max(), 1):
        raise EarthEngineError("The matrix has complex eigenvalues.")
    found, vectors = np.real(found), np.real(vectors)
    vectors = vectors * np.where(_leading(vectors) < 0, -1, 1)
    order = np.argsort(-found, kind="stable")
    return doubles(np.column_stack([found[order], vectors.T[order]]))


def _leading(vectors: np.ndarray) -> np.ndarray:
    """First entry of each column that is not 0."""
    there = np.abs(vectors) > LEAST
    found: np.ndarray = vectors[np.argmax(there, axis=0), np.arange(vectors.shape[1])]
    return found


@algorithm("Array.matrixMultiply")
def matrix_multiply(left: Array, right: Array) -> Array:
    """Matrix product."""
    a, b = matrix(left), matrix(right)
    if a.shape[1] != b.shape[0]:
        raise EarthEngineError(f"{a.shape[1]} columns do not go with {b.shape[0]} rows.")
    kind = pixel_types.union(left.type, right.type)
    return doubles(a @ b) if kind.precision != "int" else held(a @ b, pixel_types.named("int64"))


@algorithm("Array.matrixSolve")
def matrix_solve(left: Array, right: Array) -> Array:
    """Solution x of left · x = right, by least squares where there are more equations than unknowns."""
    a, b = matrix(left), matrix(right)
    if a.shape[0] != b.shape[0]:
        raise EarthEngineError(f"{a.shape[0]} rows do not go with {b.shape[0]} rows.")
    if a.shape[0] == a.shape[1]:
        return doubles(_solved(lambda: np.linalg.solve(a, b)))
    return doubles(_solved(lambda: np.linalg.lstsq(a, b, rcond=None)[0]))


@algorithm("Array.matrixInverse")
def matrix_inverse(input_: Array) -> Array:
    """Inverse."""
    return doubles(_solved(lambda: np.linalg.inv(matrix(input_, square=True))))


@algorithm("Array.matrixPseudoInverse")
def matrix_pseudo_inverse(input_: Array) -> Array:
    """Moore-Penrose inverse."""
    return doubles(_solved(lambda: np.linalg.pinv(matrix(input_))))


@algorithm("Array.matrixDeterminant")
def matrix_determinant(input_: Array) -> float:
    """Determinant."""
    return float(np.linalg.det(matrix(input_, square=True)))


@algorithm("Array.matrixTrace")
def matrix_trace(input_: Array) -> float:
    """Sum of the diagonal."""
    return number(np.trace(matrix(input_)))


@algorithm("Array.matrixFnorm")
def matrix_fnorm(input_: Array) -> float:
    """Frobenius norm."""
    return float(np.linalg.norm(matrix(input_)))


@algorithm("Array.matrixDiagonal")
def matrix_diagonal(input_: Array) -> Array:
    """Diagonal as a column."""
    matrix(input_)
    return alike(np.diagonal(input_.values).reshape(-1, 1), input_)


@algorithm("Array.matrixToDiag")
def matrix_to_diag(input_: Array) -> Array:
    """Square matrix with a column on its diagonal."""
    if matrix(input_).shape[1] != 1:
        raise EarthEngineError("A matrix of one column is needed.")
    return alike(np.diag(input_.values.ravel()), input_)


@algorithm("Array.matrixCholeskyDecomposition")
def matrix_cholesky_decomposition(array: Array) -> dict[str, Array]:
    """Lower triangle L with L · L' the matrix."""
    return {"L": doubles(_solved(lambda: np.linalg.cholesky(matrix(array, square=True))))}


@algorithm("Array.matrixQRDecomposition", policies=("signs_of_vectors",))
def matrix_qr_decomposition(array: Array) -> dict[str, Array]:
    """Orthogonal Q (square) and upper triangle R with Q · R the matrix; signs are not documented."""
    q, r = np.linalg.qr(matrix(array), mode="complete")
    return {"Q": doubles(q), "R": doubles(r)}


@algorithm("Array.matrixSingularValueDecomposition", policies=("signs_of_vectors",))
def matrix_singular_value_decomposition(array: Array) -> dict[str, Array]:
    """U, diagonal S and V with U · S · V' the matrix; signs are not documented."""
    values = matrix(array)
    u, s, vt = np.linalg.svd(values)
    diagonal = np.zeros(values.shape)
    np.fill_diagonal(diagonal, s)
    return {"U": doubles(u), "S": doubles(diagonal), "V": doubles(vt.T)}


@algorithm("Array.matrixLUDecomposition")
def matrix_lu_decomposition(array: Array) -> dict[str, Array]:
    """Triangles L (ones on its diagonal) and U, and the permutation P, with P · matrix = L · U."""
    upper = matrix(array, square=True)
    size = len(upper)
    lower, order = np.eye(size), np.eye(size)
    for at in range(size):
        pivot = at + int(np.argmax(np.abs(upper[at:, at])))
        upper[[at, pivot]], order[[at, pivot]] = upper[[pivot, at]], order[[pivot, at]]
        lower[[at, pivot], :at] = lower[[pivot, at], :at]
        if upper[at, at] != 0:
            factors = upper[at + 1 :, at] / upper[at, at]
            lower[at + 1 :, at] = factors
            upper[at + 1 :] -= np.outer(factors, upper[at])
    return {"L": doubles(lower), "U": doubles(np.triu(upper)), "P": doubles(order)}
