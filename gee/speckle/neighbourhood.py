"""What the pixels with data around each pixel have in common, in windows whose cells are given one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import ee

from infra.errors import InputError

Cells = Sequence[Sequence[int]]  # rows from above, 1 where a cell belongs to the window, odd number of rows and columns


def square(window: int) -> ee.Kernel:
    """Square window.

    Raises
    ------
    InputError
        If the window is not odd and positive.
    """
    if window < 1 or window % 2 == 0:
        raise InputError(f"speckle: a window of {window} pixels has no centre", "Give an odd number: 3, 5, 7, ...")
    return ee.Kernel.square(window // 2, "pixels", normalize=False)


def disk(radius: float) -> ee.Kernel:
    """Cells whose centre is no further than `radius` pixels away.

    Raises
    ------
    InputError
        If the radius is negative.
    """
    if not 0 <= radius < math.inf:
        raise InputError(f"speckle: a radius of {radius:g} pixels", "Give 0 or more.")
    reach = range(-math.floor(radius), math.floor(radius) + 1)
    return cells([[int(x * x + y * y <= radius * radius) for x in reach] for y in reach])


def cells(rows: Cells) -> ee.Kernel:
    """Window of the cells that are 1, around the middle one."""
    height, width = len(rows), len(rows[0])
    weights = [list(row) for row in rows]
    return ee.Kernel.fixed(width, height, weights, x=width // 2, y=height // 2, normalize=False)


def mean(image: ee.Image, kernel: ee.Kernel) -> ee.Image:
    """Mean of the pixels with data in the window; none where the pixel itself has none."""
    return _reduced(image, ee.Reducer.mean(), kernel, own=True)


def mean_around(image: ee.Image, kernel: ee.Kernel) -> ee.Image:
    """As `mean`, also where the pixel itself has no data."""
    return _reduced(image, ee.Reducer.mean(), kernel, own=False)


def variance(image: ee.Image, kernel: ee.Kernel) -> ee.Image:
    """Population variance of the pixels with data in the window; none where the pixel itself has none."""
    return _reduced(image, ee.Reducer.variance(), kernel, own=True)


def variance_around(image: ee.Image, kernel: ee.Kernel) -> ee.Image:
    """As `variance`, also where the pixel itself has no data."""
    return _reduced(image, ee.Reducer.variance(), kernel, own=False)


def greatest(image: ee.Image, kernel: ee.Kernel) -> ee.Image:
    """Greatest value in the window; none where the pixel itself has none."""
    return _reduced(image, ee.Reducer.max(), kernel, own=True)


def total(image: ee.Image, kernel: ee.Kernel) -> ee.Image:
    """Sum over the window; none where the pixel itself has none."""
    return _reduced(image, ee.Reducer.sum(), kernel, own=True)


def median(image: ee.Image, kernel: ee.Kernel, *, most: int) -> ee.Image:
    """Median of the pixels with data in the window, of which there are `most` at most: none is put into a histogram."""
    return _reduced(image, ee.Reducer.median(maxRaw=most + 1), kernel, own=True)


def pinned(filtered: ee.Image, image: ee.Image) -> ee.Image:
    """Result of neighbourhoods of `image`, computed on that image's own pixels and with its properties."""
    result = filtered.rename(image.bandNames()).reproject(image.select(0).projection())
    described: ee.Image = ee.Image(result.copyProperties(image, image.propertyNames()))
    return described


def _reduced(image: ee.Image, reducer: ee.Reducer, kernel: ee.Kernel, *, own: bool) -> ee.Image:
    found = image.reduceNeighborhood(reducer=reducer, kernel=kernel, inputWeight="kernel", skipMasked=own)
    return found.rename(image.bandNames())
