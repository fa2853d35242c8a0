"""Geometries of the local Earth Engine: edges on the sphere, measures and operations against closed formulas."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shapely
from ee_offline import computed, offline_client
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyproj import Geod

from gee.local.encoding.answers import encode
from gee.local.errors import EarthEngineError
from gee.local.geometry import sphere
from gee.local.geometry.measures import area
from gee.local.geometry.operations import _circles, put_together
from gee.local.geometry.relations import contains
from gee.local.values import Geometry

R = 6378137.0
METRE = math.degrees(1 / R)  # degrees of a great circle


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def got(value: Any) -> Any:
    return encode(computed(value))


class TestConstructors:
    def test_numbers_give_geodesic_degrees(self, ee: Any) -> None:
        line = ee.Geometry.LineString([[0, 0], [1, 2]])
        assert got(line) == {"type": "LineString", "coordinates": [[0, 0], [1, 2]]}
        assert got(line.geodesic()) is True
        assert got(line.projection()) == {"type": "Projection", "crs": "EPSG:4326", "transform": [1, 0, 0, 0, 1, 0]}

    def test_rings_close_themselves(self, ee: Any) -> None:
        ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
        assert got(ee.Geometry.LinearRing([[0, 0], [1, 0], [1, 1]]).coordinates()) == ring
        assert got(ee.Geometry.Polygon([[0, 0], [1, 0], [1, 1]]).coordinates()) == [ring]

    def test_ring_of_two_points_is_refused(self, ee: Any) -> None:
        with pytest.raises(EarthEngineError, match="LinearRing requires at least 3 points"):
            got(ee.Geometry.Polygon([[[0, 0], [1, 0]]]).area())

    def test_bbox_is_planar_and_wraps(self, ee: Any) -> None:
        box = call(ee, "BBox", west=-10, south=-5, east=10, north=5)
        assert got(box.geodesic()) is False
        assert got(ee.Geometry.BBox(-10, -5, 10, 5).geodesic()) is False
        assert got(box.coordinates()) == [[[-10, -5], [10, -5], [10, 5], [-10, 5], [-10, -5]]]
        across = shapely.Polygon(got(call(ee, "BBox", west=170, south=-100, east=-170, north=5).coordinates())[0])
        assert across.bounds == (170, -90, 190, 5)
        world = shapely.Polygon(got(call(ee, "BBox", west=-300, south=-5, east=300, north=95).coordinates())[0])
        assert world.bounds == (-180, -5, 180, 90)

    def test_rectangle_starts_at_its_low_corner(self, ee: Any) -> None:
        found = call(ee, "Rectangle", coordinates=[[0, 1], [2, 3]])
        assert got(found.coordinates()) == [[[0, 1], [2, 1], [2, 3], [0, 3], [0, 1]]]

    def test_rectangle_of_pixels(self, ee: Any) -> None:
        """The client's export of a whole grid: pixel corners in a projection with a transform."""
        grid = ee.Projection("EPSG:32635", [10, 0, 500000, 0, -10, 8000000])
        found = ee.Geometry.Rectangle([0, 0, 3, 2], grid, geodesic=False)
        assert shapely.Polygon(got(found.coordinates())[0]).bounds == (500000, 7999980, 500030, 8000000)
        assert got(found)["crs"] == {"type": "name", "properties": {"name": "EPSG:32635"}}

    def test_multi_geometries(self, ee: Any) -> None:
        assert got(ee.Geometry.MultiPoint([[0, 1], [2, 3]]).type()) == "MultiPoint"
        lines = ee.Geometry.MultiLineString([[[0, 0], [1, 0]], [[0, 1], [1, 1]]])
        assert got(lines.coordinates()) == [[[0, 0], [1, 0]], [[0, 1], [1, 1]]]
        ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
        assert got(ee.Geometry.MultiPolygon([[ring], [ring]]).coordinates()) == [[ring], [ring]]
        collection = call(ee, "MultiGeometry", geometries=[ee.Geometry.Point(0, 0), lines])
        assert got(collection.type()) == "GeometryCollection"
        assert [one["type"] for one in got(collection.geometries())] == ["Point", "MultiLineString"]
        assert got(ee.Geometry.Point(1, 2).geometries()) == [{"type": "Point", "coordinates": [1, 2]}]

    def test_points_build_lines(self, ee: Any) -> None:
        points = [ee.Feature(ee.Geometry.Point(x, 0)).geometry() for x in (0, 1)]
        assert got(ee.Geometry.LineString(points).coordinates()) == [[0, 0], [1, 0]]

    def test_left_inside_rule_of_the_guide(self, ee: Any) -> None:
        """A clockwise shell with evenOdd=false is all but what it encloses (geometric operations guide)."""
        ring = [[-35, -10], [-35, 10], [35, 10], [35, -10], [-35, -10]]
        inside = ee.Geometry.Point([1.5, 1.5])
        hole = ee.Geometry.Polygon([ring], evenOdd=False)
        assert got(hole.contains(inside)) is False
        assert got(hole.contains(ee.Geometry.Point(100, 1))) is True
        assert got(ee.Geometry(hole, evenOdd=True).contains(inside)) is True
        assert got(ee.Geometry.Polygon([ring[::-1]], evenOdd=False).contains(inside)) is True

    def test_even_odd_rule_of_a_crossing_ring(self, ee: Any) -> None:
        bow = ee.Geometry.Polygon([[0, 0], [2, 2], [2, 0], [0, 2]])
        assert got(bow.contains(ee.Geometry.Point(0.3, 1))) is True
        assert got(bow.contains(ee.Geometry.Point(1, 0.3))) is False

    def test_wrong_coordinates(self, ee: Any) -> None:
        with pytest.raises(EarthEngineError, match="they come in pairs"):
            got(call(ee, "LineString", coordinates=[0, 0, 1]))
        with pytest.raises(EarthEngineError, match="two corners, not 3"):
            got(call(ee, "Rectangle", coordinates=[[0, 0], [1, 1], [2, 2]]))
        with pytest.raises(EarthEngineError, match="at least 2 points"):
            got(call(ee, "LineString", coordinates=[[0, 0]]))


def call(ee: Any, name: str, **arguments: Any) -> Any:
    """A constructor of the server, past those of the client."""
    return ee.Geometry(ee.ApiFunction.apply_(f"GeometryConstructors.{name}", arguments))


class TestMeasures:
    def test_octant(self, ee: Any) -> None:
        octant = ee.Geometry.Polygon([[0, 0], [90, 0], [0, 90]])
        assert got(octant.area()) == pytest.approx(4 * math.pi * R**2 / 8, rel=1e-12)
        assert got(octant.perimeter()) == pytest.approx(3 * math.pi / 2 * R, rel=1e-12)
        lon, lat = got(octant.centroid())["coordinates"]
        assert (lon, math.sin(math.radians(lat))) == pytest.approx((45, 1 / math.sqrt(3)))

    def test_planar_edges_follow_parallels(self, ee: Any) -> None:
        zone = R**2 * math.radians(30) * (math.sin(math.radians(70)) - math.sin(math.radians(60)))
        box = ee.Geometry.BBox(0, 60, 30, 70)
        assert got(box.area(0.1)) == pytest.approx(zone, rel=1e-6)
        south, north = (R * math.radians(30) * math.cos(math.radians(lat)) for lat in (60, 70))
        assert got(box.perimeter(0.1)) == pytest.approx(south + north + 2 * R * math.radians(10), rel=1e-6)

    def test_geodesic_edges_bulge_to_the_pole(self, ee: Any) -> None:
        ring = [[0, 50], [30, 50], [30, 60], [0, 60]]
        geodesic = ee.Geometry.Polygon([ring])
        top = math.degrees(math.atan(math.tan(math.radians(60)) / math.cos(math.radians(15))))
        west, south, east, north = shapely.Polygon(got(geodesic.bounds().coordinates())[0]).bounds
        assert (west, south, east, north) == pytest.approx((0, 50, 30, top))
        assert got(geodesic.bounds().geodesic()) is False
        planar = ee.Geometry.Polygon([ring], None, False)
        assert shapely.Polygon(got(planar.bounds().coordinates())[0]).bounds == (0, 50, 30, 60)
        assert got(geodesic.contains(ee.Geometry.Point(15, 60.5))) is True
        assert got(planar.contains(ee.Geometry.Point(15, 60.5))) is False

    def test_lines_have_no_area_and_polygons_no_length(self, ee: Any) -> None:
        line = ee.Geometry.LineString([[0, 0], [1, 0]])
        assert got(line.area()) == 0
        assert got(line.length()) == pytest.approx(math.radians(1) * R)
        assert got(ee.Geometry.Rectangle([0, 0, 1, 1]).length()) == 0
        assert got(line.perimeter()) == 0

    def test_overlapping_parts_count_twice_and_holes_not(self, ee: Any) -> None:
        ring = [[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]
        hole = [[0.5, 0.5], [1.5, 0.5], [1.5, 1.5], [0.5, 1.5], [0.5, 0.5]]
        whole = got(ee.Geometry.Polygon([ring]).area())
        assert got(ee.Geometry.MultiPolygon([[ring], [ring]]).area()) == pytest.approx(2 * whole)
        assert got(ee.Geometry.Polygon([ring, hole]).area()) == pytest.approx(
            whole - got(ee.Geometry.Polygon([hole]).area())
        )

    def test_more_than_half_of_the_globe(self, ee: Any) -> None:
        ring = [[-35, -10], [-35, 10], [35, 10], [35, -10]]
        inside = got(ee.Geometry.Polygon([ring]).area())
        outside = ee.Geometry.Polygon([ring], evenOdd=False)
        assert got(outside.area()) + inside == pytest.approx(4 * math.pi * R**2, rel=1e-6)
        zone = ee.Geometry.BBox(-180, -30, 180, 30)
        assert got(zone.area()) == pytest.approx(4 * math.pi * R**2 / 2)

    def test_units_of_a_projection(self, ee: Any) -> None:
        square = ee.Geometry.Rectangle([500000, 0, 500100, 200], "EPSG:32631", False)
        assert got(square.area(1, "EPSG:32631")) == pytest.approx(20000)
        assert got(square.perimeter(1, "EPSG:32631")) == pytest.approx(600)

    def test_centroid_takes_the_highest_dimension(self, ee: Any) -> None:
        square = ee.Geometry.Rectangle([0, 0, 2, 2])
        mixed = call(ee, "MultiGeometry", geometries=[square, ee.Geometry.Point(50, 50)])
        assert got(mixed.centroid())["coordinates"] == pytest.approx([1, 1], abs=1e-3)
        assert got(ee.Geometry.LineString([[0, 0], [4, 0]]).centroid())["coordinates"] == pytest.approx([2, 0])
        assert got(ee.Geometry.MultiPoint([[0, 0], [4, 0]]).centroid())["coordinates"] == pytest.approx([2, 0])

    def test_distance_on_ellipsoid_and_sphere(self, ee: Any) -> None:
        one, other = ee.Geometry.Point(0, 0), ee.Geometry.Point(0, 1)
        assert got(one.distance(other)) == pytest.approx(Geod(ellps="WGS84").inv(0, 0, 0, 1)[2])
        assert got(one.distance(other, spherical=True)) == pytest.approx(math.radians(1) * R)
        edge = ee.Geometry.LineString([[-1, 0], [1, 0]])
        assert got(ee.Geometry.Point(0.3, 10).distance(edge, spherical=True)) == pytest.approx(math.radians(10) * R)
        assert got(edge.distance(ee.Geometry.LineString([[0, -1], [0, 1]]))) == 0

    def test_distance_in_a_projection(self, ee: Any) -> None:
        one = ee.Geometry.Point([500000, 0], "EPSG:32631")
        other = ee.Geometry.Point([500030, 40], "EPSG:32631")
        assert got(one.distance(other, 1, "EPSG:32631")) == pytest.approx(50)

    def test_closest_points(self, ee: Any) -> None:
        edge = ee.Geometry.LineString([[-1, 0], [1, 0]])
        found = got(ee.Geometry.Point(0.3, 10).closestPoints(edge))
        assert found["left"]["coordinates"] == pytest.approx([0.3, 10])
        assert found["right"]["coordinates"] == pytest.approx([0.3, 0])
        assert got(ee.Geometry.Point(0.3, 10).closestPoint(edge))["coordinates"] == pytest.approx([0.3, 0])


class TestRelations:
    @pytest.mark.parametrize(("x", "meets"), [(0.5, True), (1.0, True), (1.0001, False)])
    def test_touching_is_intersecting(self, ee: Any, x: float, *, meets: bool) -> None:
        square, point = ee.Geometry.Rectangle([0, 0, 1, 1]), ee.Geometry.Point(x, 0.5)
        assert got(square.intersects(point)) is meets
        assert got(square.disjoint(point)) is not meets
        assert got(square.contains(point)) is meets
        assert got(point.containedIn(square)) is meets

    def test_within_distance(self, ee: Any) -> None:
        one, other = ee.Geometry.Point(0, 0), ee.Geometry.Point(100 * METRE, 0)
        assert got(one.withinDistance(other, 100.001)) is True
        assert got(one.withinDistance(other, 99.999)) is False

    def test_across_the_antimeridian(self, ee: Any) -> None:
        box = call(ee, "BBox", west=170, south=-10, east=-170, north=10)
        assert got(box.contains(ee.Geometry.Point(-179, 0))) is True
        assert got(box.contains(ee.Geometry.Point(0, 0))) is False
        line = ee.Geometry.LineString([[179, 0], [-179, 0]])
        assert got(line.length()) == pytest.approx(math.radians(2) * R)
        assert got(line.intersects(ee.Geometry.Point(180, 0))) is True
        assert got(line.intersects(ee.Geometry.Point(0, 0))) is False
        cap = ee.Geometry.Polygon([[0, 60], [90, 60], [180, 60], [-90, 60]])
        assert got(cap.contains(ee.Geometry.Point(-135, 85))) is True
        assert got(cap.intersects(ee.Geometry.MultiPoint([[0, -80], [10, 50]]))) is False
        assert got(cap.intersects(ee.Geometry.MultiPoint([[0, -80], [10, 80]]))) is True


class TestOperations:
    def test_squares(self, ee: Any) -> None:
        one, other = ee.Geometry.Rectangle([0, 0, 2, 2]), ee.Geometry.Rectangle([1, 0, 3, 2])
        a, b = got(one.area()), got(other.area())
        both = got(one.intersection(other).area())
        assert both == pytest.approx(got(ee.Geometry.Rectangle([1, 0, 2, 2]).area()), rel=1e-3)
        assert got(one.union(other).area()) == pytest.approx(a + b - both)
        assert got(one.difference(other).area()) == pytest.approx(a - both)
        assert got(one.symmetricDifference(other).area()) == pytest.approx(a + b - 2 * both)

    def test_with_nothing(self, ee: Any) -> None:
        square = ee.Geometry.Rectangle([0, 0, 2, 2])
        empty, whole = call(ee, "Polygon", coordinates=[]), got(square.area())
        assert got(square.intersection(empty).area()) == 0
        assert got(empty.difference(square).area()) == 0
        for found in (square.union(empty), square.difference(empty), empty.symmetricDifference(square)):
            assert got(found.area()) == pytest.approx(whole)
        assert got(square.intersects(empty)) is False
        assert got(square.contains(empty)) is False
        assert got(square.distance(empty)) is None

    def test_in_a_projection(self, ee: Any) -> None:
        one = ee.Geometry.Rectangle([500000, 0, 500100, 100], "EPSG:32631", False)
        other = ee.Geometry.Rectangle([500050, 0, 500150, 100], "EPSG:32631", False)
        found = one.intersection(other, 1, "EPSG:32631")
        assert shapely.Polygon(got(found.coordinates())[0]).bounds == (500050, 0, 500100, 100)
        assert got(found.geodesic()) is False

    def test_buffer_of_a_point_is_a_circle_in_metres(self, ee: Any) -> None:
        found = ee.Geometry.Point(14, 70).buffer(10_000, 1)
        assert got(found.area()) == pytest.approx(math.pi * 1e8, rel=2e-4)
        corners = np.array(got(found.coordinates())[0])
        away = sphere.angles(sphere.vectors(corners), sphere.vectors(np.array([[14.0, 70.0]]))) * R
        np.testing.assert_allclose(away, 10_000, rtol=1e-9)

    def test_buffer_of_a_line_is_a_strip_with_round_ends(self, ee: Any) -> None:
        found = got(ee.Geometry.LineString([[0, 0], [10, 0]]).buffer(1000, 1).area())
        assert found == pytest.approx(math.radians(10) * R * 2000 + math.pi * 1e6, rel=1e-3)

    def test_negative_buffer_shrinks(self, ee: Any) -> None:
        found = ee.Geometry.Rectangle([0, 0, 1, 1]).buffer(-1000, 1).bounds()
        assert shapely.Polygon(got(found.coordinates())[0]).bounds[:2] == pytest.approx(
            (1000 * METRE, 1000 * METRE), rel=1e-3
        )

    def test_buffer_in_a_projection(self, ee: Any) -> None:
        point = ee.Geometry.Point([500000, 0], "EPSG:32631")
        assert got(point.buffer(100, 0.01, "EPSG:32631").area(1, "EPSG:32631")) == pytest.approx(
            math.pi * 1e4, rel=1e-3
        )

    def test_buffer_corners_come_from_the_margin(self, ee: Any) -> None:
        corners = [len(got(ee.Geometry.Point(0, 0).buffer(100, error).coordinates())[0]) for error in (10, 1, 0.1)]
        assert corners == sorted(corners)
        assert len(got(ee.Geometry.Point(0, 0).buffer(100).coordinates())[0]) == corners[1]

    def test_convex_hull(self, ee: Any) -> None:
        found = got(ee.Geometry.MultiPoint([[0, 0], [2, 0], [1, 1], [1, 0.5]]).convexHull())
        assert found["type"] == "Polygon"
        assert {tuple(round(one, 9) + 0.0 for one in xy) for xy in found["coordinates"][0]} == {(0, 0), (2, 0), (1, 1)}
        assert got(ee.Geometry.Point(0, 0).convexHull().type()) == "Point"

    def test_simplify_keeps_to_its_margin(self, ee: Any) -> None:
        line = ee.Geometry.LineString([[0, 0], [1, 10 * METRE], [2, 0]])
        assert len(got(line.simplify(11).coordinates())) == 2
        assert len(got(line.simplify(9).coordinates())) == 3

    def test_dissolve(self, ee: Any) -> None:
        ring = [[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]
        double = ee.Geometry.MultiPolygon([[ring], [ring]])
        assert got(double.dissolve().area()) == pytest.approx(got(double.area()) / 2)

    def test_transform(self, ee: Any) -> None:
        line = ee.Geometry.LineString([[3, 60], [4, 60]])
        there = line.transform("EPSG:32631", 0.1)
        assert got(there.geodesic()) is False
        assert got(there.projection())["crs"] == "EPSG:32631"
        assert len(got(there.coordinates())) > 2
        back = got(there.transform("EPSG:4326", 0.1))
        assert back["coordinates"][0] == pytest.approx([3, 60])
        assert got(there.transform("EPSG:4326", 0.1).geodesic()) is True

    def test_no_reprojection_with_a_margin_of_zero(self, ee: Any) -> None:
        box = ee.Geometry.Rectangle([500000, 0, 500100, 100], "EPSG:32631", False)
        text = r"Geometry\.bounds: Can't apply reprojection with edge subdivision with a zero error margin\."
        with pytest.raises(EarthEngineError, match=text):
            got(box.bounds(0))

    def test_too_many_edges(self, ee: Any) -> None:
        lines = [[[0, lat], [300, lat]] for lat in range(50, 80)]
        with pytest.raises(EarthEngineError, match="Geometry has too many edges"):
            got(ee.Geometry.MultiLineString(lines, None, False).length(1e-3))

    def test_covering_grid(self, ee: Any) -> None:
        cells = ee.Geometry.BBox(0.1, 0.1, 1.9, 0.9).coveringGrid("EPSG:4326")
        assert got(cells.size()) == 2
        bounds = shapely.Polygon(got(ee.Feature(cells.first()).geometry().coordinates())[0]).bounds
        assert bounds == (0, 0, 1, 1)

    def test_lines_are_cut_at_metres(self, ee: Any) -> None:
        line = ee.Geometry.LineString([[0, 0], [1, 0], [1, 1]])
        degree = math.radians(1) * R
        found = got(line.cutLines([degree / 2, 1.25 * degree]))
        assert found["type"] == "MultiLineString"
        expected = [[[0, 0], [0.5, 0]], [[0.5, 0], [1, 0], [1, 0.25]], [[1, 0.25], [1, 1]]]
        assert [np.array(piece) for piece in found["coordinates"]] == [pytest.approx(np.array(one)) for one in expected]
        flat = ee.Geometry.LineString([[0, 0], [100, 0]], "EPSG:32631", False).cutLines([30], 1, "EPSG:32631")
        assert got(flat.coordinates()) == [[[0, 0], [30, 0]], [[30, 0], [100, 0]]]
        assert got(ee.Geometry.Point(0, 0).cutLines([1]).coordinates()) == []

    def test_unbounded(self, ee: Any) -> None:
        everywhere = ee.Image(1).geometry()
        assert got(everywhere.isUnbounded()) is True
        world = [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]
        assert got(everywhere.coordinates()) == world
        square = ee.Geometry.Rectangle([0, 0, 1, 1])
        assert got(everywhere.contains(square)) is True
        assert got(square.contains(everywhere)) is False
        assert got(everywhere.intersection(square).coordinates()) == got(square.coordinates())

    def test_s2_cells_are_refused_by_name(self, ee: Any) -> None:
        with pytest.raises(EarthEngineError, match=r"Geometry\.fromS2CellToken: this local Earth Engine"):
            got(ee.Geometry.fromS2CellToken("b000000000000000"))


degrees = st.tuples(st.floats(-179, 179), st.floats(-80, 80))


@settings(max_examples=40, deadline=None)
@example(points=[(0.0, 3.0), (-100.0, 0.0)], line=[(15.75, 0.0), (-161.0, 0.0)])  # nearly half around the Earth
@given(st.lists(degrees, min_size=2, max_size=5), st.lists(degrees, min_size=2, max_size=4))
def test_nearest_is_no_further_than_any_sample(points: list[Any], line: list[Any]) -> None:
    """Against a brute force: points along the great circles."""
    ends, path = sphere.vectors(np.array(points)), sphere.vectors(np.array(line))
    found = sphere.nearest(ends, path).angle
    # Equal steps of angle: those of a chord are far apart in the middle of a long arc
    arc = np.arccos(np.clip((path[:-1] * path[1:]).sum(axis=1), -1, 1))[:, None, None]
    t, whole = np.linspace(0, 1, 400)[None, :, None], np.where(np.sin(arc) > 1e-6, np.sin(arc), 1.0)
    between = (np.sin((1 - t) * arc) * path[:-1, None] + np.sin(t * arc) * path[1:, None]) / whole
    samples = np.concatenate([between[np.sin(arc[:, 0, 0]) > 1e-6].reshape(-1, 3), path])
    sampled = sphere.angles(ends[:, None], samples[None]).min()
    assert found <= sampled + 1e-9
    assert found >= sampled - 0.05


@settings(max_examples=40, deadline=None)
@given(st.floats(-170, 170), st.floats(-70, 70), st.floats(0.01, 20), st.integers(3, 40))
def test_area_of_a_small_circle(lon: float, lat: float, radius: float, corners: int) -> None:
    """A regular spherical polygon: n isosceles triangles from its middle (Napier's rules)."""
    middle = sphere.vectors(np.array([[lon, lat]]))
    ring = _circles(middle, math.radians(radius), corners)[0]
    ring = np.vstack([ring, ring[:1]])
    base = 2 * math.atan(1 / (math.cos(math.radians(radius)) * math.tan(math.pi / corners)))
    expected = corners * (2 * math.pi / corners + base - math.pi)
    assert abs(sphere.ring_area(ring)) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    places=st.one_of(
        st.tuples(st.floats(-180, 180), st.floats(-90, 90)),
        st.tuples(st.floats(175, 180), st.floats(-90, 90)),
        st.tuples(st.floats(-180, 180), st.floats(84, 90)),
    ),
    shift=st.tuples(st.floats(0, 360), st.floats(0, 12)),
    sizes=st.tuples(st.floats(1, 10), st.floats(1, 10)),
)
def test_areas_of_caps_add_up_anywhere(places: Any, shift: Any, sizes: Any) -> None:
    """|A| + |B| = |A or B| + |A and B|, over poles and antimeridian too; the overlap of circles by their distance."""
    centre = sphere.vectors(np.array([places]))
    other = _circles(centre, math.radians(max(shift[1], 1e-3)), 360)[:, int(shift[0]) % 360]
    one, two = (
        Geometry(shapely.Polygon(sphere.degrees(_circles(middle, math.radians(size), 64)[0])))
        for middle, size in ((centre, sizes[0]), (other, sizes[1]))
    )
    a, b = (area(each, None, None) for each in (one, two))
    union, overlap, rest, either = (
        area(put_together(one, two, name), None, None)
        for name in ("union", "intersection", "difference", "symmetricDifference")
    )
    assert union + overlap == pytest.approx(a + b, rel=1e-6)
    assert rest == pytest.approx(a - overlap, rel=1e-6, abs=1e3)
    assert either == pytest.approx(union - overlap, rel=1e-6, abs=1e3)
    apart = math.degrees(float(sphere.angles(centre, other)[0]))
    assert (overlap > 0) == (apart < sum(sizes)) or abs(apart - sum(sizes)) < 0.05
    assert contains(one, two) == (apart + sizes[1] <= sizes[0]) or abs(apart + sizes[1] - sizes[0]) < 0.05
