"""The Sentinel-1 notebook as it stands, from the unmodified client through HTTP to GeoTIFFs, against NumPy on the scenes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ee
import numpy as np
import pytest
import rasterio
from earth_engine import client
from refined_lee_graph import NOTEBOOK
from rio_cogeo.cogeo import cog_validate
from scipy.ndimage import generic_filter

from gee.local.catalogue.simulated import DECIBEL, add_simulation
from gee.local.folders import ASSETS, EXPORTS, assets_of, settings_of
from gee.local.simulate import Simulation

PLAN = Simulation(width=80, height=72, overlap=16, dates=3, looks=4.4)
AREA = (300_000.0, 7_998_720.0, 300_800.0, 8_000_000.0)  # both slices of a pass, on their lattice
ORBIT = 131
RADIUS = 10  # pixels of 10 m in the notebook's 100 m
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NOTEBOOK.is_file(), reason="the notebook is not at ../shared/notebooks"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("earth-engine")
    add_simulation(assets_of(place), PLAN)
    with client(settings_of(place)):
        yield place


@pytest.fixture(scope="module")
def notebook(folder: Path) -> dict[str, Any]:
    """Its functions, as written."""
    text = NOTEBOOK.read_text(encoding="utf-8")
    code = text[text.index("#Edge masking") : text.index("In [12]:")]
    made: dict[str, Any] = {"ee": ee}
    exec(compile(re.sub(r"^In \[\d+\]:", "", code, flags=re.MULTILINE), str(NOTEBOOK), "exec"), made)
    return made


@pytest.fixture(scope="module")
def filtered(notebook: dict[str, Any]) -> tuple[Any, ...]:
    """What `filter_s1` gives of the ascending orbit."""
    ascending, _ = notebook["fix_S1"]("2020-01-01", "2020-12-31", region(), flt=False, orbit=ORBIT)
    return notebook["filter_s1"](ascending)


def region() -> Any:
    return ee.Geometry.Rectangle(list(AREA), PLAN.crs, geodesic=False, evenOdd=True)


def exported(folder: Path, image: Any, name: str) -> np.ndarray:
    """Pixels of a finished export, NaN where masked."""
    task = ee.batch.Export.image.toDrive(
        image.toFloat(),
        name,
        folder="s1",
        region=region(),
        scale=10,
        crs=PLAN.crs,
        maxPixels=1e9,
        formatOptions={"cloudOptimized": True, "noData": -9999},
    )
    task.start()
    until = time.monotonic() + 120
    while task.active():
        assert time.monotonic() < until
        time.sleep(0.1)
    assert task.status()["state"] == "COMPLETED", task.status()
    path = folder / EXPORTS / "drive/s1" / f"{name}.tif"
    assert cog_validate(path, quiet=True)[0]
    with rasterio.open(path) as file:
        assert file.bounds == AREA
        return file.read(1, masked=True).filled(np.nan).astype(float)


def scenes(folder: Path) -> list[np.ndarray]:
    """VV and VH in dB of each ascending slice, dims (band, y, x) of the area, NaN outside and where the angle is masked."""
    found = []
    for item in sorted((folder / ASSETS / DECIBEL).glob("*/asset.json")):
        if f'"relativeOrbitNumber_start": {ORBIT}' not in item.read_text().replace(".0", ""):
            continue
        canvas = np.full((2, 128, 80), np.nan)
        with (
            rasterio.open(item.with_name("backscatter.tif")) as file,
            rasterio.open(item.with_name("angle.tif")) as angle,
        ):
            row, col = round((AREA[3] - file.transform.f) / 10), round((file.transform.c - AREA[0]) / 10)
            values = file.read([1, 2]).astype(float)
            x, y = np.meshgrid(np.arange(file.width) + 0.5, np.arange(file.height) + 0.5)
            own, coarse = file.transform, angle.transform
            across = (own.c + own.a * x - coarse.c) / coarse.a
            down = (own.f + own.e * y - coarse.f) / coarse.e
            degrees = angle.read(1)[
                np.clip(np.floor(down).astype(int), 0, angle.height - 1),
                np.clip(np.floor(across).astype(int), 0, angle.width - 1),
            ]
            values[:, ~((degrees > 30.63993) & (degrees < 45.53993))] = np.nan
            canvas[:, row : row + file.height, col : col + file.width] = values
        found.append(canvas)
    return found


def focal_ratio(decibels: np.ndarray) -> np.ndarray:
    """The notebook's ratio of focal medians, with what is beyond ±5 masked."""
    y, x = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
    disc = x**2 + y**2 <= RADIUS**2
    vv, vh = (generic_filter(band, np.nanmedian, footprint=disc, mode="constant", cval=np.nan) for band in decibels)
    ratio = np.where(vh == 0, 0, vv / vh)
    return np.where((ratio < 5) & (ratio > -5), ratio, np.nan)


@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning", "ignore:Degrees of freedom:RuntimeWarning")
def test_the_focal_composites_are_numpys(folder: Path, filtered: tuple[Any, ...]) -> None:
    ratios = np.array([focal_ratio(scene) for scene in scenes(folder)])
    assert len(ratios) == 2 * PLAN.dates
    median = exported(folder, filtered[5].reduce(ee.Reducer.median()), "median")
    deviation = exported(folder, filtered[5].reduce(ee.Reducer.stdDev()), "deviation")
    assert np.isfinite(median).mean() > 0.9
    np.testing.assert_allclose(median, np.nanmedian(ratios, axis=0), rtol=1e-5)
    np.testing.assert_allclose(deviation, np.nanstd(ratios, axis=0), rtol=1e-4, atol=1e-6)


def test_unfiltered_composites_are_numpys(folder: Path, filtered: tuple[Any, ...]) -> None:
    stack = np.array(scenes(folder))
    median = exported(folder, filtered[3].reduce(ee.Reducer.median()), "unfiltered")
    np.testing.assert_allclose(median, np.nanmedian(stack[:, 0] / stack[:, 1], axis=0), rtol=1e-5)


def test_refined_lee_reaches_a_file(folder: Path, notebook: dict[str, Any], filtered: tuple[Any, ...]) -> None:
    """The script leaves an array per pixel, of which the first element is taken; speckle goes, the level stays."""
    power = notebook["toNatural"](filtered[0].first().select("VV"))
    smooth = exported(folder, notebook["RefinedLee"](power).arrayGet(0), "refined")
    rough = exported(folder, power, "rough")
    both = np.isfinite(smooth) & np.isfinite(rough)
    assert both.mean() > 0.4  # one of two slices
    assert smooth[both].mean() == pytest.approx(rough[both].mean(), rel=0.03)
    grain = [np.nanstd(np.diff(image, axis=1)) for image in (smooth, rough)]  # what neighbours do not share
    assert grain[0] < 0.5 * grain[1]


def test_an_array_is_no_geotiff(folder: Path, notebook: dict[str, Any], filtered: tuple[Any, ...]) -> None:
    power = notebook["toNatural"](filtered[0].first().select("VV"))
    task = ee.batch.Export.image.toDrive(
        notebook["RefinedLee"](power), "array", region=region(), scale=10, crs=PLAN.crs
    )
    task.start()
    while task.active():
        time.sleep(0.1)
    assert task.status()["state"] == "FAILED"
    assert "array" in task.status()["error_message"].lower()
