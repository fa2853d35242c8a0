"""Weights of kernels: shapes, distances, edge detectors; put together, turned, brought to a sum (section 7)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gee.local.errors import EarthEngineError
from gee.local.values import Kernel

MOST_PIXELS = 512  # radius of a kernel
ROUNDING = 1e-9  # pixels by which a radius in metres may miss a whole number of pixels

# top row first, as the samples of the documentation print them
EDGE_DETECTORS: dict[str, tuple[list[list[float]], tuple[int, int]]] = {
    "laplacian4": ([[0, 1, 0], [1, -4, 1], [0, 1, 0]], (1, 1)),
    "laplacian8": ([[1, 1, 1], [1, -8, 1], [1, 1, 1]], (1, 1)),
    "sobel": ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], (1, 1)),
    "roberts": ([[1, 0], [0, -1]], (1, 1)),
    "prewitt": ([[1, 0, -1], [1, 0, -1], [1, 0, -1]], (1, 1)),
    "compass": ([[1, 1, -1], [1, -2, -1], [1, 1, -1]], (1, 1)),
    "kirsch": ([[5, -3, -3], [5, 0, -3], [5, -3, -3]], (1, 1)),
}


def of_size(radius: float, units: str, build: Callable[[float], np.ndarray]) -> Kernel:
    """Kernel around its focus, of a radius in pixels, or in metres that become pixels where it is used.

    Parameters
    ----------
    build : weights dims (y, x), odd sides, from the size of a unit in pixels (1 of pixels)
    """
    if not radius >= 0:
        raise EarthEngineError(f"The radius must not be negative: {radius}.")
    if units == "pixels":
        return centred(build(1.0))
    if units != "meters":
        raise EarthEngineError(f"Unknown kernel units: '{units}'. Must be 'pixels' or 'meters'.")
    return Kernel(np.zeros((0, 0)), (0, 0), lambda metres: centred(build(1.0 / metres)))


def centred(weights: np.ndarray) -> Kernel:
    """Kernel whose focus is the middle of its weights."""
    height, width = weights.shape
    if max(height, width) > 2 * MOST_PIXELS + 1:
        raise EarthEngineError(
            f"The kernel is {width}x{height} pixels; at most {2 * MOST_PIXELS + 1} a side are allowed."
        )
    return Kernel(weights.astype(np.float64), ((width - 1) // 2, (height - 1) // 2))


def offsets(x_radius: float, y_radius: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Distances (x, y) in pixels from the focus, dims (y, x), within the whole part of the radii."""
    across = math.floor(x_radius + ROUNDING)
    down = across if y_radius is None else math.floor(y_radius + ROUNDING)
    y, x = np.mgrid[-down : down + 1, -across : across + 1]
    return x, y


def circle(radius: float) -> np.ndarray:
    """Cells no further than the radius."""
    x, y = offsets(radius)
    return np.asarray(x**2 + y**2 <= radius**2 + ROUNDING)


def square(radius: float) -> np.ndarray:
    """All cells."""
    return np.ones(offsets(radius)[0].shape)


def diamond(radius: float) -> np.ndarray:
    """Cells no more than the radius away in city blocks."""
    x, y = offsets(radius)
    return np.asarray(abs(x) + abs(y) <= radius + ROUNDING)


def octagon(radius: float) -> np.ndarray:
    """Square without its corners: no more than r + floor((r - 1) / 2) city blocks away (37 cells of radius 3)."""
    x, y = offsets(radius)
    whole = math.floor(radius + ROUNDING)
    return np.asarray(abs(x) + abs(y) <= whole + max((whole - 1) // 2, 0))


def plus(radius: float) -> np.ndarray:
    """Upright cross."""
    x, y = offsets(radius)
    return np.asarray((x == 0) | (y == 0))


def cross(radius: float) -> np.ndarray:
    """Diagonal cross."""
    x, y = offsets(radius)
    return np.asarray(abs(x) == abs(y))


def gaussian(radius: float, sigma: float) -> np.ndarray:
    """Samples of a gaussian over a half-size of ceil(r) - 1 pixels (1 where r < 2): 5 x 5 of radius 3, as printed."""
    half = max(math.ceil(radius - ROUNDING) - 1, 1)
    x, y = offsets(half)
    found: np.ndarray = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return found


def euclidean(radius: float) -> np.ndarray:
    """Distances from the focus."""
    return np.asarray(np.hypot(*offsets(radius)))


def manhattan(radius: float) -> np.ndarray:
    """Distances from the focus in city blocks."""
    x, y = offsets(radius)
    return np.asarray(abs(x) + abs(y), np.float64)


def chebyshev(radius: float) -> np.ndarray:
    """Greater of the distances along both axes."""
    x, y = offsets(radius)
    return np.asarray(np.maximum(abs(x), abs(y)), np.float64)


SHAPES: dict[str, Callable[[float], np.ndarray]] = {
    "circle": circle,
    "square": square,
    "diamond": diamond,
    "octagon": octagon,
    "plus": plus,
    "cross": cross,
    "euclidean": euclidean,
    "manhattan": manhattan,
    "chebyshev": chebyshev,
}


def scaled(weights: np.ndarray, *, normalize: bool, magnitude: float = 1.0) -> np.ndarray:
    """Weights times a magnitude, or brought to a sum of it; with negative ones among them, to a sum of 0."""
    weights = np.asarray(weights, np.float64)
    if not normalize:
        return weights * magnitude
    if (weights < 0).any():
        there = weights != 0
        return np.where(there, weights - weights[there].mean(), 0.0) * magnitude
    total = weights.sum()
    return weights * (magnitude / total) if total else weights * magnitude


def changed(kernel: Kernel, change: Callable[[Kernel], Kernel]) -> Kernel:
    """Kernel changed, now or when the size of pixels is known."""
    if kernel.build is None:
        return change(kernel)
    return Kernel(kernel.weights, kernel.focus, lambda metres: change(kernel.at(metres)))


def rotated(kernel: Kernel, turns: int) -> Kernel:
    """Kernel turned clockwise by quarter turns, its focus with it."""
    weights, (x, y) = kernel.weights, kernel.focus
    for _ in range(turns % 4):
        x, y = weights.shape[0] - 1 - y, x
        weights = np.rot90(weights, -1)
    return Kernel(np.ascontiguousarray(weights), (x, y))


def added(first: Kernel, second: Kernel) -> Kernel:
    """Sum of two kernels laid focus upon focus."""
    kernels = (first, second)
    left, top = (max(kernel.focus[axis] for kernel in kernels) for axis in (0, 1))
    right, bottom = (max(kernel.weights.shape[1 - axis] - kernel.focus[axis] for kernel in kernels) for axis in (0, 1))
    weights = np.zeros((top + bottom, left + right))
    for kernel in kernels:
        height, width = kernel.weights.shape
        row, col = top - kernel.focus[1], left - kernel.focus[0]
        weights[row : row + height, col : col + width] += kernel.weights
    return Kernel(weights, (left, top))


def inverted(kernel: Kernel) -> Kernel:
    """Kernel with each weight's inverse; 0 stays."""
    weights = kernel.weights
    return Kernel(np.divide(1.0, weights, out=np.zeros(weights.shape), where=weights != 0), kernel.focus)
