"""The catalogue: a folder of assets, loaded as images and collections, looked up, added to, removed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gee.local.catalogue.items import Item, read_item, write_item
from gee.local.catalogue.names import ITEM, asset_folder, asset_id, is_root, top
from gee.local.catalogue.rasters import OpenFiles
from gee.local.catalogue.resources import to_json
from gee.local.errors import EarthEngineError
from gee.local.pixels import Image
from gee.local.values import Collection

REMEMBERED = 50_000  # assets whose JSON is kept in memory


class FolderCatalogue:
    """Assets below one folder; any number of threads, and of processes that add to it, at the same time.

    `root` is that folder. An asset `A/B` is the folder `A/B` with an `asset.json`. Images of a collection come in the order of their ids.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files = OpenFiles()
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[int, Item, Image | None]] = {}

    # -- what algorithms need ----------------------------------------------------------------------------------------

    def load_image(self, asset: str) -> Image:
        """Image of an asset id.

        Raises
        ------
        EarthEngineError
            If there is none, or it is no image.
        """
        item, image = self._load(asset, "Image")
        if image is None:
            raise EarthEngineError(f"Asset '{item.id}' is not an Image.")
        return image

    def load_collection(self, asset: str) -> Collection:
        """ImageCollection of an asset id.

        Raises
        ------
        EarthEngineError
            If there is none, or it is no collection.
        """
        item, _ = self._load(asset, "ImageCollection")
        if item.kind != "IMAGE_COLLECTION":
            raise EarthEngineError(f"Asset '{item.id}' is not an ImageCollection.")
        found = (self._read(folder) for folder in self._folders(item.id))
        images = tuple(image for _, image in found if image is not None)
        return Collection(images, properties=dict(item.properties), images=True, id=item.id)

    # -- what the server's methods need ---------------------------------------------------------------------------

    def get(self, asset: str) -> Item:
        """An asset as it is kept; folders need no entry of their own.

        Raises
        ------
        EarthEngineError
            Code 404 if there is none.
        """
        id_ = asset_id(asset)
        folder = asset_folder(self.root, id_)
        try:
            return self._read(folder)[0]
        except FileNotFoundError:
            if is_root(id_) or next(self._folders(id_), None) is not None:
                return Item(id=id_, kind="FOLDER")
        raise EarthEngineError(
            f"Asset '{asset[:200]}' not found (does not exist or caller does not have access).", code=404
        )

    def children(self, asset: str) -> Iterator[Item]:
        """Assets directly below a folder or collection, in the order of their ids.

        Raises
        ------
        EarthEngineError
            If there is no such folder.
        """
        id_ = top(asset)
        if id_:
            parent = self.get(id_)
            id_ = parent.id
            if parent.kind == "IMAGE":
                raise EarthEngineError(f"Asset '{id_}' is not a folder or ImageCollection.")
        for folder in self._folders(id_):
            if id_ or folder.name not in ("projects", "users"):
                yield self.get(f"{id_}/{folder.name}".lstrip("/"))

    def describe(self, asset: str) -> Mapping[str, Any]:
        """JSON of an asset as REST gives it; errors as `get`."""
        return to_json(self.get(asset))

    def describe_children(self, parent: str) -> list[Mapping[str, Any]]:
        """JSON of the assets directly below one; errors as `children`."""
        return [to_json(item) for item in self.children(parent)]

    def create(self, asset: str, *, kind: str, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        """JSON of a new folder or collection; errors as `add`."""
        if kind not in ("FOLDER", "IMAGE_COLLECTION"):
            raise EarthEngineError(f"An asset of type {kind[:40]} cannot be created empty.")
        self.add(Item(id=asset, kind="FOLDER" if kind == "FOLDER" else "IMAGE_COLLECTION", properties=properties))
        return self.describe(asset)

    def add(self, item: Item, *, overwrite: bool = False, fill: Callable[[Path], Item] | None = None) -> Item:
        """Add an asset; its parents become folders.

        Parameters
        ----------
        fill : is given the asset's folder, to put files there, and returns the item to be written

        Raises
        ------
        EarthEngineError
            If it is there already and `overwrite` is not set, or its parent holds no assets.
        """
        item = replace(item, id=asset_id(item.id))
        folder = asset_folder(self.root, item.id)
        self.check_free(item.id, overwrite=overwrite)
        if fill is not None:
            folder.mkdir(parents=True, exist_ok=True)
            item = fill(folder)
        write_item(item, folder)
        return item

    def check_free(self, asset: str, *, overwrite: bool = False) -> None:
        """Return where an asset may be added.

        Raises
        ------
        EarthEngineError
            As `add`.
        """
        id_ = asset_id(asset)
        if is_root(id_):
            raise EarthEngineError(f"Invalid asset ID: '{id_}'.")
        if (asset_folder(self.root, id_) / ITEM).exists() and not overwrite:
            raise EarthEngineError(f"Cannot overwrite asset '{id_}'.", code=409)
        parts = id_.split("/")
        for count in range(1, len(parts)):
            above = self._kind("/".join(parts[:count]))
            if above == "IMAGE" or (above == "IMAGE_COLLECTION" and count < len(parts) - 1):
                raise EarthEngineError(f"Cannot put '{id_}' below '{'/'.join(parts[:count])}', which is an {above}.")

    def remove(self, asset: str) -> None:
        """Remove an asset with its own files; what it was registered from stays.

        Raises
        ------
        EarthEngineError
            If there is none, or it still holds others.
        """
        item = self.get(asset)
        if is_root(item.id) or next(self._folders(item.id), None) is not None:
            raise EarthEngineError(f"Asset '{item.id}' has children and cannot be deleted.")
        folder = asset_folder(self.root, item.id)
        shutil.rmtree(folder)
        with self._lock:
            self._known.pop(folder, None)

    def close(self) -> None:
        """Close the files that are open."""
        self._files.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _load(self, asset: str, kind: str) -> tuple[Item, Image | None]:
        try:
            return self._read(asset_folder(self.root, asset))
        except FileNotFoundError:
            raise EarthEngineError(
                f"{kind} asset '{asset[:200]}' not found (does not exist or caller does not have access)."
            ) from None

    def _kind(self, id_: str) -> str | None:
        try:
            return self._read(asset_folder(self.root, id_))[0].kind
        except FileNotFoundError:
            return None

    def _folders(self, id_: str) -> Iterator[Path]:
        """Folders below an asset that are assets or lead to some, sorted."""
        folder = asset_folder(self.root, id_)
        for below in sorted(folder.iterdir()) if folder.is_dir() else ():
            if below.is_dir() and ((below / ITEM).is_file() or next(below.rglob(ITEM), None) is not None):
                yield below

    def _read(self, folder: Path) -> tuple[Item, Image | None]:
        """Item of a folder and its image, always the same objects until the file changes."""
        stamp = (folder / ITEM).stat().st_mtime_ns
        with self._lock:
            held = self._known.get(folder)
        if held is None or held[0] != stamp:
            item = read_item(folder, folder.relative_to(self.root).as_posix())
            held = stamp, item, item.image(self._files) if item.kind == "IMAGE" else None
            with self._lock:
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known[folder] = held
        return held[1], held[2]
