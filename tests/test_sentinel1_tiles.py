"""Tiles of the Sentinel-1 kinds: which are exported, found again, checked, and put together to one raster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from dask_jobs.write import Layer
from gee.destinations import NO_DATA
from gee.tiles import Tile, cut
from infra.errors import InputError, TransientError
from infra.grid import Grid, Window
from infra.region import Region
from infra.storage import S3Options
from pipelines.kinds.sentinel1.earth_engine.mosaic import Mosaic, OpenTiles
from pipelines.kinds.sentinel1.earth_engine.products import make_products
from pipelines.kinds.sentinel1.earth_engine.tiles import (
    TileFile,
    exported_files,
    file_name,
    largest_side,
    tile_names,
    window_of,
)
from pipelines.kinds.sentinel1.parts import Part, Pass
from pipelines.kinds.sentinel1_composite.spec import KIND, Sentinel1Composite
from pipelines.orders import Order
from pipelines.products import href, stac_item

GRID = Grid(crs="EPSG:32720", left=300_060.0, top=7_999_930.0, dx=10.0, dy=10.0, height=200, width=150)
BANDS = ("vv_median", "count")
POWER = Layer(dtype="float32", description="vv_median", units="1", overview="power", nodata=float("nan"))
COUNT = Layer(dtype="int32", description="count", units="1", overview="nearest")
PIXELS = np.arange(GRID.pixels, dtype=np.float32).reshape(GRID.shape) + 1
PASS = Pass.from_json(
    {
        "time": "2022-05-01T18:00:00+00:00", "platform": "S1A", "relative_orbit": 131, "direction": "ascending",
        "scenes": ["a"], "group": "", "index": -1,
    }
)  # fmt: skip


def write(path: Path, tile: Tile, *, grid: Grid = GRID, bands: Sequence[str] = BANDS, hole: bool = False) -> None:
    """A tile as Earth Engine exports it: pixels numbered over the grid, and the number of the tile's row."""
    place = grid.crop(window_of(tile))
    values = PIXELS[window_of(tile).slices].copy()
    if hole:
        values[:5, :5] = NO_DATA
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"crs": place.crs, "transform": place.affine, "width": place.width, "height": place.height}
    with rasterio.open(path, "w", driver="GTiff", count=len(bands), dtype="float32", nodata=NO_DATA, **profile) as file:
        for number, name in enumerate(bands, start=1):
            file.write(values if number == 1 else np.where(values == NO_DATA, 0, 3).astype(np.float32), number)
            file.set_band_description(number, name)


def order_of(folder: Path, tiles: Sequence[str], *, to: str = "folder", region: Region | None = None) -> Order:
    parameters = Sentinel1Composite.model_validate(
        {"quantities": ["vv"], "reducers": ["median", "count"], "export": {"to": to}}
    )
    part = Part(passes=(PASS,), period="2022-05", orbit="A131")
    document = {
        "grid": GRID.to_json(), "parts": [part.to_json()], "files": str(folder), "project": "mine", "tags": {},
        "start": "2022-05-01T00:00:00+00:00", "end": "2022-05-02T00:00:00+00:00",
    }  # fmt: skip
    return Order(
        job="j",
        task="t",
        kind=KIND.name,
        key="0123456789abcdef" * 4,
        line="l",
        output=str(folder / "products"),
        s3=S3Options(),
        parameters=parameters.model_dump(mode="json", by_alias=True),
        region=region,
        document=document,
        backend="earth-engine",
        tiles=tuple(tiles),
    )


def put(order: Order, folder: Path, tile: Tile, **more: Any) -> Path:
    path = folder / "exports/drive/sarbatch" / f"{file_name(order, tile.name)}.tif"
    write(path, tile, **more)
    return path


def read(mosaic: Mosaic, window: Window) -> np.ndarray:
    with OpenTiles(mosaic) as tiles:
        return tiles.read(window)


def mosaic_of(files: Sequence[TileFile], *, band: str = "vv_median", region: Region | None = None) -> Mosaic:
    layer = COUNT if band == "count" else POWER
    return Mosaic(grid=GRID, bands=BANDS, band=band, layer=layer, tiles=tuple(files), region=region, path="x.tif")


@pytest.fixture
def tiles() -> tuple[Tile, ...]:
    return cut(GRID.width, GRID.height, part=0, size=64)


@pytest.fixture
def files(tmp_path: Path, tiles: tuple[Tile, ...]) -> tuple[TileFile, ...]:
    order = order_of(tmp_path, [tile.name for tile in tiles])
    for tile in tiles:
        put(order, tmp_path, tile)
    return exported_files(order)[0]


def test_every_pixel_comes_from_its_tile_whatever_the_windows(files: tuple[TileFile, ...]) -> None:
    mosaic = mosaic_of(files)
    np.testing.assert_array_equal(read(mosaic, GRID.full), PIXELS)
    with OpenTiles(mosaic) as open_ones:
        for row in range(0, GRID.height, 48):
            for col in range(0, GRID.width, 70):
                window = Window(row, col, min(48, GRID.height - row), min(70, GRID.width - col))
                np.testing.assert_array_equal(open_ones.read(window), PIXELS[window.slices])


def test_what_no_tile_covers_has_no_data_and_no_pass(files: tuple[TileFile, ...]) -> None:
    left = [file for file in files if file.window.col == 0]
    power = read(mosaic_of(left), GRID.full)
    assert np.isnan(power[:, 64:]).all()
    np.testing.assert_array_equal(power[:, :64], PIXELS[:, :64])
    count = read(mosaic_of(left, band="count"), GRID.full)
    assert count.dtype == np.int32
    assert (count[:, 64:] == 0).all()
    assert (count[:, :64] == 3).all()


def test_no_data_of_a_tile_is_no_data(tmp_path: Path) -> None:
    tile = Tile(part=0, x=0, y=0, width=GRID.width, height=GRID.height)
    order = order_of(tmp_path, [tile.name])
    put(order, tmp_path, tile, hole=True)
    power = read(mosaic_of(exported_files(order)[0]), GRID.full)
    assert np.isnan(power[:5, :5]).all()
    assert np.isfinite(power).sum() == GRID.pixels - 25


def test_outside_of_a_polygon_there_are_no_data(files: tuple[TileFile, ...]) -> None:
    region = Region.from_wkt("POLYGON ((-64.8893 -18.070, -64.8700 -18.070, -64.8893 -18.098, -64.8893 -18.070))")
    inside = region.inside(GRID)
    assert 0.1 < inside.mean() < 0.9
    power = read(mosaic_of(files, region=region), GRID.full)
    np.testing.assert_array_equal(np.isfinite(power), inside)
    np.testing.assert_array_equal(read(mosaic_of(files, band="count", region=region), GRID.full) > 0, inside)


def test_a_tile_that_was_split_is_found_in_its_pieces(tmp_path: Path, tiles: tuple[Tile, ...]) -> None:
    whole = Tile(part=0, x=0, y=0, width=GRID.width, height=GRID.height)
    order = order_of(tmp_path, [whole.name])
    first, *others = whole.split()
    for tile in (*first.split(), *others):
        put(order, tmp_path, tile)
    found = exported_files(order)[0]
    assert len(found) == len(first.split()) + len(others)
    np.testing.assert_array_equal(read(mosaic_of(found), GRID.full), PIXELS)


def test_the_tile_that_is_not_there_is_named(tmp_path: Path, tiles: tuple[Tile, ...]) -> None:
    order = order_of(tmp_path, [tile.name for tile in tiles])
    for tile in tiles[:-1]:
        put(order, tmp_path, tile)
    with pytest.raises(TransientError, match=tiles[-1].name):
        exported_files(order)
    whole = Tile(part=0, x=0, y=0, width=GRID.width, height=GRID.height)
    first, *rest = whole.split()
    split = order_of(tmp_path / "split", [whole.name])
    for piece in rest:
        put(split, tmp_path / "split", piece)
    with pytest.raises(TransientError, match=first.name):  # the piece, not the whole
        exported_files(split)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"grid": replace(GRID, left=GRID.left + 5)}, "lies at"),
        ({"grid": replace(GRID, dx=20.0)}, "lies at"),
        ({"grid": replace(GRID, crs="EPSG:32721")}, "is in EPSG:32721, not EPSG:32720"),
        ({"bands": ("count", "vv_median")}, r"has bands \['count', 'vv_median'\]"),
        ({"bands": ("vv_median",)}, r"has bands \['vv_median'\]"),
    ],
)
def test_a_tile_that_is_something_else_is_named(wrong: dict[str, Any], said: str, tmp_path: Path) -> None:
    tile = Tile(part=0, x=64, y=0, width=64, height=64)
    order = order_of(tmp_path, [tile.name])
    put(order, tmp_path, tile, **wrong)
    with pytest.raises(InputError, match=rf"tile {tile.name}: .* {said}"):
        read(mosaic_of(exported_files(order)[0]), GRID.full)


def test_a_tile_of_another_size_or_cut_short_is_named(tmp_path: Path) -> None:
    tile = Tile(part=0, x=0, y=0, width=64, height=64)
    order = order_of(tmp_path, [tile.name])
    path = put(order, tmp_path, tile)
    write(path, replace(tile, width=32))
    with pytest.raises(InputError, match=rf"tile {tile.name}: .* has 64 x 32 pixels, not 64 x 64"):
        read(mosaic_of(exported_files(order)[0]), GRID.full)
    path.write_bytes(b"no raster")
    with pytest.raises(InputError, match=rf"tile {tile.name}: .* cannot be read"):
        read(mosaic_of(exported_files(order)[0]), GRID.full)


def test_only_tiles_that_a_scene_reaches_are_exported() -> None:
    left = GRID.crop(Window(0, 0, 200, 60))
    names = tile_names(GRID, [[left], [GRID], []], size=64)
    parts = [Tile.parse(name) for name in names]
    assert {tile.x for tile in parts if tile.part == 0} == {0}
    assert len([tile for tile in parts if tile.part == 1]) == len([tile for tile in parts if tile.part == 2]) == 12


def test_tiles_are_as_large_as_a_file_holds() -> None:
    assert largest_side(4096, bands=13) == 4096
    side = largest_side(32768, bands=73)
    assert side % 64 == 0
    assert side**2 * 73 * 4 <= 2 * 2**30 < (side + 64) ** 2 * 73 * 4


@pytest.mark.parametrize(
    ("to", "start"), [("asset", "https://code.earthengine.google.com/?asset=projects/mine/assets/sarbatch/"), ("drive", "https://")]
)  # fmt: skip
def test_what_is_left_in_the_cloud_is_a_product_with_its_address(to: str, start: str, tmp_path: Path) -> None:
    names = [tile.name for tile in cut(GRID.width, GRID.height, part=0, size=128)]
    order = order_of(tmp_path, names, to=to)
    products = make_products(order, None, kind=KIND, bands=BANDS)  # type: ignore[arg-type]  # no driver is asked
    assert len(products) == len(BANDS) * len(names)
    labels = {(one.name, one.zone) for one in products}
    assert len(labels) == len(products)
    for one in products:
        assert href(order.home, one).startswith(start)
        assert (one.period, one.orbit) == ("2022-05", "A131")
    from datetime import UTC, datetime

    item = stac_item(order, products, versions={}, created=datetime.now(UTC))
    assert len(item["assets"]) == len(products)
    assert all(asset["href"].startswith(start) for asset in item["assets"].values())


def test_one_tile_left_in_the_cloud_needs_no_label(tmp_path: Path) -> None:
    order = order_of(tmp_path, [f"p000-x000000-y000000-w{GRID.width}-h{GRID.height}"], to="asset")
    products = make_products(order, None, kind=KIND, bands=BANDS)  # type: ignore[arg-type]  # no driver is asked
    assert [one.zone for one in products] == [None, None]
