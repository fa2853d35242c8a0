"""The most probable backscatter where it varies as a gamma distribution does (Lopes et al. 1990)."""

from __future__ import annotations

import ee

from gee.speckle.minimum_error import noise_of
from gee.speckle.neighbourhood import mean, pinned, square, variance


def gamma_map(image: ee.Image, *, window: int, looks: float) -> ee.Image:
    """Maximum a posteriori estimate: the mean where only speckle varies, the pixel itself where far more does.

    It is a mode, hence biased low: -1.4 % on flat four-look speckle, -6 % on gamma texture.

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
    Lopes, Nezry, Touzi, Laur (1990), doi:10.1109/IGARSS.1990.689012, with the upper threshold √2 Cu
    """
    noise, kernel = noise_of(looks), square(window)
    m, v = mean(image, kernel), variance(image, kernel)
    squared = m.multiply(m)
    flat, strong = v.lte(squared.multiply(noise)), v.gte(squared.multiply(2 * noise))
    a = ee.Image(1 + noise).divide(v.divide(squared).subtract(noise))
    b = a.subtract(looks + 1)
    under = b.multiply(b).multiply(squared).add(a.multiply(4 * looks).multiply(image).multiply(m))
    between = b.multiply(m).add(under.max(0).sqrt()).divide(a.multiply(2))
    # What is divided by 0 on the way lies under one of the two conditions.
    return pinned(image.where(strong.Not(), between).where(flat, m), image)
