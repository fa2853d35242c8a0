"""Pixels: power, masks and mosaics against rasterio and numpy alone."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from geotiffs import opera_name, write_tif
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_jobs.backscatter import check_mask_layers, mask_layers, mosaic, read_mask, read_power, to_power
from dask_jobs.passes import group_passes, stack_grid
from dask_jobs.readers import geotiff, opera
from dask_jobs.readers.file_names import FileNames
from dask_jobs.readers.geotiff import PixelValues
from dask_jobs.readers.opera import INVALID, LAYERS
from dask_jobs.readers.raster_headers import holds_data, read_header
from dask_jobs.scenes import Mask, Pass, Raster, Scale, Scene
from infra.errors import InputError, LatticeError
from infra.grid import Grid, Window
from infra.storage import Location, S3Options

S3 = S3Options()
DATA = Path(__file__).parents[1] / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the reference data are not beside the project")
RNG = np.random.default_rng(5)


def gamma(height: int = 12, width: int = 16) -> np.ndarray:
    return RNG.gamma(4, 0.05, (height, width)).astype(np.float32)


def bits(values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), np.uint32(0), values.view(np.uint32))


def opened(path: Path, **raster: object) -> tuple[Raster, Grid]:
    header = read_header(str(path), s3=S3)
    return Raster(url=str(path), **{"nodata": header.nodata, **raster}), header.grid


def read(path: Path, **raster: object) -> np.ndarray:
    made, grid = opened(path, **raster)
    return read_power(made, grid=grid, target=grid, window=grid.full, s3=S3)


def scene_of(name: str, power: Path, mask: Path | None = None) -> Scene:
    raster, grid = opened(power)
    time = datetime(2021, 11, 19, tzinfo=UTC)
    return Scene(
        id=name,
        release="",
        time=time,
        grid=grid,
        rasters={"VV": raster},
        mask=Mask(raster=opened(mask)[0], invalid=INVALID, layers=LAYERS) if mask else None,
    )


def pass_of(*scenes: Scene) -> Pass:
    return Pass(time=scenes[0].time, scenes=scenes)


# ---------------------------------------------------------------------------------------------- real data


@needs_data
def test_every_real_burst_keeps_its_bits_in_its_place() -> None:
    found = opera.find(DATA / "opera-rtc-s1", s3=S3)
    target = stack_grid(found.scenes, extent="union")
    for passed in group_passes(found.scenes)[::7]:
        for polarization in ("VV", "VH"):
            power, masked, covered = mosaic(passed, polarization, target=target, window=target.full, s3=S3)
            expected = np.full(target.shape, np.nan, np.float32)
            for scene in passed.scenes:
                with rasterio.open(scene.rasters[polarization].url) as dataset:
                    col = round((dataset.bounds.left - target.left) / 30)
                    row = round((target.top - dataset.bounds.top) / 30)
                    expected[row : row + 100, col : col + 100] = dataset.read(1)
            np.testing.assert_array_equal(bits(power), bits(expected))
            assert power.dtype == np.float32
            assert (masked, covered) == (0, np.count_nonzero(~np.isnan(expected)))


@needs_data
def test_real_alos_scenes_as_power() -> None:
    names = FileNames(pattern=r"_(?P<polarization>H[HV])_(?P<date>\d{8})")
    found = geotiff.find(DATA / "alos-palsar-thailand", names=names, values=PixelValues(scale=Scale.AMPLITUDE), s3=S3)
    for scene in found.scenes:
        for raster in scene.rasters.values():
            with rasterio.open(raster.url) as dataset:
                raw = dataset.read(1)
            power = read_power(raster, grid=scene.grid, target=scene.grid, window=scene.grid.full, s3=S3)
            np.testing.assert_array_equal(power, (raw.astype("f8") ** 2).astype("f4"))


# ---------------------------------------------------------------------------------------------- scale


def test_all_scales_of_one_truth_agree(tmp_path: Path) -> None:
    power = gamma()
    amplitude, db = np.sqrt(power.astype("f8")), 10 * np.log10(power.astype("f8"))
    np.testing.assert_array_equal(bits(read(write_tif(tmp_path / "p.tif", power))), bits(power))
    for name, values, scale in (
        ("a", amplitude, Scale.AMPLITUDE),
        ("d", db, Scale.DB),
        ("w", power.astype("f8"), Scale.POWER),
    ):
        np.testing.assert_allclose(read(write_tif(tmp_path / f"{name}.tif", values), scale=scale), power, rtol=1e-7)


def test_alos_digital_numbers_are_calibrated(tmp_path: Path) -> None:
    numbers = np.array([[0, 1], [4000, 65535]], np.uint16)
    power = read(write_tif(tmp_path / "dn.tif", numbers, nodata=0), scale=Scale.AMPLITUDE, calibration_db=-83)
    assert math.isnan(power[0, 0])
    expected = numbers.astype("f8") ** 2 * 10 ** (-83 / 10)  # the contract's formula
    np.testing.assert_allclose(power.ravel()[1:], expected.ravel()[1:], rtol=1e-7)
    assert 10 * np.log10(power[1, 0]) == pytest.approx(20 * math.log10(4000) - 83, abs=1e-5)


def test_calibration_adds_decibels_on_every_scale(tmp_path: Path) -> None:
    power = gamma()
    for scale, values in ((Scale.POWER, power), (Scale.AMPLITUDE, np.sqrt(power)), (Scale.DB, 10 * np.log10(power))):
        path = write_tif(tmp_path / f"{scale}.tif", values)
        np.testing.assert_allclose(read(path, scale=scale, calibration_db=3.0), power * 10**0.3, rtol=1e-5)


def test_what_is_no_data_is_nan_and_nothing_else(tmp_path: Path) -> None:
    values = np.array([[0.5, -0.001, 0, np.inf], [-9999.9, np.nan, -np.inf, 1e-30]], np.float32)
    power = read(write_tif(tmp_path / "a.tif", values, nodata=-9999.9))
    np.testing.assert_array_equal(
        power, np.array([[0.5, -0.001, 0, np.nan], [np.nan, np.nan, np.nan, 1e-30]], np.float32)
    )
    with_zero = read(write_tif(tmp_path / "b.tif", values), nodata=0)
    assert math.isnan(with_zero[0, 2])
    assert with_zero[1, 0] == np.float32(-9999.9)


@pytest.mark.parametrize(
    ("dtype", "nodata", "stored"),
    [
        ("f4", -9999.9, -9999.9),
        ("f4", -1.7976931348623157e308, -np.inf),
        ("f8", -9999.9, -9999.9),
        ("i2", -9999, -9999),
        ("u1", -9999.0, 0),
    ],
)
def test_no_data_is_compared_as_the_file_stores_it(dtype: str, nodata: float, stored: float) -> None:
    values = np.array([stored, 1, 2]).astype(dtype)
    nothing = dtype == "u1"  # no byte can be -9999
    power = np.where(holds_data(values, nodata), to_power(values, Raster(url="")), np.nan)
    np.testing.assert_array_equal(power, [0 if nothing else np.nan, 1, 2])


def test_decibels_without_measure_are_no_data() -> None:
    values = np.array([-np.inf, np.inf, np.nan, 4000.0, 0.0], np.float32)
    power = to_power(values, Raster(url="", scale=Scale.DB))
    np.testing.assert_array_equal(power, np.array([np.nan, np.nan, np.nan, np.nan, 1.0], np.float32))


def test_the_files_own_mask_counts(tmp_path: Path) -> None:
    path, power = tmp_path / "a.tif", gamma()
    keep = RNG.random(power.shape) < 0.5
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write_tif(path, power)
        with rasterio.open(path, "r+") as dataset:
            dataset.write_mask(keep)
    np.testing.assert_array_equal(np.isnan(read(path)), ~keep)


# ---------------------------------------------------------------------------------------------- place


@settings(max_examples=60, deadline=None)
@given(*(st.integers(-20, 20) for _ in range(4)), st.integers(1, 25), st.integers(1, 25))
def test_any_window_is_the_paste_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, row: int, col: int, top: int, left: int, height: int, width: int
) -> None:
    values = np.arange(12 * 16, dtype=np.float32).reshape(12, 16) + 1
    path = tmp_path_factory.getbasetemp() / f"paste_{row}_{col}.tif"
    raster, grid = opened(path if path.exists() else write_tif(path, values, row=row, col=col))
    target = Grid(crs="EPSG:32611", left=300_000, top=3_800_000, dx=30, dy=30, height=30, width=30)
    power = read_power(raster, grid=grid, target=target, window=Window(top, left, height, width), s3=S3)
    canvas = np.full((120, 120), np.nan, np.float32)  # origin at (-40, -40)
    canvas[40 + row : 52 + row, 40 + col : 56 + col] = values
    np.testing.assert_array_equal(power, canvas[40 + top : 40 + top + height, 40 + left : 40 + left + width])


def test_another_lattice_is_never_shifted(tmp_path: Path) -> None:
    raster, grid = opened(write_tif(tmp_path / "a.tif", gamma(), col=0.3))
    target = Grid(crs="EPSG:32611", left=300_000, top=3_800_000, dx=30, dy=30, height=30, width=30)
    with pytest.raises(LatticeError):
        read_power(raster, grid=grid, target=target, window=target.full, s3=S3)


def test_a_file_that_was_replaced_is_refused(tmp_path: Path) -> None:
    raster, grid = opened(write_tif(tmp_path / "a.tif", gamma()))
    write_tif(tmp_path / "a.tif", gamma(), row=1)
    with pytest.raises(InputError, match="has changed"):
        read_power(raster, grid=grid, target=grid, window=grid.full, s3=S3)


def test_a_damaged_block_is_an_error_and_no_zero(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", gamma(64, 64), compress="deflate")
    with rasterio.open(path) as dataset:
        start = int(dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    data = bytearray(path.read_bytes())
    data[start + 20 : start + 2000] = bytes(1980)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.tif cannot be read"):
        read(path)


def test_only_the_blocks_of_the_window_are_fetched(
    tmp_path: Path, s3_bucket: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = RNG.gamma(4, 0.05, (2048, 2048)).astype(np.float32)
    path = write_tif(tmp_path / "big.tif", values, tiled=True, blockxsize=256, blockysize=256)
    s3_bucket.upload(path, "big.tif")
    from moto.s3.responses import S3Response

    sent = []
    answer = S3Response.key_response

    def counted(self: S3Response, request: object, full_url: str, headers: dict) -> object:
        response = answer(self, request, full_url, headers)
        sent.append(len(response[2]))
        return response

    monkeypatch.setattr(S3Response, "key_response", counted)
    url = s3_bucket.href("big.tif")
    grid = read_header(str(path), s3=S3).grid
    window = Window(512, 1024, 256, 256)
    power = read_power(Raster(url=url), grid=grid, target=grid, window=window, s3=s3_bucket.s3)
    np.testing.assert_array_equal(power, values[window.slices])
    assert 256 * 256 * 4 <= sum(sent) < path.stat().st_size / 10


# ---------------------------------------------------------------------------------------------- mask and mosaic


def codes() -> np.ndarray:
    return np.array([[0, 1, 2, 3, 255, 0]], np.uint8)


@pytest.mark.parametrize(
    ("hide", "hidden"),
    [
        (frozenset(), [0, 0, 0, 0, 1, 0]),
        (frozenset({"shadow"}), [0, 1, 0, 1, 1, 0]),
        (frozenset({"layover"}), [0, 0, 1, 1, 1, 0]),
        (frozenset({"layover", "shadow"}), [0, 1, 1, 1, 1, 0]),
    ],
)
def test_opera_mask_codes(tmp_path: Path, hide: frozenset[str], hidden: list[int]) -> None:
    mask = write_tif(tmp_path / "m.tif", codes(), nodata=255)
    scene = scene_of("a", write_tif(tmp_path / "p.tif", gamma(1, 6)), mask)
    seen = read_mask(scene, target=scene.grid, window=scene.grid.full, hide=hide, s3=S3)
    np.testing.assert_array_equal(seen, np.array([hidden], bool))
    power, masked, covered = mosaic(pass_of(scene), "VV", target=scene.grid, window=scene.grid.full, hide=hide, s3=S3)
    np.testing.assert_array_equal(np.isnan(power), seen)
    assert (masked, covered) == (sum(hidden), 6)


def test_what_no_layer_tells_cannot_be_hidden(tmp_path: Path) -> None:
    power = write_tif(tmp_path / "p.tif", gamma(1, 6))
    bare, full = scene_of("bare", power), scene_of("full", power, write_tif(tmp_path / "m.tif", codes()))
    assert (mask_layers(bare), mask_layers(full)) == (frozenset(), {"layover", "shadow"})
    check_mask_layers([bare, full], frozenset())
    check_mask_layers([full], frozenset({"layover", "shadow"}))
    with pytest.raises(InputError, match="water cannot be hidden: full has no layer of it"):
        check_mask_layers([full], frozenset({"layover", "water"}))
    with pytest.raises(InputError, match="shadow cannot be hidden: bare"):
        check_mask_layers([full, bare], frozenset({"shadow"}))
    with pytest.raises(InputError, match="shadow cannot be hidden: bare"):
        read_mask(bare, target=bare.grid, window=bare.grid.full, hide=frozenset({"shadow"}), s3=S3)


def test_the_first_neighbour_with_data_gives_the_pixel(tmp_path: Path) -> None:
    upper, lower = gamma(), gamma()
    upper[-1, :4] = np.nan
    hide = np.zeros((12, 16), np.uint8)
    hide[10, :] = 2  # upper's next-to-last row is layover
    both = np.zeros((12, 16), np.uint8)
    both[2, 8:] = 2  # there the lower one is layover too
    for name, values, row, mask in (("IW1", upper, 0, hide), ("IW2", lower, 8, both)):
        burst = f"T137-292320-{name}"
        write_tif(tmp_path / opera_name(burst=burst), values, row=row)
        write_tif(tmp_path / opera_name("mask", burst=burst), mask, row=row)
    (passed,) = group_passes(opera.find(tmp_path, s3=S3).scenes)
    target = stack_grid(passed.scenes, extent="union")
    power, masked, covered = mosaic(passed, "VV", target=target, window=target.full, hide=frozenset({"layover"}), s3=S3)
    expected = np.vstack([upper, lower[4:]])
    expected[11, :4] = lower[3, :4]
    expected[10, :8], expected[10, 8:] = lower[2, :8], np.nan
    np.testing.assert_array_equal(power, expected)
    assert (masked, covered) == (8, 20 * 16)
    pieces = [
        mosaic(passed, "VV", target=target, window=Window(r, 0, 5, 16), hide=frozenset({"layover"}), s3=S3)
        for r in range(0, 20, 5)
    ]
    np.testing.assert_array_equal(np.vstack([p[0] for p in pieces]), expected)
    assert [sum(n) for n in zip(*(p[1:] for p in pieces), strict=True)] == [8, 320]
    inside = np.zeros(target.shape, dtype=bool)
    inside[9:12, 4:11] = True  # of the eight hidden pixels three
    cut = mosaic(passed, "VV", target=target, window=target.full, hide=frozenset({"layover"}), inside=inside, s3=S3)
    np.testing.assert_array_equal(cut[0], np.where(inside, expected, np.nan))
    assert cut[1:] == (3, 21)


def test_a_scene_that_can_add_nothing_is_not_read(tmp_path: Path) -> None:
    first = scene_of("a", write_tif(tmp_path / "a.tif", gamma()))
    second = scene_of("b", write_tif(tmp_path / "b.tif", gamma()))
    outside = scene_of("c", write_tif(tmp_path / "c.tif", gamma(), row=40))
    (tmp_path / "b.tif").unlink()
    (tmp_path / "c.tif").unlink()
    power, *_ = mosaic(pass_of(first, second, outside), "VV", target=first.grid, window=first.grid.full, s3=S3)
    assert np.isfinite(power).all()
