"""Speckle averaged over dates while every date keeps its own backscatter (Quegan and Yu 2001)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gee.speckle.neighbourhood import mean, pinned, square

if TYPE_CHECKING:
    import ee


def multi_temporal(passes: ee.ImageCollection, *, window: int) -> ee.ImageCollection:
    """Local mean of each pass, times the mean over all passes of how far they lie from theirs.

    On flat independent speckle of L looks the equivalent number of looks becomes L N M / (N + M - 1), for N passes and M
    pixels in the window. The result of one pass reads all of them.

    Parameters
    ----------
    passes : linear power of the passes of one relative orbit, the same bands, masked where there is no data
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
    kernel = square(window)

    def ratio(image: ee.Image) -> ee.Image:
        around = mean(image, kernel)
        own = image.divide(around.add(around.eq(0))).where(around.eq(0), 1)
        return pinned(own, image)

    common = passes.map(ratio).mean()
    found: ee.ImageCollection = passes.map(lambda image: pinned(mean(image, kernel).multiply(common), image))
    return found
