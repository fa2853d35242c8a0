"""Matrices of images: products, inverses, decompositions per pixel (section 8); singular ones are masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gee.local.algorithms.images.arrays import arrays_only
from gee.local.bands.arithmetic import paired
from gee.local.bands.masks import both, finite
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.table import algorithm
from gee.local.values import PixelType

Matrices = Callable[..., np.ndarray]


def solved(function: Matrices, *blocks: np.ndarray) -> np.ndarray:
    """Function of matrices (dims y, x, row, column); NaN for those that numpy cannot do, one by one where it must."""
    try:
        return function(*blocks)
    except np.linalg.LinAlgError:
        pass
    shape = blocks[0].shape[:2]
    rows = [_one(function, [block[y, x] for block in blocks]) for y in range(shape[0]) for x in range(shape[1])]
    like = next((row for row in rows if row is not None), None)
    if like is None:
        return np.full(shape, np.nan)
    return np.stack([np.full_like(like, np.nan) if row is None else row for row in rows]).reshape(*shape, *like.shape)


def _one(function: Matrices, blocks: Sequence[np.ndarray]) -> np.ndarray | None:
    try:
        return function(*blocks)
    except np.linalg.LinAlgError:
        return None


def _matrix_bands(image: Image) -> Sequence[Band]:
    for band in arrays_only(image):
        if band.type.dimensions != 2:
            raise EarthEngineError(f"Band '{band.name}' has arrays of {band.type.dimensions} dimensions, not 2.")
    return image.bands


def _computed(bands: Sequence[Band], function: Matrices, dimensions: int) -> Band:
    """Band of a function of the matrices of others; named and placed as the first."""

    def compute(grid: Grid) -> Pixels:
        parts = [band.pixels(grid) for band in bands]
        if any(part.lengths is not None for part in parts):
            raise NotImplementedHereError("matrices whose sizes differ between pixels are not implemented.")
        result = solved(function, *(np.ascontiguousarray(part.data) for part in parts))
        mask = both(*(part.mask for part in parts))
        if result.ndim != 2 + dimensions:  # no pixel has a result
            return Pixels(np.zeros((*mask.shape, *[0] * dimensions)), np.zeros(mask.shape))
        return finite(result, mask)

    return replace(bands[0], type=PixelType("double", dimensions=dimensions), compute=compute, size=None)


def _square(block: np.ndarray) -> np.ndarray:
    if block.shape[-1] != block.shape[-2]:
        raise EarthEngineError(f"The matrix must be square, not {block.shape[-2]} x {block.shape[-1]}.")
    return block


def _of_each(image: Image, function: Matrices, dimensions: int = 2) -> Image:
    return image.with_bands([_computed([band], function, dimensions) for band in _matrix_bands(image)])


@algorithm("Image.matrixInverse")
def inverse(value: Image) -> Image:
    """Inverse of square matrices; masked where there is none."""
    return _of_each(value, lambda block: np.linalg.inv(_square(block)))


@algorithm("Image.matrixPseudoInverse")
def pseudo_inverse(value: Image) -> Image:
    """Moore-Penrose inverse."""
    return _of_each(value, np.linalg.pinv)


@algorithm("Image.matrixFnorm")
def frobenius_norm(value: Image) -> Image:
    """Frobenius norm."""
    return _of_each(value, lambda block: np.sqrt((block**2).sum(axis=(-2, -1))), 0)


@algorithm("Image.matrixTrace")
def trace(value: Image) -> Image:
    """Sum of the diagonal."""
    return _of_each(value, lambda block: np.trace(_square(block), axis1=-2, axis2=-1), 0)


@algorithm("Image.matrixDeterminant")
def determinant(value: Image) -> Image:
    """Determinant of square matrices."""
    return _of_each(value, lambda block: np.linalg.det(_square(block)), 0)


@algorithm("Image.matrixDiagonal")
def diagonal(value: Image) -> Image:
    """Diagonal as a single column."""
    return _of_each(value, lambda block: np.diagonal(block, axis1=-2, axis2=-1)[..., None])


@algorithm("Image.matrixToDiag")
def to_diagonal(value: Image) -> Image:
    """Diagonal matrix of a single column."""

    def spread(block: np.ndarray) -> np.ndarray:
        if block.shape[-1] != 1:
            raise EarthEngineError(f"The matrix must be a single column, but has {block.shape[-1]}.")
        return np.asarray(block * np.eye(block.shape[-2]))

    return _of_each(value, spread)


@algorithm("Image.matrixMultiply", policies=("fractional_masks",))
def multiply(image1: Image, image2: Image) -> Image:
    """Product of matrices, band by band."""

    def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        if left.shape[-1] != right.shape[-2]:
            raise EarthEngineError(f"Cannot multiply matrices {left.shape[-2:]} and {right.shape[-2:]}.")
        return np.asarray(left @ right)

    return _of_pairs(image1, image2, product)


@algorithm("Image.matrixSolve", policies=("fractional_masks",))
def solve(image1: Image, image2: Image) -> Image:
    """Solution x of A x = B; of least squares where A has more rows than columns."""

    def solution(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        if left.shape[-2] != right.shape[-2]:
            raise EarthEngineError(f"Cannot solve with matrices {left.shape[-2:]} and {right.shape[-2:]}.")
        square = left.shape[-1] == left.shape[-2]
        return np.linalg.solve(left, right) if square else np.asarray(np.linalg.pinv(left) @ right)

    return _of_pairs(image1, image2, solution)


def _of_pairs(image1: Image, image2: Image, function: Matrices) -> Image:
    _matrix_bands(image1)
    _matrix_bands(image2)
    pairs = paired(image1, image2)
    return image1.with_bands([_computed([first, second], function, 2) for first, second in pairs])


def _decomposed(image: Image, parts: dict[str, Matrices]) -> Image:
    if len(image.bands) != 1:
        raise EarthEngineError(f"The image must have one band of matrices, not {len(image.bands)}.")
    band = _matrix_bands(image)[0]
    return image.with_bands([replace(_computed([band], function, 2), name=name) for name, function in parts.items()])


@algorithm("Image.matrixCholeskyDecomposition")
def cholesky(image: Image) -> Image:
    """Band L, lower triangular, of L L' = input; masked where it is not positive definite."""
    return _decomposed(image, {"L": lambda block: np.linalg.cholesky(_square(block))})


@algorithm("Image.matrixQRDecomposition")
def qr(image: Image) -> Image:
    """Bands Q, orthogonal, and R, upper triangular."""
    return _decomposed(
        image, {name: lambda block, at=at: np.linalg.qr(block, mode="complete")[at] for at, name in enumerate("QR")}
    )


@algorithm("Image.matrixSingularValueDecomposition")
def singular_values(image: Image) -> Image:
    """Bands U, S (diagonal) and V of U S V' = input."""

    def values(block: np.ndarray) -> np.ndarray:
        found = np.linalg.svd(block, compute_uv=False)
        full = np.zeros(block.shape)
        index = np.arange(found.shape[-1])
        full[..., index, index] = found
        return full

    return _decomposed(
        image,
        {
            "U": lambda block: np.linalg.svd(block)[0],
            "S": values,
            "V": lambda block: np.swapaxes(np.linalg.svd(block)[2], -2, -1),
        },
    )


@algorithm("Image.matrixLUDecomposition")
def lower_upper(image: Image) -> Image:
    """Bands L (unit diagonal), U and P, rows exchanged for the largest pivot, of P input = L U."""
    return _decomposed(image, {name: lambda block, at=at: _lu(_square(block))[at] for at, name in enumerate("LUP")})


def _lu(block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = block.shape[-1]
    upper = block.copy()
    lower = np.zeros_like(block)
    turned = np.broadcast_to(np.eye(size), block.shape).copy()
    for step in range(size):
        pivot = step + np.abs(upper[..., step:, step]).argmax(axis=-1)
        for one in (upper, lower, turned):
            _swap_rows(one, step, pivot)
        below = upper[..., step:, step] / np.where(upper[..., step, step] == 0, 1, upper[..., step, step])[..., None]
        lower[..., step:, step] = below
        lower[..., step, step] = 1
        upper[..., step + 1 :, :] -= below[..., 1:, None] * upper[..., step, None, :]
    return lower, np.triu(upper), turned


def _swap_rows(block: np.ndarray, row: int, other: np.ndarray) -> None:
    at = np.broadcast_to(other[..., None, None], (*other.shape, 1, block.shape[-1]))
    found = np.take_along_axis(block, at, -2)
    np.put_along_axis(block, at, block[..., row, None, :].copy(), -2)
    block[..., row, :] = found[..., 0, :]
