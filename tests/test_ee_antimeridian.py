"""Regions across the antimeridian: where longitude 180 is -180, in degrees, in Web Mercator and in UTM."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ee_offline import computed, offline_client, pixels, raster_band, shelf

from gee.local.pixels import Grid, Image


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


ACROSS = {
    "planar, beyond 180": lambda ee: ee.Geometry.Rectangle([179, -10, 181, -8], "EPSG:4326", False),
    "planar, beyond -180": lambda ee: ee.Geometry.Rectangle([-181, -10, -179, -8], "EPSG:4326", False),
    "geodesic, the short way": lambda ee: ee.Geometry.Polygon([[[179, -10], [-179, -10], [-179, -8], [179, -8]]]),
    "west to east": lambda ee: ee.Geometry.BBox(179, -10, -179, -8),
    "of UTM zone 60": lambda ee: ee.Geometry.Rectangle([719871, 8893100, 939998, 9114500], "EPSG:32760", False),
}


@pytest.mark.parametrize("name", ACROSS)
def test_regions_go_on_beyond_the_antimeridian(ee: Any, name: str) -> None:
    """Two degrees around the antimeridian: clipped alike in degrees, beyond 180 and in Web Mercator; as many pixels."""
    region = ACROSS[name](ee)
    image = ee.Image(1).clip(region)

    def inside(x: float, y: float, *, crs: str = "EPSG:4326", unit: float = 0.01) -> bool:
        (found,) = pixels(image, Grid(crs, (unit, 0, x, 0, -unit, y), 1, 1))
        return bool(found.mask[0, 0] > 0)

    degrees = (178.5, 179.5, 180.5, -179.5, -178.5, 181.5, 0)
    assert [inside(x, -9) for x in degrees] == [False, True, True, True, False, False, False]
    metre = math.pi * 6378137 / 180
    mercator = [inside(x * metre, -1006021, crs="EPSG:3857", unit=1000) for x in degrees]
    assert mercator == [False, True, True, True, False, False, False]
    scale = 0.05 * math.pi / 180 * 6378137
    count = computed(ee.Image(1).reduceRegion(ee.Reducer.count(), region, scale, "EPSG:4326"))["constant"]
    assert count == pytest.approx(40 * 40, rel=0.06)  # edges along great circles, and those of UTM, are not straight


def test_an_image_across_the_antimeridian_is_where_its_pixels_are(ee: Any) -> None:
    grid = Grid("EPSG:32760", (1000.0, 0.0, 800000.0, 0.0, -1000.0, 9005000.0), 60, 4)
    context = shelf(x=Image((raster_band("b", np.arange(240.0).reshape(4, 60), grid=grid),)))
    around = ee.Geometry.Rectangle([719871, 8893100, 939998, 9114500], "EPSG:32760", False)
    for crs, scale in (("EPSG:32760", 1000), ("EPSG:4326", 1000)):
        found = computed(ee.Image("x").reduceRegion(ee.Reducer.max(), around, scale, crs), context)
        assert found["b"] == 239
