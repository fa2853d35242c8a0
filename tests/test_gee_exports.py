"""Exports of tiles through the real client and a local Earth Engine: the pixels, the files, and what starts only once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import ee
import numpy as np
import pytest
import rasterio
from tile_exports import BANDS, CRS, FOLDER, GRID, PROJECT, LocalEngine, coordinates, expected, export_of, local_engine

from gee import exports, operations
from gee.destinations import NO_DATA, Destination, remote_href, tile_path
from gee.exports import Export, request, request_key, start
from gee.limits import EXPRESSION_BYTES
from gee.operations import Operation
from gee.tiles import Tile, cut
from infra.errors import InputError, ResourceError, TransientError

BUCKET = Destination(to="cloud-storage", bucket="bucket-1", folder="a/b")
TILE = Tile(part=0, x=0, y=0, width=9, height=5)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    with local_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture
def engine(server: LocalEngine) -> Iterator[LocalEngine]:
    yield server
    server.set_faults()


def sent(export: Export, description: str, **more: Any) -> Operation:
    return start(export, description=description, workload_tag="sarbatch-test", **more)


def ended(*started: Operation) -> list[Operation]:
    """Operations once all have ended."""
    deadline = time.monotonic() + 60
    while True:
        listed = operations.listed()
        found = [listed[one.name] for one in started]
        if all(one.done for one in found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def with_description(text: str) -> list[Operation]:
    return [one for one in operations.listed().values() if one.description == text]


# Pixels


@pytest.mark.parametrize("size", [64, 128])
def test_tiles_put_together_are_the_whole(engine: LocalEngine, size: int) -> None:
    width, height = 200, 150
    whole = Tile(part=size, x=0, y=0, width=width, height=height)
    tiles = cut(width, height, part=size, size=size)
    done = ended(*[sent(export_of(tile), tile.name) for tile in (*tiles, whole)])
    assert {one.state for one in done} == {"SUCCEEDED"}
    together = np.zeros((2, height, width))
    for tile in tiles:
        together[:, tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] = engine.read(tile)
    np.testing.assert_array_equal(together, engine.read(whole))
    np.testing.assert_array_equal(together, expected(whole))


def test_a_filter_has_no_seams_at_the_edges_of_tiles(engine: LocalEngine) -> None:
    grid = ee.Projection(CRS, list(GRID))
    squares = coordinates().select("column").multiply(coordinates().select("row")).unmask(0).reproject(grid)
    mean = squares.reduceNeighborhood(ee.Reducer.mean(), ee.Kernel.square(5), optimization="boxcar").rename("mean")
    whole = Tile(part=900, x=0, y=0, width=150, height=100)
    tiles = cut(150, 100, part=900, size=64)
    ended(*[sent(export_of(tile, image=mean, bands=["mean"]), tile.name) for tile in (*tiles, whole)])
    together = np.zeros((1, 100, 150))
    for tile in tiles:
        together[:, tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] = engine.read(tile)
    np.testing.assert_array_equal(together, engine.read(whole))


def test_pixels_of_a_grid_in_degrees_are_exact_too(engine: LocalEngine) -> None:
    step = 1 / 3600
    grid = (step, 0.0, 14.0 + 1 / 7, 0.0, -step, -19.0 - 1 / 3)
    image = ee.Image.pixelCoordinates(ee.Projection("EPSG:4326", list(grid))).floor().rename(list(BANDS))
    tile = Tile(part=901, x=64_000, y=1_000_000, width=67, height=31)
    wanted = export_of(tile, image=image, crs="EPSG:4326", transform=tile.transform(grid))
    assert ended(sent(wanted, tile.name))[0].state == "SUCCEEDED"
    with rasterio.open(tile_path(FOLDER, tile.name, files=str(engine.files))) as file:
        assert (file.width, file.height, file.count) == (67, 31, 2)
        assert tuple(file.transform)[:6] == tile.transform(grid)
        columns, rows = file.read()
    np.testing.assert_array_equal(columns, np.tile(64_000 + np.arange(67.0), (31, 1)))
    np.testing.assert_array_equal(rows, np.tile(1_000_000 + np.arange(31.0)[:, None], (1, 67)))


def test_the_file_is_one_cog_of_float32_in_the_order_of_the_bands(engine: LocalEngine) -> None:
    tile = Tile(part=902, x=7, y=11, width=600, height=300)
    ended(sent(export_of(tile, bands=["row", "column"]), tile.name))
    path = Path(tile_path(FOLDER, tile.name, files=str(engine.files)))
    assert [one.name for one in path.parent.glob(f"{tile.name}*")] == [f"{tile.name}.tif"]
    with rasterio.open(path) as file:
        assert file.descriptions == ("row", "column")
        assert set(file.dtypes) == {"float32"}
        assert file.crs.to_string() == CRS
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    np.testing.assert_array_equal(engine.read(tile), expected(tile)[::-1])


def test_a_tile_without_data_is_a_file_all_the_same(engine: LocalEngine) -> None:
    tile = Tile(part=903, x=0, y=0, width=64, height=64)
    nothing = coordinates().updateMask(0)
    ended(sent(export_of(tile, image=nothing), tile.name))
    assert np.isnan(engine.read(tile)).all()


# Where files are


def test_a_bucket_of_a_local_engine_is_a_folder(engine: LocalEngine) -> None:
    tile = Tile(part=904, x=0, y=0, width=5, height=5)
    wanted = export_of(tile, destination=BUCKET)
    assert ended(sent(wanted, tile.name))[0].state == "SUCCEEDED"
    path = str(engine.files / "exports/cloud-storage/bucket-1/a/b" / f"{tile.name}.tif")
    assert tile_path(BUCKET, tile.name, files=str(engine.files)) == path
    assert tile_path(BUCKET, tile.name, files=str(engine.files / "exports")) == path
    assert remote_href(wanted.destination, wanted.name) == f"gs://bucket-1/a/b/{tile.name}.tif"
    # By name alone: no bucket of Google's can be reached from a test
    assert tile_path(BUCKET, "t", files=None) == "/vsigs/bucket-1/a/b/t.tif"


@pytest.mark.parametrize("below", ["exports/drive/a-b", "drive/a-b", "a-b", "MyDrive/a-b", "My Drive/a-b"])
def test_drive_is_found_in_every_form_that_it_has_on_disk(tmp_path: Path, below: str) -> None:
    nested = replace(FOLDER, folder="a/b")
    file = tmp_path / below / "t.tif"
    file.parent.mkdir(parents=True)
    file.touch()
    assert tile_path(nested, "t", files=str(tmp_path)) == str(file)


def test_a_folder_on_drive_is_one_folder(engine: LocalEngine) -> None:
    tile = Tile(part=905, x=0, y=0, width=5, height=5)
    nested = replace(FOLDER, folder="a/b")
    (done,) = ended(sent(export_of(tile, destination=nested), tile.name))
    assert done.uris == ((engine.files / "exports/drive/a-b" / f"{tile.name}.tif").as_uri(),)
    assert tile_path(nested, tile.name, files=str(engine.files)) == str(
        engine.files / "exports/drive/a-b" / f"{tile.name}.tif"
    )


def test_an_asset_is_made_in_its_folder_and_over_what_was_there(engine: LocalEngine) -> None:
    where = Destination(to="asset", folder="radar/tiles", project=PROJECT)
    tile = Tile(part=906, x=0, y=0, width=9, height=9)
    exports.prepare(where)
    exports.prepare(where)  # it is there already
    exports.prepare(FOLDER)
    wanted = export_of(tile, destination=where)
    for again in ("a", "b"):
        assert ended(sent(wanted, f"{tile.name}-{again}"))[0].state == "SUCCEEDED"
    name = f"projects/{PROJECT}/assets/radar/tiles/{tile.name}"
    assert remote_href(wanted.destination, wanted.name) == f"https://code.earthengine.google.com/?asset={name}"
    assert [band["id"] for band in ee.data.getAsset(name)["bands"]] == list(BANDS)


def test_drive_is_told_as_a_page() -> None:
    assert remote_href(export_at("drive").destination, "t") == "https://drive.google.com/drive/search?q=sarbatch/t.tif"


def export_at(to: str, **more: Any) -> Export:
    """An export of no image, for what asks nothing of it."""
    where = Destination(**{"to": to, "folder": "sarbatch", **more})
    return Export(image=None, bands=("a",), crs=CRS, transform=GRID, width=1, height=1, destination=where, name="t")  # type: ignore[arg-type] # see above


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t\.tif is not in"):
        tile_path(FOLDER, "t", files=str(tmp_path))
    with pytest.raises(InputError) as caught:
        tile_path(FOLDER, "t", files=None)
    assert "SARBATCH_EARTH_ENGINE_FILES" in caught.value.remedy
    for to, more in (("drive", {}), ("asset", {"project": "p"})):
        where = export_at(to, **more).destination
        assert not where.readable
        with pytest.raises(InputError, match=f"files in {to} cannot be read"):
            tile_path(where, "t", files=str(tmp_path))


# What is sent


def test_the_request_says_everything_that_the_service_would_guess(engine: LocalEngine) -> None:
    tile = Tile(part=0, x=64, y=128, width=300, height=256)
    body = request(export_of(tile), description="d-1", workload_tag="sarbatch-1", priority=7)
    assert body["fileExportOptions"] == {
        "fileFormat": "GEO_TIFF",
        "driveDestination": {"folder": "sarbatch", "filenamePrefix": tile.name},
        "geoTiffOptions": {
            "cloudOptimized": True,
            "noData": {"floatValue": NO_DATA},
            "tileDimensions": {"width": 512, "height": 256},
            "tileSize": {"value": 256},
        },
    }
    assert (body["description"], body["workloadTag"]) == ("d-1", "sarbatch-1")
    assert (body["priority"], body["maxPixels"]) == ({"value": 7}, {"value": str(300 * 256)})
    text = json.dumps(body["expression"])
    assert "Image.reproject" in text
    assert all(str(value) in text for value in tile.transform(GRID) if value)


def test_an_export_s_request_id_is_that_of_its_description() -> None:
    long = "0123456789abcdef-p000-x000000-y000000-w4096-h4096-0001-0123456789ab"
    assert request_key(long) == request_key(long)
    assert request_key(long) != request_key(long.replace("-0001-", "-0002-"))
    assert len(request_key(long)) <= 60
    assert request_key(long).replace("-", "").isalnum()


def test_a_graph_too_large_is_refused_before_it_is_sent(engine: LocalEngine) -> None:
    huge = coordinates().set("text", "x" * EXPRESSION_BYTES)
    with pytest.raises(InputError, match="takes 4"):
        sent(export_of(TILE, image=huge), "huge")
    assert with_description("huge") == []


def test_a_large_graph_is_sent_with_a_warning(engine: LocalEngine, caplog: pytest.LogCaptureFixture) -> None:
    large = coordinates().set("text", "x" * (EXPRESSION_BYTES // 3))
    sent(export_of(TILE, image=large), "large")
    assert "may be slow" in caplog.text


def test_a_tile_of_more_than_one_file_is_to_be_split(engine: LocalEngine) -> None:
    with pytest.raises(ResourceError, match=r"has 2\.1 GiB of pixels"):
        sent(export_of(Tile(part=0, x=0, y=0, width=32768, height=8448)), "too-large")
    assert with_description("too-large") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"bands": ()},
        {"bands": ("a", "a")},
        {"width": 0},
        {"transform": (1.0, 2.0)},
        {"name": "a/b"},
        {"name": ""},
    ],
)
def test_an_export_that_is_none(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"an export has|are no tile|is no name"):
        replace(export_at("folder"), **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "cloud-storage", "folder": "a"},
        {"to": "folder", "folder": "a", "bucket": "b"},
        {"to": "asset", "folder": "a"},
        {"to": "folder", "folder": "../a"},
        {"to": "folder", "folder": "/a"},
        {"to": "folder", "folder": ""},
    ],
)
def test_a_destination_that_is_none(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cloud-storage has|assets are of|no folder"):
        Destination(**wrong)


def test_a_band_that_is_not_there_fails_by_its_name(engine: LocalEngine) -> None:
    (done,) = ended(sent(export_of(TILE, bands=["height"]), "no-such-band"))
    assert isinstance(done.failure, InputError)
    assert "height" in done.failure.message


# Once


@pytest.mark.parametrize("kind", ["lost-answer", "drop", "unavailable", "internal", "too-many-requests"])
def test_the_client_s_retries_start_it_once(engine: LocalEngine, kind: str) -> None:
    engine.set_faults({"kind": kind, "on": "image.export", "count": 2})
    name = f"retried-{kind}"
    started = sent(export_of(TILE), name)
    assert engine.happened() == [2]
    assert [one.name for one in with_description(name)] == [started.name]


def test_an_answer_that_is_lost_for_good_has_started_it_once(engine: LocalEngine) -> None:
    engine.set_faults({"kind": "lost-answer", "on": "image.export"})
    with pytest.raises(TransientError):
        sent(export_of(TILE), "unheard")
    engine.set_faults()
    (there,) = with_description("unheard")
    assert sent(export_of(TILE), "unheard").name == there.name


def test_threads_export_each_their_own(engine: LocalEngine) -> None:
    whole = Tile(part=950, x=0, y=0, width=256, height=192)
    tiles = cut(256, 192, part=950, size=64)
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda tile: sent(export_of(tile), tile.name), tiles))
    assert len({one.name for one in started}) == len(tiles) == 12
    assert {one.state for one in ended(*started)} == {"SUCCEEDED"}
    for tile in tiles:
        np.testing.assert_array_equal(engine.read(tile), expected(tile))
    assert whole.width * whole.height == sum(tile.width * tile.height for tile in tiles)


def test_threads_with_one_description_start_one(engine: LocalEngine) -> None:
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda _: sent(export_of(TILE), "the-same"), range(16)))
    assert len({one.name for one in started}) == len(with_description("the-same")) == 1
