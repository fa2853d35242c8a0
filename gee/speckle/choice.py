"""Which speckle filter, with what it needs to know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from infra.errors import InputError

FILTERS = ("boxcar", "focal_median", "lee", "refined_lee", "gamma_map", "lee_sigma", "multi_temporal")
NEED_LOOKS = frozenset({"lee", "gamma_map", "lee_sigma"})


@dataclass(frozen=True, kw_only=True)
class Speckle:
    """A filter and its parameters; those that it does not use are passed over.

    Attributes
    ----------
    filter : one of `FILTERS`, defined in `gee.speckle`
    window : odd, pixels (refined_lee: always 7)
    radius : of focal_median's disk, pixels
    looks : equivalent number of looks; None where the filter does without
    sigma : of lee_sigma, share of the speckle in its range
    strong : of lee_sigma, linear power of point targets, of every polarization or by polarization
    """

    filter: str
    window: int = 7
    radius: float = 3.0
    looks: float | None = None
    sigma: float = 0.9
    strong: Mapping[str, float] | float | None = None

    def __post_init__(self) -> None:
        """Refuse what no filter can be made of.

        Raises
        ------
        InputError
            If the filter is unknown, lacks a parameter, or one is outside of what it may be.
        """
        if self.filter not in FILTERS:
            raise InputError(f"speckle: there is no filter {self.filter!r}", f"Take one of {', '.join(FILTERS)}.")
        if self.window < 1 or self.window % 2 == 0:
            raise InputError(
                f"speckle: a window of {self.window} pixels has no centre", "Give an odd number: 3, 5, 7, ..."
            )
        if not 0 <= self.radius < math.inf:
            raise InputError(f"speckle: a radius of {self.radius:g} pixels", "Give one of 0 or more.")
        if self.looks is not None and not 0 < self.looks < math.inf:
            raise InputError(f"speckle: {self.looks:g} looks", "Give a number above 0 (Sentinel-1: 4.4).")
        if self.filter in NEED_LOOKS and self.looks is None:
            raise InputError(f"speckle: {self.filter} must know the looks", "Give the equivalent number of looks.")
        if not 0 < self.sigma < 1:
            raise InputError(f"speckle: sigma {self.sigma:g} is no share of the speckle", "Give one between 0 and 1.")
        if self.filter == "lee_sigma" and self.strong is None:
            raise InputError("speckle: lee_sigma must know which power is strong", "Give `strong`, linear power.")

    def strong_power(self, polarization: str) -> float:
        """Linear power from which on a pixel may belong to a point target.

        Raises
        ------
        InputError
            If it is given by polarization, and not for this one.
        """
        found = self.strong.get(polarization) if isinstance(self.strong, Mapping) else self.strong
        if found is None:
            raise InputError(f"speckle: `strong` has no power for {polarization}", "Give one for every polarization.")
        return found
