"""Exports of the local Earth Engine: requests as the client makes them, files and assets that come of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
import rasterio
from ee_offline import offline_client
from ee_rasters import write_raster

from gee.local.catalogue.folder import FolderCatalogue
from gee.local.catalogue.register import register
from gee.local.catalogue.resources import to_json
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.exports.images import ImageExporter, cut, storable
from gee.local.operations.operation import ExportCancelled, ExportRequest
from gee.local.pixels import Grid
from gee.local.regions.output_grid import output_grid
from gee.local.values import Date

CRS = "EPSG:32720"
TRANSFORM = [10, 0, 500000, 0, -10, 8000000]


class House:
    """A client, a catalogue with one image `a` (bands VV, VH; 700 x 600 pixels) and an exporter."""

    def __init__(self, ee: Any, folder: Path) -> None:
        rng = np.random.default_rng(3)
        self.ee, self.root = ee, folder / "exports"
        self.values = rng.uniform(1, 2, (2, 600, 700)).astype(np.float32)
        self.values[0, :300, :256] = np.nan
        path = write_raster(folder / "a.tif", self.values, names=["VV", "VH"])
        self.catalogue = FolderCatalogue(folder / "assets")
        register(self.catalogue, "a", [path], properties={"orbit": 9})
        self.exporter = ImageExporter(Context(catalogue=self.catalogue), self.root, catalogue=self.catalogue)

    @property
    def image(self) -> Any:
        """The image of the catalogue, for the client."""
        return self.ee.Image("a")

    def request(self, image: Any, *, to: str = "Drive", **options: Any) -> ExportRequest:
        """What the client sends to export an image."""
        make = getattr(self.ee.batch.Export.image, f"to{to}")
        place: dict[str, Any] = {"Asset": {"assetId": "projects/local-demo/assets/out"}}.get(
            to, {"fileNamePrefix": "out"}
        )
        if to == "CloudStorage":
            place |= {"bucket": "bucket-1"}
        elif to == "Drive":
            place |= {"folder": "s1"}
        config = make(image, **({"description": "test"} | place | options)).config
        body = config | {"expression": self.ee.serializer.encode(config["expression"], for_cloud_api=True)}
        return ExportRequest(kind="EXPORT_IMAGE", project="projects/p", body=json.loads(json.dumps(body)))

    def run(
        self, request: ExportRequest, *, cancelled: Callable[[], bool] = lambda: False
    ) -> tuple[list[Path], list[float]]:
        """Files that an export makes, and the shares that it tells."""
        shares: list[float] = []
        self.exporter.check(request)
        uris = self.exporter.run(request, progress=shares.append, cancelled=cancelled)
        return [Path(unquote(urlparse(uri).path)) for uri in uris if uri.startswith("file:")], shares


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with offline_client() as ee:
        yield House(ee, tmp_path)


def test_one_file_of_the_whole_image(house: House) -> None:
    paths, shares = house.run(house.request(house.image))
    assert paths == [house.root / "drive" / "s1" / "out.tif"]
    with rasterio.open(paths[0]) as file:
        assert file.descriptions == ("VV", "VH")
        assert (file.crs.to_string(), list(file.transform[:6])) == (CRS, TRANSFORM)
        np.testing.assert_array_equal(file.read(), house.values)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_grid_is_what_the_client_asks_for(house: House) -> None:
    region = house.ee.Geometry.Rectangle([500103, 7998003, 500217, 7998097], CRS, False)
    wanted = house.request(
        house.image, to="CloudStorage", region=region, crs=CRS, scale=10, formatOptions={"noData": -1}
    )
    paths, _ = house.run(wanted)
    assert paths == [house.root / "cloud-storage" / "bucket-1" / "out.tif"]
    with rasterio.open(paths[0]) as file:
        assert list(file.transform[:6]) == [10, 0, 500100, 0, -10, 7998100]
        assert (file.width, file.height, file.nodata) == (12, 10, -1)
        np.testing.assert_array_equal(file.read(2), house.values[1, 190:200, 10:22])
        assert (file.read(1) == -1).all()

    transform = [10, 0, 500005, 0, -10, 7999995]
    paths, _ = house.run(house.request(house.image, crs=CRS, crsTransform=transform, dimensions="30x20"))
    with rasterio.open(paths[0]) as file:
        assert (list(file.transform[:6]), file.width, file.height) == (transform, 30, 20)
        np.testing.assert_array_equal(file.read(2), house.values[1, 1:21, 1:31])  # centres on edges: the larger index


def test_large_images_are_several_files(house: House) -> None:
    paths, _ = house.run(house.request(house.image, fileDimensions=[256, 512], shardSize=128))
    assert [path.name for path in paths] == [
        f"out-{row:010d}-{col:010d}.tif" for row in (0, 512) for col in (0, 256, 512)
    ]
    for path in paths:
        row, col = (int(part) for part in path.stem.split("-")[1:])
        with rasterio.open(path) as file:
            assert file.block_shapes[0] == (128, 128)
            part = house.values[:, row : row + 512, col : col + 256]
            np.testing.assert_array_equal(file.read(), part)
            assert file.transform.c == 500000 + 10 * col


def test_files_without_valid_pixels_are_left_out(house: House) -> None:
    image = house.image.select("VV")
    wanted: dict[str, Any] = {"fileDimensions": 256, "formatOptions": {"cloudOptimized": True}, "skipEmptyTiles": True}
    paths, _ = house.run(house.request(image, **wanted))
    names = [path.name for path in paths]
    assert "out-0000000000-0000000000.tif" not in names
    assert "out-0000000256-0000000000.tif" in names
    assert len(names) == 8
    assert sorted(one.name for one in paths[0].parent.iterdir()) == sorted(names)
    with rasterio.open(paths[0]) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_too_many_pixels_are_refused_in_the_service_s_words(house: House) -> None:
    with pytest.raises(EarthEngineError) as told:
        house.run(house.request(house.image, maxPixels=1000))
    assert told.value.message == (
        "Export too large: specified 420000 pixels (max: 1000). "
        "Specify higher maxPixels value if you intend to export a large area."
    )
    assert not house.root.exists()


def test_bands_of_several_types_are_refused(house: House) -> None:
    image = house.image.addBands(house.image.select("VV").gt(1))
    with pytest.raises(EarthEngineError, match="found inconsistent types: Float32 and Byte"):
        house.run(house.request(image))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fileFormat": "TFRecord"}, "TF_RECORD_IMAGE"),
        ({"fileDimensions": 100}, "multiples of the tile size 256"),
        ({"shardSize": 100}, "multiple of 16"),
        ({"formatOptions": {"metadataKeys": ["orbit"]}}, "does not implement metadataKeys"),
        ({"maxPixels": 0}, "maxPixels"),
        ({"fileNamePrefix": "../x", "folder": ".."}, "no name on Drive"),
    ],
)
def test_what_is_not_made_is_refused_at_once(house: House, options: dict[str, Any], text: str) -> None:
    with pytest.raises(EarthEngineError, match=text):
        house.exporter.check(house.request(house.image, **options))


def test_tables_are_refused(house: House) -> None:
    with pytest.raises(EarthEngineError, match="EXPORT_FEATURES"):
        house.exporter.check(ExportRequest(kind="EXPORT_FEATURES", project="projects/p", body={}))


@pytest.mark.parametrize(
    ("to", "place"),
    [
        ("Drive", {"folder": "../../x"}),
        ("Drive", {"fileNamePrefix": "../../x", "folder": "a"}),
        ("Drive", {"fileNamePrefix": "/etc/x"}),
        ("CloudStorage", {"fileNamePrefix": "../../x"}),
        ("CloudStorage", {"fileNamePrefix": "/x"}),
        ("CloudStorage", {"bucket": ".."}),
        ("CloudStorage", {"fileNamePrefix": "a/", "description": "../../../../x"}),
        ("Asset", {"assetId": "projects/local-demo/assets/../../../x"}),
    ],
)
def test_files_stay_below_the_root(house: House, tmp_path: Path, to: str, place: dict[str, str]) -> None:
    before = set(tmp_path.iterdir())
    try:
        house.run(house.request(house.image, to=to, **place))
    except EarthEngineError:
        pass
    else:
        assert len(list(house.root.rglob("*.tif"))) == 1
    assert set(tmp_path.iterdir()) - before <= {house.root}


def test_slashes_are_names_on_drive_and_folders_in_buckets(house: House) -> None:
    on_drive, _ = house.run(house.request(house.image, folder="a/b", fileNamePrefix="c/d"))
    in_bucket, _ = house.run(house.request(house.image, to="CloudStorage", fileNamePrefix="c/d"))
    in_folder, _ = house.run(house.request(house.image, to="CloudStorage", fileNamePrefix="c/d/"))
    assert on_drive == [house.root / "drive" / "a%2Fb" / "c%2Fd.tif"]
    assert in_bucket == [house.root / "cloud-storage" / "bucket-1" / "c" / "d.tif"]
    assert in_folder == [house.root / "cloud-storage" / "bucket-1" / "c" / "d" / "test.tif"]


def test_a_cancelled_export_leaves_nothing(house: House) -> None:
    asked = iter(range(1000))
    request = house.request(house.image, fileDimensions=256)
    with pytest.raises(ExportCancelled):
        house.run(request, cancelled=lambda: next(asked) > 5)
    assert not list(house.root.rglob("*.*"))
    with pytest.raises(ExportCancelled):
        house.run(house.request(house.image, to="Asset"), cancelled=lambda: True)
    assert house.catalogue.describe_children("projects/local-demo") == []


# -- assets -----------------------------------------------------------------------------------------------------------


def test_an_asset_comes_back_as_it_went(house: House) -> None:
    image = house.image.addBands(house.image.select("VV").gt(1.5).rename("high")).set("season", "dry")
    request = house.request(image, to="Asset", pyramidingPolicy={".default": "mean", "high": "mode"})
    uris = house.exporter.run(request, progress=lambda _: None, cancelled=lambda: False)
    assert uris == ["https://code.earthengine.google.com/?asset=projects/local-demo/assets/out"]

    found = house.catalogue.load_image("projects/local-demo/assets/out")
    assert found.band_names == ["VV", "VH", "high"]
    assert (found.properties["season"], found.properties["orbit"]) == ("dry", 9)
    assert found.properties["system:index"] == "out"
    assert (found.bands[2].type.precision, found.bands[2].type.low, found.bands[2].type.high) == ("int", 0, 1)
    grid = output_grid(found)
    assert grid == Grid(CRS, (10, 0, 500000, 0, -10, 8000000), 700, 600)
    vv, high = found.bands[0].pixels(grid), found.bands[2].pixels(grid)
    np.testing.assert_array_equal(np.where(vv.mask > 0, vv.data, np.nan), house.values[0])
    np.testing.assert_array_equal(high.mask > 0, np.isfinite(house.values[0]))
    np.testing.assert_array_equal(high.data[high.mask > 0], (house.values[0] > 1.5)[high.mask > 0])
    body = to_json(house.catalogue.get("projects/local-demo/assets/out"))
    assert [band["pyramidingPolicy"] for band in body["bands"]] == ["MEAN", "MEAN", "MODE"]

    with pytest.raises(EarthEngineError, match="Cannot overwrite asset"):
        house.exporter.check(request)
    house.run(house.request(house.image.multiply(2), to="Asset", overwrite=True))
    again = house.catalogue.load_image("projects/local-demo/assets/out")
    assert again.band_names == ["VV", "VH"]
    np.testing.assert_array_equal(again.bands[1].pixels(grid).data, house.values[1].astype(float) * 2)


def test_properties_that_an_asset_cannot_keep_are_named(house: House) -> None:
    kept = storable({"a": [1, "x"], "when": Date(5), "none": None})
    assert kept == {"a": [1, "x"], "when": 5}
    image = house.image.set("scene", house.image)
    with pytest.raises(EarthEngineError, match="Property 'scene' of type Image"):
        house.run(house.request(image, to="Asset"))


def test_a_disk_that_refuses_is_told(house: House) -> None:
    house.root.write_text("a file where the folder should be")
    with pytest.raises(EarthEngineError, match="could not be written"):
        house.run(house.request(house.image))


def test_an_asset_that_fails_leaves_nothing(house: House) -> None:
    image = house.image.select("VV").toArray()
    with pytest.raises(EarthEngineError, match="Array-valued"):
        house.run(house.request(image, to="Asset"))
    assert house.catalogue.describe_children("projects/local-demo") == []


# -- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("part", "count"), [((700, 600), 1), ((512, 512), 4), ((256, 1024), 3), ((10_000, 100), 6)])
def test_parts_cover_the_grid_once(part: tuple[int, int], count: int) -> None:
    grid = Grid(CRS, (10, 0, 500000, 0, -10, 8000000), 700, 600)
    covered = np.zeros((600, 700), int)
    parts = cut(grid, part)
    for one in parts:
        offset = one.grid.offset_in(grid)
        assert offset is not None
        row, col = offset
        assert one.name == ("" if count == 1 else f"-{row:010d}-{col:010d}")
        covered[row : row + one.grid.height, col : col + one.grid.width] += 1
    assert (covered == 1).all()
    assert len(parts) == count
