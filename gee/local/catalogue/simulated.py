"""Simulated scenes as assets: `COPERNICUS/S1_GRD_FLOAT` in power, `COPERNICUS/S1_GRD` in dB, and their truth beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gee.local.bands.pixel_types import DOUBLE, FLOAT
from gee.local.catalogue.folder import FolderCatalogue
from gee.local.catalogue.items import Item
from gee.local.catalogue.names import asset_folder
from gee.local.catalogue.rasters import StoredBand, read_header
from gee.local.errors import EarthEngineError
from gee.local.simulate import Scene, Simulation, Truth, scenes, truth

POWER, DECIBEL = "COPERNICUS/S1_GRD_FLOAT", "COPERNICUS/S1_GRD"
TRUTH = "truth"
TILE = 256  # smaller rasters are in strips


def add_simulation(catalogue: FolderCatalogue, plan: Simulation, *, overwrite: bool = False) -> list[str]:
    """Ids of the images that are made and added, in both collections.

    What they were made from is in `truth.json` and `truth.npy` (dims (date, y, x), number of the kind of ground) of the
    first one's folder.

    Raises
    ------
    EarthEngineError
        If an image is there already and `overwrite` is not set.
    """
    made = []
    for scene in scenes(plan):
        decibels = {band: 10 * np.log10(values) for band, values in scene.bands.items()}
        made.append(_add(catalogue, scene, POWER, scene.bands, overwrite=overwrite))
        made.append(_add(catalogue, scene, DECIBEL, decibels, overwrite=overwrite))
    _write_truth(asset_folder(catalogue.root, POWER), truth(plan))
    return made


def _add(
    catalogue: FolderCatalogue, scene: Scene, collection: str, bands: Mapping[str, np.ndarray], *, overwrite: bool
) -> str:
    try:
        kind = catalogue.get(collection).kind
    except EarthEngineError:
        kind = "FOLDER"
    if kind == "FOLDER":
        catalogue.add(Item(id=collection, kind="IMAGE_COLLECTION", properties={"synthetic": "true"}))
    item = Item(
        id=f"{collection}/{scene.index}",
        kind="IMAGE",
        properties={"system:index": scene.index, **scene.properties},
    )

    def fill(folder: Path) -> Item:
        pixels = _write(folder / "backscatter.tif", bands, scene.crs, scene.transform)
        angle = _write(folder / "angle.tif", {"angle": scene.angle}, scene.crs, scene.angle_transform)
        type_ = DOUBLE if collection == DECIBEL else FLOAT
        return replace(item, bands=(*(replace(band, type=type_) for band in pixels), *angle))

    return catalogue.add(item, overwrite=overwrite, fill=fill).id


def _write(
    path: Path, bands: Mapping[str, np.ndarray], crs: str, transform: tuple[float, ...]
) -> tuple[StoredBand, ...]:
    import rasterio
    from rasterio.transform import Affine

    height, width = next(iter(bands.values())).shape
    profile: dict[str, Any] = {"driver": "GTiff", "dtype": "float32", "nodata": np.nan, "compress": "deflate"}
    profile |= {"tiled": True} if min(height, width) >= TILE else {}
    with rasterio.open(
        path, "w", width=width, height=height, count=len(bands), crs=crs, transform=Affine(*transform), **profile
    ) as file:
        for at, (name, values) in enumerate(bands.items()):
            file.write(values.astype(np.float32), at + 1)
            file.set_band_description(at + 1, name)
        file.update_tags(synthetic="true")
    return read_header(path)


def _write_truth(folder: Path, known: Truth) -> None:
    body = {"names": list(known.names), "power": known.power, "settings": dict(known.settings)}
    (folder / f"{TRUTH}.json").write_text(json.dumps(body, indent=1), encoding="utf-8")
    np.save(folder / f"{TRUTH}.npy", known.covers.astype(np.uint8), allow_pickle=False)
