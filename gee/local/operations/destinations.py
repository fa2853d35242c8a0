"""Where an export goes, as its request says; names that would lead out of a folder are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gee.local.errors import EarthEngineError

Place = Literal["drive", "cloud storage", "asset"]
OPTIONS = {
    "EXPORT_IMAGE": ("fileExportOptions", "assetExportOptions"),
    "EXPORT_FEATURES": ("fileExportOptions", "assetExportOptions"),
}
ASSET = re.compile(r"projects/[a-z0-9][-a-z0-9.:_]*/assets/[\w./ -]+")
LONGEST = 255  # of one part of a path, in bytes: what file systems hold


@dataclass(frozen=True, kw_only=True)
class Destination:
    """A place.

    Attributes
    ----------
    container : folder on Drive ("" is its root), or bucket; of assets ""
    name : prefix of the files, whose "/" are folders in a bucket and part of the name on Drive; or the asset's name
    overwrite : whether an asset that is there is replaced
    """

    place: Place
    container: str
    name: str
    overwrite: bool = False


def destination_of(kind: str, body: Mapping[str, Any]) -> Destination:
    """Destination of a request to export.

    Raises
    ------
    EarthEngineError
        If there is none, more than one, or its name leads elsewhere.
    """
    options = [name for name in OPTIONS.get(kind, ()) if isinstance(body.get(name), Mapping)]
    if len(options) != 1:
        raise EarthEngineError(
            "Invalid argument: exactly one of 'fileExportOptions' and 'assetExportOptions' must be given."
        )
    given = body[options[0]]
    if options == ["assetExportOptions"]:
        return _asset(_mapping(given, "earthEngineDestination"))
    ways = [name for name in ("driveDestination", "cloudStorageDestination") if isinstance(given.get(name), Mapping)]
    if len(ways) != 1:
        raise EarthEngineError("Invalid argument: files need one of 'driveDestination' and 'cloudStorageDestination'.")
    return _drive(given[ways[0]]) if ways == ["driveDestination"] else _bucket(given[ways[0]])


def check_parts(text: str, what: str) -> str:
    """A path whose parts are ordinary names.

    Raises
    ------
    EarthEngineError
        If a part is empty, a way up, too long, or has characters that paths do not hold.
    """
    for part in text.split("/"):
        if part in ("", ".", "..") or len(part.encode(errors="replace")) > LONGEST or not _printable(part):
            raise EarthEngineError(f"Invalid argument: {text[:80]!r} is no {what}.")
    return text


def _asset(given: Mapping[str, Any]) -> Destination:
    name = _text(given, "name")
    if not ASSET.fullmatch(name):
        raise EarthEngineError(f"Invalid asset name: {name[:80]!r}; it must be projects/PROJECT/assets/NAME.")
    return Destination(
        place="asset", container="", name=check_parts(name, "asset name"), overwrite=given.get("overwrite") is True
    )


def _drive(given: Mapping[str, Any]) -> Destination:
    folder, name = _text(given, "folder", default=""), _text(given, "filenamePrefix")
    # on Drive a slash is a character like others
    for text in (folder, name):
        check_parts(text.replace("/", "_") or "root", "name on Drive")
    if not name:
        raise EarthEngineError("Invalid argument: 'filenamePrefix' is empty.")
    return Destination(place="drive", container=folder, name=name)


def _bucket(given: Mapping[str, Any]) -> Destination:
    bucket, name = _text(given, "bucket"), _text(given, "filenamePrefix")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", bucket) or ".." in bucket:
        raise EarthEngineError(f"Invalid argument: {bucket[:80]!r} is no name of a bucket.")
    # a prefix that ends in a slash is a folder
    return Destination(
        place="cloud storage",
        container=bucket,
        name=check_parts(name.removesuffix("/"), "prefix") + name[len(name.removesuffix("/")) :],
    )


def _mapping(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name)
    if not isinstance(value, Mapping):
        raise EarthEngineError(f"Invalid argument: '{name}' is missing.")
    return value


def _text(given: Mapping[str, Any], name: str, *, default: str | None = None) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise EarthEngineError(f"Invalid argument: '{name}' must be a text.")
    return value


def _printable(part: str) -> bool:
    return "\\" not in part and all(char.isprintable() for char in part)
