"""What a GeoTIFF's header says, checked before any pixel is read."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.readers.files import SourceFile, reading_threads
from infra.errors import InputError, SarbatchError, TransientError
from infra.grid import Grid

if TYPE_CHECKING:
    from infra.storage import S3Options

AGAIN = "Download or copy the file again, or take it out of `path`."
HEADER_BYTES = 4 * 2**20  # more than a TIFF's header, tags and block table take
ROTATION = 1e-9  # of a pixel: shear that is rounding, not rotation


@dataclass(frozen=True, kw_only=True)
class RasterHeader:
    """Header of one GeoTIFF.

    Attributes
    ----------
    url : absolute path or s3:// URL
    size : bytes of the file
    grid : north-up pixel grid
    bands : number of bands
    dtype : of the pixels, "float32"
    nodata : declared value that means no data, None where none (or NaN, which always means it) is declared
    tags : metadata of the file
    """

    url: str
    size: int
    grid: Grid
    bands: int
    dtype: str
    nodata: float | None
    tags: Mapping[str, str]


def read_header(url: str, *, s3: S3Options, size: int | None = None) -> RasterHeader:
    """Header of a GeoTIFF; `size` (bytes) is asked of storage where not given.

    Raises
    ------
    InputError
        If the file is missing, no GeoTIFF, truncated, without CRS, rotated or south-up, or its values are complex or scaled.
    CredentialsError, TransientError
        If storage refuses or does not answer.
    """
    known = SourceFile(url, _size(url, s3=s3) if size is None else size)
    return read_headers([known], s3=s3)[url]


def read_headers(files: Iterable[SourceFile], *, s3: S3Options) -> dict[str, RasterHeader]:
    """Headers of many GeoTIFFs by URL, read in threads; raises as `read_header` does, for the first wrong one."""
    from rasterio.errors import NotGeoreferencedWarning

    files = list(files)
    # Filters of warnings belong to the process: set here, not in the threads. The check itself is in `_grid`.
    with warnings.catch_warnings(), ThreadPoolExecutor(reading_threads(files), "headers") as pool:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return {header.url: header for header in pool.map(lambda f: _read(f, s3=s3), files)}


@contextmanager
def open_raster(url: str, *, s3: S3Options) -> Iterator[Any]:
    """Dataset of a GeoTIFF, closed at the end; GDAL's errors become ours."""
    import rasterio
    from rasterio.errors import RasterioError

    from infra.storage import gdal_environment, gdal_path

    with rasterio.Env(**gdal_environment(s3)):
        try:
            dataset = rasterio.open(gdal_path(url), driver="GTiff")
        except RasterioError as error:
            _size(url, s3=s3)  # storage knows better than GDAL whether the file is missing, refused or out of reach
            raise InputError(f"{url} is no GeoTIFF, or truncated: {error}", AGAIN) from error
        with dataset:
            try:
                yield dataset
            except RasterioError as error:
                raise _unreadable(url, error) from error


def check_unpacked_size(file: SourceFile, header: RasterHeader) -> None:
    """Refuse a file in an archive that is much larger than its pixels: it hides something, unpacking it would only cost.

    Raises
    ------
    InputError
        Naming the file and both sizes.
    """
    from infra.storage import archive_and_member

    pixels = header.grid.pixels * header.bands * np.dtype(header.dtype).itemsize
    most = 2 * pixels + HEADER_BYTES  # overviews are a third of the pixels, what cannot be compressed grows a little
    if archive_and_member(file.url)[1] and file.size > most:
        raise InputError(
            f"{file.url} unpacks to {file.size} bytes, where its pixels take {pixels}",
            "Do not use archives of unknown origin: download it again from ASF, or take it out of `path`.",
        )


def holds_data(values: np.ndarray, nodata: float | None) -> np.ndarray:
    """Whether each value differs from `nodata`, bool; where values are float32, from `nodata` rounded to float32."""
    if nodata is None:
        return np.ones(values.shape, dtype=bool)
    with np.errstate(
        over="ignore"
    ):  # the least float64, a common no-data value, is -inf in float32: no data either way
        return np.asarray(values != nodata)


def _read(file: SourceFile, *, s3: S3Options) -> RasterHeader:
    if file.size == 0:
        raise _truncated(file.url, "it is empty")
    with open_raster(file.url, s3=s3) as dataset:
        _check_complete(file, dataset)  # first: what a cut file lacks is not the user's to add
        grid = _grid(file.url, dataset)
        _check_values(file.url, dataset)
        nodata = dataset.nodata
        return RasterHeader(
            url=file.url,
            size=file.size,
            grid=grid,
            bands=dataset.count,
            dtype=dataset.dtypes[0],
            nodata=float(nodata) if nodata is not None and np.isfinite(nodata) else None,
            tags=dict(dataset.tags()),
        )


def _grid(url: str, dataset: Any) -> Grid:
    if dataset.crs is None:
        raise InputError(
            f"{url} has no CRS",
            "If it should have one, the file is cut short: download it again. Else add it: gdal_edit.py -a_srs EPSG:… FILE",
        )
    t = dataset.transform
    if t.is_identity:
        raise InputError(f"{url} has no georeference (the transform is the identity)", "Geocode the file first.")
    if abs(t.b) > ROTATION * abs(t.a) or abs(t.d) > ROTATION * abs(t.e):
        raise InputError(
            f"{url} is a rotated grid: geotransform {tuple(t.to_gdal())}",
            "Reproject it to a north-up grid: gdalwarp IN OUT",
        )
    if t.a <= 0 or t.e >= 0:
        raise InputError(
            f"{url} is not north-up: pixels of {t.a:g} (east) and {-t.e:g} (south)",
            "Turn it: gdalwarp IN OUT writes north-up.",
        )
    return Grid(
        crs=_crs_name(dataset.crs.to_wkt()),
        left=t.c,
        top=t.f,
        dx=t.a,
        dy=-t.e,
        height=dataset.height,
        width=dataset.width,
    )


@cache
def _crs_name(wkt: str) -> str:
    """Authority and code where a CRS has them, else its WKT; hundreds of files have one, and each looks through PROJ's tables."""
    from rasterio.crs import CRS

    authority = CRS.from_wkt(wkt).to_authority()
    return ":".join(authority) if authority else wkt


def _check_values(url: str, dataset: Any) -> None:
    for dtype in dataset.dtypes:
        if dtype.startswith("complex"):
            raise InputError(
                f"{url} holds {dtype} values", "Give detected images (power, amplitude or dB), not complex ones."
            )
    if any(scale != 1 for scale in dataset.scales) or any(offset != 0 for offset in dataset.offsets):
        raise InputError(
            f"{url} declares that its values are to be scaled by {dataset.scales[0]:g} and shifted by {dataset.offsets[0]:g}",
            "Write the values themselves: gdal_translate -unscale -ot Float32 IN OUT",
        )


def _check_complete(file: SourceFile, dataset: Any) -> None:
    """Every block of every band must end inside the file: a cut download opens without an error."""
    written = 0
    for band, x, y in _blocks(dataset):
        offset = dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band)
        if offset is None:
            continue  # sparse: never written, no data
        end = int(offset) + int(dataset.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=band) or file.size)
        if end > file.size:
            raise _truncated(file.url, f"pixels should reach to byte {end}, the file ends at {file.size}")
        written += 1
    if not written:
        raise _truncated(file.url, "it has a header and no pixels")


def _blocks(dataset: Any) -> Iterator[tuple[int, int, int]]:
    """`(band, column, row)` of each block; of the first band alone where all bands lie in the same blocks."""
    shared = dataset.interleaving is not None and dataset.interleaving.value == "PIXEL"
    for band, (height, width) in zip(dataset.indexes, dataset.block_shapes, strict=True):
        if band == 1 or not shared:
            columns, rows = range(-(-dataset.width // width)), range(-(-dataset.height // height))
            yield from ((band, x, y) for y in rows for x in columns)


def _truncated(url: str, why: str) -> InputError:
    return InputError(f"{url} is truncated: {why}", AGAIN)


def _size(url: str, *, s3: S3Options) -> int:
    from infra.storage import Location, archive_and_member

    url, _ = archive_and_member(url)
    if not url.startswith("s3://"):
        if not Path(url).is_file():
            raise _missing(url)
        return Path(url).stat().st_size
    folder, _, name = url.rpartition("/")
    entry = Location.parse(folder, s3=s3).stat(name)
    if entry is None:
        raise _missing(url)
    return entry.size


def _missing(url: str) -> InputError:
    return InputError(f"{url} is not there", "Restore the file, or mend `path` in the job.")


def _unreadable(url: str, error: Exception) -> SarbatchError:
    """A block that does not come: damage on disk, but on S3, where the header was read, most likely the network."""
    said = f"{url} cannot be read: {error} {error.__cause__ or ''}".strip()
    return TransientError(said, "It is tried again.") if url.startswith("s3://") else InputError(said, AGAIN)


def same_grid(headers: Sequence[RasterHeader], *, what: str) -> Grid:
    """Grid that all headers share.

    Raises
    ------
    InputError
        If two differ in CRS, spacing, origin or size, naming both files.
    """
    first = headers[0]
    for other in headers[1:]:
        difference = first.grid.lattice_difference(other.grid)
        if difference is None and first.grid.window_of(other.grid) != first.grid.full:
            difference = f"bounds {other.grid.bounds} instead of {first.grid.bounds}"
        if difference:
            raise InputError(
                f"{what} lie on different grids: {other.url} against {first.url}: {difference}",
                "Take one of them out of `path`, or bring both to one grid.",
            )
    return first.grid
