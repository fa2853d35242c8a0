"""Projections, resampling, clips and areas of the local Earth Engine, by hand, PROJ, scipy and shapely."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shapely
from ee_offline import TEN_METRES, at, computed, offline_client, pixels, raster_band, shelf, values
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from scipy.ndimage import map_coordinates

from gee.local.encoding.answers import encode
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.grids import reprojection
from gee.local.pixels import Grid, Image, Pixels
from gee.local.regions.area_fractions import fractions
from gee.local.regions.coverage import coverage
from gee.local.values import Geometry, Projection

UTM = "EPSG:32720"
ROWS = np.arange(12.0).reshape(3, 4)
NATIVE = list(TEN_METRES.transform)
DEGREE = 111319.49079327358  # 2 pi 6378137 / 360


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


@pytest.fixture(scope="module")
def context() -> Context:
    """Images `n` (0 … 11, 10 m) and `two` (a second band of 20 m)."""
    coarse = Grid(UTM, (20.0, 0.0, 500000.0, 0.0, -20.0, 8000000.0), 2, 2)
    band = raster_band("n", ROWS)
    return shelf(
        n=Image((band,), {"p": 1}, Geometry(shapely.box(500000, 7999970, 500040, 8000000), UTM, geodesic=False)),
        two=Image((band, raster_band("c", np.ones((2, 2)), grid=coarse))),
    )


def rectangle(ee: Any, *bounds: float) -> Any:
    return ee.Geometry.Rectangle(list(bounds), UTM, False)


# -- projections ------------------------------------------------------------------------------------------------------


def test_projections(ee: Any) -> None:
    degrees = ee.Projection("EPSG:4326")
    assert computed(degrees.nominalScale()) == pytest.approx(DEGREE)
    assert computed(degrees.atScale(10)).transform[0] == pytest.approx(8.983e-5, rel=1e-4)
    assert computed(degrees.atScale(10)).transform[4] > 0
    assert computed(ee.Projection(UTM, NATIVE).nominalScale()) == 10
    assert computed(ee.Projection(UTM, NATIVE).atScale(30)).transform == (30, 0, 500000, 0, -30, 8000000)
    assert computed(ee.Projection(UTM, NATIVE).scale(2, 3)).transform == (20, 0, 500000, 0, -30, 8000000)
    assert computed(ee.Projection(UTM, NATIVE).translate(1, 2)).transform == (10, 0, 500010, 0, -10, 7999980)
    assert computed(degrees.crs()) == "EPSG:4326"
    assert computed(ee.Projection("epsg:32720")) == Projection(UTM)
    text = computed(ee.Projection(UTM, NATIVE).transform())
    assert computed(ee.Projection(UTM, None, text)) == computed(ee.Projection(UTM, NATIVE))
    assert encode(computed(degrees)) == {"type": "Projection", "crs": "EPSG:4326", "transform": [1, 0, 0, 0, 1, 0]}


def test_the_wkt_of_a_projection_says_the_same_to_others(ee: Any) -> None:
    from rasterio.crs import CRS

    for code in ("EPSG:4326", "EPSG:32720", "EPSG:3857"):
        assert CRS.from_wkt(computed(ee.Projection(code).wkt())) == CRS.from_string(code)


def test_a_wkt_gets_its_code(ee: Any) -> None:
    for code in ("EPSG:27572", UTM, "EPSG:3857"):
        wkt = reprojection.parsed(code).to_wkt("WKT1_GDAL")
        assert computed(ee.Projection(wkt).crs()) == code
    own = reprojection.parsed("+proj=laea +lat_0=-18.3 +lon_0=-65 +datum=WGS84").to_wkt()
    assert computed(ee.Projection(own).crs()) is None
    with pytest.raises(EarthEngineError, match="could not be parsed: 'EPSG:999999'"):
        computed(ee.Projection("EPSG:999999"))


def test_the_projection_of_an_image(ee: Any, context: Context) -> None:
    assert computed(ee.Image("n").projection(), context) == Projection(UTM, TEN_METRES.transform)
    assert computed(ee.Image(1).projection()) == Projection()
    with pytest.raises(EarthEngineError) as error:
        computed(ee.Image("two").projection(), context)
    assert error.value.message == (
        "Image.projection: The bands of the specified image contain different projections. "
        "Use Image.select to pick a single band."
    )
    assert computed(ee.Image("two").select("c").projection(), context).transform[0] == 20
    # an operator's result lies where its first image does; added bands keep their own
    assert computed(ee.Image("n").add(1).projection(), context).crs == UTM
    assert computed(ee.Image(1).add(ee.Image("n")).projection(), context).crs == "EPSG:4326"


def test_a_default_projection_is_a_label(ee: Any, context: Context) -> None:
    labelled = ee.Image("n").setDefaultProjection("EPSG:3857", None, 30)
    found = computed(labelled, context)
    assert found.bands[0].projection == Projection("EPSG:3857", (30, 0, 0, 0, 30, 0))
    assert found.properties == {"p": 1}
    np.testing.assert_array_equal(pixels(found)[0].data, ROWS)
    with pytest.raises(EarthEngineError, match="Only one of 'crsTransform' and 'scale'"):
        computed(ee.Image(1).setDefaultProjection(UTM, [1, 0, 0, 0, 1, 0], 30))


# -- nearest pixels, reprojection, resampling -------------------------------------------------------------------------


def test_nearest_takes_the_value_at_the_centre(context: Context) -> None:
    band = context.catalogue.load_image("n").bands[0]  # type: ignore[union-attr] -- there is one
    fine = Grid(UTM, (4.0, 0.0, 500000.0, 0.0, -4.0, 8000000.0), 5, 3)
    # centres at 2, 6, 10, 14, 18 m: the one on the edge belongs to the larger index
    assert band.pixels(fine).data[0].tolist() == [0, 0, 1, 1, 1]
    assert band.pixels(fine).data[:, 0].tolist() == [0, 0, 4]
    assert band.pixels(TEN_METRES.pad(1, 1, 0, 0)).mask.sum() == 12


def test_nearest_across_projections_is_projs() -> None:
    band = raster_band("n", np.arange(10_000.0).reshape(100, 100), grid=TEN_METRES)
    degrees = Grid("EPSG:4326", (1e-4, 0.0, -62.9999, 0.0, -1e-4, -18.0890), 9, 7)
    found = band.pixels(degrees)
    x, y = Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(*degrees.centres())
    rows, cols = np.floor((8000000 - y) / 10), np.floor((x - 500000) / 10)
    inside = (rows >= 0) & (rows < 100) & (cols >= 0) & (cols < 100)
    assert inside.any()
    np.testing.assert_array_equal(found.mask > 0, inside)
    np.testing.assert_array_equal(found.data[inside], (rows * 100 + cols)[inside])


def test_large_windows_are_computed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    band = raster_band("n", np.arange(10_000.0).reshape(100, 100))
    coarse = Grid(UTM, (70.0, 0.0, 500003.0, 0.0, -70.0, 7999996.0), 14, 13)
    whole = band.pixels(coarse)
    monkeypatch.setattr(reprojection, "WINDOW_PIXELS", 500)
    np.testing.assert_array_equal(band.pixels(coarse).data, whole.data)
    np.testing.assert_array_equal(band.pixels(coarse).mask, whole.mask)


def test_reproject_forces_its_grid_and_a_second_nearest_step(ee: Any, context: Context) -> None:
    image = ee.Image("n").reproject(UTM, [20, 0, 500000, 0, -20, 8000000])
    # 20 m pixels take the value at their centres, which lie on edges of 10 m pixels: the larger index
    assert pixels(image, context=context)[0].data[0].tolist() == [5, 5, 7, 7]
    assert computed(image, context).properties == {"p": 1}
    assert computed(image.projection(), context).transform[0] == 20
    x = ee.Image.pixelCoordinates(ee.Projection(UTM)).select("x")
    assert pixels(x.reproject(UTM, NATIVE), TEN_METRES)[0].data[0].tolist() == [500005, 500015, 500025, 500035]


def test_bilinear_and_bicubic(ee: Any) -> None:
    data = np.random.default_rng(5).normal(size=(20, 20))
    context = shelf(n=Image((raster_band("n", data),)))
    grid = Grid(UTM, (3.0, 0.0, 500047.0, 0.0, -3.0, 7999951.0), 20, 20)
    rows, cols = reprojection.places(grid, Projection(UTM, TEN_METRES.transform))[:2]
    rows, cols = (np.broadcast_to(one, (20, 20)) - 0.5 for one in (rows, cols))
    smooth = pixels(ee.Image("n").resample("bilinear"), grid, context)[0]
    np.testing.assert_allclose(smooth.data, map_coordinates(data, [rows, cols], order=1), atol=1e-9)
    ramp = np.add.outer(np.arange(20.0) ** 2, np.arange(20.0))  # Catmull-Rom is exact for parabolas
    found = pixels(ee.Image("n").resample("bicubic"), grid, shelf(n=Image((raster_band("n", ramp),))))[0]
    np.testing.assert_allclose(found.data, rows**2 + cols, atol=1e-6)
    assert found.mask.all()
    own = pixels(ee.Image("n").resample("bicubic"), TEN_METRES, context)[0]
    np.testing.assert_array_equal(own.data, data[:3, :4])  # its own pixels stay


def test_a_masked_neighbour_masks_what_is_interpolated(ee: Any) -> None:
    context = shelf(n=Image((raster_band("n", ROWS, mask=ROWS != 5),)))
    grid = Grid(UTM, (10.0, 0.0, 500005.0, 0.0, -10.0, 8000000.0), 3, 3)  # half a pixel to the right
    found = pixels(ee.Image("n").resample(), grid, context)[0]
    assert found.mask.tolist() == [[1, 1, 1], [0, 0, 1], [1, 1, 1]]


def test_resample_refuses_and_leaves_composites_alone(ee: Any) -> None:
    with pytest.raises(EarthEngineError) as error:
        computed(ee.Image(1).resample("nearest"))
    assert error.value.message == "Image.resample: Invalid interpolation mode: nearest"
    lon = ee.Image.pixelLonLat().select(0)
    assert values(lon.resample("bilinear")) == values(lon)


def test_translate_and_change_proj(ee: Any, context: Context) -> None:
    moved = pixels(ee.Image("n").translate(10, -10), context=context)[0]
    assert moved.data[1:, 1:].tolist() == ROWS[:2, :3].tolist()
    assert not moved.mask[0].any()
    assert not moved.mask[:, 0].any()
    by_pixels = pixels(ee.Image("n").translate(1, 1, "pixels"), context=context)[0]
    np.testing.assert_array_equal(by_pixels.data, moved.data)
    doubled = ee.Projection(UTM, [20, 0, 500000, 0, -20, 8000000])
    found = pixels(ee.Image("n").changeProj(ee.Image("n").projection(), doubled), context=context)[0]
    assert found.data[0].tolist() == [0, 0, 1, 1]


# -- coarser pixels, images over each other --------------------------------------------------------------------------


def test_reduce_resolution_weights_by_the_part_covered(ee: Any, context: Context) -> None:
    image = ee.Image("n").reduceResolution(ee.Reducer.mean())
    half = Grid(UTM, (20.0, 0.0, 500000.0, 0.0, -20.0, 8000000.0), 2, 2)
    found = pixels(image, half, context)[0]
    np.testing.assert_allclose(found.data[0], [2.5, 4.5])
    np.testing.assert_allclose(found.data[1], [8.5, 10.5])  # the row below is not there
    shifted = Grid(UTM, (15.0, 0.0, 500000.0, 0.0, -10.0, 8000000.0), 2, 1)
    np.testing.assert_allclose(pixels(image, shifted, context)[0].data, [[(0 + 0.5) / 1.5, (0.5 + 2) / 1.5]])
    total = pixels(ee.Image("n").reduceResolution(ee.Reducer.sum()), shifted, context)[0]
    np.testing.assert_allclose(total.data, [[1 / 3, 1 / 3 + 2 * 2 / 3]])  # weights are parts of the output pixel
    assert computed(image, context).band_names == ["n"]
    both = ee.Image("n").reduceResolution(ee.Reducer.minMax())
    assert computed(both, context).band_names == ["n_min", "n_max"]
    assert [one.data[0].tolist() for one in pixels(both, half, context)] == [[0, 2], [5, 7]]
    with pytest.raises(EarthEngineError, match="Too many input pixels per output pixel: 4, but only 3"):
        pixels(ee.Image("n").reduceResolution(ee.Reducer.mean(), False, 3), half, context)


def test_reduce_resolution_across_projections_keeps_the_mean(ee: Any) -> None:
    data = np.random.default_rng(3).normal(10, 2, size=(120, 120))
    context = shelf(n=Image((raster_band("n", data),)))
    degrees = Grid("EPSG:4326", (4e-4, 0.0, -62.9995, 0.0, -4e-4, -18.0892), 8, 8)
    found = pixels(ee.Image("n").reduceResolution(ee.Reducer.mean()), degrees, context)[0]
    fine = Grid("EPSG:4326", (4e-6, 0.0, -62.9995, 0.0, -4e-6, -18.0892), 800, 800)
    dense = pixels(ee.Image("n"), fine, context)[0].data.reshape(8, 100, 8, 100).mean(axis=(1, 3))
    assert found.mask.all()
    np.testing.assert_allclose(found.data, dense, atol=0.04)  # of the oracle: 100 x 100 points


def test_blend(ee: Any) -> None:
    top = ee.Image([1, 2]).updateMask(0.25)
    assert values(ee.Image(9).blend(top)) == [7, 7.25]
    assert values(ee.Image(9).blend(top.updateMask(0))) == [9, 9]


# -- where pixels are -------------------------------------------------------------------------------------------------


def test_pixel_coordinates(ee: Any) -> None:
    lon, lat = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(500005, 7999995)
    assert values(ee.Image.pixelLonLat()) == pytest.approx([lon, lat], abs=1e-12)
    assert values(ee.Image.pixelCoordinates(ee.Projection(UTM))) == [500005, 7999995]
    assert values(ee.Image.pixelCoordinates(ee.Projection(UTM, NATIVE))) == [0.5, 0.5]


def test_pixel_areas(ee: Any) -> None:
    geod = Geod(ellps="WGS84")
    globe = Grid("EPSG:4326", (1.0, 0.0, -180.0, 0.0, -1.0, 90.0), 360, 180)
    areas = pixels(ee.Image.pixelArea(), globe)[0].data
    assert areas.sum() == pytest.approx(510065621724089, rel=1e-12)  # of the ellipsoid
    # parallels in small steps, as geodesics are not parallels
    lon = np.linspace(10, 11, 2001)
    ring = [*zip(lon, [60.0] * 2001, strict=True), *zip(lon[::-1], [61.0] * 2001, strict=True)]
    expected = abs(geod.geometry_area_perimeter(shapely.Polygon(ring))[0])
    assert areas[29, 190] == pytest.approx(expected, rel=1e-7)
    corners = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(
        [500000, 500010, 500010, 500000], [8000000, 8000000, 7999990, 7999990]
    )
    expected = abs(geod.polygon_area_perimeter(*corners)[0])
    assert values(ee.Image.pixelArea()) == pytest.approx([expected], rel=1e-6)


def test_random_numbers_belong_to_places(ee: Any) -> None:
    large = Grid(UTM, (10.0, 0.0, 500000.0, 0.0, -10.0, 8000000.0), 300, 300)
    image = ee.Image.random(7)
    found = pixels(image, large)[0].data
    np.testing.assert_array_equal(pixels(image, large.pad(-20, -30, -5, 0))[0].data, found[30:, 20:-5])
    assert found.min() >= 0
    assert found.max() < 1
    assert found.mean() == pytest.approx(0.5, abs=0.005)
    assert abs(np.corrcoef(found[:, 1:].ravel(), found[:, :-1].ravel())[0, 1]) < 0.02
    assert (pixels(ee.Image.random(8), large)[0].data != found).mean() > 0.99
    normal = pixels(ee.Image.random(7, "normal"), large)[0].data
    assert normal.mean() == pytest.approx(0, abs=0.02)
    assert normal.std() == pytest.approx(1, abs=0.02)


# -- clips ------------------------------------------------------------------------------------------------------------


def test_clip_masks_by_the_part_inside(ee: Any, context: Context) -> None:
    image = ee.Image("n").clip(rectangle(ee, 500005, 7999980, 500020, 8000000))
    mask = pixels(image, context=context)[0].mask
    assert mask[:2].tolist() == [[pytest.approx(0.5, abs=0.5 / 255), 1, 0, 0]] * 2
    assert not mask[2].any()
    assert computed(image, context).properties == {"p": 1}
    assert computed(image, context).footprint.shape.area == 300


def test_clip_to_points_and_lines(ee: Any, context: Context) -> None:
    lon, lat = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(500013, 7999994)
    mask = pixels(ee.Image("n").clip(ee.Geometry.Point([lon, lat])), context=context)[0].mask
    assert mask.tolist() == [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    line = ee.Geometry.LineString([[500000, 7999985], [500040, 7999985]], UTM, False)
    mask = pixels(ee.Image("n").clip(line), context=context)[0].mask
    np.testing.assert_allclose(mask, [[0] * 4, [1] * 4, [0] * 4], atol=0.02)


def test_clip_to_a_collection(ee: Any, context: Context) -> None:
    shapes = [rectangle(ee, 500000, 7999990, 500010, 8000000), rectangle(ee, 500030, 7999970, 500040, 7999980)]
    image = ee.Image("n").clipToCollection(ee.FeatureCollection([ee.Feature(one) for one in shapes]))
    mask = pixels(image, context=context)[0].mask
    assert np.argwhere(mask == 1).tolist() == [[0, 0], [2, 3]]


def test_coverage_is_the_area() -> None:
    disc = shapely.Point(505000, 7995000).buffer(3000, quad_segs=64)
    ring = disc.difference(shapely.Point(505200, 7995100).buffer(1000))
    grid = Grid(UTM, (37.0, 0.0, 501000.0, 0.0, -41.0, 7999000.0), 220, 200)
    found = coverage(Geometry(ring, UTM, geodesic=False), grid)
    assert found.sum() * 37 * 41 == pytest.approx(ring.area, rel=1e-5)
    assert found.max() == 1
    np.testing.assert_allclose(found * 255, np.round(found * 255), atol=1e-9)


def test_geodesic_edges_bulge_to_the_pole() -> None:
    edge = shapely.box(0, 50, 60, 60)
    grid = Grid("EPSG:4326", (1.0, 0.0, 0.0, 0.0, -1.0, 70.0), 60, 20)
    planar = coverage(Geometry(edge, geodesic=False), grid)
    bulged = coverage(Geometry(edge, geodesic=True), grid)
    assert not planar[:10].any()
    # the great circle through 60 N at 0 and 60 E is at atan(tan 60 / cos 30) in the middle
    middle = np.degrees(np.arctan(np.tan(np.radians(60)) / np.cos(np.radians(30))))
    top = 70 - middle
    column = (bulged[:, 29] + bulged[:, 30]) / 2
    assert column[: int(top)].max() == 0
    assert column[:10].sum() == pytest.approx(middle - 60, abs=0.02)


@settings(max_examples=40, deadline=None)
@given(points=st.lists(st.tuples(st.floats(-3, 12), st.floats(-3, 9)), min_size=3, max_size=8))
def test_coverage_agrees_with_shapely(points: list[tuple[float, float]]) -> None:
    shape = shapely.convex_hull(shapely.MultiPoint(points))
    if shape.geom_type != "Polygon":
        return
    x, y = np.meshgrid(np.arange(10), np.arange(7))
    expected = shapely.area(shapely.intersection(shape, shapely.box(x, y, x + 1, y + 1)))
    np.testing.assert_allclose(fractions(shape, 7, 10), expected, atol=1 / 255)


def test_the_outline_of_what_is_read_is_small(context: Context) -> None:
    asked = []

    def read(row: int, col: int, height: int, width: int) -> Pixels:
        asked.append((row, col, height, width))
        return Pixels(np.zeros((height, width)), np.ones((height, width)))

    reprojection.nearest(TEN_METRES.pad(-1, 0, 0, -1), Projection(UTM, TEN_METRES.transform), read)
    assert asked == [(0, 1, 2, 3)]
    assert at(pixels(context.catalogue.load_image("n"))[0], 2, 3) == 11  # type: ignore[union-attr] -- there is one
