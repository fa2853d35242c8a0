"""Joins and aggregates of collections of the local Earth Engine, in graphs of the real client."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from typing import Any

import pytest
from ee_offline import computed, offline_client
from hypothesis import given, settings
from hypothesis import strategies as st

from gee.local.encoding.answers import encode
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context

R = 6378137.0


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def got(value: Any, context: Context | None = None) -> Any:
    return encode(computed(value, context))


def rows(ee: Any, *properties: dict[str, Any]) -> Any:
    return ee.FeatureCollection([ee.Feature(None, one) for one in properties])


def ids(collection: Any) -> list[str]:
    return [one["id"] for one in got(collection)["features"]]


class TestJoins:
    def sides(self, ee: Any) -> tuple[Any, Any]:
        left = rows(ee, {"a": 1, "n": "p"}, {"a": 5, "n": "q"}, {"a": 50, "n": "r"})
        right = rows(ee, {"b": 2, "t": 9}, {"b": 4, "t": 3}, {"b": 6, "t": 7}, {"t": 1})
        return left, right

    def near(self, ee: Any) -> Any:
        return ee.Filter.maxDifference(difference=3, leftField="a", rightField="b")

    def test_simple_and_inverted(self, ee: Any) -> None:
        left, right = self.sides(ee)
        assert ids(ee.Join.simple().apply(left, right, self.near(ee))) == ["0", "1"]
        assert ids(ee.Join.inverted().apply(left, right, self.near(ee))) == ["2"]

    def test_inner(self, ee: Any) -> None:
        left, right = self.sides(ee)
        found = got(ee.Join.inner("l", "r", "d").apply(left, right, self.near(ee)))["features"]
        pairs = [
            (one["properties"]["l"]["properties"]["a"], one["properties"]["r"]["properties"]["b"]) for one in found
        ]
        assert pairs == [(1, 2), (1, 4), (5, 2), (5, 4), (5, 6)]
        assert [one["properties"]["d"] for one in found] == [1, 3, 3, 1, 1]
        plain = ee.Join.inner().apply(left, right, self.near(ee)).first()
        assert set(got(ee.Feature(plain).propertyNames())) == {"primary", "secondary", "system:index"}

    def test_save_all(self, ee: Any) -> None:
        left, right = self.sides(ee)
        found = ee.Join.saveAll("m", "t", True, "d").apply(left, right, self.near(ee))
        matches = got(found.aggregate_array("m"))
        assert [[one["properties"]["t"] for one in several] for several in matches] == [[3, 9], [3, 7, 9]]
        assert [[one["properties"]["d"] for one in several] for several in matches] == [[3, 1], [1, 1, 3]]
        outer = ee.Join.saveAll("m", outer=True).apply(left, right, self.near(ee))
        assert [len(several) for several in got(outer.aggregate_array("m"))] == [2, 3, 0]

    def test_save_first(self, ee: Any) -> None:
        left, right = self.sides(ee)
        found = ee.Join.saveFirst("m", "t", False).apply(left, right, self.near(ee))
        assert [one["properties"]["t"] for one in got(found.aggregate_array("m"))] == [9, 9]
        assert ids(ee.Join.saveFirst("m", outer=True).apply(left, right, self.near(ee))) == ["0", "1", "2"]

    def test_save_best(self, ee: Any) -> None:
        left, right = self.sides(ee)
        found = got(ee.Join.saveBest("m", "d").apply(left, right, self.near(ee)).aggregate_array("m"))
        assert [(one["properties"]["b"], one["properties"]["d"]) for one in found] == [(2, 1), (4, 1)]

    def test_measure_of_distance(self, ee: Any) -> None:
        left = ee.FeatureCollection([ee.Feature(ee.Geometry.Point(0, 0))])
        right = ee.FeatureCollection([ee.Feature(ee.Geometry.Point(lon, 0)) for lon in (2, 1)])
        near = ee.Filter.withinDistance(distance=1e6, leftField=".geo", rightField=".geo", maxError=1)
        both = ee.Filter.And(near, ee.Filter.intersects(leftField=".geo", rightField=".geo").Not())
        for condition in (near, both):
            best = ee.Feature(ee.Join.saveBest("m", "d").apply(left, right, condition).first()).get("m")
            assert got(ee.Feature(best).get("d")) == pytest.approx(math.radians(1) * R)

    def test_conditions_that_cannot_join(self, ee: Any) -> None:
        left, right = self.sides(ee)
        with pytest.raises(EarthEngineError, match=r"Join\.apply: A join condition must compare a leftField"):
            got(ee.Join.simple().apply(left, right, ee.Filter.eq("a", 1)))
        same = ee.Filter.equals(leftField="a", rightField="b")
        with pytest.raises(EarthEngineError, match="The join condition has no measure"):
            got(ee.Join.saveBest("m", "d").apply(left, right, same))


class TestAggregates:
    def test_elements_without_the_property_are_skipped(self, ee: Any) -> None:
        collection = rows(ee, {"a": 3}, {"b": 1}, {"a": None}, {"a": 1})
        assert got(collection.size()) == 4
        assert got(collection.aggregate_array("a")) == [3, 1]
        assert got(collection.aggregate_count("a")) == 2
        assert got(collection.aggregate_first("a")) == 3
        assert got(collection.aggregate_mean("a")) == 2

    def test_texts(self, ee: Any) -> None:
        collection = rows(ee, {"s": "b"}, {"s": "a"}, {"s": "b"})
        assert got(collection.aggregate_min("s")) == "a"
        assert got(collection.aggregate_max("s")) == "b"
        assert got(collection.aggregate_histogram("s")) == {"a": 1, "b": 2}
        assert got(collection.aggregate_count_distinct("s")) == 2
        with pytest.raises(EarthEngineError, match=r"AggregateFeatureCollection\.mean: The property 's' must be a num"):
            got(collection.aggregate_mean("s"))

    def test_stats_of_nothing(self, ee: Any) -> None:
        nothing = rows(ee, {"b": 1})
        assert got(nothing.aggregate_mean("a")) is None
        assert got(nothing.aggregate_sum("a")) == 0
        assert got(nothing.aggregate_max("a")) is None
        assert got(rows(ee, {"a": 1}).aggregate_sample_var("a")) is None
        assert got(rows(ee, {"a": 1}).aggregate_total_var("a")) == 0

    @settings(max_examples=25, deadline=None)
    @given(values=st.lists(st.integers(-1000, 1000), min_size=2, max_size=12))
    def test_stats(self, ee: Any, values: list[int]) -> None:
        """Against the standard library."""
        found = got(rows(ee, *({"a": value} for value in values), {}).aggregate_stats("a"))
        kinds = "max mean min sample_sd sample_var sum sum_sq total_count total_sd total_var valid_count"
        assert " ".join(found) == f"{kinds} weight_sum weighted_sum"
        assert found["mean"] == pytest.approx(statistics.fmean(values))
        assert found["sample_var"] == pytest.approx(statistics.variance(values))
        assert found["total_sd"] == pytest.approx(statistics.pstdev(values))
        assert found["sum_sq"] == sum(value**2 for value in values)
        assert (found["min"], found["max"], found["sum"]) == (min(values), max(values), sum(values))
        assert (found["valid_count"], found["total_count"]) == (len(values), len(values) + 1)

    def test_reduce_columns(self, ee: Any) -> None:
        collection = rows(ee, {"a": 1, "w": 1}, {"a": 2, "w": 2}, {"a": 3, "w": 3}, {"w": 9})
        assert got(collection.reduceColumns(ee.Reducer.mean(), ["a"])) == {"mean": 2}
        assert got(collection.reduceColumns(ee.Reducer.mean(), ["a"], ["w"]))["mean"] == pytest.approx(7 / 3)
        assert got(collection.reduceColumns(ee.Reducer.minMax(), ["a"])) == {"min": 1, "max": 3}
        assert got(collection.reduceColumns(ee.Reducer.sum().repeat(2), ["a", "w"])) == {"sum": [6, 15]}
        text = r"Collection\.reduceColumns: Need 1 inputs for Reducer\.mean, got 2\."
        with pytest.raises(EarthEngineError, match=text):
            got(collection.reduceColumns(ee.Reducer.mean(), ["a", "w"]))
