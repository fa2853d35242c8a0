"""The catalogue of the local Earth Engine: files to assets, their pixels, names that cannot leave the folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from command_line import Sarbatch, sarbatch
from ee_rasters import UTM, write_raster
from pyproj import Transformer
from rasterio.transform import Affine

from gee.local.catalogue.folder import FolderCatalogue
from gee.local.catalogue.items import Item
from gee.local.catalogue.register import read_properties, register
from gee.local.catalogue.resources import to_json
from gee.local.errors import EarthEngineError
from gee.local.folders import assets_of
from gee.local.pixels import Grid, rendering

__all__ = ["sarbatch"]  # a fixture

OPERA = Path(__file__).parents[1] / "../shared/data/opera-rtc-s1"


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[FolderCatalogue]:
    made = FolderCatalogue(tmp_path / "catalogue")
    yield made
    made.close()


def test_a_file_is_an_image_with_its_own_pixels(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    values = np.arange(20, dtype=np.int16).reshape(1, 4, 5)
    path = write_raster(tmp_path / "scene_20200131.tif", values, no_data=7, names=["elevation"])

    register(catalogue, "projects/p/assets/dem", [path], time_from=r"_(\d{8})", properties={"source": "here"})
    image = catalogue.load_image("projects/p/assets/dem")

    assert image.band_names == ["elevation"]
    assert image.properties == {"system:index": "dem", "system:time_start": 1580428800000, "source": "here"}
    assert (image.bands[0].type.low, image.bands[0].type.high) == (-(2**15), 2**15 - 1)
    found = image.bands[0].pixels(Grid(UTM, (10, 0, 500000, 0, -10, 8000000), 5, 4))
    np.testing.assert_array_equal(found.mask == 0, values[0] == 7)
    np.testing.assert_array_equal(found.data[found.mask > 0], values[0][values[0] != 7])


def test_pixels_beyond_the_edge_are_masked(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    values = np.arange(1, 21, dtype=np.float32).reshape(1, 4, 5)
    register(catalogue, "a", [write_raster(tmp_path / "a.tif", values)])
    band = catalogue.load_image("a").bands[0]

    found = band.pixels(Grid(UTM, (10, 0, 500000 - 20, 0, -10, 8000000 + 10), 9, 6))
    expected = np.zeros((6, 9))
    expected[1:5, 2:7] = values[0]
    np.testing.assert_array_equal(found.data, expected)
    np.testing.assert_array_equal(found.mask, expected > 0)
    nothing = band.pixels(Grid(UTM, (10, 0, 900000, 0, -10, 8000000), 3, 2))
    assert nothing.data.shape == (2, 3)
    assert not nothing.mask.any()


def test_nearest_pixel_on_another_grid(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(size=(1, 40, 50)).astype(np.float32)
    path = write_raster(tmp_path / "a.tif", values)
    register(catalogue, "a", [path])
    west, north = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(500000, 8000000)
    grid = Grid("EPSG:4326", (7e-5, 0, west - 1e-4, 0, -7e-5, north + 1e-4), 30, 20)

    found = catalogue.load_image("a").bands[0].pixels(grid)
    with rasterio.open(path) as file:
        x, y = Transformer.from_crs(grid.crs, file.crs, always_xy=True).transform(*grid.centres())
        expected = [next(file.sample([one]))[0] for one in zip(x.ravel(), y.ravel(), strict=True)]
    assert (found.mask > 0).sum() > 100
    np.testing.assert_array_equal(np.where(found.mask > 0, found.data, 0).ravel(), np.array(expected, float))


@pytest.mark.parametrize("turned", [False, True])
def test_pixels_far_apart_are_those_of_the_full_resolution(
    catalogue: FolderCatalogue, tmp_path: Path, *, turned: bool
) -> None:
    """Every 40th pixel or so of a raster that is read in strips, also in a projection at an angle to it."""
    values = np.random.default_rng(3).uniform(1, 2, size=(1, 1100, 1300)).astype(np.float32)
    values[0, 300:500] = np.nan
    valid = np.ones((1100, 1300), bool)
    valid[:, :100] = False
    path = write_raster(tmp_path / "a.tif", values, valid=valid)
    register(catalogue, "a", [path])
    grid = Grid(UTM, (391, 0, 499200, 0, -403, 8000700), 40, 31)
    if turned:
        grid = Grid(UTM, (280, 272, 494900, -270, -284, 8000700), 60, 51)

    found = catalogue.load_image("a").bands[0].pixels(grid)
    x, y = grid.centres()
    col, row = np.floor((x - 500000) / 10).astype(int), np.floor((8000000 - y) / 10).astype(int)
    inside = (row >= 0) & (row < 1100) & (col >= 0) & (col < 1300)
    known = np.where(valid, values[0], np.nan)[np.where(inside, row, 0), np.where(inside, col, 0)]
    known = np.where(inside, known, np.nan)
    assert 0.1 < np.isfinite(known).mean() < 0.9
    np.testing.assert_array_equal(np.where(found.mask > 0, found.data, np.nan), known)


def test_not_finite_and_masked_pixels(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    values = np.array([[[1.0, np.nan, np.inf, 4.0]]])
    path = write_raster(tmp_path / "a.tif", values, valid=np.array([[True, True, True, False]]))
    register(catalogue, "a", [path])

    found = catalogue.load_image("a").bands[0].pixels(Grid(UTM, (10, 0, 500000, 0, -10, 8000000), 4, 1))
    np.testing.assert_array_equal(found.mask, [[1, 0, 0, 0]])
    assert np.isfinite(found.data).all()


def test_files_are_a_collection_that_grows(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    paths = [write_raster(tmp_path / f"s_2020-0{n}-01.tif", np.full((2, 3, 3), n, np.uint8)) for n in (2, 1, 3)]

    register(catalogue, "s", paths[:2], time_from=r"\d{4}-\d\d-\d\d", properties={"s_2020-01-01": {"orbit": 9}})
    first = catalogue.load_collection("s")
    register(catalogue, "s", [paths[2], paths[0]], overwrite=True)
    second = catalogue.load_collection("s")

    assert [image.properties.get("orbit") for image in first.elements] == [9, None]
    assert [image.properties["system:index"] for image in second.elements] == [f"s_2020-0{n}-01" for n in (1, 2, 3)]
    assert second.elements[0] is first.elements[0]
    assert second.elements[1] is not first.elements[1]
    assert second.elements[0].band_names == ["b1", "b2"]
    with pytest.raises(EarthEngineError, match="Cannot overwrite"):
        register(catalogue, "s", paths)


def test_a_collection_that_is_an_image_takes_no_images(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    paths = [write_raster(tmp_path / f"{n}.tif", np.ones((1, 3, 3), np.uint8)) for n in range(2)]
    register(catalogue, "a", paths[:1])
    with pytest.raises(EarthEngineError, match="which is an IMAGE"):
        register(catalogue, "a", paths)
    with pytest.raises(EarthEngineError, match="not an ImageCollection"):
        catalogue.load_collection("a")


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/../x", "a//b", "a/.hidden", "a\\..\\x", "a/asset.json", "a\0", "", "ü", "a" * 300]
)
def test_ids_do_not_leave_the_folder(catalogue: FolderCatalogue, tmp_path: Path, name: str) -> None:
    path = write_raster(tmp_path / "a.tif", np.ones((1, 3, 3), np.uint8))
    for attempt in (name, f"projects/earthengine-public/assets/{name}", f"projects/p/assets/{name}"):
        if attempt in ("projects/earthengine-public/assets/", "projects/p/assets/"):
            continue
        for action in (
            catalogue.load_image,
            catalogue.load_collection,
            catalogue.remove,
            lambda text: register(catalogue, text, [path]),
        ):
            with pytest.raises(EarthEngineError, match=r"Invalid asset ID|not found"):
                action(attempt)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.tif"]


def test_links_do_not_lead_out(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EarthEngineError, match="Invalid asset ID"):
        catalogue.add(Item(id="link/a", kind="FOLDER"))
    assert not list((tmp_path / "elsewhere").iterdir())


def test_missing_assets_say_so_as_the_service_does(catalogue: FolderCatalogue) -> None:
    text = "asset 'NO/SUCH' not found (does not exist or caller does not have access)."
    with pytest.raises(EarthEngineError) as image:
        catalogue.load_image("NO/SUCH")
    with pytest.raises(EarthEngineError) as asset:
        catalogue.get("NO/SUCH")
    assert image.value.message == f"Image {text}"
    assert (asset.value.message, asset.value.code) == (text.replace("asset", "Asset", 1), 404)


def test_folders_list_and_assets_go(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    paths = [write_raster(tmp_path / f"{n}.tif", np.ones((1, 3, 3), np.uint8)) for n in "ab"]
    register(catalogue, "X/Y/S", paths)
    assert [(one.id, one.kind) for one in catalogue.children("X/Y")] == [("X/Y/S", "IMAGE_COLLECTION")]
    assert [one.id for one in catalogue.children("X/Y/S")] == ["X/Y/S/a", "X/Y/S/b"]
    assert [one["id"] for one in catalogue.describe_children("projects/earthengine-public")] == ["X"]
    with pytest.raises(EarthEngineError, match="has children"):
        catalogue.remove("X/Y/S")
    for one in "ab":
        catalogue.remove(f"X/Y/S/{one}")
    catalogue.remove("X/Y/S")
    assert all(path.exists() for path in paths)
    with pytest.raises(EarthEngineError, match="not found"):
        catalogue.get("X")


def test_a_project_has_folders_of_its_own(catalogue: FolderCatalogue) -> None:
    assert catalogue.describe_children("projects/p") == []
    made = catalogue.create("projects/p/assets/f", kind="FOLDER", properties={"a": 1})
    catalogue.create("projects/p/assets/f/c", kind="IMAGE_COLLECTION", properties={})
    assert (made["name"], made["type"], made["properties"]) == ("projects/p/assets/f", "FOLDER", {"a": 1})
    assert [one["name"] for one in catalogue.describe_children("projects/p")] == ["projects/p/assets/f"]
    assert [one["name"] for one in catalogue.describe_children("projects/p/assets/f")] == ["projects/p/assets/f/c"]
    assert len(catalogue.load_collection("projects/p/assets/f/c").elements) == 0
    assert catalogue.describe_children("projects/earthengine-public") == []
    with pytest.raises(EarthEngineError, match="Cannot overwrite"):
        catalogue.create("projects/p/assets/f", kind="FOLDER", properties={})


def test_an_asset_in_rest_form(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.ones((1, 3, 4), np.uint8), names=["VV"])
    register(catalogue, "A/B", [path], properties={"system:time_start": 0, "x": [1, "y"]})
    body = json.loads(json.dumps(to_json(catalogue.get("projects/earthengine-public/assets/A/B"))))
    assert (body["name"], body["id"]) == ("projects/earthengine-public/assets/A/B", "A/B")
    assert (body["type"], body["startTime"]) == ("IMAGE", "1970-01-01T00:00:00Z")
    assert body["properties"] == {"system:index": "B", "x": [1, "y"]}
    band = body["bands"][0]
    assert band["dataType"] == {"precision": "INT", "range": {"min": 0, "max": 255}}
    assert band["grid"]["dimensions"] == {"width": 4, "height": 3}
    assert band["grid"]["affineTransform"] == {"scaleX": 10, "translateX": 500000, "scaleY": -10, "translateY": 8e6}


def test_a_damaged_entry_is_named(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.ones((1, 3, 4), np.uint8))
    register(catalogue, "A", [path])
    (tmp_path / "catalogue" / "A" / "asset.json").write_text("{")
    with pytest.raises(EarthEngineError, match="entry of 'A' cannot be read"):
        catalogue.load_image("A")


def test_a_file_that_is_gone_is_named(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.ones((1, 3, 4), np.uint8))
    register(catalogue, "A", [path])
    band = catalogue.load_image("A").bands[0]
    path.unlink()
    with pytest.raises(EarthEngineError, match=r"a\.tif of an asset cannot be read"):
        band.pixels(Grid(UTM, (10, 0, 500000, 0, -10, 8000000), 4, 3))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_files_that_are_no_rasters_are_refused(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    (tmp_path / "no.tif").write_text("no")
    bare = write_raster(tmp_path / "bare.tif", np.ones((1, 3, 4), np.uint8), transform=Affine.identity())
    complex_ = write_raster(tmp_path / "complex.tif", np.ones((1, 3, 4), np.complex64))
    for path, text in ((tmp_path / "no.tif", "read as a raster"), (bare, "coordinate"), (complex_, "complex64")):
        with pytest.raises(EarthEngineError, match=text):
            register(catalogue, "A", [path])


@pytest.mark.parametrize(
    ("name", "regex", "millis"),
    [
        ("x_20200131T120000_y", r"\d{8}T\d{6}", 1580472000000),
        ("x_2020031", r"x_(\d+)", 1580428800000),
        ("2020_01_31-x", r"\d{4}_\d\d_\d\d", 1580428800000),
        ("x_2020-01-31T12:00:00", r"_(.*)\.tif", 1580472000000),
    ],
)
def test_dates_in_names(catalogue: FolderCatalogue, tmp_path: Path, name: str, regex: str, millis: int) -> None:
    path = write_raster(tmp_path / f"{name}.tif", np.ones((1, 3, 4), np.uint8))
    register(catalogue, "A", [path], time_from=regex)
    assert catalogue.load_image("A").properties["system:time_start"] == millis
    with pytest.raises(EarthEngineError, match="no date"):
        register(catalogue, "B", [path], time_from="Z+")


def test_properties_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"a": 1}')
    assert read_properties(tmp_path / "p.json") == {"a": 1}
    (tmp_path / "p.json").write_text("[1]")
    with pytest.raises(EarthEngineError, match="JSON object"):
        read_properties(tmp_path / "p.json")


def test_threads_read_the_same_files(catalogue: FolderCatalogue, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    scenes = [rng.uniform(size=(1, 200, 200)).astype(np.float32) for _ in range(4)]
    register(catalogue, "s", [write_raster(tmp_path / f"{n}.tif", scene) for n, scene in enumerate(scenes)])
    images = catalogue.load_collection("s").elements

    def read(number: int) -> bool:
        which, row, col = number % 4, number * 7 % 150, number * 13 % 150
        with rendering():
            grid = Grid(UTM, (10, 0, 500000 + col * 10, 0, -10, 8000000 - row * 10), 50, 50)
            found = images[which].bands[0].pixels(grid)
        return np.array_equal(found.data, scenes[which][0, row : row + 50, col : col + 50])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(200)))


# -- commands -----------------------------------------------------------------------------------------------------------


def test_files_are_registered_and_scenes_made_up_by_commands(sarbatch: Sarbatch, tmp_path: Path) -> None:
    house = tmp_path / "house"
    paths = [write_raster(tmp_path / f"s_2020010{n}.tif", np.full((1, 3, 3), n, np.uint8)) for n in (1, 2)]
    (tmp_path / "p.json").write_text('{"source": "here"}')
    more = ["--folder", house, "--time-from", r"\d{8}", "--properties", tmp_path / "p.json"]

    said = sarbatch("earth-engine", "register", "projects/p/assets/s", *paths, *more)
    assert (said.code, said.out.strip()) == (0, "projects/p/assets/s: 2 images")
    images = assets_of(house).load_collection("projects/p/assets/s").elements
    assert [one.properties["source"] for one in images] == ["here", "here"]
    again = sarbatch("earth-engine", "register", "projects/p/assets/s", *paths, "--folder", house)
    assert again.code == 2
    assert "Cannot overwrite" in again.err
    assert sarbatch("earth-engine", "register", "../s", *paths, "--folder", house).code == 2

    made = sarbatch("earth-engine", "simulate", house, "--dates", 1, "--size", 64)
    assert (made.code, made.out.split(" ", 1)[0]) == (0, "4")
    assert len(assets_of(house).load_collection("COPERNICUS/S1_GRD").elements) == 4
    assert sarbatch("earth-engine", "simulate", house, "--looks", -1, "--overwrite").code == 2


# -- real scenes --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not OPERA.exists(), reason="no OPERA RTC-S1 scenes beside the project")
def test_opera_scenes(catalogue: FolderCatalogue) -> None:
    files = sorted(OPERA.glob("*/*.tif"))
    done = register(catalogue, "OPERA/RTC/L2_V1/S1", files)
    images = catalogue.load_collection("OPERA/RTC/L2_V1/S1").elements

    assert len(done.images) == len(images) == len(files) / 2
    for image in images[::10]:
        assert image.band_names == ["VV", "VH"]
        assert image.properties["POLARIZATIONS"] == ["VV", "VH"]
        assert image.properties["TRACK_NUMBER"] == 137.0
        assert image.properties["ORBIT_PASS_DIRECTION"] == "ascending"  # 18 h local time over California
        burst, start = image.properties["BURST_ID"], image.properties["system:index"].split("_")[4]
        path = next(one for one in files if f"{burst}_{start}" in one.name and one.name.endswith("VH.tif"))
        with rasterio.open(path) as file:
            stored = file.read(1)
            grid = Grid("EPSG:32611", file.transform[:6], file.width, file.height)
        assert image.footprint is not None
        assert image.footprint.shape is not None
        assert image.footprint.shape.bounds == tuple(file.bounds)
        found = image.bands[1].pixels(grid)
        np.testing.assert_array_equal(np.where(found.mask > 0, found.data, np.nan), stored)
