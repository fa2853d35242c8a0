"""Colours of displacement and of what says how good it is: every quantity has its colour map, unit and stretch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.figures.map_marks import Shade
from dask_jobs.figures.style import VARIATION
from dask_jobs.interferograms import SENTINEL1_WAVELENGTH

if TYPE_CHECKING:
    from dask_jobs.figures.picture import Picture

DIVERGING = (
    "RdBu"  # red away from the satellite (mostly subsidence), blue toward it; told apart by the colour-blind too
)
CYCLIC = "twilight_shifted"  # even in CAM02-UCS and closed: no step is seen where a cycle ends; pale in its middle
PAIRS = "viridis"  # for thin lines and small squares: the middle of cividis is the grey of dropped pairs
CYCLE = SENTINEL1_WAVELENGTH / 2  # m of displacement along the line of sight per cycle of phase
TOWARD = "positive toward the satellite"
INSIDE = 99.5  # % of the pixels lie within a stretch
SLOW = 0.02  # m/year: up to here mm/year reads better
ROUND = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)  # times a power of ten: ends of a stretch
SAMPLE = 256  # pixels per side of a picture of which the stretch is taken


def round_up(value: float) -> float:
    """Smallest round number that is not below a positive value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step for step in ROUND if step * power >= value * (1 - 1e-9)) * power)


def limit_of(pictures: Iterable[Picture], *, least: float) -> float:
    """Round number, `least` or more, that the absolute values of nearly all pixels stay within; one picture in memory at once."""
    parts = [np.abs(values[np.isfinite(values)]) for values in (one.at_most(SAMPLE).values for one in pictures)]
    some: np.ndarray = np.concatenate(parts) if parts else np.empty(0)
    return round_up(max(least, float(np.percentile(some, INSIDE)))) if some.size else round_up(least)


def velocity_shade(picture: Picture) -> Shade:
    """Velocity in m/year, shown in cm/year or, where it is slow, in mm/year; white is 0."""
    limit = limit_of([picture], least=1e-3)
    scale, unit = _per_year(limit)
    label = f"velocity ({unit}),\n{TOWARD}"
    return Shade(low=-limit * scale, high=limit * scale, label=label, colours=DIVERGING, scale=scale)


def velocity_error_shade(picture: Picture) -> Shade:
    """Standard error of velocity in m/year, shown in cm/year or mm/year."""
    limit = limit_of([picture], least=1e-4)
    scale, unit = _per_year(limit)
    label = f"standard error ({unit})"
    return Shade(low=0.0, high=limit * scale, label=label, colours=VARIATION, cut="max", scale=scale)


def displacement_shade(pictures: Iterable[Picture]) -> Shade:
    """One stretch for displacement in m on all dates, shown in cm; white is 0."""
    limit = 100 * limit_of(pictures, least=1e-3)
    label = f"displacement (cm),\n{TOWARD}"
    return Shade(low=-limit, high=limit, label=label, colours=DIVERGING, scale=100.0)


def wrapped_shade(cycle: float = CYCLE) -> Shade:
    """Displacement in m, shown in cm within one cycle around 0; `cycle` in m."""
    half = 50 * cycle
    label = f"wrapped displacement (cm), cycle {2 * half:.3g} cm,\n{TOWARD}"
    return Shade(low=-half, high=half, label=label, colours=CYCLIC, cut="neither", scale=100.0, cycle=2 * half)


def dem_error_shade(picture: Picture) -> Shade:
    """Error of the elevation model, m; white is 0."""
    limit = limit_of([picture], least=1.0)
    return Shade(low=-limit, high=limit, label="error of the elevation model (m)", colours=DIVERGING)


def coherence_shade(label: str) -> Shade:
    """Any coherence of pixels, from 0 to 1: the same colours on all maps."""
    return Shade(low=0.0, high=1.0, label=label, colours=VARIATION, cut="neither")


def pairs_shade(coherence: np.ndarray, *, label: str) -> Shade:
    """Mean coherence of pairs, which differ by little: around those that there are."""
    low, high = span_of(coherence)
    return Shade(low=low, high=high, label=label, colours=PAIRS, cut="neither")


def span_of(coherence: np.ndarray) -> tuple[float, float]:
    """Twentieths that hold all finite values of 0 to 1, two of them apart at least."""
    some = coherence[np.isfinite(coherence)]
    if not some.size:
        return 0.0, 1.0
    low, high = int(np.floor(20 * some.min() + 1e-9)), int(np.ceil(20 * some.max() - 1e-9))
    low = min(low, max(0, high - 2))
    return low / 20, max(high, low + 2) / 20


def count_shade(picture: Picture, *, label: str) -> Shade:
    """Whole numbers from 0."""
    high = max(1.0, np.ceil(limit_of([picture], least=1.0)))
    return Shade(low=0.0, high=float(high), label=label, colours=VARIATION, cut="max", whole=True)


def cyclic_colours(n: int = 256) -> np.ndarray:
    """Colours of `n` equal steps through one cycle, dims (n, 4), uint8: red, green, blue, alpha.

    Colour k is that of displacement k / n of a cycle: the first, the palest, is of 0. The table is even to the eye, and
    closed: the step from the last colour to the first is like every other.
    """
    import matplotlib as mpl

    places = (np.arange(n) / n + 0.5) % 1.0
    return np.asarray(mpl.colormaps[CYCLIC](places, bytes=True))


def wrapped_rgba(displacement: np.ndarray, *, cycle: float = CYCLE, colours: np.ndarray | None = None) -> np.ndarray:
    """Colours of displacement, its dims and a last one of 4, uint8; transparent where there is no data.

    Parameters
    ----------
    displacement : any dims, m, positive toward the satellite; NaN no data
    cycle : m per turn through the colours
    colours : as `cyclic_colours` gives them, to be made once for many calls
    """
    table = cyclic_colours() if colours is None else colours
    finite = np.isfinite(displacement)
    turns = np.where(finite, displacement, 0.0).astype(np.float64) / cycle
    index = np.rint((turns - np.floor(turns)) * len(table)).astype(np.int64) % len(table)
    rgba: np.ndarray = table[index]
    rgba[~finite] = 0
    return rgba


def _per_year(limit: float) -> tuple[float, str]:
    """Factor from m/year and the unit it leads to."""
    return (1000.0, "mm/year") if limit <= SLOW else (100.0, "cm/year")
