"""Unwrapped interferograms with known truth, in the form of HyP3's InSAR products: for tests, for trying a job.

They lie where no ground is (the Gulf of Guinea, of whose sea floor nothing is known to move), on the last relative
orbit, in orbits that Sentinel-1A had flown years before their dates, and carry a TIFF tag `SIMULATED`: nobody can take
them for data. A later call with more dates adds products and leaves those that are there.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dask_jobs.insar_truth import EARTH_RADIUS, HEADING, SPACECRAFT_HEIGHT, STRIP, Effects, Ground
from infra.errors import InputError
from infra.grid import Grid, Window

FIRST = datetime(2022, 1, 5, 18, 5, tzinfo=UTC)
INTERVAL_DAYS = 12
ORBITS = 175  # from one date to the next; the relative orbit is the last of them
PIXEL = 80.0  # metres
BLOCK = 256  # pixels, as in HyP3's files
SIMULATED = "yes: an invented landscape that moves as truth.json says; no satellite has seen this"
GEOMETRY = ("dem", "lv_theta", "lv_phi", "water_mask")
FORMS: dict[str, tuple[str, float | None]] = {  # dtype and no-data of the files
    "unw_phase": ("float32", 0),
    "corr": ("float32", 0),
    "conncomp": ("uint8", None),
    "dem": ("float32", None),
    "lv_theta": ("float32", 0),
    "lv_phi": ("float32", 0),
    "water_mask": ("uint8", None),
}

README = """These interferograms are SIMULATED. No satellite has seen them.

They follow the naming and layout of HyP3's InSAR products so that every reader takes them: unwrapped phase in radians
(0 is no data; positive: away from the satellite), coherence, height, look vector, water mask (1 land, 0 water).
The orbits are not those of their dates, and the place is open sea.
What is true about them follows from seed, size, effects and dates in truth.json.
"""

Simulated = Literal["gamma", "isce-burst"]


@dataclass(frozen=True, kw_only=True, eq=False)
class InsarTruth(Ground):
    """What is true about simulated products, and where they are.

    Attributes
    ----------
    folder : where the products are, a folder each
    processor : of HyP3, whose names and files they have
    """

    folder: Path
    processor: Simulated = "gamma"

    @property
    def layers(self) -> tuple[str, ...]:
        """Endings of a product's rasters, without the geometry."""
        return ("unw_phase", "corr") if self.processor == "gamma" else ("unw_phase", "corr", "conncomp")

    def product(self, pair: tuple[int, int]) -> str:
        """Name of the product of one pair."""
        first, second = (self.times[date] for date in pair)
        if self.processor == "isce-burst":
            return f"S1_000001_IW1_{first:%Y%m%d}_{second:%Y%m%d}_VV_INT80_{self._digits(*pair)}"
        days = (second - first).days
        return f"S1AA_{first:%Y%m%dT%H%M%S}_{second:%Y%m%dT%H%M%S}_VVP{days:03d}_INT80_G_ueF_{self._digits(*pair)}"

    def path(self, pair: tuple[int, int], *, layer: str) -> Path:
        """File of one pair: "unw_phase", "corr", "conncomp", "dem", "lv_theta", "lv_phi" or "water_mask"."""
        name = self.product(pair)
        return self.folder / name / f"{name}_{layer}.tif"

    def to_json(self) -> dict[str, Any]:
        """Plain values, as in `truth.json`."""
        return {
            "simulated": True,
            "seed": self.seed,
            "processor": self.processor,
            "effects": asdict(self.effects),
            "grid": self.grid.to_json(),
            "reference": list(self.reference),
            "dates": [time.isoformat() for time in self.times],
            "perpendicular_baseline": self.perpendicular_baseline.tolist(),
            "pairs": {self.product(pair): list(pair) for pair in self.pairs},
        }

    def granule(self, date: int) -> str:
        """Name of what one date's radar image would be."""
        time = self.times[date]
        if self.processor == "isce-burst":
            return f"S1_000001_IW1_{time:%Y%m%dT%H%M%S}_VV_{self._digits(date)}-BURST"
        start, stop = time - timedelta(seconds=12), time + timedelta(seconds=15)
        span = f"{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}"
        return f"S1A_IW_SLC__1SDV_{span}_{orbit(date):06d}_000000_{self._digits(date)}"

    def _digits(self, *numbers: int) -> str:
        """Four hexadecimal digits, which HyP3 draws at random."""
        return f"{zlib.crc32(repr((self.seed, numbers)).encode()) & 0xFFFF:04X}"


def simulate_insar(
    folder: Path,
    *,
    dates: int = 30,
    size: int | tuple[int, int] = 120,
    connections: int = 3,
    more_pairs: Sequence[tuple[int, int]] = (),
    seed: int = 0,
    processor: Simulated = "gamma",
    effects: Effects | None = None,
) -> InsarTruth:
    """Truth of the products that it writes: a pair of every date with each of the dates just before it.

    Products that are in the folder already stay as they are. Every pair is written strip by strip; the geometry's files
    of all products are one file where the disk can link.

    Parameters
    ----------
    folder : made if absent; a name that begins with `simulated-` says at once what is in it
    dates : every 12 days from 2022-01-05
    size : height and width, pixels of 80 m (UTM 31N); at least 32
    connections : pairs of each date with dates before it
    more_pairs : indices of reference and secondary date, as (0, 30) for a year
    seed : of everything random; equal seeds give equal pixels with one version of NumPy
    processor : whose names and files the products have
    effects : all of them where absent

    Raises
    ------
    InputError
        If a number is too small, a pair has no dates, or the folder holds products of another kind.
    """
    truth = insar_truth(
        Path(folder),
        dates=dates,
        size=size,
        connections=connections,
        more_pairs=more_pairs,
        seed=seed,
        processor=processor,
        effects=effects,
    )
    truth.folder.mkdir(parents=True, exist_ok=True)
    _check_same(truth)
    _write_text(truth.folder / "README.txt", README)
    _write_text(truth.folder / "truth.json", json.dumps(truth.to_json(), indent=1) + "\n")
    for pair in truth.pairs:
        write_product(truth, pair)
    return truth


def insar_truth(
    folder: Path,
    *,
    dates: int,
    size: int | tuple[int, int],
    connections: int,
    more_pairs: Sequence[tuple[int, int]] = (),
    seed: int = 0,
    processor: Simulated = "gamma",
    effects: Effects | None = None,
) -> InsarTruth:
    """What `simulate_insar` would write, without writing it: one product alone can be written by `write_product`."""
    height, width = (size, size) if isinstance(size, int) else size
    if dates < 2 or connections < 1 or seed < 0 or min(height, width) < 32:
        raise InputError(
            f"{dates} dates of {height} x {width} pixels with {connections} connections from seed {seed} cannot be "
            "simulated",
            "Give at least 2 dates, 32 x 32 pixels and 1 connection, and a seed from 0 on.",
        )
    strange = [pair for pair in more_pairs if not 0 <= pair[0] < pair[1] < dates]
    if strange:
        raise InputError(
            f"pair {strange[0]} is not of two of the {dates} dates",
            f"Give the earlier date first, from 0 to {dates - 1}.",
        )
    near = {(first, second) for second in range(dates) for first in range(max(0, second - connections), second)}
    return InsarTruth(
        folder=folder,
        processor=processor,
        grid=Grid(crs="EPSG:32631", left=180_000.0, top=400_000.0, dx=PIXEL, dy=PIXEL, height=height, width=width),
        times=tuple(FIRST + timedelta(days=INTERVAL_DAYS * number) for number in range(dates)),
        pairs=tuple(sorted(near | {(first, second) for first, second in more_pairs})),
        seed=seed,
        effects=effects or Effects(),
    )


def write_product(truth: InsarTruth, pair: tuple[int, int]) -> Path:
    """Folder of one pair's product, which is there only when it is whole; left alone where it is there."""
    place = truth.folder / truth.product(pair)
    if place.is_dir():
        return place
    part = place.with_name(f".{place.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _write_text(part / f"{place.name}.txt", _metadata(truth, pair))
    _write_layers(truth, pair, part)
    for layer in GEOMETRY:
        _link_or_write(truth, pair, layer, part)
    part.rename(place)
    return place


def orbit(date: int) -> int:
    """Absolute orbit of a date, all of relative orbit 175: (number - 73) mod 175 + 1 for Sentinel-1A."""
    return 72 + ORBITS * (date + 1)


def _check_same(truth: InsarTruth) -> None:
    path, own = truth.folder / "truth.json", truth.to_json()
    stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for name in ("seed", "processor", "effects", "grid"):
        if stored and stored.get(name) != own[name]:
            raise InputError(
                f"{truth.folder} holds products with {name} {stored.get(name)}, not {own[name]}",
                "Take another folder, or remove this one.",
            )


def _write_text(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _write_layers(truth: InsarTruth, pair: tuple[int, int], place: Path) -> None:
    name = truth.product(pair)
    files = [_create(truth, place / f"{name}_{layer}.tif", layer) for layer in truth.layers]
    try:
        for window in _strips(truth.grid):
            phase, coherence = truth.observed(pair, window)
            layers = (phase, coherence, _components(truth, phase, window))
            for file, pixels in zip(files, layers, strict=False):
                _write_strip(file, pixels, window)
    finally:
        for file in files:
            file.close()


def _components(truth: InsarTruth, phase: np.ndarray, window: Window) -> np.ndarray:
    """Labels of connected components, uint8: 2 where unwrapping may be wrong, 1 elsewhere, 0 on water and no data."""
    labels = np.where(truth.mistaken(window), 2, 1).astype(np.uint8)
    labels[(phase == 0) | truth.water(window)] = 0
    return labels


def _link_or_write(truth: InsarTruth, pair: tuple[int, int], layer: str, place: Path) -> None:
    target = place / f"{truth.product(pair)}_{layer}.tif"
    others = (truth.path(other, layer=layer) for other in truth.pairs if other != pair)
    there = next((path for path in others if path.is_file()), None)
    if there:
        try:
            os.link(there, target)
        except OSError:  # a file system without links
            shutil.copyfile(there, target)
        return
    with _create(truth, target, layer) as file:
        for window in _strips(truth.grid):
            _write_strip(file, _geometry(truth, layer, window), window)


def _geometry(truth: InsarTruth, layer: str, window: Window) -> np.ndarray:
    """Pixels of a file of the geometry; look vectors point from the ground to the satellite.

    `lv_theta` is its angle above the horizon, `lv_phi` its direction, anticlockwise from east, both radians. The height
    is that of the elevation model.
    """
    if layer == "dem":
        return np.asarray(truth.height(window) - truth.dem_error(window))
    if layer == "water_mask":
        return np.asarray(~truth.water(window))
    toward = np.deg2rad(180 - HEADING)  # the radar looks to the right
    turned = (toward + np.pi) % (2 * np.pi) - np.pi
    angle = np.pi / 2 - truth.incidence(window) if layer == "lv_theta" else turned
    return np.where(truth.outside(window), 0, angle)


def _strips(grid: Grid) -> Iterator[Window]:
    for row in range(0, grid.height, STRIP):
        yield Window(row, 0, min(STRIP, grid.height - row), grid.width)


def _create(truth: InsarTruth, path: Path, layer: str) -> Any:
    """Open GeoTIFF to write into, as HyP3 lays them out."""
    import rasterio

    dtype, nodata = FORMS[layer]
    file = rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype=dtype,
        nodata=nodata,
        count=1,
        height=truth.grid.height,
        width=truth.grid.width,
        crs=truth.grid.crs,
        transform=truth.grid.affine,
        tiled=True,
        blockxsize=BLOCK,
        blockysize=BLOCK,
        compress="lzw",
    )
    file.update_tags(AREA_OR_POINT="Point", SIMULATED=SIMULATED, SEED=str(truth.seed))
    return file


def _write_strip(file: Any, pixels: np.ndarray, window: Window) -> None:
    import rasterio

    place = rasterio.windows.Window(window.col, window.row, window.width, window.height)
    file.write(pixels.astype(file.dtypes[0]), 1, window=place)


def _metadata(truth: InsarTruth, pair: tuple[int, int]) -> str:
    """Text file of a product: names and values of HyP3."""
    first, second = pair
    time, gamma = truth.times[first], truth.processor == "gamma"
    near, far = (float(truth.slant_range(Window(0, col, 1, 1))[0, 0]) for col in (0, truth.grid.width - 1))
    yes, no = ("yes", "no") if gamma else ("True", "False")
    row, col = truth.reference
    lines: dict[str, object] = {
        "Reference Granule": truth.granule(first),
        "Secondary Granule": truth.granule(second),
        "Reference Pass Direction": "ASCENDING",
        "Reference Orbit Number": orbit(first),
        "Secondary Pass Direction": "ASCENDING",
        "Secondary Orbit Number": orbit(second),
        "Baseline": f"{truth.perpendicular_baseline[second] - truth.perpendicular_baseline[first]:.4f}",
        "UTC time": f"{time.hour * 3600 + time.minute * 60 + time.second:.6f}",
        "Heading": f"{HEADING:.6f}",
        "Spacecraft height": SPACECRAFT_HEIGHT,
        "Earth radius at nadir": EARTH_RADIUS,
        "Slant range near": f"{near:.4f}",
        "Slant range center": f"{(near + far) / 2:.4f}",
        "Slant range far": f"{far:.4f}",
        "Range looks": 20,
        "Azimuth looks": 4,
        "INSAR phase filter": no,
        "Phase filter parameter": 0.0,
        "Range bandpass filter": no,
        "Azimuth bandpass filter": no,
        "DEM source": "SIMULATED",
        "DEM resolution (m)": 160,
        "Unwrapping type": "mcf" if gamma else "snaphu_mcf",
        "Speckle filter": no,
    }
    if gamma:
        lines |= {
            "Resolution of output (m)": PIXEL,
            "Phase at the reference point": 0.0,
            "Y coordinate of the reference point in the map projection": truth.grid.y[row],
            "X coordinate of the reference point in the map projection": truth.grid.x[col],
        }
    else:
        lines |= {"Water mask": no}
    return "".join(f"{name}: {value}\n" for name, value in (lines | {"Simulated": yes}).items())
