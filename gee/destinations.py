"""Where exports of Earth Engine go, and where their files are then found; nothing here asks Earth Engine anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.errors import InputError

NO_DATA = -9999.0  # of float32 files: NaN is not JSON, and the client would send it
# Where Drive and buckets are found below the folder of the settings: a local Earth Engine's, or Drive itself
LOCAL_DRIVE = ("exports/drive", "drive", "", "MyDrive", "My Drive")
LOCAL_BUCKETS = ("exports/cloud-storage", "cloud-storage")


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


def remote_href(destination: Destination, name: str) -> str:
    """Where the service puts a tile, as a URL: gs://, Drive's folder, or Earth Engine's asset; `name` as `Export.name`."""
    if destination.to == "cloud-storage":
        return f"gs://{destination.bucket}/{destination.folder}/{name}.tif"
    if destination.to == "asset":
        return f"https://code.earthengine.google.com/?asset={asset_id(destination, name)}"
    return f"https://drive.google.com/drive/search?q={drive_folder(destination)}/{name}.tif"


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
    return [root / below / drive_folder(destination) / file for below in LOCAL_DRIVE]


def drive_folder(destination: Destination) -> str:
    """Name of the folder on Drive, which are not nested there."""
    return destination.folder.replace("/", "-")


def asset_folder(destination: Destination) -> str:
    """Resource name below which the project's assets lie."""
    return f"projects/{destination.project}/assets"


def asset_id(destination: Destination, name: str) -> str:
    """Resource name of an exported asset."""
    return f"{asset_folder(destination)}/{destination.folder}/{name}"
