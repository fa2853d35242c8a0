"""The files that the page hands out: products of a run and nothing else, named by an id that is no path."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import InputError
from infra.storage import Location
from pipelines.products import LABELS

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.backends.preview import Preview
    from pipelines.registry.registry import Registry
    from pipelines.registry.rows import ProductRow, RunRow

SHOWN_AS_THEY_ARE = frozenset({"image/png", "image/gif", "image/jpeg", "image/webp", "video/mp4", "application/pdf"})
SHOWN_IN_A_SANDBOX = frozenset({"text/html", "image/svg+xml"})  # both can hold scripts
KEEP = {"cache-control": "private, max-age=3600"}  # in the browser: a published product never changes
MOST_BYTES = 64 * 2**20  # of a file on S3, which passes through memory
MOST_PREVIEWS = 128  # kept in memory, about 100 kB each


def plain_type(row: ProductRow) -> str:
    """Media type without its parameters: "image/tiff"."""
    return row.media_type.partition(";")[0].strip().lower()


def product_id(row: ProductRow) -> str:
    """Id of a product in URLs: a hash of what makes it unique."""
    labels = [getattr(row, label) for label in LABELS]
    value = json.dumps([row.run, row.task, row.name, row.role, row.media_type, *labels])
    return hashlib.sha256(value.encode()).hexdigest()[:32]


def find_product(registry: Registry, run: RunRow, wanted: str) -> ProductRow | None:
    """Product of a run by its id, None where there is none or it does not lie in the run's output."""
    row = next((row for row in registry.products(run.id) if product_id(row) == wanted), None)
    return row if row is not None and _lies_in(row.href, run.output) else None


def has_picture(row: ProductRow) -> bool:
    """Whether there is something to look at: a picture or film, or a raster that one can be made of."""
    kind = plain_type(row)
    return (row.role == "figure" and kind.startswith(("image/", "video/"))) or is_raster(row)


def is_raster(row: ProductRow) -> bool:
    """Whether a picture can be made of it."""
    return row.role == "raster" and plain_type(row) == "image/tiff"


def is_file(row: ProductRow) -> bool:
    """Whether it is one file; a store is a folder of many."""
    return row.role != "store"


def content(row: ProductRow, settings: Settings) -> bytes | Path:
    """Local file of a product, or its bytes where it lies on S3.

    Raises
    ------
    FileNotFoundError
        If it is gone.
    InputError
        If it is too large to pass through memory.
    """
    if not row.href.startswith("s3://"):
        path = Path(row.href)
        if not path.is_file():
            raise FileNotFoundError(row.href)
        return path
    folder, _, name = row.href.rpartition("/")
    place = Location(folder, settings.s3)
    entry = place.stat(name)
    if entry is None:
        raise FileNotFoundError(row.href)
    if entry.size > MOST_BYTES:
        raise InputError(f"{row.href} has {entry.size} bytes: too many for this page", "Read it from there.")
    return place.read(name)


@dataclass
class Previews:
    """Pictures of rasters, made when asked for, two at a time, and kept: a published product never changes."""

    settings: Settings
    _kept: OrderedDict[tuple[str, str], Preview] = field(default_factory=OrderedDict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(2), init=False)

    def of(self, row: ProductRow) -> Preview:
        """Picture of a raster.

        Raises
        ------
        InputError
            If there is none to be had; it says why.
        """
        from pipelines.backends.preview import preview

        name = (row.key, row.href)
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        if not row.href.startswith("s3://") and not Path(row.href).is_file():
            raise InputError(f"{row.href} is not there", "It was removed since it was made.")
        with self._turns:
            made = preview(row.href, name=row.name, units=row.units or "", s3=self.settings.s3)
        with self._lock:
            self._kept[name] = made
            while len(self._kept) > MOST_PREVIEWS:
                self._kept.popitem(last=False)
        return made


def _lies_in(href: str, output: str) -> bool:
    """Whether a product lies in its run's output: a registry restored from a strange folder may say anything."""
    if ".." in href.split("/"):
        return False
    if href.startswith("s3://") or output.startswith("s3://"):
        return href.startswith(output.rstrip("/") + "/")
    return Path(href).resolve().is_relative_to(Path(output).resolve())
