"""The median around each pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gee.speckle.neighbourhood import disk, median, pinned

if TYPE_CHECKING:
    import ee


def focal_median(image: ee.Image, *, radius: float) -> ee.Image:
    """Median of the pixels with data of a disk.

    Parameters
    ----------
    image : linear power, masked where there is no data
    radius : pixels; those whose centre is no further away belong to the disk

    Returns
    -------
    linear power, the same bands

    Raises
    ------
    InputError
        If the radius is negative.
    """
    most = (2 * math.floor(max(radius, 0) if math.isfinite(radius) else 0) + 1) ** 2
    return pinned(median(image, disk(radius), most=most), image)
