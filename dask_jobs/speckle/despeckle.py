"""The filter that was chosen, on the passes of one polarization."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from dask_jobs.speckle.choice import Speckle


def despeckle(powers: np.ndarray, speckle: Speckle, polarization: str) -> np.ndarray:
    """Filtered power.

    Parameters
    ----------
    powers : dims (time, y, x), linear power; for multi_temporal of one relative orbit
        Not finite (NaN, infinite) where there is no data.
    polarization : of the powers; some parameters differ

    Returns
    -------
    dims (time, y, x), float64, linear power, NaN where a pixel itself has no data
        Pixels within `halo(speckle)` of the edge know fewer neighbours than inside.
    """
    if speckle.filter == "multi_temporal":
        from dask_jobs.speckle.multi_temporal import multi_temporal

        return multi_temporal(powers, window=speckle.window)
    one = _of_one_date(speckle, polarization)
    made = np.empty(powers.shape)
    for filtered, power in zip(made, powers, strict=True):
        filtered[:] = one(power)
    return made


def _of_one_date(speckle: Speckle, polarization: str) -> Callable[[np.ndarray], np.ndarray]:
    from dask_jobs.speckle.boxcar import boxcar
    from dask_jobs.speckle.focal_median import focal_median
    from dask_jobs.speckle.gamma_map import gamma_map
    from dask_jobs.speckle.lee import lee
    from dask_jobs.speckle.lee_sigma import lee_sigma
    from dask_jobs.speckle.refined_lee import refined_lee

    if speckle.filter == "boxcar":
        return partial(boxcar, window=speckle.window)
    if speckle.filter == "focal_median":
        return partial(focal_median, radius=speckle.radius)
    if speckle.filter == "refined_lee":
        return partial(refined_lee, looks=speckle.looks)
    if speckle.filter == "lee_sigma":
        return partial(
            lee_sigma,
            window=speckle.window,
            looks=_looks(speckle),
            sigma=speckle.sigma,
            strong=speckle.strong_power(polarization),
        )
    known = {"lee": lee, "gamma_map": gamma_map}[speckle.filter]
    return partial(known, window=speckle.window, looks=_looks(speckle))


def _looks(speckle: Speckle) -> float:
    if speckle.looks is None:
        raise ValueError(f"{speckle.filter} without looks")  # `Speckle` refuses that
    return speckle.looks
