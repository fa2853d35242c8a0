"""Images to files and pictures: blocks, types, masks, archives, what is refused."""

from __future__ import annotations

import io
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from ee_offline import computed, offline_client
from PIL import Image as Pillow

from gee.local.bands.pixel_types import BOOLEAN, DOUBLE, FLOAT, named
from gee.local.catalogue.folder import FolderCatalogue
from gee.local.catalogue.register import register
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.rendering.blocks import RenderingCancelled, Work, block_grids, blocks
from gee.local.rendering.formats import render, to_array
from gee.local.rendering.geotiff import TiffOptions, write_geotiff
from gee.local.rendering.requests import tile_grid
from gee.local.values import PixelType
from gee.local.work.interruption import go_on, interruptible

OPERA = Path(__file__).parents[1] / "../shared/data/opera-rtc-s1"
GRID = Grid("EPSG:32720", (10.0, 0.0, 500000.0, 0.0, -10.0, 8000000.0), 70, 50)


def ramp(name: str = "VV", type_: PixelType = FLOAT, *, hole: bool = True) -> Band:
    """Band whose value is column + 1000 row of GRID's lattice; masked where the column is a multiple of 7."""

    def compute(grid: Grid) -> Pixels:
        x, y = grid.centres()
        col, row = np.floor((x - 500000) / 10), np.floor((8000000 - y) / 10)
        mask = (col % 7 != 0).astype(float) if hole else np.ones(col.shape)
        return Pixels(col + 1000 * row, mask)

    return Band(name, type_, compute)


def even(name: str, value: float, type_: PixelType, mask: float = 1.0) -> Band:
    """Band of one value."""
    return Band(name, type_, lambda grid: Pixels(*(np.full((grid.height, grid.width), one) for one in (value, mask))))


def expected(grid: Grid = GRID) -> np.ndarray:
    """Values of `ramp` with NaN where it is masked."""
    found = np.arange(grid.width) + 1000.0 * np.arange(grid.height)[:, None]
    found[:, ::7] = np.nan
    return found


# -- blocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("side", [7, 16, 64, 512])
def test_blocks_are_the_whole(side: int, threads: int) -> None:
    whole = np.full((50, 70), -1.0)
    for block in blocks([ramp()], GRID, Work(side=side, threads=threads)):
        part = block.pixels[0]
        whole[block.row : block.row + block.grid.height, block.col : block.col + block.grid.width] = np.where(
            part.mask > 0, part.data, np.nan
        )
    np.testing.assert_array_equal(whole, expected())


def test_blocks_come_in_order_and_progress_ends_at_1() -> None:
    shares: list[float] = []
    made = [(one.row, one.col) for one in blocks([ramp()], GRID, Work(side=20, threads=2, progress=shares.append))]
    assert made == [(row, col) for row, col, _ in block_grids(GRID, 20)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) == len(made) == 12


def test_few_blocks_are_in_memory() -> None:
    lock = threading.Lock()
    begun = 0

    def compute(grid: Grid) -> Pixels:
        nonlocal begun
        with lock:
            begun += 1
        return Pixels(*np.zeros((2, grid.height, grid.width)))

    most = 0
    for taken, _ in enumerate(blocks([Band("b", FLOAT, compute)], GRID, Work(side=5, threads=2))):
        most = max(most, begun - taken)
    assert most <= 4


def test_work_that_is_cancelled_ends() -> None:
    seen: list[tuple[int, int]] = []
    made = blocks([ramp()], GRID, Work(side=10, threads=2, cancelled=lambda: len(seen) >= 3))
    with pytest.raises(RenderingCancelled):
        seen.extend((one.row, one.col) for one in made)
    assert len(seen) == 3


def test_an_error_in_a_block_is_the_caller_s() -> None:
    def fail(grid: Grid) -> Pixels:
        raise EarthEngineError(f"no pixels at {grid.width}")

    with pytest.raises(EarthEngineError, match="no pixels at 10"):
        list(blocks([Band("b", FLOAT, fail)], GRID, Work(side=10, threads=2)))


def test_what_ends_a_request_ends_its_blocks() -> None:
    def compute(grid: Grid) -> Pixels:
        go_on()
        return Pixels(*np.zeros((2, grid.height, grid.width)))

    def end() -> None:
        raise EarthEngineError("Computation timed out.")

    with interruptible(end), pytest.raises(EarthEngineError, match="timed out"):
        list(blocks([Band("b", FLOAT, compute)], GRID, Work(side=10, threads=2)))


# -- NPY --------------------------------------------------------------------------------------------------------------


def test_npy_is_a_structured_array() -> None:
    bands = (ramp("VV"), even("d", 0.1, DOUBLE), even("t", 1, BOOLEAN), even("n", 300, PixelType("int", 0, 300)))
    content, kind = render(Image(bands), GRID, "NPY")
    found = np.load(io.BytesIO(content), allow_pickle=False)
    assert kind == "application/octet-stream"
    assert found.dtype == [("VV", "<f4"), ("d", "<f8"), ("t", "u1"), ("n", "<u2")]
    np.testing.assert_array_equal(found["VV"], np.nan_to_num(expected()).astype(np.float32))
    assert (found["d"][0, 0], found["t"][3, 4], found["n"][1, 1]) == (0.1, 1, 300)


def test_integers_are_cut_and_limited() -> None:
    assert to_array(Image((even("a", 1.9, named("byte")),)), GRID)["a"][0, 0] == 1
    assert to_array(Image((even("a", -3, named("byte")),)), GRID)["a"][0, 0] == 0
    assert to_array(Image((even("a", 1e30, named("long")),)), GRID)["a"][0, 0] > 9.2e18


def test_arrays_are_refused() -> None:
    band = even("a", 1, PixelType("float", dimensions=1))
    for form in ("NPY", "GEO_TIFF"):
        with pytest.raises(EarthEngineError, match="Array-valued"):
            render(Image((band,)), GRID, form)


# -- GeoTIFF ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimized", [False, True])
def test_a_geotiff_has_names_types_masks_and_place(tmp_path: Path, *, optimized: bool) -> None:
    path = tmp_path / "a.tif"
    options = TiffOptions(cloud_optimized=optimized)
    assert write_geotiff(path, Image((ramp("VV"), ramp("VH"))), GRID, options=options, work=Work(side=16))
    with rasterio.open(path) as file:
        assert file.descriptions == ("VV", "VH")
        assert file.dtypes == ("float32", "float32")
        assert (file.crs.to_epsg(), file.transform[:6]) == (32720, GRID.transform)
        assert file.block_shapes == [(256, 256)] * 2
        assert (file.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG") == optimized
        np.testing.assert_array_equal(file.read(2), expected().astype(np.float32))
    assert path.read_bytes()[2] == 43  # BigTIFF's version
    assert [one.name for one in tmp_path.iterdir()] == ["a.tif"]


def test_a_large_cog_has_overviews(tmp_path: Path) -> None:
    grid = replace(GRID, width=700, height=600)
    write_geotiff(tmp_path / "a.tif", Image((ramp(),)), grid, options=TiffOptions(cloud_optimized=True))
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.overviews(1)[:2] == [2, 4]
        np.testing.assert_array_equal(file.read(1), expected(grid).astype(np.float32))


def test_masked_pixels_take_no_data(tmp_path: Path) -> None:
    write_geotiff(tmp_path / "a.tif", Image((ramp(),)), GRID, options=TiffOptions(no_data=-9999))
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.nodata == -9999
        np.testing.assert_array_equal(file.read(1) == -9999, np.isnan(expected()))


def test_masked_integers_are_0(tmp_path: Path) -> None:
    write_geotiff(tmp_path / "a.tif", Image((ramp(type_=named("int32")),)), GRID)
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.nodata is None
        np.testing.assert_array_equal(file.read(1), np.nan_to_num(expected()))


def test_no_data_must_fit_the_type(tmp_path: Path) -> None:
    for value, type_ in ((-1, BOOLEAN), (0.5, named("int32")), (1e300, FLOAT)):
        with pytest.raises(EarthEngineError, match="not in the range"):
            write_geotiff(tmp_path / "a.tif", Image((even("a", 0, type_),)), GRID, options=TiffOptions(no_data=value))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("types", "names"),
    [((FLOAT, BOOLEAN), "Float32 and Byte"), ((named("int16"), FLOAT, DOUBLE), "Int16 and Float32")],
)
def test_bands_of_a_file_have_one_type(tmp_path: Path, types: tuple[PixelType, ...], names: str) -> None:
    image = Image(tuple(even(f"b{at}", 0, type_) for at, type_ in enumerate(types)))
    with pytest.raises(EarthEngineError) as told:
        write_geotiff(tmp_path / "a.tif", image, GRID)
    text = "Exported bands must have compatible data types; found inconsistent types:"
    assert told.value.message == f"{text} {names}."


def test_a_cancelled_file_is_not_there(tmp_path: Path) -> None:
    left = iter([False, False, True])
    work = Work(side=256, threads=1, cancelled=lambda: next(left))
    with pytest.raises(RenderingCancelled):
        write_geotiff(tmp_path / "a.tif", Image((ramp(),)), replace(GRID, height=2000), work=work)
    assert not list(tmp_path.iterdir())


def test_a_file_without_a_valid_pixel_is_told(tmp_path: Path) -> None:
    assert not write_geotiff(tmp_path / "a.tif", Image((even("a", 1, FLOAT, mask=0),)), GRID)


def test_archives() -> None:
    image = Image((ramp("VV"), even("t", 1, BOOLEAN)))
    content, kind = render(image, GRID, "ZIPPED_GEO_TIFF_PER_BAND", name="../a b")
    assert kind == "application/zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["_a_b.VV.tif", "_a_b.t.tif"]
        with rasterio.MemoryFile(archive.read("_a_b.t.tif")) as held, held.open() as file:
            assert file.dtypes == ("uint8",)
    content, _ = render(Image((ramp("VV"), ramp("VH"))), GRID, "ZIPPED_GEO_TIFF")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["download.tif"]


# -- pictures -----------------------------------------------------------------------------------------------------------


def test_pictures_of_colours() -> None:
    byte = named("byte")
    image = Image((even("r", 250, byte), even("g", 20, byte), even("b", 100, byte)))
    for form in ("PNG", "JPEG", "AUTO_JPEG_PNG"):
        content, kind = render(image, GRID, form)
        shown = Pillow.open(io.BytesIO(content))
        assert (shown.size, shown.mode) == ((70, 50), "RGB")
        assert kind == ("image/png" if form == "PNG" else "image/jpeg")
        assert np.abs(np.array(shown)[10, 10].astype(int) - [250, 20, 100]).max() <= (0 if form == "PNG" else 6)


def test_masks_are_opacity() -> None:
    band = Band("v", named("byte"), lambda grid: Pixels(np.full((50, 70), 9.0), ramp().compute(grid).mask * 0.5))
    content, kind = render(Image((band,)), GRID, "AUTO_JPEG_PNG")
    shown = Pillow.open(io.BytesIO(content))
    assert (kind, shown.mode) == ("image/png", "LA")
    np.testing.assert_array_equal(np.array(shown)[0, :8, 1], [0, 128, 128, 128, 128, 128, 128, 0])
    dark, _ = render(Image((even("v", 200, named("byte"), mask=0),)), GRID, "JPEG")
    assert np.array(Pillow.open(io.BytesIO(dark))).max() == 0


def test_pictures_need_bytes() -> None:
    for bands in ((ramp(),), (even("a", 1, BOOLEAN),) * 2):
        with pytest.raises(EarthEngineError, match="Pictures need 1 or 3 bands of bytes"):
            render(Image(bands), GRID, "PNG")


@pytest.mark.parametrize("form", ["GIF", "TF_RECORD_IMAGE"])
def test_formats_that_are_not_made_are_named(form: str) -> None:
    with pytest.raises(EarthEngineError, match=f"does not implement the file format {form}"):
        render(Image((ramp(),)), GRID, form)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(EarthEngineError, match="Invalid value at 'file_format': 'BMP'"):
        render(Image((ramp(),)), GRID, "BMP")


def test_tiles_meet() -> None:
    """A tile is the quarter of the one above it, and neighbours share their edge."""
    above, first, right = tile_grid(3, 2, 5), tile_grid(4, 4, 10), tile_grid(4, 5, 10)
    assert (first.transform[2], first.transform[5]) == (above.transform[2], above.transform[5])
    assert first.transform[0] * 2 == pytest.approx(above.transform[0], rel=1e-12)
    assert first.transform[2] + 256 * first.transform[0] == pytest.approx(right.transform[2], rel=1e-9)


# -- real scenes --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not OPERA.exists(), reason="no OPERA RTC-S1 scenes beside the project")
def test_composites_of_opera_scenes_equal_numpy(tmp_path: Path) -> None:
    """Filters by burst, pass and date, then mean, median and stdDev, pixel by pixel as numpy on the same files."""
    catalogue = FolderCatalogue(tmp_path)
    burst = "T137-292324-IW1"
    files = sorted((OPERA / burst).glob("*.tif"))
    register(catalogue, "OPERA/RTC/L2_V1/S1", [*files, *(OPERA / "T137-292320-IW1").glob("*_S1A_*.tif")])
    chosen = [path for path in files if "20220901" < path.name.split("_")[4][:8] < "20231101" and "_VH." in path.name]
    stored = []
    for path in chosen:
        with rasterio.open(path) as file:
            stored.append(file.read(1).astype(float))
            grid = Grid("EPSG:32611", file.transform[:6], file.width, file.height)
    stack = np.array(stored)

    with offline_client() as ee:
        scenes = (
            ee.ImageCollection("OPERA/RTC/L2_V1/S1")
            .filter(ee.Filter.eq("BURST_ID", burst))
            .filter(ee.Filter.eq("ORBIT_PASS_DIRECTION", "ascending"))
            .filter(ee.Filter.listContains("POLARIZATIONS", "VH"))
            .filterDate("2022-09-02", "2023-11-01")
            .select("VH")
        )
        context = Context(catalogue=catalogue)
        assert computed(scenes.size(), context) == len(stack) > 5
        results = {
            "mean": (scenes.mean(), np.nanmean(stack, 0)),
            "median": (scenes.median(), np.nanmedian(stack, 0)),
            "stdDev": (scenes.reduce(ee.Reducer.stdDev()), np.nanstd(stack, 0)),
        }
        for name, (composite, known) in results.items():
            content, _ = render(computed(composite, context), grid, "NPY")
            found = np.load(io.BytesIO(content))
            here = np.isfinite(known)
            assert here.mean() > 0.5, name
            np.testing.assert_allclose(found[found.dtype.names[0]][here], known[here], rtol=1e-5, err_msg=name)
    catalogue.close()
