"""The linear estimate of least mean square error (Lee 1980)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gee.speckle.minimum_error import drawn_to_pixel, noise_of
from gee.speckle.neighbourhood import mean, pinned, square, variance

if TYPE_CHECKING:
    import ee


def lee(image: ee.Image, *, window: int, looks: float) -> ee.Image:
    """Mean of a square window, drawn to the pixel by how much more varies there than speckle does.

    Parameters
    ----------
    image : linear power, masked where there is no data
    window : odd, pixels
    looks : equivalent number of looks, above 0

    Returns
    -------
    linear power, the same bands

    Raises
    ------
    InputError
        If the window is even or not positive, or looks are not positive.

    References
    ----------
    Lee (1980), multiplicative noise, doi:10.1109/TPAMI.1980.4766994
    """
    kernel = square(window)
    return pinned(drawn_to_pixel(image, mean(image, kernel), variance(image, kernel), noise_of(looks)), image)
