"""The speckle floor: how much a pixel varies over time though nothing changes on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

FIRST_POSITIVE = (
    0x8001  # upper half of the ordered bits (`dask_jobs.statistics.exact_median`): zero and denormals lie below
)
LAST_FINITE = 0xFF7F
BANDWIDTH = 0.05  # of the kernel, as a share of the coefficient of variation
LEAST_PIXELS = 100  # fewer have no mode worth the name


@dataclass(frozen=True, kw_only=True)
class SpeckleFloor:
    """Equivalent number of looks of one scene, and where it comes from.

    Attributes
    ----------
    looks : equivalent number of looks; None where it was not given and the stack is too small to tell
    source : "given", or "estimated" from the stack
    mode : most frequent temporal coefficient of variation; None where there are too few pixels
    """

    looks: float | None
    source: Literal["given", "estimated"]
    mode: float | None

    @property
    def value(self) -> float | None:
        """Coefficient of variation of a target that does not change, 1 / sqrt(looks): a pixel near it shows speckle alone."""
        return None if self.looks is None else float(1.0 / np.sqrt(self.looks))


def speckle_floor(histogram: np.ndarray, *, dates: float, looks: float | None = None) -> SpeckleFloor:
    """The floor from the looks given, or from the coefficients of variation (CoV) of a stack.

    Parameters
    ----------
    histogram : dims (65536,), int64, pixels per upper half of the ordered bits of their CoV (`exact_median.upper_counts`)
    dates : mean number of dates of these pixels
    looks : equivalent number of looks of one scene, where it is known

    Returns
    -------
    floor : estimated looks are (1 - 2 / dates) / mode²

    Notes
    -----
    Stable targets are taken to be the most frequent ones: their CoV is 1 / sqrt(looks), so the mode of all pixels' CoV
    tells the looks. The standard deviation of few dates is too small most of the time: that of n Gaussian values is
    a chi variable of n - 1 degrees of freedom over sqrt(n), whose mode is sqrt((n - 2) / n) of the truth, which
    the factor undoes. What is left, on simulated gamma speckle: looks 3 to 12 % too high for 4 to 60 looks and 10 to 21
    dates, up to 45 % with 5 dates, 20 % or more for single-look data. Where most pixels change (crops, forest in season) the mode lies
    above the floor and the looks are too low. So an estimate is a guide; the product's own figure is better.

    References
    ----------
    Ulaby, Moore, Fung (1986), Microwave Remote Sensing III: std / mean of N-look power is 1 / sqrt(N).
    """
    found = mode(histogram)
    if looks is not None:
        return SpeckleFloor(looks=float(looks), source="given", mode=found)
    if found is None or not dates > 2:
        return SpeckleFloor(looks=None, source="estimated", mode=found)
    return SpeckleFloor(looks=(1.0 - 2.0 / dates) / found**2, source="estimated", mode=found)


def mode(histogram: np.ndarray) -> float | None:
    """Where positive values are densest, by a Gaussian kernel as wide as 5 % of the value; None of fewer than 100."""
    counts = histogram[FIRST_POSITIVE : LAST_FINITE + 1]
    seen = np.flatnonzero(counts)
    if counts.sum() < LEAST_PIXELS:
        return None
    keys = (seen + (FIRST_POSITIVE & 0x7FFF)).astype(np.uint32)
    edges = [(k << np.uint32(16)).view(np.float32).astype(np.float64) for k in (keys, keys + np.uint32(1))]
    middle = (edges[0] + edges[1]) / 2
    middle[-1] = min(middle[-1], edges[0][-1] * (1 + 1 / 256))  # the last finite bucket ends at infinity
    width = BANDWIDTH * middle
    # 128 buckets per octave: a thousand or two are filled, and the square of that is little
    away = (middle[None, :] - middle[:, None]) / width[:, None]
    density = (np.exp(-0.5 * away**2) * counts[seen]).sum(axis=1) / width
    return float(middle[density.argmax()])
