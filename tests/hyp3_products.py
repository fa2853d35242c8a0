"""HyP3 RTC products as ASF names them, made from known power, in folders or zips."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from geotiffs import write_tif

SHAPE = (24, 20)
GRANULE = "S1{p}_IW_GRDH_1SDV_{start}_{start}_{orbit:06d}_0189AB_1C2D"


@dataclass(frozen=True, kw_only=True)
class Product:
    """One product: the letters of its name, and where it lies on the common lattice (pixels)."""

    start: str = "20240105T015912"
    platform: str = "S1A"
    mode: str = "IW"
    kind: str = "DV"
    orbit: str = "P"
    spacing: int = 30
    letters: str = "gpuned"
    id: str = "9C40"
    row: int = 0
    col: int = 0
    absolute_orbit: int | None = None
    processed: str | None = None

    @property
    def name(self) -> str:
        return f"{self.platform}_{self.mode}_{self.start}_{self.kind}{self.orbit}_RTC{self.spacing}_G_{self.letters}_{self.id}"

    @property
    def bands(self) -> tuple[str, ...]:
        return {"SV": ("VV",), "SH": ("HH",), "DV": ("VV", "VH"), "DH": ("HH", "HV")}[self.kind]

    def power(self, band: str) -> np.ndarray:
        """Truth: linear power, float64, NaN along one side; of an acquisition, not of a product."""
        seed = [int(self.start.replace("T", "")), sum(map(ord, band))]
        values = np.random.default_rng(seed).gamma(4.0, 0.025, SHAPE)
        values[:, :3] = np.nan
        return values

    def stored(self, band: str) -> np.ndarray:
        """What the file holds, float32: in the scale of the name, 0 (in dB NaN) for no data."""
        power = self.power(band)
        if self.letters[1] == "d":
            return (10 * np.log10(power)).astype("float32")
        return np.nan_to_num(np.sqrt(power) if self.letters[1] == "a" else power).astype("float32")

    def ls_map(self) -> np.ndarray:
        """Every value from 0 to 31, and then tested ground."""
        values = np.ones(SHAPE, "uint8")
        values.flat[:32] = np.arange(32)
        return np.roll(values, 5, axis=1)

    def but(self, **changes: Any) -> Product:
        return replace(self, **changes)


def write(product: Product, folder: Path, **more: Any) -> Path:
    """The product's folder in `folder`; `more` goes to the backscatter's `write_tif`."""
    place = folder / product.name
    at = {"row": product.row, "col": product.col}
    for band in product.bands:
        write_tif(place / f"{product.name}_{band}.tif", product.stored(band), **at, **more)
    write_tif(place / f"{product.name}_ls_map.tif", product.ls_map(), **at)
    for layer in ("dem", "inc_map", "area"):
        write_tif(place / f"{product.name}_{layer}.tif", np.ones(SHAPE, "float32"), **at)
    write_tif(place / f"{product.name}_rgb.tif", np.ones((3, *SHAPE), "uint8"), **at)
    if product.absolute_orbit is not None or product.processed:
        granule = GRANULE.format(p=product.platform[2], start=product.start, orbit=product.absolute_orbit or 0)
        text = f"ASF RTC Data Package (GAMMA)\n\nProcessing Date/Time: {product.processed}\n\nThe source granule is:\n{granule}\n"
        (place / f"{product.name}.README.md.txt").write_text(text)
    return place


def pack(place: Path, *, remove: bool = False, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """NAME.zip beside the folder NAME, as ASF delivers it."""
    path = place.with_name(f"{place.name}.zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(f"{place.name}/", b"")
        for file in sorted(place.iterdir()):
            archive.write(file, f"{place.name}/{file.name}")
    if remove:
        for file in place.iterdir():
            file.unlink()
        place.rmdir()
    return path
