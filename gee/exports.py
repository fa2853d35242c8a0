"""Batch exports of images: one tile, one file, on exactly the pixels that are asked for; and where the file is then found."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ee

from gee.errors import http_status, translated
from gee.limits import (
    FILE_BYTES,
    SHARD,
    check_description,
    check_expression,
    check_priority,
    check_workload_tag,
)
from gee.operations import Operation
from infra.errors import InputError, ResourceError, TransientError

NO_DATA = -9999.0  # of float32 files: NaN is not JSON, and the client would send it
FLOAT_BYTES = 4
CONFLICT = 409
MADE_ALREADY = ("already exists", "cannot overwrite")  # what creating a folder says where it is there
# Where Drive and buckets are found below the folder of the settings: a local Earth Engine's, or Drive itself
LOCAL_DRIVE = ("exports/drive", "drive", "", "MyDrive", "My Drive")
LOCAL_BUCKETS = ("exports/cloud-storage", "cloud-storage")

logger = logging.getLogger("sarbatch.earth-engine")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where files or assets go.

    Attributes
    ----------
    to : folder (Drive, seen as a folder of this machine), cloud-storage, drive (left there), asset (left there)
    folder : of Drive, of the bucket or of the assets; on Drive folders are not nested, so each "/" becomes "-"
    bucket : of cloud-storage
    project : whose assets, of asset
    """

    to: Literal["folder", "cloud-storage", "drive", "asset"]
    folder: str
    bucket: str | None = None
    project: str | None = None

    def __post_init__(self) -> None:
        if (self.to == "cloud-storage") != (self.bucket is not None):
            raise ValueError(f"cloud-storage has a bucket and nothing else has: {self}")
        if self.to == "asset" and not self.project:
            raise ValueError(f"assets are of a project: {self}")
        if not self.folder or self.folder.startswith("/") or ".." in self.folder.split("/"):
            raise ValueError(f"'{self.folder}' is no folder of a destination")

    @property
    def readable(self) -> bool:
        """Whether the files can be read from here, given the settings that it needs."""
        return self.to in ("folder", "cloud-storage")


@dataclass(frozen=True, kw_only=True)
class Export:
    """One tile to be exported.

    Attributes
    ----------
    image : of which `bands` are exported, in this order, as float32; masked pixels become NO_DATA
    crs : such as "EPSG:32611"
    transform : of the tile's own pixels: xScale, xShear, xOrigin, yShear, yScale, yOrigin
    width, height : pixels
    name : of the file without ".tif", or of the asset; other attempts at the same tile have the same name
    max_pixels : that the export may have; those of the tile where None
    """

    image: ee.Image
    bands: tuple[str, ...]
    crs: str
    transform: tuple[float, float, float, float, float, float]
    width: int
    height: int
    destination: Destination
    name: str
    max_pixels: int | None = None

    def __post_init__(self) -> None:
        if not self.bands or len(set(self.bands)) != len(self.bands):
            raise ValueError(f"an export has bands of different names, not {self.bands}")
        if self.width < 1 or self.height < 1 or len(self.transform) != 6:
            raise ValueError(f"{self.width} x {self.height} pixels by {self.transform} are no tile")
        if not self.name or "/" in self.name:
            raise ValueError(f"'{self.name}' is no name of a file")

    @property
    def pixel_bytes(self) -> int:
        """Bytes of all its pixels, uncompressed."""
        return self.width * self.height * len(self.bands) * FLOAT_BYTES


def request_key(description: str) -> str:
    """Request id for the service, of a description that says the same: at most 60 letters and digits, always the same."""
    return f"sarbatch-{hashlib.sha256(description.encode()).hexdigest()[:40]}"


def start(export: Export, *, description: str, workload_tag: str, priority: int = 100) -> Operation:
    """The operation that the service has started, or had started before for the same description.

    The file has exactly the tile's pixels: the client lays the graph on the tile's CRS and transform and cuts it to its
    rectangle in pixels, so nothing is resampled but what is on another lattice. The client's retries, and calls with the
    same description, start nothing twice: all carry one request id.

    Parameters
    ----------
    description : how a listing tells it, letters, digits, "-" and "_"
    workload_tag : by which the project's bill tells it
    priority : 0 to 9999

    Raises
    ------
    ResourceError
        If the tile does not fit one file.
    InputError
        If the graph is too large or refused.
    QuotaError, TransientError, CredentialsError
        As `gee.errors.translated`.
    """
    config = request(export, description=description, workload_tag=workload_tag, priority=priority)
    with translated():
        try:
            return Operation.of(ee.data.exportImage(request_key(description), config))
        except ee.EEException as error:
            if http_status(error) == CONFLICT and export.destination.to != "asset":
                raise TransientError(
                    f"Earth Engine was given {description} before", "Its operation is looked up and followed."
                ) from error
            raise


def request(export: Export, *, description: str, workload_tag: str, priority: int) -> dict[str, Any]:
    """Body of the request that `start` sends; asks nothing.

    Raises
    ------
    ResourceError, InputError
        As `start`.
    """
    if export.pixel_bytes > FILE_BYTES:
        raise ResourceError(
            f"the tile {export.name} has {export.pixel_bytes / 2**30:.1f} GiB of pixels, and a file of Earth Engine's "
            f"{FILE_BYTES / 2**30:.0f}",
            "Take smaller tiles: export: {tile: …}.",
        )
    with translated():
        task = _exporter(export)(
            image=export.image.select(list(export.bands)).toFloat(),
            description=check_description(description),
            crs=export.crs,
            crsTransform=list(export.transform),
            dimensions=f"{export.width}x{export.height}",
            maxPixels=export.max_pixels or export.width * export.height,
            priority=check_priority(priority),
            **_place(export),
        )
        config: dict[str, Any] = {**task.config, "workloadTag": check_workload_tag(workload_tag)}
        config["expression"] = ee.serializer.encode(config["expression"], for_cloud_api=True)
    size = len(json.dumps(config["expression"]))
    if check_expression(size):
        logger.warning("the graph of %s has %.1f MiB: Earth Engine may be slow with it", export.name, size / 2**20)
    return config


def prepare(destination: Destination) -> None:
    """Make the folder that assets go to, where it is not there; other destinations make theirs."""
    if destination.to != "asset":
        return
    parts = destination.folder.split("/")
    for depth in range(1, len(parts) + 1):
        try:
            with translated():
                ee.data.createAsset({"type": "FOLDER"}, f"{_asset_folder(destination)}/{'/'.join(parts[:depth])}")
        except InputError as error:
            if not any(words in error.message.lower() for words in MADE_ALREADY):
                raise


def remote_href(destination: Destination, name: str) -> str:
    """Where the service puts a tile, as a URL: gs://, Drive's folder, or Earth Engine's asset; `name` as `Export.name`."""
    if destination.to == "cloud-storage":
        return f"gs://{destination.bucket}/{destination.folder}/{name}.tif"
    if destination.to == "asset":
        return f"https://code.earthengine.google.com/?asset={_asset_id(destination, name)}"
    return f"https://drive.google.com/drive/search?q={_drive_folder(destination)}/{name}.tif"


def tile_path(destination: Destination, name: str, *, files: str | None) -> str:
    """Path, for GDAL, of an exported file.

    Parameters
    ----------
    name : as `Export.name`
    files : folder of the settings in which exports appear: Drive as a folder, or that of a local Earth Engine; None where
        there is none, and a bucket is read as Google's

    Raises
    ------
    InputError
        If the destination cannot be read, or the file is not there. Google's buckets are not looked at: GDAL does.
    """
    if not destination.readable:
        raise InputError(f"files in {destination.to} cannot be read from here", "Export to folder or cloud-storage.")
    if destination.to == "cloud-storage" and files is None:
        return f"/vsigs/{destination.bucket}/{destination.folder}/{name}.tif"
    if files is None:
        raise InputError(
            "it is not said where Drive appears as a folder of this machine",
            "Set SARBATCH_EARTH_ENGINE_FILES, or export to cloud-storage, drive or asset.",
        )
    candidates = _candidates(Path(files).expanduser(), destination, f"{name}.tif")
    for path in candidates:
        if path.is_file():
            return str(path)
    raise InputError(
        f"the exported file {name}.tif is not in {candidates[0].parent}",
        "Drive may not have caught up, or SARBATCH_EARTH_ENGINE_FILES is another folder: look there, then `sarbatch retry`.",
    )


def _candidates(root: Path, destination: Destination, file: str) -> list[Path]:
    if destination.to == "cloud-storage":
        return [root / below / str(destination.bucket) / destination.folder / file for below in LOCAL_BUCKETS]
    return [root / below / _drive_folder(destination) / file for below in LOCAL_DRIVE]


def _exporter(export: Export) -> Any:
    kinds = {"cloud-storage": "toCloudStorage", "asset": "toAsset"}
    return getattr(ee.batch.Export.image, kinds.get(export.destination.to, "toDrive"))


def _place(export: Export) -> dict[str, Any]:
    where = export.destination
    if where.to == "asset":
        return {"assetId": _asset_id(where, export.name), "overwrite": True}
    tiff = {
        "fileFormat": "GeoTIFF",
        "formatOptions": {"cloudOptimized": True, "noData": NO_DATA},
        # As large as the tile, or the service would cut it into files where it likes to
        "fileDimensions": [_up(export.width), _up(export.height)],
        "shardSize": SHARD,
    }
    if where.to == "cloud-storage":
        return {**tiff, "bucket": where.bucket, "fileNamePrefix": f"{where.folder}/{export.name}"}
    return {**tiff, "folder": _drive_folder(where), "fileNamePrefix": export.name}


def _up(pixels: int) -> int:
    return -(-pixels // SHARD) * SHARD


def _drive_folder(destination: Destination) -> str:
    return destination.folder.replace("/", "-")


def _asset_folder(destination: Destination) -> str:
    return f"projects/{destination.project}/assets"


def _asset_id(destination: Destination, name: str) -> str:
    return f"{_asset_folder(destination)}/{destination.folder}/{name}"
