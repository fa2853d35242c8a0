"""Bands of GeoTIFFs: what their headers say, and files open for any number of threads."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gee.local.bands.pixel_types import named
from gee.local.catalogue.reading import native_pixels
from gee.local.errors import EarthEngineError
from gee.local.grids.reprojection import canonical
from gee.local.pixels import Band
from gee.local.values import PixelType, Projection

IDLE = 64  # files kept open for the next reader
CACHE_BYTES = 256 * 2**20  # of GDAL's blocks, for the whole process; rasterio wants bytes
TYPES = {
    "uint8": "uint8",
    "int8": "int8",
    "uint16": "uint16",
    "int16": "int16",
    "uint32": "uint32",
    "int32": "int32",
    "int64": "int64",
    "float32": "float",
    "float64": "double",
}


@dataclass(frozen=True, kw_only=True)
class StoredBand:
    """One band of a file.

    Attributes
    ----------
    file_band : counted from 1
    size : width, height
    no_data : value of pixels without data; NaN is always none
    masked : whether the file has a mask of its own
    """

    name: str
    path: Path
    file_band: int
    type: PixelType
    projection: Projection
    size: tuple[int, int]
    no_data: float | None = None
    masked: bool = False

    def band(self, files: OpenFiles) -> Band:
        """Band that reads the file."""
        return Band(
            self.name,
            self.type,
            lambda grid: native_pixels(files, self, grid),
            projection=self.projection,
            size=self.size,
        )


class OpenFiles:
    """Files open for reading: each dataset serves one thread at a time, and waits for the next."""

    def __init__(self, idle: int = IDLE) -> None:
        self._limit, self._lock = idle, threading.Lock()
        self._idle: list[tuple[tuple[Path, int], Any]] = []

    @contextmanager
    def dataset(self, path: Path) -> Iterator[Any]:
        """An open dataset for the block.

        Raises
        ------
        EarthEngineError
            If the file is gone or cannot be read.
        """
        import rasterio
        from rasterio.errors import RasterioError

        try:
            key = path, path.stat().st_mtime_ns
            dataset = self._take(key)
            if dataset is None:
                dataset = rasterio.open(path)
            with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
                yield dataset
        except (OSError, RasterioError) as error:
            raise EarthEngineError(f"The file {path.name} of an asset cannot be read: {error}") from error
        self._give(key, dataset)

    def _take(self, key: tuple[Path, int]) -> Any:
        with self._lock:
            for at, (held, dataset) in enumerate(self._idle):
                if held == key:
                    del self._idle[at]
                    return dataset
        return None

    def _give(self, key: tuple[Path, int], dataset: Any) -> None:
        with self._lock:
            self._idle.append((key, dataset))
            old = self._idle.pop(0)[1] if len(self._idle) > self._limit else None
        if old is not None:
            old.close()

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, dataset in idle:
            dataset.close()


def read_header(path: Path) -> tuple[StoredBand, ...]:
    """Bands of a GeoTIFF, named by their descriptions, else by number: b1, b2.

    Raises
    ------
    EarthEngineError
        If it is not a raster with a CRS and a transform, or of numbers that Earth Engine does not have.
    """
    import rasterio
    from rasterio.enums import MaskFlags
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # refused below
            file = rasterio.open(path)
        with file:
            if file.crs is None or file.transform.is_identity:
                raise EarthEngineError(f"{path.name} has no coordinate system: only georeferenced rasters are assets.")
            crs = file.crs.to_string()
            projection = Projection(
                canonical(crs if crs.startswith("EPSG:") else file.crs.to_wkt()), file.transform[:6]
            )
            return tuple(
                StoredBand(
                    name=file.descriptions[at] or f"b{at + 1}",
                    path=path,
                    file_band=at + 1,
                    type=_type(path, file.dtypes[at]),
                    projection=projection,
                    size=(file.width, file.height),
                    no_data=file.nodatavals[at],
                    masked=MaskFlags.per_dataset in file.mask_flag_enums[at],
                )
                for at in range(file.count)
            )
    except (OSError, RasterioError) as error:
        raise EarthEngineError(f"{path} cannot be read as a raster: {error}") from error


def _type(path: Path, dtype: str) -> PixelType:
    if dtype not in TYPES:
        raise EarthEngineError(f"{path.name} holds {dtype} numbers, which have no pixel type.")
    return named(TYPES[dtype])
