"""Cloud Optimized GeoTIFF and tables: valid, exact, described, and averaged in power."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from dask_jobs.write import STRIP, TILE, Layer, write_cog, write_table
from infra.grid import Grid, Window

POWER = Layer(dtype="float32", description="VV mean", units="1", overview="power", nodata=math.nan)
DB = Layer(dtype="float32", description="VV mean in dB", units="dB", overview="db", nodata=math.nan)
DATE = Layer(dtype="int32", description="date", units="days since 1970-01-01", overview="nearest", nodata=-1)
COUNT = Layer(dtype="int32", description="dates with data", units="1", overview="nearest", tags={"POLARIZATION": "VV"})
NO_DATE = -1


def grid(height: int, width: int) -> Grid:
    return Grid(crs="EPSG:32611", left=250_000.0, top=3_830_000.0, dx=30.0, dy=20.0, height=height, width=width)


def speckle(height: int, width: int, *, gaps: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(height * width)
    values = rng.gamma(4.0, 0.02, (height, width)).astype(np.float32)
    values[rng.random(values.shape) < gaps] = np.nan
    return values


def write(path: Path, values: np.ndarray, layer: Layer) -> None:
    write_cog(path, grid=grid(*values.shape), layer=layer, read=lambda window: values[window.slices])


def coarser(power: np.ndarray) -> np.ndarray:
    """Mean of the pixels with data of each 2 x 2, the slow way."""
    height, width = power.shape
    made = np.full(((height + 1) // 2, (width + 1) // 2), np.nan)
    for row, col in np.ndindex(*made.shape):
        four = power[2 * row : 2 * row + 2, 2 * col : 2 * col + 2].astype(np.float64)
        if np.isfinite(four).any():
            made[row, col] = np.nanmean(four)
    return made


@pytest.mark.parametrize("shape", [(1, 1), (100, 100), (512, 513), (1025, 700)])
@pytest.mark.parametrize("layer", [POWER, DB, DATE, COUNT], ids=lambda layer: layer.description)
def test_every_raster_is_a_valid_cog_that_gives_back_its_pixels(
    tmp_path: Path, shape: tuple[int, int], layer: Layer
) -> None:
    power = speckle(*shape)
    values = {
        "power": power,
        "db": 10 * np.log10(power),
        "nearest": np.where(np.isnan(power), NO_DATE, np.nan_to_num(power) * 1e5).astype(np.int32),
    }[layer.overview]
    path = tmp_path / "é x.tif"
    write(path, values, layer)
    valid, errors, warnings = cog_validate(path, strict=True)
    assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), values)
        assert file.crs == "EPSG:32611"
        assert file.transform == grid(*shape).affine
        assert file.descriptions == (layer.description,)
        assert file.units == (layer.units,)
        assert file.nodata == layer.nodata or (math.isnan(file.nodata) and math.isnan(layer.nodata))
        assert len(file.overviews(1)) == max(0, math.ceil(math.log2(max(shape) / TILE)))
        assert file.tags().items() >= layer.tags.items()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # no scratch file stays


def test_overviews_average_power_and_skip_no_data(tmp_path: Path) -> None:
    power = speckle(1025, 90, gaps=0.6)
    write(tmp_path / "power.tif", power, POWER)
    write(tmp_path / "db.tif", 10 * np.log10(power), DB)
    half = coarser(power)
    for level, expected in enumerate([half, coarser(half.astype(np.float32))]):
        with rasterio.open(tmp_path / "power.tif", overview_level=level) as file:
            np.testing.assert_allclose(file.read(1), expected, rtol=1e-6)
        with rasterio.open(tmp_path / "db.tif", overview_level=level) as file:
            np.testing.assert_allclose(file.read(1), 10 * np.log10(expected), atol=1e-5)  # not the mean of dB


def test_overviews_of_dates_are_dates_that_occur(tmp_path: Path) -> None:
    dates = np.random.default_rng(2).choice(np.array([-1, 18950, 20000], dtype=np.int32), (600, 600))
    write(tmp_path / "date.tif", dates, DATE)
    with rasterio.open(tmp_path / "date.tif", overview_level=0) as file:
        np.testing.assert_array_equal(file.read(1), dates[::2, ::2])


def test_statistics_of_the_file_are_those_of_its_pixels(tmp_path: Path) -> None:
    power = speckle(1100, 300)
    write(tmp_path / "power.tif", power, POWER)
    with rasterio.open(tmp_path / "power.tif") as file:
        tags = {name: float(value) for name, value in file.tags(1).items() if name.startswith("STATISTICS_")}
    wide = power[np.isfinite(power)].astype(np.float64)
    expected = {
        "STATISTICS_MINIMUM": wide.min(),
        "STATISTICS_MAXIMUM": wide.max(),
        "STATISTICS_MEAN": wide.mean(),
        "STATISTICS_STDDEV": wide.std(),
        "STATISTICS_VALID_PERCENT": 100 * wide.size / power.size,
    }
    assert tags.keys() == expected.keys()
    for name, value in expected.items():
        assert tags[name] == pytest.approx(value, rel=1e-3 if "PERCENT" in name else 1e-9), name


@pytest.mark.parametrize("layer", [POWER, DATE], ids=lambda layer: layer.description)
def test_a_raster_without_data_is_valid_and_says_so(tmp_path: Path, layer: Layer) -> None:
    path = tmp_path / "empty.tif"
    write(path, np.full((700, 700), layer.nodata, dtype=layer.dtype), layer)
    assert cog_validate(path, strict=True)[0]
    with rasterio.open(path) as file:
        assert file.read(1, masked=True).mask.all()
        assert not any(name.startswith("STATISTICS_") for name in file.tags(1))


def test_pixels_are_asked_for_window_by_window_and_each_once() -> None:
    import tempfile

    seen = np.zeros((1030, 4100), dtype=np.int32)

    def read(window: Window) -> np.ndarray:
        assert window.height <= TILE
        assert window.width <= STRIP
        seen[window.slices] += 1
        return np.zeros((window.height, window.width), dtype=np.float32)

    with tempfile.TemporaryDirectory() as folder:
        write_cog(Path(folder) / "x.tif", grid=grid(*seen.shape), layer=POWER, read=read)
    assert (seen == 1).all()


def test_a_failing_read_leaves_no_file(tmp_path: Path) -> None:
    def read(window: Window) -> np.ndarray:
        if window.row:
            raise OSError("the store went away")
        return np.zeros((window.height, window.width), dtype=np.float32)

    with pytest.raises(OSError, match="the store went away"):
        write_cog(tmp_path / "x.tif", grid=grid(1024, 100), layer=POWER, read=read)
    assert list(tmp_path.iterdir()) == []


def test_a_table_comes_back_from_csv_and_parquet_with_its_units(tmp_path: Path) -> None:
    columns = {"date": ("ISO 8601", "UTC date"), "zone": ("", "zone"), "mean": ("1", "mean"), "n": ("1", "pixels")}
    frame = pd.DataFrame(
        {"n": [3, 0], "date": ["2021-11-19", "2021-11-25"], "zone": ['Süd, "a"', "b"], "mean": [0.1 + 0.2, np.nan]}
    )
    write_table(frame, csv=tmp_path / "t.csv", parquet=tmp_path / "t.parquet", columns=columns)
    assert (tmp_path / "t.csv").read_text().splitlines()[2] == "2021-11-25,b,,0"
    for back in (pd.read_csv(tmp_path / "t.csv"), pd.read_parquet(tmp_path / "t.parquet")):
        assert list(back.columns) == list(columns)
        assert back["mean"][0] == 0.1 + 0.2  # every digit
        assert back["zone"][0] == 'Süd, "a"'
        assert np.isnan(back["mean"][1])
    fields = pq.read_schema(tmp_path / "t.parquet")
    assert fields.field("date").metadata == {b"units": b"ISO 8601", b"description": b"UTC date"}
