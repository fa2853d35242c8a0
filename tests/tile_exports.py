"""Exports of small tiles on a local Earth Engine: its server, its faults, and an image that knows where its pixels are."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ee
import numpy as np
import pytest
import rasterio
import requests

from gee.destinations import NO_DATA, Destination, tile_path
from gee.exports import Export
from gee.local.folders import settings_of
from gee.local.operations.queue import QueueLimits
from gee.local.server.serving import serving
from gee.session import Connection, initialize
from gee.tiles import Tile
from infra.settings import Settings
from infra.storage import S3Options
from pipelines.backends.earth_engine import EarthEngineBackend
from pipelines.backends.protocol import Backend, Capabilities, Report, State, Submission
from pipelines.cost import Estimate
from pipelines.keys import request_id
from pipelines.kinds.binding import Continuation, Driver, Request, Survey
from pipelines.orders import WHOLE, Order, Product
from pipelines.products import ITEM
from pipelines.registry.registry import Registry
from pipelines.registry.rows import OperationRow, RunRow, TaskRow
from pipelines.stepping import nonce

PROJECT = "local-demo"
CRS = "EPSG:32720"
GRID = (10.0, 0.0, 499_980.0, 0.0, -10.0, 8_000_040.0)
FOLDER = Destination(to="folder", folder="sarbatch")
BANDS = ("column", "row")


@dataclass(frozen=True)
class LocalEngine:
    """A local Earth Engine, its client being the process's.

    Attributes
    ----------
    files : folder of the settings in which its exports appear
    """

    url: str
    files: Path

    def set_faults(self, *faults: dict[str, Any]) -> None:
        """These alone go wrong from now on."""
        self._local("faults", {"faults": faults})

    def happened(self) -> list[int]:
        """How often each fault has."""
        return [one["happened"] for one in self._local("faults")["faults"]]

    def states(self) -> dict[str, int]:
        """How many operations are in each state."""
        found: dict[str, int] = self._local("status")["operations"]
        return found

    def _local(self, what: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/local/{what}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def read(self, tile: Tile, *, name: str | None = None) -> np.ndarray:
        """Pixels of an exported tile, dims (band, y, x), NaN where there are none."""
        with rasterio.open(tile_path(FOLDER, name or tile.name, files=str(self.files))) as file:
            assert (file.width, file.height) == (tile.width, tile.height)
            assert tuple(file.transform)[:6] == tile.transform(GRID)
            assert set(file.nodatavals) == {NO_DATA}
            values = file.read()
        return np.where(values == NO_DATA, np.nan, values)


@contextmanager
def local_engine(folder: Path, *, running: int = 2, queued: int = 3000) -> Iterator[LocalEngine]:
    """Server for the block, and the client on it, which waits for nothing between its attempts."""
    limits = QueueLimits(running=running, queued=queued)
    with (
        serving(settings_of(folder, threads=1, limits=limits)) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("googleapiclient.http.time", SimpleNamespace(sleep=lambda seconds: None))
        initialize(Connection(project=PROJECT, url=url, anonymous=True))
        try:
            yield LocalEngine(url, folder)
        finally:
            ee.Reset()


def engine_settings(engine: LocalEngine, **more: Any) -> Settings:
    """Settings of a machine whose Earth Engine is the local one."""
    return Settings(
        **{
            "state_dir": engine.files / "state",
            "earth_engine_url": engine.url,
            "earth_engine_project": PROJECT,
            "earth_engine_files": str(engine.files),
            **more,
        }
    )


def coordinates() -> ee.Image:
    """Image of each pixel's column and row on GRID; every seventh column has no data."""
    image = ee.Image.pixelCoordinates(ee.Projection(CRS, list(GRID))).floor().rename(list(BANDS))
    return image.updateMask(image.select("column").mod(7).neq(3))


def expected(tile: Tile) -> np.ndarray:
    """What a tile of `coordinates` holds, dims (band, y, x)."""
    rows, columns = np.mgrid[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width].astype(float)
    return np.where(columns % 7 == 3, np.nan, np.stack([columns, rows]))


def export_of(tile: Tile, *, image: ee.Image | None = None, bands: Sequence[str] = BANDS, **more: Any) -> Export:
    """Export of a tile of an image, `coordinates` where none is given."""
    return Export(
        **{
            "image": coordinates() if image is None else image,
            "bands": tuple(bands),
            "crs": CRS,
            "transform": tile.transform(GRID),
            "width": tile.width,
            "height": tile.height,
            "destination": FOLDER,
            "name": tile.name,
            **more,
        }
    )


class TileBinding:
    """A kind whose products are tiles of `coordinates`; the order's document may say `bands`, `bucket` and `image`."""

    def survey(self, request: Request) -> Survey:
        return Survey()

    def continuation(self, order: Order, survey: Survey) -> Continuation:
        return Continuation(notes=[], work=survey.work)

    def open_store(self, store: Any, *, media_type: str, key: str, group: str) -> Any:
        raise KeyError(key)

    def export(self, order: Order, tile: str) -> Export:
        window, said = Tile.parse(tile), order.document
        bucket = said.get("bucket")
        where = Destination(to="cloud-storage", bucket=bucket, folder="tiles") if bucket else FOLDER
        return export_of(window, bands=said.get("bands", BANDS), destination=where, name=file_name(order.key, tile))

    def make(self, order: Order, driver: Driver) -> list[Product]:
        return []


class TileBackend(EarthEngineBackend):
    """Earth Engine with the kind `tiles` alone."""

    def capabilities(self) -> Capabilities:
        return replace(super().capabilities(), kinds=frozenset({"tiles"}))

    def binding(self, kind: str) -> Any:
        return {"tiles": TileBinding()}[kind]


_: type[Backend] = TileBackend


def file_name(key: str, tile: str) -> str:
    """Name of a tile's file."""
    return f"{key[:16]}-{tile}"


def tile_order(output: Path, tiles: Sequence[str], *, name: str, **document: Any) -> Order:
    """Order of tiles; its key is its name's."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return Order(
        job="tiles",
        task=name,
        kind="tiles",
        key=digest,
        line=digest[::-1],
        output=str(output),
        s3=S3Options(),
        parameters={"export": {"priority": 300}},
        region=None,
        document=document,
        backend="earth-engine",
        tiles=tuple(tiles),
    )


def tile_submission(order: Order, tile: str, *, attempt: int = 1, nonce: str = "n") -> Submission:
    """What a step sends for a tile of an order."""
    request = request_id(nonce=nonce, key=order.key, tile=tile, attempt=attempt)
    return Submission(request_id=request, key=order.key, tile=tile, attempt=attempt, order=order.to_json())


def add_tile_run(registry: Registry, order: Order, *, run: str = "r1", eecu_hours: float = 0.0) -> RunRow:
    """Run of one task: its tiles, and what puts them together; `eecu_hours` is what it is estimated to take."""
    row = RunRow(id=run, job=order.job, output=order.output)
    task = TaskRow(
        run=run,
        name=order.task,
        position=0,
        kind=order.kind,
        key=order.key,
        line=order.line,
        backend=order.backend,
        needs=(),
        estimate=Estimate(eecu_hours=eecu_hours).to_json(),
        document=order.to_json(),
    )
    word = nonce(order.root)
    rows = [
        OperationRow(
            run=run,
            task=order.task,
            key=order.key,
            tile=tile,
            request_id=request_id(nonce=word, key=order.key, tile=tile, attempt=1),
        )
        for tile in (*order.tiles, WHOLE)
    ]
    registry.add_run(row, [task], rows)
    return row


class Publisher:
    """Stands for the Dask engine, which has tests of its own: what puts tiles together publishes at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def submit(self, operation: Submission) -> str:
        order = Order.from_json(operation.order)
        order.home.write_json(ITEM, {"properties": {"created": "2026-01-01T00:00:00+00:00"}, "assets": {}})
        return f"driver of {operation.request_id}"

    def poll(self, handles: Sequence[str]) -> dict[str, Report]:
        return {text: Report(state=State.DONE, engine_state="published", progress=1.0) for text in handles}

    def list(self, prefix: str) -> dict[str, str]:
        return {}


def watch(backend: TileBackend, *handles: str) -> list[Report]:
    """Last report of each handle."""
    deadline = time.monotonic() + 60
    while True:
        found = backend.poll(handles)
        if all(one.state.final or one.state == State.LOST for one in found.values()):
            return [found[handle] for handle in handles]
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


@contextmanager
def requests_noted() -> Iterator[list[str]]:
    """Requests that the client sends in the block: method and resource."""
    found: list[str] = []
    send = requests.Session.request

    def noted(self: Any, method: str, url: str, **more: Any) -> Any:
        found.append(f"{method} {url.partition('/v1/')[2].partition('?')[0].removeprefix(f'projects/{PROJECT}/')}")
        return send(self, method, url, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "request", noted)
        yield found
