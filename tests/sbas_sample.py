"""The sample of interferograms with what MintPy made of them, read plainly."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rasterio

from dask_jobs.sbas.pairs import Pairs

FOLDER = Path(__file__).parents[1] / "../shared/data/hyp3-insar-sample"
REFERENCE = (7, 26)  # row, column

needs_sample = pytest.mark.skipif(not FOLDER.exists(), reason="the sample of interferograms is not here")


class Sample(NamedTuple):
    """Phase and coherence, dims (pair, y, x), as stored; MintPy's results by file and data set."""

    pairs: Pairs
    phase: np.ndarray
    coherence: np.ndarray
    mintpy: dict[str, np.ndarray]

    @property
    def masked(self) -> np.ndarray:
        """Phase, NaN where it is 0 as stored."""
        return np.where(self.phase == 0, np.float32(np.nan), self.phase)

    @property
    def land(self) -> np.ndarray:
        return next(mask for name, mask in self.mintpy.items() if name.startswith("water"))

    @property
    def reference_phase(self) -> np.ndarray:
        return self.phase[:, REFERENCE[0], REFERENCE[1]].astype(np.float64)


@cache
def sample() -> Sample:
    products = sorted((FOLDER / "products").iterdir())
    dates = [[_day(text) for text in product.name.split("_")[1:3]] for product in products]
    with np.load(FOLDER / "mintpy_outputs.npz") as stored:
        mintpy = dict(stored)
    return Sample(
        Pairs(
            reference=tuple(one for one, _ in dates),
            secondary=tuple(other for _, other in dates),
            perpendicular_baseline=tuple(_baseline(product) for product in products),
        ),
        np.stack([_layer(product, "unw_phase") for product in products]),
        np.stack([_layer(product, "corr") for product in products]),
        mintpy,
    )


def _day(text: str) -> date:
    return datetime.strptime(text[:8], "%Y%m%d").date()  # noqa: DTZ007 -- a day has no zone


def _layer(product: Path, name: str) -> np.ndarray:
    with rasterio.open(product / f"{product.name}_{name}_clip.tif") as raster:
        return raster.read(1)


def _baseline(product: Path) -> float:
    lines = (product / f"{product.name}.txt").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("Baseline:")).split(":")[1])
