"""HDF5 files as MintPy lays them out, written strip by strip: a whole stack is never in memory.

Equal content gives equal bytes: neither time nor path stands in a file, unless a time of modification is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from dask_jobs.mintpy.kinds import Dataset, FileKind
from dask_jobs.sbas.pairs import Pairs
from infra.grid import Window

STRIP_BYTES = 64 * 2**20  # in memory at once, times a copy
CHUNK_ROWS, CHUNK_COLS, CHUNK_LAYERS = 64, 128, 4  # 128 kB: a pixel's series and a date's map both read few of them
Read = Callable[[Window], np.ndarray]


def write_timeseries(
    path: Path,
    *,
    kind: FileKind,
    attributes: Mapping[str, str],
    dates: Sequence[date],
    baselines: np.ndarray,
    read: Read,
) -> None:
    """Write a time series of displacement.

    Parameters
    ----------
    path : local file to be made; one that is there is replaced
    kind : from `file_kind`
    attributes : from `file_attributes`; LENGTH and WIDTH are the size
    baselines : perpendicular baseline of each date, dims (time,), m
    read : displacement in a window of whole rows, dims (time, y, x), m, positive toward the satellite; NaN is no data
        (0 in the file); called once per window, from the top

    Raises
    ------
    ValueError
        If `read` gives another shape than the window's.
    """
    height, width = _shape(attributes)
    count = len(dates)
    with _made(path, attributes) as file:
        file.create_dataset("date", data=np.array([f"{day:%Y%m%d}" for day in dates], dtype="S8"))
        file.create_dataset("bperp", data=np.asarray(baselines, dtype=np.float32))
        windows = list(strips(height, width, pixel_bytes=4 * count))
        chunks = (min(count, CHUNK_LAYERS), *_chunk(windows[0]))
        layout = kind.dataset("timeseries")
        stored = _create(file, "timeseries", layout=layout, shape=(count, height, width), chunks=chunks)
        for window in windows:
            values = _checked(read(window), (count, window.height, window.width), layout=layout)
            stored[:, window.row : window.row + window.height] = values


def write_raster_file(path: Path, *, kind: FileKind, attributes: Mapping[str, str], read: Mapping[str, Read]) -> None:
    """Write a file of single rasters: velocity, coherence, masks, DEM error, geometry.

    Parameters
    ----------
    path, kind, attributes : as in `write_timeseries`
    read : for each dataset, its values in a window of whole rows, dims (y, x); NaN is no data. Files of geometry and of
        counts keep it, in all others it is 0

    Raises
    ------
    InputError
        If files of this kind have no dataset of that name.
    ValueError
        If `read` gives another shape than the window's.
    """
    height, width = _shape(attributes)
    layouts = {name: kind.dataset(name) for name in read}
    windows = list(strips(height, width, pixel_bytes=8))
    with _made(path, attributes) as file:
        for name, layout in layouts.items():
            stored = _create(file, name, layout=layout, shape=(height, width), chunks=_chunk(windows[0]))
            for window in windows:
                values = _checked(read[name](window), (window.height, window.width), layout=layout)
                stored[window.row : window.row + window.height] = values


def write_pairs(
    path: Path,
    *,
    kind: FileKind,
    attributes: Mapping[str, str],
    pairs: Pairs,
    read: Mapping[str, Callable[[int, Window], np.ndarray]],
    keep: np.ndarray | None = None,
    modified: datetime | None = None,
) -> None:
    """Write a stack of interferograms, one after the other.

    Parameters
    ----------
    path, kind, attributes : as in `write_timeseries`
    read : for each dataset ("unwrapPhase" in radians, "coherence", "connectComponent"), the values of a pair, by its
        number, in a window of whole rows, dims (y, x); not finite is no data (0 in the file)
    keep : whether the network keeps each pair, dims (pair,); None keeps all. The file calls it dropIfgram
    modified : time of change, by which MintPy decides what of its own to make anew; None leaves it out

    Raises
    ------
    InputError
        If a stack has no dataset of that name.
    ValueError
        If `read` gives another shape than the window's.
    """
    height, width = _shape(attributes)
    count = len(pairs)
    days = [[f"{day:%Y%m%d}" for day in pair] for pair in zip(pairs.reference, pairs.secondary, strict=True)]
    layouts = {name: kind.dataset(name) for name in read}
    windows = list(strips(height, width, pixel_bytes=8))
    with _made(path, attributes) as file:
        # everything grows along the pairs: that is how MintPy appends
        file.create_dataset("date", data=np.array(days, dtype="S8"), maxshape=(None, 2))
        file.create_dataset("bperp", data=np.asarray(pairs.perpendicular_baseline, np.float32), maxshape=(None,))
        kept = np.ones(count, dtype=bool) if keep is None else np.asarray(keep, dtype=bool)
        file.create_dataset("dropIfgram", data=kept, maxshape=(None,))  # True is kept, whatever the name says
        for name, layout in layouts.items():
            stored = _create(file, name, layout=layout, shape=(count, height, width), chunks=(1, *_chunk(windows[0])))
            if modified is not None:
                stored.attrs["MODIFICATION_TIME"] = str(modified.timestamp())
            for pair in range(count):
                for window in windows:
                    values = _checked(read[name](pair, window), (window.height, window.width), layout=layout)
                    stored[pair, window.row : window.row + window.height] = values


def strips(height: int, width: int, *, pixel_bytes: int) -> Iterator[Window]:
    """Windows of whole rows from the top, of about `STRIP_BYTES`; `pixel_bytes` is what a pixel takes in all its layers."""
    rows = max(1, min(height, STRIP_BYTES // (width * pixel_bytes)))
    if rows > CHUNK_ROWS:
        rows -= rows % CHUNK_ROWS  # so that every chunk is written once
    for row in range(0, height, rows):
        yield Window(row, 0, min(rows, height - row), width)


@contextmanager
def _made(path: Path, attributes: Mapping[str, str]) -> Iterator[Any]:
    import h5py

    with h5py.File(path, "w") as file:
        for name in sorted(attributes):
            file.attrs[name] = attributes[name]
        yield file


def _create(file: Any, name: str, *, layout: Dataset, shape: tuple[int, ...], chunks: tuple[int, ...]) -> Any:
    more: dict[str, Any] = {"compression": "lzf"} if layout.packed else {}
    if len(shape) > 2 or layout.packed:  # else one piece: a strip of rows is one run of bytes
        more["chunks"] = chunks
    if layout.grows:
        more["maxshape"] = (None, *shape[1:])
    stored = file.create_dataset(name, shape=shape, dtype=layout.dtype, track_times=False, **more)
    if layout.unit is not None:
        stored.attrs["UNIT"] = layout.unit
    return stored


def _checked(values: np.ndarray, shape: tuple[int, ...], *, layout: Dataset) -> np.ndarray:
    """Values as the file stores them; h5py would stretch a wrong shape over the window without a word."""
    if values.shape != shape:
        raise ValueError(f"values of shape {values.shape} were read for a window of shape {shape}")
    if layout.no_data == "nan" or values.dtype.kind != "f":
        return values.astype(layout.dtype, copy=False)
    lost = ~np.isfinite(values)
    made = values.astype(layout.dtype)
    made[lost] = 0
    return made


def _shape(attributes: Mapping[str, str]) -> tuple[int, int]:
    return int(attributes["LENGTH"]), int(attributes["WIDTH"])


def _chunk(window: Window) -> tuple[int, int]:
    return min(window.height, CHUNK_ROWS), min(window.width, CHUNK_COLS)
