"""HyP3 interferograms as ASF names them, of all three kinds, made from known values, in folders (or, by `pack`, zips)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from affine import Affine
from geotiffs import write_tif
from hyp3_products import pack

__all__ = ["FEW", "LAYERS", "SHAPE", "Product", "pack", "write"]

SHAPE = (16, 12)
LAYERS = ("unw_phase", "corr", "conncomp", "dem", "lv_theta", "lv_phi", "water_mask", "amp")
FEW = ("unw_phase", "corr", "dem", "lv_theta", "lv_phi")  # without which there is no stack
NODATA = {"unw_phase": 0.0, "corr": 0.0, "conncomp": 0.0}
README = "ASF InSAR Data Package\n\nProcessing Date/Time: {processed}\n"


@dataclass(frozen=True, kw_only=True)
class Product:
    """One product: what its name and metadata say, and where it lies on the common lattice (pixels).

    `changed` are lines of the metadata file by key, None for one that is left out; `texts` whether it has that file.
    """

    kind: Literal["INSAR_GAMMA", "INSAR_ISCE_BURST", "INSAR_ISCE_MULTI_BURST"] = "INSAR_GAMMA"
    reference: str = "20200604"
    secondary: str = "20200616"
    time: str = "022312"
    platforms: str = "AA"
    polarization: str = "VV"
    letters: str = "ueF"
    burst: int = 136231
    swath: int = 2
    count: int = 2  # of bursts in the sub-swath, of a multi-burst product
    spacing: int = 80
    looks: tuple[int, int] = (20, 4)
    orbit: int = 32861  # absolute, of the reference: the true one of S1A on 2020-06-04, relative orbit 64
    baseline: float = -66.10716474087386
    heading: float = -167.4428091316586
    id: str = "663F"
    processed: str | None = None
    clip: bool = False
    layers: tuple[str, ...] = FEW
    changed: tuple[tuple[str, str | None], ...] = ()
    texts: bool = True
    row: float = 0
    col: float = 0
    shape: tuple[int, int] = SHAPE

    @property
    def name(self) -> str:
        end = f"{self.polarization}_INT{self.spacing}_{self.id}"
        if self.kind == "INSAR_GAMMA":
            days = (np.datetime64(_iso(self.secondary)) - np.datetime64(_iso(self.reference))).astype(int)
            starts = f"{self.reference}T{self.time}_{self.secondary}T{self.time}"
            kinds = f"{self.polarization}P{abs(days):03d}_INT{self.spacing}_G_{self.letters}_{self.id}"
            return f"S1{self.platforms}_{starts}_{kinds}"
        if self.kind == "INSAR_ISCE_BURST":
            return f"S1_{self.burst:06d}_IW{self.swath}_{self.reference}_{self.secondary}_{end}"
        sets = [(self.burst, self.count) if swath == self.swath else (0, 0) for swath in (1, 2, 3)]
        bursts = "-".join(f"{first:06d}s{swath}n{count:02d}" for swath, (first, count) in enumerate(sets, start=1))
        return f"S1_064_{bursts}_IW_{self.reference}_{self.secondary}_{end}"

    def granule(self, day: str) -> str:
        """Of GAMMA a scene, of bursts one or several names of bursts, each 3 s after the one before."""
        if self.kind == "INSAR_GAMMA":
            start = f"{day}T{self.time}"
            return f"S1{self.platforms[0]}_IW_SLC__1SDV_{start}_{start}_{self.orbit:06d}_0221F3_4F3C"
        count = 1 if self.kind == "INSAR_ISCE_BURST" else self.count
        names = [
            f"S1_{self.burst + n:06d}_IW{self.swath}_{day}T{int(self.time) + 3 * n:06d}_{self.polarization}_7C85-BURST"
            for n in range(count)
        ]
        return ", ".join(reversed(names))

    @property
    def text(self) -> str:
        """The metadata file."""
        lines: dict[str, str | None] = {
            "Reference Granule": self.granule(self.reference),
            "Secondary Granule": self.granule(self.secondary),
            "Reference Pass Direction": "ASCENDING" if abs(self.heading) < 90 else "DESCENDING",
            "Reference Orbit Number": str(self.orbit),
            "Baseline": str(self.baseline),
            "UTC time": str(8592 + 5.625425),
            "Heading": str(self.heading),
            "Spacecraft height": "693000.0",
            "Earth radius at nadir": "6337286.638938101",
            "Slant range near": "845859.2465505999",
            "Slant range far": "905139.6136837607",
            "Range looks": str(self.looks[0]),
            "Azimuth looks": str(self.looks[1]),
            "DEM resolution (m)": "30",
            "Unwrapping type": "mcf" if self.kind == "INSAR_GAMMA" else "snaphu_mcf",
            "Radar sensing stop": "2020-06-04T02:23:18.795712",
            **dict(self.changed),
        }
        return "".join(f"{key}: {value}\n" for key, value in lines.items() if value is not None)

    def values(self, layer: str) -> np.ndarray:
        """Truth of a layer; of a product, so that two of one pair differ."""
        random = np.random.default_rng([int(self.id, 16), sum(map(ord, layer))])
        if layer in {"conncomp", "water_mask"}:
            return random.integers(0, 2, self.shape).astype("uint8")
        return random.uniform(0.1, 0.9, self.shape).astype("float32")

    def but(self, **changes: Any) -> Product:
        return replace(self, **changes)


def write(product: Product, folder: Path, **more: Any) -> Path:
    """The product's folder in `folder`; `more` goes to `write_tif` of each raster."""
    place, end = folder / product.name, "_clip.tif" if product.clip else ".tif"
    place.mkdir(parents=True, exist_ok=True)
    side = product.spacing
    transform = Affine(side, 0, 300_000 + product.col * side, 0, -side, 3_800_000 - product.row * side)
    for layer in product.layers:
        options = {"transform": transform, "nodata": NODATA.get(layer), **more}
        write_tif(place / f"{product.name}_{layer}{end}", product.values(layer), **options)
    if product.texts:
        (place / f"{product.name}.txt").write_text(product.text)
    if product.processed:
        dot = "." if product.kind == "INSAR_GAMMA" else "_"
        (place / f"{product.name}{dot}README.md.txt").write_text(README.format(processed=product.processed))
    return place


def _iso(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"
