"""Small NISAR GCOV files in the product's layout, and what h5py alone reads of one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from infra.grid import Grid, Window

SAMPLE = (Path(__file__).parents[1] / "../shared/data/nisar-gcov-sample").resolve()
BASE = Grid(crs="EPSG:32645", left=200_000.0, top=3_150_000.0, dx=20.0, dy=20.0, height=48, width=40)
START = datetime(2026, 6, 22, 23, 47, 39, tzinfo=UTC)
GRIDS = "science/LSAR/GCOV/grids"
IDENTIFICATION = "science/LSAR/identification"
PARAMETERS = "science/LSAR/GCOV/metadata/processingInformation/parameters"
CHUNK = 16


def gcov_name(
    *, cycle: int = 6, track: int = 26, frame: int = 16, mode: str = "2005", pols: str = "DHDH", start: datetime = START,
    crid: str = "P05023", processing: str = "PR", accuracy: str = "N", coverage: str = "F", counter: int = 1,
) -> str:  # fmt: skip  # a row of fields, as in the name itself
    times = f"{start:%Y%m%dT%H%M%S}_{start + timedelta(seconds=35):%Y%m%dT%H%M%S}"
    where = f"{cycle:03d}_{track:03d}_A_{frame:03d}_{mode}_{pols}_A"
    return f"NISAR_L2_{processing}_GCOV_{where}_{times}_{crid}_{accuracy}_{coverage}_J_{counter:03d}.h5"


def write_gcov(
    folder: Path,
    *,
    day: int = 0,
    grid: Grid = BASE,
    terms: Mapping[str, Any] | None = None,
    mask: Any = 1,
    doi: str | None = None,
    **name: Any,
) -> Path:
    """A frame: `terms` are the arrays (or one number for all pixels) of frequency A; B is A's mean in 4 x 4 pixels.

    `day` moves start, cycle and absolute orbit on; the rest is said by the name's fields.
    """
    start = name.pop("start", START + timedelta(days=day))
    fields = {"cycle": 6 + day // 12, **name, "start": start}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / gcov_name(**fields)
    with h5py.File(path, "w", fs_strategy="page", fs_page_size=4096, libver=("earliest", "v110")) as file:
        identify(file, start=start, track=fields.get("track", 26), frame=fields.get("frame", 16), doi=doi)
        given = {"HHHH": 0.1, "HVHV": 0.02} if terms is None else terms
        layers = {
            **given,
            "mask": np.broadcast_to(np.asarray(mask, "u1"), grid.shape),
            "rtcGammaToSigmaFactor": np.linspace(0.5, 1.0, grid.pixels, dtype="f4").reshape(grid.shape),
        }
        add_frequency(file, "A", grid, layers)
        coarse = Grid(**{**grid.to_json(), "dx": 4 * grid.dx, "dy": 4 * grid.dy, "height": grid.height // 4, "width": grid.width // 4})  # fmt: skip
        add_frequency(file, "B", coarse, {term: _coarser(value, grid) for term, value in layers.items()})
    return path


def identify(file: h5py.File, *, start: datetime, track: int, frame: int, doi: str | None) -> None:
    said: dict[str, Any] = {
        "productType": b"GCOV",
        "platformName": b"NISAR",
        "absoluteOrbitNumber": np.uint32(2038 + (start - START).days * 173 // 12),
        "trackNumber": np.uint32(track),
        "frameNumber": np.uint16(frame),
        "orbitPassDirection": b"Ascending",
        "lookDirection": b"Left",
        "zeroDopplerStartTime": f"{start:%Y-%m-%dT%H:%M:%S}.250000000".encode(),
    }
    if doi:
        said["productDoi"] = doi.encode()
    for key, value in said.items():
        file[f"{IDENTIFICATION}/{key}"] = np.bytes_(value) if isinstance(value, bytes) else value
    file[f"{PARAMETERS}/rtc/outputBackscatterNormalizationConvention"] = np.bytes_(b"gamma0")


def add_frequency(file: h5py.File, frequency: str, grid: Grid, layers: Mapping[str, Any]) -> None:
    group = file.create_group(f"{GRIDS}/frequency{frequency}")
    for axis, values, spacing in (("y", grid.y, -grid.dy), ("x", grid.x, grid.dx)):
        group[f"{axis}Coordinates"] = values
        group[f"{axis}Coordinates"].make_scale(f"{axis}Coordinates")
        group[f"{axis}CoordinateSpacing"] = spacing
    group["projection"] = np.uint32(grid.crs.removeprefix("EPSG:"))
    group["projection"].attrs["epsg_code"] = int(grid.crs.removeprefix("EPSG:"))
    for name, value in layers.items():
        given = np.asarray(value)
        dtype = given.dtype if given.dtype.kind in "uc" else np.dtype("f4")
        array = group.create_dataset(
            name, data=np.broadcast_to(given, grid.shape).astype(dtype), chunks=tuple(min(CHUNK, n) for n in grid.shape), shuffle=True,
            compression="gzip", compression_opts=1, fillvalue=dtype.type(255 if name == "mask" else np.nan),
        )  # fmt: skip
        array.dims[0].attach_scale(group["yCoordinates"])
        array.dims[1].attach_scale(group["xCoordinates"])


@contextmanager
def edited(path: Path) -> Iterator[h5py.File]:
    """The file, open for changes."""
    with h5py.File(path, "r+") as file:
        yield file


def copied(source: Path, folder: Path, *, name: str | None = None) -> Path:
    """Copy that may be written to."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or source.name)
    shutil.copyfile(source, path)
    return path


def cut_rows(source: Path, folder: Path, rows: slice, *, frame: int) -> Path:
    """Frame of its own, of some rows of another one's frequency A: start 5 s later per frame number, the same pass."""
    with h5py.File(source) as file:
        group = file[f"{GRIDS}/frequencyA"]
        grid = grid_of(source)
        window = Window(rows.start, 0, rows.stop - rows.start, grid.width)
        terms = {term: group[term][rows] for term in ("HHHH", "HVHV")}
        return write_gcov(
            folder, grid=grid.crop(window), terms=terms, mask=group["mask"][rows], frame=frame,
            start=START + timedelta(seconds=5 * (frame - 16)),
        )  # fmt: skip


def grid_of(path: Path, frequency: str = "A") -> Grid:
    """Grid of a file, by h5py and plain arithmetic; coordinates are pixel centres."""
    with h5py.File(path) as file:
        group = file[f"{GRIDS}/frequency{frequency}"]
        x, y = group["xCoordinates"][()], group["yCoordinates"][()]
        dx, dy = float(x[1] - x[0]), float(y[0] - y[1])
        return Grid(
            crs=f"EPSG:{group['projection'][()]}", left=x[0] - dx / 2, top=y[0] + dy / 2, dx=dx, dy=dy,
            height=y.size, width=x.size,
        )  # fmt: skip


def layer(path: Path, name: str, frequency: str = "A") -> np.ndarray:
    """A raster of a file, by h5py alone."""
    with h5py.File(path) as file:
        return np.asarray(file[f"{GRIDS}/frequency{frequency}/{name}"][()])


def power(path: Path, term: str = "HHHH", frequency: str = "A") -> np.ndarray:
    """What the stack should hold of a file: the term where the mask is neither 0 nor 255, else NaN."""
    return np.where(np.isin(layer(path, "mask", frequency), (0, 255)), np.nan, layer(path, term, frequency))


def on_grid(values: np.ndarray, grid: Grid, target: Grid) -> np.ndarray:
    """Values placed on another grid of the lattice by their coordinates, NaN elsewhere."""
    out = np.full(target.shape, np.nan, dtype=np.float32)
    rows = np.rint((target.top - grid.y) / target.dy - 0.5).astype(int)
    cols = np.rint((grid.x - target.left) / target.dx - 0.5).astype(int)
    r, c = (rows >= 0) & (rows < target.height), (cols >= 0) & (cols < target.width)
    out[np.ix_(rows[r], cols[c])] = values[np.ix_(r, c)]
    return out


def _coarser(value: Any, grid: Grid) -> Any:
    full = np.broadcast_to(np.asarray(value), grid.shape)
    if full.dtype == np.uint8:
        return full[::4, ::4][: grid.height // 4, : grid.width // 4]
    whole = full[: grid.height // 4 * 4, : grid.width // 4 * 4]
    return whole.reshape(grid.height // 4, 4, grid.width // 4, 4).mean(axis=(1, 3))
