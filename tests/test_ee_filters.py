"""Filters of the local Earth Engine: missing properties, dates, lists, texts, geometries, filter strings."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from ee_offline import computed, offline_client

from gee.local.encoding.answers import encode
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.policies import Policies

DEGREE = math.pi * 6378137 / 180  # metres


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def got(value: Any) -> Any:
    return encode(computed(value))


def rows(ee: Any, *properties: dict[str, Any]) -> Any:
    return ee.FeatureCollection([ee.Feature(None, one) for one in properties])


def kept(ee: Any, collection: Any, condition: Any) -> list[str]:
    """Ids of the elements that pass."""
    return [one["id"] for one in got(collection.filter(condition))["features"]]


class TestMissing:
    @pytest.mark.parametrize(
        "name", ["notEquals", "lessThan", "lessThanOrEquals", "greaterThan", "greaterThanOrEquals"]
    )
    def test_all_but_eq_are_false(self, ee: Any, name: str) -> None:
        collection = rows(ee, {}, {"x": None}, {"x": 1})
        expected = ["2"] if name.endswith("OrEquals") else []
        assert kept(ee, collection, getattr(ee.Filter, name)("x", 1)) == expected

    @pytest.mark.parametrize("name", ["neq", "lte", "gte"])
    def test_the_clients_short_names_are_negations(self, ee: Any, name: str) -> None:
        """The client sends `neq` as not(equals), so a missing property passes, unless the policy says it fails."""
        collection = rows(ee, {}, {"x": 2 if name != "lte" else 1})
        condition = getattr(ee.Filter, name)("x", 1)
        assert kept(ee, collection, condition) == ["0", "1"]
        strict = Context(policies=Policies(negated_missing="fails"))
        assert encode(computed(collection.filter(condition).size(), strict)) == 1

    def test_eq_is_false_too_and_its_negation_true(self, ee: Any) -> None:
        collection = rows(ee, {}, {"x": 1})
        assert kept(ee, collection, ee.Filter.eq("x", 1)) == ["1"]
        assert kept(ee, collection, ee.Filter.eq("x", 1).Not()) == ["0"]

    def test_eq_of_two_missing_fields(self, ee: Any) -> None:
        collection = rows(ee, {}, {"x": 1}, {"x": 1, "y": 1})
        assert kept(ee, collection, ee.Filter.equals(leftField="x", rightField="y")) == ["0", "2"]
        assert kept(ee, collection, ee.Filter.notEquals(leftField="x", rightField="y")) == []

    @pytest.mark.parametrize(
        "make",
        [
            lambda ee: ee.Filter.stringContains("x", ""),
            lambda ee: ee.Filter.listContains("x", 1),
            lambda ee: ee.Filter.inList("x", [1]),
            lambda ee: ee.Filter.rangeContains("x", 0, 9),
            lambda ee: ee.Filter.maxDifference(9, "x", 1),
            lambda ee: ee.Filter.calendarRange(1, 12, "month"),
            lambda ee: ee.Filter.date("1900", "2100"),
            lambda ee: ee.Filter.notNull(["x"]),
            lambda ee: ee.Filter.bounds(ee.Geometry.BBox(-180, -90, 180, 90)),
        ],
    )
    def test_others_are_false(self, ee: Any, make: Any) -> None:
        assert kept(ee, rows(ee, {}), make(ee)) == []


class TestComparisons:
    def test_numbers_and_texts(self, ee: Any) -> None:
        collection = rows(ee, {"x": 1}, {"x": 2.5}, {"x": "b"}, {"x": "1"})
        assert kept(ee, collection, ee.Filter.gt("x", 1)) == ["1"]
        assert kept(ee, collection, ee.Filter.greaterThanOrEquals("x", 1)) == ["0", "1"]
        assert kept(ee, collection, ee.Filter.lt("x", "b")) == ["3"]
        assert kept(ee, collection, ee.Filter.lessThanOrEquals("x", "b")) == ["2", "3"]
        assert kept(ee, collection, ee.Filter.eq("x", 1)) == ["0"]
        assert kept(ee, collection, ee.Filter.notEquals("x", 1)) == ["1", "2", "3"]

    def test_range_includes_both_ends(self, ee: Any) -> None:
        collection = rows(ee, *({"x": x} for x in (1, 2, 3, 4)))
        assert kept(ee, collection, ee.Filter.rangeContains("x", 2, 3)) == ["1", "2"]

    def test_max_difference_is_inclusive(self, ee: Any) -> None:
        collection = rows(ee, {"x": 1}, {"x": 4}, {"x": 5})
        assert kept(ee, collection, ee.Filter.maxDifference(2, "x", 3)) == ["0", "1", "2"]
        assert kept(ee, collection, ee.Filter.maxDifference(1.5, "x", 3)) == ["1"]

    def test_lists(self, ee: Any) -> None:
        collection = rows(ee, {"p": ["VV", "VH"]}, {"p": ["HH"]}, {"p": "VV"})
        assert kept(ee, collection, ee.Filter.listContains("p", "VH")) == ["0"]
        assert kept(ee, collection, ee.Filter.inList("p", ["VV", 3])) == ["2"]

    def test_texts(self, ee: Any) -> None:
        collection = rows(ee, {"s": "abc"}, {"s": "bcd"}, {"s": 3})
        assert kept(ee, collection, ee.Filter.stringStartsWith("s", "ab")) == ["0"]
        assert kept(ee, collection, ee.Filter.stringEndsWith("s", "cd")) == ["1"]
        assert kept(ee, collection, ee.Filter.stringContains("s", "bc")) == ["0", "1"]

    def test_types(self, ee: Any) -> None:
        collection = rows(ee, {"x": 1}, {"x": 1.5}, {"x": "a"}, {"x": [1]})
        assert kept(ee, collection, ee.Filter.hasType("x", "Number")) == ["0", "1"]
        assert kept(ee, collection, ee.Filter.hasType("x", "String")) == ["2"]

    def test_values_on_the_left(self, ee: Any) -> None:
        """`5 > x` is `x < 5`: the constant may be the left operand."""
        collection = rows(ee, {"x": 1}, {"x": 9})
        assert kept(ee, collection, ee.Filter.greaterThan(leftValue=5, rightField="x")) == ["0"]

    def test_both_sides_given_twice(self, ee: Any) -> None:
        with pytest.raises(EarthEngineError, match=r"Filter\.equals: Only one of 'leftField' and 'leftValue'"):
            got(rows(ee, {"x": 1}).filter(ee.Filter.equals(leftField="x", leftValue=3, rightValue=2)))
        with pytest.raises(EarthEngineError, match="At least one of 'leftField' and 'rightField'"):
            got(rows(ee, {"x": 1}).filter(ee.Filter.equals(leftValue=3, rightValue=2)))

    def test_ids_and_combinations(self, ee: Any) -> None:
        collection = rows(ee, {"x": 1}, {"x": 2}, {"x": 3})
        either = ee.Filter.Or(ee.Filter.eq("x", 1), ee.Filter.eq("system:index", "2"))
        assert kept(ee, collection, either) == ["0", "2"]
        assert kept(ee, collection, ee.Filter.And(either, ee.Filter.gt("x", 1))) == ["2"]
        assert kept(ee, collection, ee.Filter.notNull(["x"])) == ["0", "1", "2"]


class TestDates:
    def days(self, ee: Any, *texts: str) -> Any:
        return ee.FeatureCollection([ee.Feature(None, {"system:time_start": ee.Date(text).millis()}) for text in texts])

    def test_start_is_in_and_end_is_not(self, ee: Any) -> None:
        collection = self.days(ee, "2019-12-31T23:59:59", "2020-01-01", "2020-06-30T23:59:59", "2020-07-01")
        assert kept(ee, collection, ee.Filter.date("2020-01-01", "2020-07-01")) == ["1", "2"]
        assert kept(ee, collection, ee.Filter.date("2020", "2020-07")) == ["1", "2"]
        assert kept(ee, collection, ee.Filter.date("2020-01-01")) == ["1"]

    def test_only_time_start_counts(self, ee: Any) -> None:
        collection = rows(ee, {"system:time_end": 0}, {"system:time_start": 0})
        assert kept(ee, collection, ee.Filter.date(0, 1)) == ["1"]

    def test_calendar_fields(self, ee: Any) -> None:
        collection = self.days(ee, "2020-01-06T05:30", "2020-03-01", "2021-12-31T23:59")  # Monday, Sunday, Friday
        assert kept(ee, collection, ee.Filter.calendarRange(12, 2, "month")) == ["0", "2"]
        assert kept(ee, collection, ee.Filter.calendarRange(2020, 2020, "year")) == ["0", "1"]
        assert kept(ee, collection, ee.Filter.calendarRange(61, 365)) == ["1", "2"]  # a leap year's 1 March is day 61
        assert kept(ee, collection, ee.Filter.calendarRange(1, 1, "day_of_week")) == ["0"]
        assert kept(ee, collection, ee.Filter.calendarRange(31, None, "day_of_month")) == ["2"]
        assert kept(ee, collection, ee.Filter.calendarRange(5, 5, "hour")) == ["0"]
        assert kept(ee, collection, ee.Filter.calendarRange(59, 59, "minute")) == ["2"]
        assert kept(ee, collection, ee.Filter.dayOfYear(6, 61)) == ["0", "1"]
        with pytest.raises(EarthEngineError, match=r"Filter\.calendarRange: Unknown calendar field 'weeks'"):
            kept(ee, collection, ee.Filter.calendarRange(1, 2, "weeks"))

    def test_ranges_in_properties(self, ee: Any) -> None:
        collection = ee.FeatureCollection([ee.Feature(None, {"when": ee.DateRange("2020", "2021")})])
        inside = ee.Filter.dateRangeContains(leftField="when", rightValue=ee.Date("2020-05-01"))
        assert got(collection.filter(inside).size()) == 1
        outside = ee.Filter.dateRangeContains(leftField="when", rightValue=ee.Date("2021-01-01"))
        assert got(collection.filter(outside).size()) == 0


class TestGeometries:
    def points(self, ee: Any, *places: Any) -> Any:
        return ee.FeatureCollection([ee.Feature(ee.Geometry.Point(list(place))) for place in places])

    def test_bounds(self, ee: Any) -> None:
        collection = self.points(ee, (0, 0), (1, 1), (5, 5))
        square = ee.Geometry.Rectangle([-1, -1, 1, 1])
        assert kept(ee, collection, ee.Filter.bounds(square)) == ["0", "1"]
        assert kept(ee, collection, ee.Filter.bounds(ee.Feature(square))) == ["0", "1"]
        two = ee.FeatureCollection([ee.Feature(square), ee.Feature(ee.Geometry.Point(5, 5))])
        assert kept(ee, collection, ee.Filter.bounds(two)) == ["0", "1", "2"]
        assert kept(ee, collection, ee.Filter.disjoint(".geo", square)) == ["2"]
        assert kept(ee, collection, ee.Filter.isContained(".geo", square)) == ["0", "1"]
        assert kept(ee, collection, ee.Filter.contains(".geo", ee.Geometry.Point(5, 5))) == ["2"]

    def test_images_without_footprint_are_everywhere(self, ee: Any) -> None:
        images = ee.ImageCollection([ee.Image(1)])
        assert got(images.filterBounds(ee.Geometry.Point(3, 3)).size()) == 1

    def test_within_distance(self, ee: Any) -> None:
        collection = self.points(ee, (0, 0), (1, 0), (3, 0))
        near = ee.Filter.withinDistance(DEGREE * 1.001, ".geo", ee.Geometry.Point(0, 0))
        assert kept(ee, collection, near) == ["0", "1"]

    def test_area(self, ee: Any) -> None:
        squares = ee.FeatureCollection([ee.Feature(ee.Geometry.Rectangle([0, 0, x, x])) for x in (0.1, 1)])
        condition = ee.ApiFunction.apply_("Filter.area", {"min": 1e9, "max": 2e10})
        assert kept(ee, squares, condition) == ["1"]


class TestStrings:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a > 2", ["2"]),
            ("a >= 2 && b == 'x'", ["1"]),
            ('a<2 or b=="y"', ["0", "2"]),
            ("!(a == 1)", ["1", "2"]),
            ("not a == 1 and b != 'y'", ["1"]),
            ("a == 1 || a == 2 && b == 'y'", ["0"]),
            ("(a == 1 || a == 2) && b == 'x'", ["0", "1"]),
            ("a in [1, 3]", ["0", "2"]),
            ("a not in [1, 3]", ["1"]),
            ("2 < a", ["2"]),
            ("a > -1.5e0", ["0", "1", "2"]),
            ("system:index == '1'", ["1"]),
            ("a == c", ["2"]),
        ],
    )
    def test_operators(self, ee: Any, text: str, expected: list[str]) -> None:
        collection = rows(ee, {"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 3, "b": "y", "c": 3})
        assert kept(ee, collection, text) == expected
        assert kept(ee, collection, ee.Filter.expression(text)) == expected

    @pytest.mark.parametrize("text", ["a >", "a > 2)", "(a > 2", "a ~ 3", "3 > 2", "&& a", "a 3"])
    def test_what_cannot_be_read_is_refused(self, ee: Any, text: str) -> None:
        with pytest.raises(EarthEngineError, match=r"Collection\.filter: (Invalid filter expression|A comparison)"):
            got(rows(ee, {"a": 1}).filter(text))
