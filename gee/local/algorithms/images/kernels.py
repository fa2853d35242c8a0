"""Kernels (section 7)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gee.local.errors import EarthEngineError
from gee.local.neighbourhoods import kernel_shapes
from gee.local.table import algorithm
from gee.local.values import Kernel


def shaped(name: str, *, radius: float, units: str, normalize: bool, magnitude: float = 1.0) -> Kernel:
    """Kernel of a named shape."""

    def build(per_unit: float) -> np.ndarray:
        return kernel_shapes.scaled(
            kernel_shapes.SHAPES[name](radius * per_unit), normalize=normalize, magnitude=magnitude
        )

    return kernel_shapes.of_size(radius, units, build)


@algorithm("Kernel.circle", policies=("kernel_radii",))
def circle(radius: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """Cells no further than the radius."""
    return shaped("circle", radius=radius, units=units, normalize=normalize, magnitude=magnitude)


@algorithm("Kernel.square", policies=("kernel_radii",))
def square(radius: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """Square of side 2r + 1; the whole part of real radii."""
    return shaped("square", radius=radius, units=units, normalize=normalize, magnitude=magnitude)


@algorithm("Kernel.diamond", policies=("kernel_radii",))
def diamond(radius: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """Cells no more than the radius away in city blocks."""
    return shaped("diamond", radius=radius, units=units, normalize=normalize, magnitude=magnitude)


@algorithm(
    "Kernel.octagon",
    policies=(
        "kernel_radii",
        "octagons",
    ),
)
def octagon(radius: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """Square without its corners."""
    return shaped("octagon", radius=radius, units=units, normalize=normalize, magnitude=magnitude)


@algorithm("Kernel.plus", policies=("kernel_radii",))
def plus(radius: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """Upright cross."""
    return shaped("plus", radius=radius, units=units, normalize=normalize, magnitude=magnitude)


@algorithm("Kernel.cross", policies=("kernel_radii",))
def cross(radius: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """Diagonal cross."""
    return shaped("cross", radius=radius, units=units, normalize=normalize, magnitude=magnitude)


@algorithm("Kernel.euclidean", policies=("kernel_radii",))
def euclidean(radius: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """Distances in pixels over the whole square."""
    return shaped("euclidean", radius=radius, units=units, normalize=normalize, magnitude=magnitude)


@algorithm("Kernel.manhattan", policies=("kernel_radii",))
def manhattan(radius: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """City-block distances in pixels over the whole square."""
    return shaped("manhattan", radius=radius, units=units, normalize=normalize, magnitude=magnitude)


@algorithm("Kernel.chebyshev", policies=("kernel_radii",))
def chebyshev(radius: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """Chessboard distances in pixels over the whole square."""
    return shaped("chebyshev", radius=radius, units=units, normalize=normalize, magnitude=magnitude)


@algorithm("Kernel.rectangle", policies=("kernel_radii",))
def rectangle(x_radius: float, y_radius: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """Rectangle of 2x + 1 by 2y + 1 cells."""

    def build(per_unit: float) -> np.ndarray:
        cells = np.ones(kernel_shapes.offsets(x_radius * per_unit, y_radius * per_unit)[0].shape)
        return kernel_shapes.scaled(cells, normalize=normalize, magnitude=magnitude)

    return kernel_shapes.of_size(min(x_radius, y_radius), units, build)


@algorithm("Kernel.gaussian", policies=("gaussian_size",))
def gaussian(radius: float, sigma: float, units: str, magnitude: float, *, normalize: bool) -> Kernel:
    """Samples of a gaussian; the documentation prints 5 x 5 cells for radius 3 and tells no rule."""
    if not sigma > 0:
        raise EarthEngineError(f"Parameter 'sigma' must be positive, not {sigma}.")

    def build(per_unit: float) -> np.ndarray:
        cells = kernel_shapes.gaussian(radius * per_unit, sigma * per_unit)
        return kernel_shapes.scaled(cells, normalize=normalize, magnitude=magnitude)

    return kernel_shapes.of_size(radius, units, build)


def _edge_detector(name: str, magnitude: float, *, normalize: bool) -> Kernel:
    weights, focus = kernel_shapes.EDGE_DETECTORS[name]
    return Kernel(kernel_shapes.scaled(np.array(weights), normalize=normalize, magnitude=magnitude), focus)


@algorithm("Kernel.laplacian4", policies=("negative_kernels",))
def laplacian4(magnitude: float, *, normalize: bool) -> Kernel:
    """Second derivative over 4 neighbours."""
    return _edge_detector("laplacian4", magnitude, normalize=normalize)


@algorithm("Kernel.laplacian8", policies=("negative_kernels",))
def laplacian8(magnitude: float, *, normalize: bool) -> Kernel:
    """Second derivative over 8 neighbours."""
    return _edge_detector("laplacian8", magnitude, normalize=normalize)


@algorithm("Kernel.sobel", policies=("negative_kernels",))
def sobel(magnitude: float, *, normalize: bool) -> Kernel:
    """Derivative along x."""
    return _edge_detector("sobel", magnitude, normalize=normalize)


@algorithm("Kernel.roberts", policies=("negative_kernels",))
def roberts(magnitude: float, *, normalize: bool) -> Kernel:
    """Derivative along a diagonal, 2 x 2 with the focus at the bottom right."""
    return _edge_detector("roberts", magnitude, normalize=normalize)


@algorithm("Kernel.prewitt", policies=("negative_kernels",))
def prewitt(magnitude: float, *, normalize: bool) -> Kernel:
    """Derivative along x."""
    return _edge_detector("prewitt", magnitude, normalize=normalize)


@algorithm("Kernel.compass", policies=("negative_kernels",))
def compass(magnitude: float, *, normalize: bool) -> Kernel:
    """Prewitt's compass."""
    return _edge_detector("compass", magnitude, normalize=normalize)


@algorithm("Kernel.kirsch", policies=("negative_kernels",))
def kirsch(magnitude: float, *, normalize: bool) -> Kernel:
    """Kirsch's compass."""
    return _edge_detector("kirsch", magnitude, normalize=normalize)


@algorithm(
    "Kernel.fixed",
    policies=(
        "kernel_focus",
        "negative_kernels",
    ),
)
def fixed(width: int, height: int, weights: list[list[Any]], x: int, y: int, *, normalize: bool) -> Kernel:
    """Weights row by row from the top; the focus of -1 is the middle, left of or above it where sides are even."""
    rows = [[float(one) for one in row] for row in weights]
    down, across = len(rows), len(rows[0]) if rows else 0
    if not across or any(len(row) != across for row in rows):
        raise EarthEngineError("The weights must be a list of rows of equal length.")
    if (width, height) != (width if width < 0 else across, height if height < 0 else down):
        raise EarthEngineError(f"The weights are {across}x{down}, not {width}x{height}.")
    focus = ((across - 1) // 2 if x < 0 else x, (down - 1) // 2 if y < 0 else y)
    if max(across, down) > 2 * kernel_shapes.MOST_PIXELS + 1:
        raise EarthEngineError(f"The kernel is {across}x{down} pixels, which is too large.")
    return Kernel(kernel_shapes.scaled(np.array(rows), normalize=normalize), focus)


@algorithm("Kernel.rotate")
def rotate(kernel: Kernel, rotations: int) -> Kernel:
    """Kernel turned clockwise by quarter turns."""
    return kernel_shapes.changed(kernel, partial(kernel_shapes.rotated, turns=rotations))


@algorithm("Kernel.add", policies=("negative_kernels",))
def add(kernel1: Kernel, kernel2: Kernel, *, normalize: bool) -> Kernel:
    """Sum of two kernels laid focus upon focus."""

    def together(first: Kernel, second: Kernel) -> Kernel:
        found = kernel_shapes.added(first, second)
        return Kernel(kernel_shapes.scaled(found.weights, normalize=normalize), found.focus)

    if kernel1.build is None and kernel2.build is None:
        return together(kernel1, kernel2)
    return Kernel(np.zeros((0, 0)), (0, 0), lambda metres: together(kernel1.at(metres), kernel2.at(metres)))


@algorithm("Kernel.inverse")
def inverse(kernel: Kernel) -> Kernel:
    """Kernel with each weight's inverse; 0 stays."""
    return kernel_shapes.changed(kernel, kernel_shapes.inverted)
