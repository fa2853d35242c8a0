"""The noise at the edges of GRD scenes: low pixels that hang together with the outside, and never dark water inside."""

from __future__ import annotations

from dataclasses import dataclass

import ee

OUTSIDE = 2.0  # beside 0, ground, and 1, low


@dataclass(frozen=True, kw_only=True)
class BorderNoise:
    """What may be border noise.

    Attributes
    ----------
    below : linear power of the first polarization
    reach : metres from the edge, along low pixels
    """

    below: float
    reach: float


def without_border_noise(image: ee.Image, power: ee.Image, noise: BorderNoise) -> ee.Image:
    """Image masked where its power is low and low pixels lead from there to where the scene has no data.

    They are found by what it would cost to walk there from outside: 1 for each metre over low pixels, and other pixels
    cannot be walked on. Diagonal neighbours hang together. Computed at the scene's own pixels.

    Parameters
    ----------
    image : any bands of one scene
    power : linear power of the same scene, one band, masked where it has no data
    """
    kind = power.lt(noise.below).unmask(OUTSIDE, sameFootprint=False)
    walkable = ee.Image(1).updateMask(kind.gte(1))
    cost = walkable.cumulativeCost(source=kind.eq(OUTSIDE), maxDistance=noise.reach, geodeticDistance=False)
    reached = cost.gte(0).unmask(0, sameFootprint=False).reproject(power.projection())
    return image.updateMask(reached.Not())
