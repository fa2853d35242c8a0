"""Exports of images: expressions to GeoTIFFs in folders that stand for Drive and Cloud Storage, and to assets."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from gee.local.catalogue.folder import FolderCatalogue
from gee.local.catalogue.items import Item
from gee.local.catalogue.names import ITEM, asset_folder, asset_id
from gee.local.catalogue.rasters import StoredBand, read_header
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.evaluation.evaluator import Context, evaluate
from gee.local.exports.options import FILE_BYTES, ExportOptions, export_options
from gee.local.operations.operation import ExportCancelled, ExportRequest
from gee.local.pixels import Band, Grid, Image
from gee.local.regions.output_grid import output_grid
from gee.local.rendering.blocks import RenderingCancelled, Work
from gee.local.rendering.dtypes import check_scalar, common_dtype, dtype_of
from gee.local.rendering.geotiff import TiffOptions, write_geotiff
from gee.local.rendering.requests import to_image
from gee.local.values import Date
from gee.local.work.interruption import interruptible

ASSET_URI = "https://code.earthengine.google.com/?asset="
DRIVE, BUCKETS = "drive", "cloud-storage"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of an export.

    Attributes
    ----------
    name : what follows the prefix
    """

    name: str
    grid: Grid


class ImageExporter:
    """What the server's operations run.

    Parameters
    ----------
    root : folder below which `drive/FOLDER` and `cloud-storage/BUCKET` are made
    catalogue : that assets are added to; without one they are refused
    threads : that compute one export; as many as there are cores where None
    """

    def __init__(
        self, context: Context, root: Path, *, catalogue: FolderCatalogue | None = None, threads: int | None = None
    ) -> None:
        self._context, self._root, self._catalogue, self._threads = context, root, catalogue, threads

    def check(self, request: ExportRequest) -> None:
        """Return, or refuse a request whose options are wrong or not implemented."""
        if request.kind != "EXPORT_IMAGE":
            raise NotImplementedHereError(f"this local Earth Engine does not implement exports of kind {request.kind}.")
        options = export_options(request.body)
        if options.destination.place == "asset":
            self._assets().check_free(options.destination.name, overwrite=options.destination.overwrite)
        else:
            self._file(options, "")

    def run(
        self, request: ExportRequest, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> Sequence[str]:
        """Write the files or the asset, and give their URIs.

        Raises
        ------
        EarthEngineError
            If the expression, the grid or the types cannot be exported.
        ExportCancelled
            If it was cancelled; nothing is left of it.
        """
        self.check(request)
        options = export_options(request.body)
        with _cancelling(cancelled):
            image = to_image(evaluate(request.body["expression"], self._context), self._context)
            grid = output_grid(image)
            _check_size(grid, options)
            check_scalar(image.bands)
            work = Work(threads=self._threads, cancelled=cancelled)
            if options.destination.place == "asset":
                return self._export_asset(image, grid, options, _Progress(work, progress))
            return self._export_files(image, grid, options, _Progress(work, progress))

    # -- files --------------------------------------------------------------------------------------------------------

    def _export_files(self, image: Image, grid: Grid, options: ExportOptions, work: _Progress) -> list[str]:
        layout = TiffOptions(cloud_optimized=options.cloud_optimized, tile=options.tile, no_data=options.no_data)
        pixel = common_dtype(image.bands).itemsize * len(image.bands)
        made: list[Path] = []
        parts = cut(grid, options.part or _default_part(grid, options.tile, pixel))
        with _removed_on_failure(made):
            for at, part in enumerate(parts):
                path = self._file(options, part.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                valid = write_geotiff(path, image, part.grid, options=layout, work=work.share(at, len(parts)))
                made.append(path)
                if options.skip_empty and not valid:
                    made.pop().unlink()
        return [path.resolve().as_uri() for path in made]

    def _file(self, options: ExportOptions, part: str) -> Path:
        """Path of a file, below the root whatever its name is."""
        where = options.destination
        if where.place == "drive":
            # a slash is part of a name on Drive
            folder, name = (text.replace("/", "%2F") for text in (where.container, where.name))
            path = self._root / DRIVE / folder / f"{name}{part}.tif"
        else:
            # a prefix that ends in a slash is a folder: the description names the file
            name = where.name + (options.description.replace("/", "_") if where.name.endswith("/") else "")
            path = self._root / BUCKETS / where.container / f"{name}{part}.tif"
        if ".." in path.parts or not path.resolve().is_relative_to(self._root.resolve()):
            raise EarthEngineError(f"Invalid argument: {where.name[:80]!r} leads out of the folder of exports.")
        return path

    # -- assets -------------------------------------------------------------------------------------------------------

    def _assets(self) -> FolderCatalogue:
        if self._catalogue is None:
            raise EarthEngineError("this local Earth Engine was started without a catalogue to export assets to.")
        return self._catalogue

    def _export_asset(self, image: Image, grid: Grid, options: ExportOptions, work: _Progress) -> list[str]:
        where = options.destination
        id_ = asset_id(where.name)

        def fill(folder: Path) -> Item:
            return Item(
                id=id_,
                kind="IMAGE",
                properties={**storable(image.properties), "system:index": id_.rpartition("/")[2]},
                bands=_write_bands(folder, image, grid, options, work),
                pyramiding=options.pyramiding,
            )

        empty = Item(id=id_, kind="IMAGE")
        try:
            self._assets().add(empty, overwrite=where.overwrite, fill=fill)
        except BaseException:
            folder = asset_folder(self._assets().root, id_)
            if folder.is_dir() and not (folder / ITEM).exists():
                shutil.rmtree(folder)
            raise
        return [ASSET_URI + where.name]


def storable(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties as an asset keeps them: numbers, texts and lists; dates as milliseconds; nulls are left out.

    Raises
    ------
    EarthEngineError
        If one is something else.
    """
    return {name: _storable(name, value) for name, value in properties.items() if value is not None}


def _storable(name: str, value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Date):
        return value.millis
    if isinstance(value, list | tuple):
        return [_storable(name, one) for one in value]
    raise EarthEngineError(f"Property '{name[:100]}' of type {type(value).__name__} cannot be kept by an asset.")


def _write_bands(
    folder: Path, image: Image, grid: Grid, options: ExportOptions, work: _Progress
) -> tuple[StoredBand, ...]:
    """Bands of an asset: floats of one type together, integers each with their mask."""

    def kind(band: Band) -> tuple[str, str]:
        dtype = dtype_of(band.type)
        return dtype.name, band.name if dtype.kind in "iu" else ""

    groups = [list(some) for _, some in groupby(sorted(image.bands, key=kind), key=kind)]
    stored: dict[str, StoredBand] = {}
    for at, group in enumerate(groups):
        path = folder / f"bands-{at}.tif"
        layout = TiffOptions(tile=options.tile, keep_masks=True)
        write_geotiff(path, image.with_bands(group), grid, options=layout, work=work.share(at, len(groups)))
        for band, one in zip(group, read_header(path), strict=True):
            stored[band.name] = replace(one, name=band.name, type=band.type)
    return tuple(stored[name] for name in image.band_names)


# -- parts ------------------------------------------------------------------------------------------------------------


def cut(grid: Grid, part: tuple[int, int]) -> list[Part]:
    """Files of a grid: one without a suffix, or several named by their first row and column (section 18)."""
    width, height = part
    if grid.width <= width and grid.height <= height:
        return [Part(name="", grid=grid)]
    found = []
    for row in range(0, grid.height, height):
        for col in range(0, grid.width, width):
            right, bottom = min(col + width, grid.width), min(row + height, grid.height)
            cell = grid.pad(-col, -row, right - grid.width, bottom - grid.height)
            found.append(Part(name=f"-{row:010d}-{col:010d}", grid=cell))
    return found


def _default_part(grid: Grid, tile: int, pixel_bytes: int) -> tuple[int, int]:
    """The whole grid where its pixels take no more than FILE_BYTES, else the largest squares that do."""
    if grid.width * grid.height * pixel_bytes <= FILE_BYTES:
        return grid.width, grid.height
    side = max(int((FILE_BYTES / pixel_bytes) ** 0.5) // tile, 1) * tile
    return side, side


def _check_size(grid: Grid, options: ExportOptions) -> None:
    count = grid.width * grid.height
    if count > options.max_pixels:
        raise EarthEngineError(
            f"Export too large: specified {count} pixels (max: {options.max_pixels}). "
            "Specify higher maxPixels value if you intend to export a large area."
        )


@dataclass(frozen=True)
class _Progress:
    """Work whose progress is a share of the whole."""

    work: Work
    tell: Callable[[float], None]

    def share(self, at: int, count: int) -> Work:
        return replace(self.work, progress=lambda share: self.tell((at + share) / count))


@contextmanager
def _cancelling(cancelled: Callable[[], bool]) -> Iterator[None]:
    """Block in which evaluating and rendering end where the export is cancelled; what the disk refuses is told."""
    from rasterio.errors import RasterioError

    def check() -> None:
        if cancelled():
            raise ExportCancelled

    try:
        with interruptible(check):
            yield
    except RenderingCancelled as ended:
        raise ExportCancelled from ended
    except (OSError, RasterioError) as error:  # a full disk: trying again at once would not help
        raise EarthEngineError(f"The export could not be written: {error}") from error


@contextmanager
def _removed_on_failure(made: list[Path]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
