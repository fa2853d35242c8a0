"""What one would type in xarray for the statistics of a stack: a line per statistic, Dask underneath."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from _speckle_stack import BAND, TAG

from dask_jobs.stack.store import open_stack
from infra.storage import Location

BLOCK = {"time": -1, "y": 512, "x": 512}
PLANE = {"time": 1, "y": -1, "x": -1}


def maps(store: Location, *, percentiles: Sequence[float], skipna: bool = False) -> xr.Dataset:
    """Statistics of every pixel over time, in memory.

    Parameters
    ----------
    skipna : False spares `quantile` a Python call per pixel, which is right only for stacks without gaps
    """
    stack = open_stack(store, tag=TAG)[BAND].chunk(BLOCK)
    mean, std = stack.mean("time"), stack.std("time")
    quantiles = stack.quantile([p / 100 for p in percentiles], "time", skipna=skipna)
    lines = {
        "mean": mean,
        "mean_db": 10 * np.log10(mean),
        "std": std,
        "cov": std / mean,
        "min": stack.min("time"),
        "max": stack.max("time"),
        "first_min": stack.argmin("time").astype("int32"),
        "first_max": stack.argmax("time").astype("int32"),
        "count": stack.count("time").astype("int32"),
        **{f"p{p:02g}": quantiles.sel(quantile=p / 100, drop=True).astype("float32") for p in percentiles},
    }
    return xr.Dataset(lines).compute()


def series(store: Location) -> xr.Dataset:
    """Statistics of every date over the area, in memory."""
    stack = open_stack(store, tag=TAG)[BAND].chunk(PLANE)
    area = ("y", "x")
    return xr.Dataset({"mean": stack.mean(area), "median": stack.median(area), "std": stack.std(area)}).compute()


def write_cogs(made: xr.Dataset, folder: Path) -> None:
    """Write each map as a Cloud Optimized GeoTIFF."""
    import rioxarray  # noqa: F401 -- registers `.rio`

    folder.mkdir(parents=True)
    for name, values in made.data_vars.items():
        values.rio.to_raster(folder / f"{name}.tif", driver="COG")
