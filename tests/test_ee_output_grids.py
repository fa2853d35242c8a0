"""Which pixels the client's export parameters ask for, through the graphs that it builds (section 11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shapely
from ee_offline import TEN_METRES, computed, offline_client, pixels, raster_band, shelf

from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Grid, Image
from gee.local.regions.output_grid import output_grid
from gee.local.values import Geometry

UTM = "EPSG:32720"
NATIVE = list(TEN_METRES.transform)
DEGREE = 111319.49079327358  # 2 pi 6378137 / 360


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


@pytest.fixture(scope="module")
def context() -> Context:
    """Image `n`: 0 … 11, 10 m."""
    outline = Geometry(shapely.box(500000, 7999970, 500040, 8000000), UTM, geodesic=False)
    return shelf(n=Image((raster_band("n", np.arange(12.0).reshape(3, 4)),), {}, outline))


def rectangle(ee: Any, *bounds: float) -> Any:
    return ee.Geometry.Rectangle(list(bounds), UTM, False)


def export(image: Any, context: Context | None = None, **parameters: Any) -> Grid:
    """Grid of what the client asks for in an export."""
    prepared, _ = image.prepare_for_export(parameters)
    return output_grid(computed(prepared, context))


def test_scale_puts_grid_lines_on_its_multiples(ee: Any) -> None:
    image = ee.Image(1)
    grid = export(image, crs=UTM, scale=10, region=rectangle(ee, 500103, 7999970, 500117, 8000003))
    assert grid == Grid(UTM, (10, 0, 500100, 0, -10, 8000010), 2, 4)
    exact = export(image, crs=UTM, scale=10, region=rectangle(ee, 500100, 7999970, 500120, 8000000))
    assert (exact.width, exact.height) == (2, 3)


def test_a_transform_with_a_region(ee: Any) -> None:
    region = rectangle(ee, 500103, 7999970, 500117, 8000003)
    grid = export(ee.Image(1), crs=UTM, crsTransform=[10, 0, 5, 0, -10, 3], region=region)
    assert grid == Grid(UTM, (10, 0, 500095, 0, -10, 8000003), 3, 4)


def test_an_exact_rectangle_of_a_projection(ee: Any) -> None:
    grid = export(ee.Image(1), crs=UTM, crsTransform=NATIVE, dimensions="7x5")
    assert grid == Grid(UTM, TEN_METRES.transform, 7, 5)


def test_sizes_in_pixels(ee: Any) -> None:
    region = rectangle(ee, 500000, 7999000, 502000, 8000000)
    assert export(ee.Image(1), crs=UTM, region=region, dimensions="200x50") == Grid(
        UTM, (10, 0, 500000, 0, -20, 8000000), 200, 50
    )
    grid = export(ee.Image(1), crs=UTM, region=region, dimensions=101)
    assert (grid.width, grid.height) == (101, 51)  # 50.5 is rounded up


def test_without_anything_the_image_comes_as_it_is(ee: Any, context: Context) -> None:
    assert export(ee.Image("n"), context) == Grid(UTM, TEN_METRES.transform, 4, 3)
    assert export(ee.Image("n").add(1), context) == Grid(UTM, TEN_METRES.transform, 4, 3)
    region = rectangle(ee, 500011, 7999970, 500029, 7999995)
    assert export(ee.Image("n"), context, region=region) == Grid(UTM, (10, 0, 500010, 0, -10, 8000000), 2, 3)


def test_degrees(ee: Any) -> None:
    region = ee.Geometry.Rectangle([-63, -19, -62, -18], None, False)
    grid = export(ee.Image(1), region=region, scale=DEGREE / 100)
    assert (grid.crs, grid.width, grid.height) == ("EPSG:4326", 100, 100)
    assert grid.transform == pytest.approx((0.01, 0, -63, 0, -0.01, -18))
    plain = export(ee.Image(1), region=region)
    assert plain == Grid("EPSG:4326", (1, 0, -63, 0, -1, -18), 1, 1)  # north up, though constants count upward


def test_unbounded_images_cannot_be_exported(ee: Any) -> None:
    with pytest.raises(EarthEngineError, match="Unable to export unbounded image"):
        export(ee.Image(1), crs=UTM)
    bounds = rectangle(ee, 0, 0, 1, 1)
    with pytest.raises(EarthEngineError, match="Only one of"):
        computed(ee.ApiFunction.call_("Image.clipToBoundsAndScale", ee.Image(1), bounds, 5, 5, 5))


def test_bounds_mask_what_lies_outside(ee: Any, context: Context) -> None:
    image, _ = ee.Image("n").prepare_for_export(
        {"scale": 10, "region": rectangle(ee, 500010, 7999980, 500030, 7999990)}
    )
    found = pixels(image, context=context)[0]
    assert np.argwhere(found.mask > 0).tolist() == [[1, 1], [1, 2]]
    picture = image.visualize(min=0, max=10)
    assert output_grid(computed(picture, context)) == output_grid(computed(image, context))
