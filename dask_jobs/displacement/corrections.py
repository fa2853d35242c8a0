"""Series after each correction. Kept are the first and the last; those between are a subtraction away, wherever they are read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dask_jobs.displacement.settled import Fits, ReferencePixel
from dask_jobs.displacement.work import Work
from dask_jobs.insar_stack.layout import HEIGHT, INCIDENCE
from infra.grid import Window

if TYPE_CHECKING:
    import numpy as np


def stage_series(stage: str, window: Window, *, work: Work, fits: Fits, reference: ReferencePixel) -> np.ndarray:
    """Displacement after a stage in any window, dims (time, y, x), float32, m, relative to the first date."""
    if stage in work.arrays.arrays:
        return work.arrays.read_all(stage, window)
    made = _corrections(window, work=work, fits=fits, reference=reference)
    return next(series for name, series in made if name == stage)


def last_correction(window: Window, *, work: Work, fits: Fits, reference: ReferencePixel) -> tuple[str, np.ndarray]:
    """`(stage, series)` after the last of those that are fitted, the height model's error not among them."""
    return deque(_corrections(window, work=work, fits=fits, reference=reference), maxlen=1).pop()


def _corrections(
    window: Window, *, work: Work, fits: Fits, reference: ReferencePixel
) -> Iterator[tuple[str, np.ndarray]]:
    """`(stage, series)` as inverted and after each correction."""
    from dask_jobs.sbas.ramps import ramps
    from dask_jobs.sbas.troposphere import height_delay, subtract_delay

    series = work.arrays.read_all("inverted", window)
    yield "inverted", series
    if fits.height is not None:
        delay = height_delay(fits.height, sight_height=sight_height_of(window, work=work, reference=reference))
        series = subtract_delay(series, delay)
        yield "troposphere", series
    if fits.ramp is not None:
        series = subtract_delay(series, ramps(fits.ramp, window=window, reference=reference.place))
        yield "deramped", series


def sight_height_of(window: Window, *, work: Work, reference: ReferencePixel) -> np.ndarray:
    """Height along the line of sight above that of the reference pixel, dims (y, x), m."""
    from dask_jobs.sbas.troposphere import sight_height

    return sight_height(
        work.geometry(HEIGHT, window), incidence=work.geometry(INCIDENCE, window), reference=reference.sight
    )
