"""Small Zarr stores for tests, written by xarray and zarr alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

EPSG = 32645
LEFT, TOP, STEP = 700_000.0, 2_700_000.0, 30.0
SHAPE = (40, 50)
SCENES = (  # names of groups in OpenSARlab's store, and others of its kind
    "S1A_IW_20170402T235525_DVP_RTC30_G_gpuned_9C40",
    "S1A_IW_20170414T235525_DVP_RTC30_G_gpuned_C9FE",
    "S1A_IW_20170426T235525_DVP_RTC30_G_gpuned_6648",
)


def power(number: int, band: str = "VV", shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Truth of one scene: linear power, float32, no data (NaN) along one side."""
    values = np.random.default_rng([number, sum(map(ord, band))]).gamma(4.0, 0.025, shape).astype("float32")
    values[:, :4] = np.nan
    return values


def image(values: Any, *, row: int = 0, col: int = 0, name: str = "VV", **more: Any) -> xr.Dataset:
    """Dataset of one or several images, dims (y, x) or (time, y, x), at a place of the common lattice (pixels).

    `values` is an array, or arrays by variable; `attrs` of the dataset (default: its EPSG code), `coords` beside y and x.
    """
    images = values if isinstance(values, dict) else {name: values}
    height, width = next(iter(images.values())).shape[-2:]
    dims = {2: ("y", "x"), 3: ("time", "y", "x")}
    coords = {
        "y": TOP - STEP * (np.arange(height) + row + 0.5),
        "x": LEFT + STEP * (np.arange(width) + col + 0.5),
        **more.get("coords", {}),
    }
    data = {key: (dims[array.ndim], array) for key, array in images.items()}
    return xr.Dataset(data, coords=coords, attrs=more.get("attrs", {"epsg": EPSG}))


def write(dataset: xr.Dataset, store: Path | str, group: str = "", *, zarr_format: int = 3, **more: Any) -> None:
    """Add a dataset to a store; chunks of 16 x 16 pixels unless `encoding` says otherwise."""
    encoding: dict[Any, Any] = {
        key: {"chunks": (1,) * (array.ndim - 2) + (16, 16)}
        for key, array in dataset.data_vars.items()
        if array.ndim > 1
    }
    for key, said in more.pop("encoding", {}).items():
        encoding[key] = {**encoding.get(key, {}), **said}
    consolidated = more.pop("consolidated", False)
    dataset.to_zarr(
        store,
        group=group or None,
        mode="a",
        zarr_format=zarr_format,
        consolidated=consolidated,
        encoding=encoding,
        **more,
    )


def opensarlab(store: Path | str, *, zarr_format: int = 2, consolidated: bool = True, **more: Any) -> None:
    """A store as OpenSARlab keeps it: a group for each product and polarization, its variable called `backscatter`.

    No data is 0, the EPSG code and the spacing are attributes; extents wander over the lattice.
    """
    for number, name in enumerate(SCENES):
        for band in ("VV", "VH"):
            attrs = {"epsg": EPSG, "x_spacing": STEP, "y_spacing": -STEP, "product_name": f"{name}_{band}"}
            values = np.nan_to_num(power(number, band))
            made = image(values, name="backscatter", row=3 * number, col=-2 * number, attrs=attrs)
            write(made, store, f"{name}_{band}", zarr_format=zarr_format, **more)
    if consolidated:
        zarr.consolidate_metadata(str(store) if isinstance(store, Path) else store, zarr_format=zarr_format)  # type: ignore[arg-type] -- 2 or 3


def times(count: int) -> np.ndarray:
    """Acquisition times 12 days apart."""
    return np.datetime64("2024-01-05T01:59:12", "ns") + np.arange(count) * np.timedelta64(12, "D")
