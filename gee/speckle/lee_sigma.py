"""Lee's estimate over the pixels that may be speckle of the same backscatter (Lee et al. 2009)."""

from __future__ import annotations

from collections.abc import Mapping

import ee

from gee.speckle.minimum_error import drawn_to_pixel, noise_of
from gee.speckle.neighbourhood import greatest, mean, pinned, square, total, variance
from gee.speckle.sigma_range import SigmaRange, sigma_range
from infra.errors import InputError

LEAST, NEAR = 5, 3  # of the nine pixels of a 3 x 3


def lee_sigma(
    image: ee.Image,
    *,
    window: int,
    looks: float,
    sigma: float = 0.9,
    strong: Mapping[str, float],
    least: int = LEAST,
) -> ee.Image:
    """Estimate of least mean square error over the pixels of a square window within the sigma range; point targets stay.

    Defined in `gee.speckle`.

    Parameters
    ----------
    image : linear power, masked where there is no data
    window : odd, pixels
    looks : equivalent number of looks, above 0
    sigma : share of the speckle in the range, above 0, below 1
    strong : by band, of which all are named: linear power from which on a pixel may belong to a point target. Given, not
        a percentile of the image: that would depend on how it is cut.
    least : such pixels in a 3 x 3 that make a point target, 1 to 9

    Returns
    -------
    linear power, the bands of `strong`

    Raises
    ------
    InputError
        If a parameter is outside of what it may be.

    References
    ----------
    Lee, Wen, Ainsworth, Chen, Chen (2009), doi:10.1109/TGRS.2008.2002881
    """
    noise, around = noise_of(looks), square(window)
    inner = sigma_range(looks=looks, sigma=sigma)
    if not 1 <= least <= NEAR**2:
        raise InputError(f"speckle: {least} strong pixels of a 3 x 3", "Give 1 to 9.")
    power = image.select(list(strong))
    near = square(NEAR)
    prior = drawn_to_pixel(power, mean(power, near), variance(power, near), noise)
    within = ee.Image.cat(
        [_within_range(power.select(band), prior.select(band), inner, around).rename(band) for band in strong]
    )
    targets = _point_targets(power, ee.Image.constant(list(strong.values())), near, least)
    return pinned(within.where(targets, power), power)


def _within_range(power: ee.Image, prior: ee.Image, inner: SigmaRange, kernel: ee.Kernel) -> ee.Image:
    """Estimate of one band over what lies in the range around the a-priori mean."""
    low, high = prior.multiply(inner.low), prior.multiply(inner.high)
    neighbours = power.neighborhoodToBands(kernel)
    inside = neighbours.updateMask(neighbours.gte(low).And(neighbours.lte(high)))
    # Around the prior mean, so that what is subtracted from one another on the way is small.
    offsets = inside.subtract(prior)
    number = inside.reduce(ee.Reducer.count()).unmask(0, sameFootprint=False)
    own = power.gte(low).And(power.lte(high))
    m = offsets.reduce(ee.Reducer.mean()).add(prior)
    v = offsets.reduce(ee.Reducer.variance())
    return prior.where(number.subtract(own).gt(0), drawn_to_pixel(power, m, v, inner.deviation**2))


def _point_targets(power: ee.Image, strong: ee.Image, near: ee.Kernel, least: int) -> ee.Image:
    """1 where a pixel belongs to a point target."""
    candidates = power.gte(strong)
    centres = candidates.And(total(candidates, near).gte(least))
    return candidates.And(greatest(centres, near))
