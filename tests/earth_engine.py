"""The unmodified Earth Engine client on a local server: its state belongs to the process, so a block sets and resets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ee
import numpy as np
from google.auth.credentials import AnonymousCredentials

from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.evaluation.evaluator import Catalogue, Context, evaluate
from gee.local.operations.destinations import destination_of
from gee.local.operations.operation import ExportCancelled, Exporter, ExportRequest
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.regions.output_grid import output_grid
from gee.local.rendering.formats import render
from gee.local.rendering.requests import to_image
from gee.local.server.serving import serving
from gee.local.server.site import Settings
from gee.local.values import Collection, PixelType, Projection

PUBLIC = "projects/earthengine-public/assets"
PROJECT = "local-demo"


def initialize(url: str, **options: Any) -> None:
    """`ee.Initialize` without the list of deprecated assets, which the client would fetch from the network."""
    ee.Reset()
    ee.deprecation.deprecated_assets = {"-": None}
    given = {"credentials": AnonymousCredentials(), "project": PROJECT, "url": url} | options
    ee.Initialize(**given)  # noqa: TID251 -- here the client itself is what is looked at


@contextmanager
def client(settings: Settings | None = None, **options: Any) -> Iterator[str]:
    """Server for the block, and the client initialised on it; gives the URL."""
    with serving(settings) as url:
        initialize(url, **options)
        try:
            yield url
        finally:
            ee.Reset()


class MemoryCatalogue:
    """Two scenes of a collection whose pixels are their column numbers, and what is created."""

    def __init__(self) -> None:
        self._made: dict[str, dict[str, Any]] = {}
        for day in (1, 2):
            self._made[f"{PUBLIC}/COPERNICUS/S1_GRD/IMG{day}"] = _scene(day)

    def load_image(self, asset: str) -> Image:
        name = asset if asset.startswith("projects/") else f"{PUBLIC}/{asset}"
        if self._made.get(name, {}).get("type") != "IMAGE":
            raise EarthEngineError(f"Image asset '{asset}' not found (does not exist or caller does not have access).")
        return Image((columns("VV"),), properties=self._made[name]["properties"], id=self._made[name]["id"])

    def load_collection(self, asset: str) -> Collection:
        names = sorted(name for name in self._made if name.startswith(f"{PUBLIC}/{asset}/"))
        return Collection(tuple(self.load_image(name) for name in names), images=True, id=asset)

    def describe(self, asset: str) -> Mapping[str, Any]:
        if asset not in self._made:
            raise EarthEngineError(
                f"Asset '{asset}' not found (does not exist or caller does not have access).", code=404
            )
        return self._made[asset]

    def describe_children(self, parent: str) -> Sequence[Mapping[str, Any]]:
        return [
            self._made[name] for name in sorted(self._made) if name.rpartition("/")[0] in (parent, f"{parent}/assets")
        ]

    def create(self, asset: str, *, kind: str, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        if asset in self._made:
            raise EarthEngineError(f"Cannot overwrite asset '{asset}'.", code=409)
        self._made[asset] = {"type": kind, "name": asset, "id": asset, "properties": dict(properties)}
        return self._made[asset]

    def remove(self, asset: str) -> None:
        self.describe(asset)
        del self._made[asset]


_catalogue: type[Catalogue] = MemoryCatalogue


def columns(name: str) -> Band:
    """Band whose pixels are their column's number on any grid; column 0 is masked."""

    def compute(grid: Grid) -> Pixels:
        row = np.floor((grid.centres()[0] - grid.transform[2] % abs(grid.transform[0])) / abs(grid.transform[0])) % 200
        return Pixels(row, (row > 0).astype(float))

    return Band(
        name, PixelType("int", 0, 255), compute, Projection("EPSG:32733", (10, 0, 500000, 0, -10, 8000000)), (64, 48)
    )


def _scene(day: int) -> dict[str, Any]:
    box = {"type": "Polygon", "coordinates": [[[14, -20], [15, -20], [15, -19], [14, -19], [14, -20]]]}
    return {
        "type": "IMAGE",
        "name": f"{PUBLIC}/COPERNICUS/S1_GRD/IMG{day}",
        "id": f"COPERNICUS/S1_GRD/IMG{day}",
        "startTime": f"2020-01-0{day}T00:00:00Z",
        "properties": {"instrumentMode": "IW", "relativeOrbitNumber_start": 57 + day},
        "geometry": box,
    }


class NpyExporter:
    """Writes an image as it is into one file of a folder, block after block."""

    def __init__(self, context: Context, folder: Path) -> None:
        self._context, self._folder = context, folder

    def check(self, request: ExportRequest) -> None:
        if request.kind != "EXPORT_IMAGE":
            raise NotImplementedHereError(f"this local Earth Engine does not implement {request.kind}.")

    def run(
        self, request: ExportRequest, *, progress: Callable[[float], None], cancelled: Callable[[], bool]
    ) -> Sequence[str]:
        image = to_image(evaluate(request.body["expression"], self._context), self._context)
        grid = output_grid(image)
        if cancelled():
            raise ExportCancelled
        path = self._folder / f"{destination_of(request.kind, request.body).name.replace('/', '_')}.npy"
        path.write_bytes(render(image, grid, "NPY")[0])
        progress(0.9)
        return [path.as_uri()]


_exporter: type[Exporter] = NpyExporter
