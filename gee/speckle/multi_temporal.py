"""Speckle averaged over dates while every date keeps its own backscatter (Quegan and Yu 2001)."""

from __future__ import annotations

from collections.abc import Sequence

import ee

from gee.speckle.boxcar import boxcar
from gee.speckle.neighbourhood import pinned


def multi_temporal(images: Sequence[ee.Image], *, window: int) -> list[ee.Image]:
    """Local mean of each pass, times the mean over all passes of how far they lie from theirs.

    On flat independent speckle of L looks the equivalent number of looks becomes L N M / (N + M - 1), for N passes and M
    pixels in the window. The result of one pass reads all of them.

    Parameters
    ----------
    images : linear power of the passes of one relative orbit, the same bands, masked where there is no data
    window : odd, pixels

    Returns
    -------
    linear power of each pass, the same bands

    Raises
    ------
    InputError
        If the window is even or not positive.

    References
    ----------
    Quegan and Yu (2001), eq. 12, doi:10.1109/36.964973
    """
    means = [boxcar(image, window=window) for image in images]
    ratios = [
        image.divide(mean.add(mean.eq(0))).where(mean.eq(0), 1) for image, mean in zip(images, means, strict=True)
    ]
    common = ee.ImageCollection.fromImages(ratios).mean()
    return [pinned(mean.multiply(common), image) for image, mean in zip(images, means, strict=True)]
