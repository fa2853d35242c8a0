"""Batch exports of images: one tile, one file, on exactly the pixels that are asked for."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import Any

import ee

from gee.destinations import NO_DATA, Destination, asset_folder, asset_id, drive_folder
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

FLOAT_BYTES = 4
CONFLICT = 409
MADE_ALREADY = ("already exists", "cannot overwrite")  # what creating a folder says where it is there

logger = logging.getLogger("sarbatch.earth-engine")


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
                ee.data.createAsset({"type": "FOLDER"}, f"{asset_folder(destination)}/{'/'.join(parts[:depth])}")
        except InputError as error:
            if not any(words in error.message.lower() for words in MADE_ALREADY):
                raise


def _exporter(export: Export) -> Any:
    kinds = {"cloud-storage": "toCloudStorage", "asset": "toAsset"}
    return getattr(ee.batch.Export.image, kinds.get(export.destination.to, "toDrive"))


def _place(export: Export) -> dict[str, Any]:
    where = export.destination
    if where.to == "asset":
        return {"assetId": asset_id(where, export.name), "overwrite": True}
    tiff = {
        "fileFormat": "GeoTIFF",
        "formatOptions": {"cloudOptimized": True, "noData": NO_DATA},
        # As large as the tile, or the service would cut it into files where it likes to
        "fileDimensions": [_up(export.width), _up(export.height)],
        "shardSize": SHARD,
    }
    if where.to == "cloud-storage":
        return {**tiff, "bucket": where.bucket, "fileNamePrefix": f"{where.folder}/{export.name}"}
    return {**tiff, "folder": drive_folder(where), "fileNamePrefix": export.name}


def _up(pixels: int) -> int:
    return -(-pixels // SHARD) * SHARD
