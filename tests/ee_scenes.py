"""Scenes in a folder of the local Earth Engine, asked for by the product's own client, and their pixels as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ee
import numpy as np

from gee.local.catalogue.register import register
from gee.local.catalogue.simulated import add_simulation
from gee.local.folders import assets_of, settings_of
from gee.local.server.serving import serving
from gee.local.simulate import Simulation
from gee.session import Connection, initialize
from infra.grid import Grid

OPERA = "OPERA/RTC/L2_V1/S1"
OPERA_FILES = Path(__file__).parents[1] / "../shared/data/opera-rtc-s1"
ABSENT = "the real scenes are not at ../shared/data/opera-rtc-s1"
NOTHING = -9e9  # for pixels that are masked: files of pixels have no masks


def ask(url: str) -> None:
    """Initialise the client on a server."""
    initialize(Connection(project="local-demo", url=url, anonymous=True))


def grid_of(plan: Simulation) -> Grid:
    """Pixels of all slices of a simulation together."""
    height, width = plan.whole
    return Grid(crs=plan.crs, left=plan.west, top=plan.north, dx=10.0, dy=10.0, height=height, width=width)


@contextmanager
def earth_engine(folder: Path, *, simulation: Simulation | None = None, opera: str | None = None) -> Iterator[str]:
    """Server whose catalogue has simulated scenes, or real ones of the bursts that a pattern names; gives its URL."""
    assets = assets_of(folder)
    if simulation is not None:
        add_simulation(assets, simulation)
    if opera is not None:
        register(assets, OPERA, sorted(OPERA_FILES.glob(f"{opera}/*.tif")))
    with serving(settings_of(folder)) as url:
        ask(url)
        try:
            yield url
        finally:
            ee.Reset()


def read(image: ee.Image, grid: Grid) -> dict[str, np.ndarray]:
    """Bands of an image on a grid through `computePixels`, dims (y, x), float64, NaN where masked."""
    found: Any = ee.data.computePixels(
        {
            "expression": image.unmask(NOTHING, sameFootprint=False),
            "fileFormat": "NUMPY_NDARRAY",
            "grid": {
                "dimensions": {"width": grid.width, "height": grid.height},
                "affineTransform": {
                    "scaleX": grid.dx, "shearX": 0, "translateX": grid.left,
                    "shearY": 0, "scaleY": -grid.dy, "translateY": grid.top,
                },
                "crsCode": grid.crs,
            },
        }
    )  # fmt: skip
    return {name: np.where(found[name] == NOTHING, np.nan, found[name]).astype(float) for name in found.dtype.names}
