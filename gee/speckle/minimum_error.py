"""The linear estimate of least mean square error, which several filters end with."""

from __future__ import annotations

import ee

from infra.errors import InputError


def noise_of(looks: float | None) -> float:
    """Squared coefficient of variation of speckle, 1/looks.

    Raises
    ------
    InputError
        If looks are missing or not positive.
    """
    if looks is None or not 0 < looks < float("inf"):
        said = "no looks" if looks is None else f"{looks:g} looks"
        raise InputError(f"speckle: {said}", "Give the equivalent number of looks, above 0 (Sentinel-1 GRD: 4.4).")
    return 1.0 / looks


def drawn_to_pixel(image: ee.Image, mean: ee.Image, variance: ee.Image, noise: float | ee.Image) -> ee.Image:
    """`m + b (I - m)`, with b = (v - m² noise) / ((1 + noise) v) between 0 and 1, and m where v = 0.

    Parameters
    ----------
    noise : squared coefficient of variation of speckle
    """
    own = noise if isinstance(noise, ee.Image) else ee.Image(noise)
    scale = own.add(1).multiply(_not_zero(variance))
    share = variance.subtract(mean.multiply(mean).multiply(own)).divide(scale).clamp(0, 1)
    return mean.add(share.multiply(variance.gt(0)).multiply(image.subtract(mean)))


def _not_zero(image: ee.Image) -> ee.Image:
    """1 where an image is 0, which Earth Engine would divide by without a word."""
    return image.add(image.eq(0))
