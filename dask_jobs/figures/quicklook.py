"""Small pictures and histograms of the dates of a stack, and of its rasters, made by workers in bounded memory.

The pictures are means in linear power over the pixels with data. What is made lies in the work in progress: whoever
goes on after a death finds it there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.figures.bins import Bins, Histogram
from dask_jobs.figures.picture import Averager, Picture
from dask_jobs.stack.store import icechunk_errors
from infra.grid import Grid, Window
from infra.storage import Location, gdal_environment, gdal_path

if TYPE_CHECKING:
    import icechunk

LONGEST = 1000  # pixels of a picture's longer side at most
READ_PIXELS = 2 * 2**20  # in memory at once, times some copies in double precision: 16 MB each
DB: Bins = (-60.0, 40.0, 0.1)  # first and last edge and width of the bins, dB
POWER: Bins = (0.0, 5.0, 0.0005)  # the same, linear power


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the pixels of one date and polarization are: histograms of dB and of linear power."""

    db: Histogram
    power: Histogram

    def to_bytes(self) -> bytes:
        """NumPy's `.npz`; `from_bytes` restores it."""
        stream = io.BytesIO()
        arrays: dict[str, Any] = {}
        for name, one in (("db", self.db), ("power", self.power)):
            arrays[name] = np.concatenate([[one.below], one.counts, [one.above]])
        np.savez_compressed(stream, **arrays)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Look:
        """Look from what `to_bytes` gave."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls(db=_restored(arrays["db"], DB), power=_restored(arrays["power"], POWER))


def _restored(counts: np.ndarray, bins: Bins) -> Histogram:
    return Histogram(start=bins[0], width=bins[2], counts=counts[1:-1], below=int(counts[0]), above=int(counts[-1]))


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Where the pictures of a stack are, and how to make them.

    Attributes
    ----------
    store, session, group : the stack, and one commit of it for reading
    chunk : its chunks along y and x, pixels
    steps : number of its dates
    place : in the work in progress, of exactly this stack
    """

    store: Location
    session: icechunk.Session
    group: str
    grid: Grid
    chunk: int
    steps: int
    place: Location

    def look(self, step: int, polarization: str) -> Look:
        """Histograms of one date; FileNotFoundError before `take_look` made them."""
        return Look.from_bytes(self.place.read(look_name(step, polarization)))

    def picture(self, step: int, polarization: str) -> Picture:
        """Mean power of one date, linear."""
        data = self.place.read(f"picture/{polarization}/{step:06d}.npz")
        return Picture.from_bytes(data, grid=self.grid, longest=LONGEST)


def look_name(step: int, polarization: str) -> str:
    """Marker of a date: its picture is there too."""
    return f"look/{polarization}/{step:06d}.npz"


def take_look(item: tuple[int, str], *, work: Gallery) -> None:
    """On a worker: picture and histograms of one date (number of the time step) and polarization."""
    import zarr

    step, polarization = item
    averager = Averager(work.grid, longest=LONGEST)
    look = Look(db=Histogram.empty(DB), power=Histogram.empty(POWER))
    with icechunk_errors(work.store):
        path = f"{work.group}/{polarization}".strip("/")
        stack = zarr.open_array(work.session.store, path=path, mode="r")
        for window in windows(work.grid, chunk=work.chunk):
            power = np.asarray(stack[(step, *window.slices)])
            averager.add(window, power)
            look = _with(look, power[np.isfinite(power)])
    work.place.write(f"picture/{polarization}/{step:06d}.npz", averager.picture().to_bytes())
    work.place.write(look_name(step, polarization), look.to_bytes())


def _with(look: Look, power: np.ndarray) -> Look:
    """Look with these values; what is not positive has no dB."""
    return Look(db=look.db.of(10 * np.log10(power[power > 0])), power=look.power.of(power))


def merged_looks(polarization: str, *, work: Gallery) -> Look:
    """On a worker: histograms of all dates together."""
    merged = work.look(0, polarization)
    for step in range(1, work.steps):
        one = work.look(step, polarization)
        merged = Look(db=merged.db.plus(one.db), power=merged.power.plus(one.power))
    return merged


def read_raster(where: Location, path: str, *, bins: Bins | None = None) -> tuple[Picture, Histogram | None]:
    """Picture of a GeoTIFF's means, and with `bins` the histogram of all its pixels; never the whole raster in memory.

    Raises
    ------
    InputError
        If the file is not there or cannot be read.
    """
    import rasterio

    from infra.errors import InputError

    try:
        with (
            rasterio.Env(**gdal_environment(where.s3)),
            rasterio.open(gdal_path(where.href(path))) as file,
        ):
            grid = Grid(
                crs=file.crs.to_string(),
                left=file.transform.c,
                top=file.transform.f,
                dx=file.transform.a,
                dy=-file.transform.e,
                height=file.height,
                width=file.width,
            )
            averager = Averager(grid, longest=LONGEST)
            histogram = None if bins is None else Histogram.empty(bins)
            for window in windows(grid, chunk=max(file.block_shapes[0])):
                values = _pixels(file, window)
                averager.add(window, values)
                histogram = histogram.of(values[np.isfinite(values)]) if histogram else None
    except rasterio.errors.RasterioIOError as error:
        raise InputError(f"{where.href(path)} cannot be read: {error}", "Leave the work in progress alone.") from error
    return averager.picture(), histogram


def _pixels(file: Any, window: Window) -> np.ndarray:
    from rasterio.windows import Window as Part

    values = file.read(1, window=Part(window.col, window.row, window.width, window.height)).astype(np.float32)
    if file.nodata is not None and not np.isnan(file.nodata):
        values[values == file.nodata] = np.nan
    return np.asarray(values)


def windows(grid: Grid, *, chunk: int) -> Iterator[Window]:
    """Windows of whole chunks, rows first, of at most `READ_PIXELS` where a chunk is not larger."""
    wide = max(1, READ_PIXELS // (chunk * chunk)) * chunk
    for row in range(0, grid.height, chunk):
        for col in range(0, grid.width, wide):
            yield Window(row, col, min(chunk, grid.height - row), min(wide, grid.width - col))


def stretch_of(looks: Sequence[Look]) -> tuple[float, float] | None:
    """Limits in dB that hold 96 % of all pixels, whole numbers; None without data."""
    merged = looks[0].db
    for look in looks[1:]:
        merged = merged.plus(look.db)
    low, high = merged.percentile(2), merged.percentile(98)
    if low is None or high is None:
        return None
    return float(np.floor(low)), max(float(np.ceil(high)), float(np.floor(low)) + 1.0)
