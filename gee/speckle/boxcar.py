"""The mean around each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gee.speckle.neighbourhood import mean, pinned, square

if TYPE_CHECKING:
    import ee


def boxcar(image: ee.Image, *, window: int) -> ee.Image:
    """Mean of the pixels with data of a square window.

    Parameters
    ----------
    image : linear power, masked where there is no data
    window : odd, pixels

    Returns
    -------
    linear power, the same bands

    Raises
    ------
    InputError
        If the window is even or not positive.
    """
    return pinned(mean(image, square(window)), image)
