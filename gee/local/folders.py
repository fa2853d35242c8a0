"""One folder for everything that a local server keeps: `assets`, `exports`, `operations`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gee.local.catalogue.folder import FolderCatalogue
from gee.local.exports.images import ImageExporter
from gee.local.faults import Fault
from gee.local.operations.queue import QueueLimits
from gee.local.server.site import Settings

ASSETS, EXPORTS = "assets", "exports"


def assets_of(folder: Path) -> FolderCatalogue:
    """The catalogue of a folder, which is made."""
    (folder / ASSETS).mkdir(parents=True, exist_ok=True)
    return FolderCatalogue(folder / ASSETS)


def settings_of(
    folder: Path, *, threads: int | None = None, limits: QueueLimits | None = None, faults: Sequence[Fault] = ()
) -> Settings:
    """A server's settings with the catalogue, the exports and the operations of a folder, which is made."""
    catalogue = assets_of(folder)
    return Settings(
        catalogue=catalogue,
        exporter=lambda context: ImageExporter(context, folder / EXPORTS, catalogue=catalogue),
        state=folder,
        threads=threads,
        limits=limits or QueueLimits(),
        faults=tuple(faults),
    )
