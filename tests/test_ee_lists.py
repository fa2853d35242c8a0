"""Lists and dictionaries of the local Earth Engine, built by the real client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ee_offline import answer, offline_client, values
from hypothesis import given
from hypothesis import strategies as st

from gee.local.algorithms.values import lists
from gee.local.errors import EarthEngineError

Made = Callable[[Any], Any]


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


LISTS: list[tuple[Made, Any]] = [
    (lambda ee: ee.List([1, 2, 3]).get(-1), 3),
    (lambda ee: ee.List([1, 2, 3]).slice(1), [2, 3]),
    (lambda ee: ee.List([1, 2, 3]).slice(-2, 99), [2, 3]),
    (lambda ee: ee.List([1, 2, 3, 4]).slice(0, 4, 2), [1, 3]),
    (lambda ee: ee.List([1, 2, 3]).set(-1, 9), [1, 2, 9]),
    (lambda ee: ee.List([1, 2]).insert(2, 3), [1, 2, 3]),
    (lambda ee: ee.List([1, 2]).insert(-1, 9), [1, 9, 2]),
    (lambda ee: ee.List([1, 2, 3]).swap(0, -1), [3, 2, 1]),
    (lambda ee: ee.List([1, 2, 3, 4]).splice(1, 2, ["a"]), [1, "a", 4]),
    (lambda ee: ee.List([1, 2, 3, 4]).splice(-1, 5), [1, 2, 3]),
    (lambda ee: ee.List([1, 2, 1]).remove(1), [2, 1]),
    (lambda ee: ee.List([1, 2, 1]).removeAll([1, 7]), [2]),
    (lambda ee: ee.List([1, 2, 1]).replace(1, 9), [9, 2, 1]),
    (lambda ee: ee.List([1, 2, 1]).replaceAll(1, 9), [9, 2, 9]),
    (lambda ee: ee.List([1, 2, 1.0, True]).distinct(), [1, 2, True]),
    (lambda ee: ee.List([1, 2, 3]).rotate(1), [2, 3, 1]),
    (lambda ee: ee.List([1, 2, 3]).rotate(-4), [3, 1, 2]),
    (lambda ee: ee.List([1, [2, [3, []]]]).flatten(), [1, 2, 3]),
    (lambda ee: ee.List([1, 2, 3]).zip(["a", "b"]), [[1, "a"], [2, "b"]]),
    (lambda ee: ee.List([[1, "a", 0], [2, "b"]]).unzip(), [[1, 2], ["a", "b"]]),
    (lambda ee: ee.List([3, 1, 2]).sort(), [1, 2, 3]),
    (lambda ee: ee.List(["b", None, "a"]).sort(), ["a", "b", None]),
    (lambda ee: ee.List(["x", "y", "z"]).sort([2, 1, 2]), ["y", "x", "z"]),
    (lambda ee: ee.List([1, 2, 1, 2]).indexOf(2), 1),
    (lambda ee: ee.List([1, 2, 1, 2]).indexOfSublist([1, 2]), 0),
    (lambda ee: ee.List([1, 2, 1, 2]).lastIndexOfSubList([1, 2]), 2),
    (lambda ee: ee.List([1]).lastIndexOfSubList([1, 2]), -1),
    (lambda ee: ee.List([1, 2, 1]).frequency(1), 2),
    (lambda ee: ee.List([1, 2]).containsAll([2, 1, 1]), True),
    (lambda ee: ee.List(["a", 1, 2.5, True]).join("-"), "a-1-2.5-true"),
    (lambda ee: ee.List.repeat([1], 2), [[1], [1]]),
    (lambda ee: ee.List.sequence(0, 1, 0.25), [0, 0.25, 0.5, 0.75, 1]),
    (lambda ee: ee.List.sequence(5, 1, -2), [5, 3, 1]),
    (lambda ee: ee.List.sequence(5, 1), []),
    (lambda ee: ee.List.sequence(0, 10, count=3), [0, 5, 10]),
    (lambda ee: ee.List([1, 2, 3]).map(lambda x: ee.Number(x).multiply(2)), [2, 4, 6]),
    (lambda ee: ee.List([1, 2, 3]).map(lambda x: ee.ApiFunction.call_("If", ee.Number(x).gt(1), x), True), [2, 3]),
    (lambda ee: ee.List([1, 2, 3]).iterate(lambda x, sum_: ee.Number(x).add(sum_), 10), 16),
    (lambda ee: ee.List([3, 1, 2]).reduce(ee.Reducer.max()), 3),
    (lambda ee: ee.List([1, 2, 3, 10]).reduce(ee.Reducer.median()), 2.5),
    (lambda ee: ee.List([1, 3]).reduce(ee.Reducer.minMax()), {"min": 1, "max": 3}),
    (lambda ee: ee.List(["b", "a"]).reduce(ee.Reducer.min()), "a"),
    (lambda ee: ee.List([1, None, ""]).reduce(ee.Reducer.count()), 2),
    (lambda ee: ee.List([[1, 2], [3, 4]]).map(lambda row: ee.List(row).reduce(ee.Reducer.sum())), [3, 7]),
    (lambda ee: ee.List([]).reduce(ee.Reducer.mean()), None),
]
DICTIONARIES: list[tuple[Made, Any]] = [
    (lambda ee: ee.Dictionary({"b": 1}).set("a", 2).keys(), ["a", "b"]),
    (lambda ee: ee.Dictionary({"b": 1}).set("a", 2).values(), [2, 1]),
    (lambda ee: ee.Dictionary({"b": 1, "a": 2}).values(), [2, 1]),
    (lambda ee: ee.Dictionary({"b": 1, "a": 2}).values(["b"]), [1]),
    (lambda ee: ee.Dictionary({"a": 1, "b": 2}).combine({"b": 3, "c": None}), {"a": 1, "b": 3}),
    (lambda ee: ee.Dictionary({"a": 1, "b": 2}).combine({"b": 3}, False), {"a": 1, "b": 2}),
    (lambda ee: ee.Dictionary({"a": 1}).get("x", 7), 7),
    (lambda ee: ee.Dictionary({"a": 1}).contains("x"), False),
    (lambda ee: ee.Dictionary(["a", 1, "b", 2]), {"a": 1, "b": 2}),
    (lambda ee: ee.Dictionary.fromLists(["a", "b"], [1, 2]), {"a": 1, "b": 2}),
    (lambda ee: ee.Dictionary({"VV": 1, "VH": 2, "x": 3}).select(["V."]), {"VH": 2, "VV": 1}),
    (lambda ee: ee.Dictionary({"VV": 1, "VH": 2, "x": 3}).remove(["V.", "y"], True), {"x": 3}),
    (lambda ee: ee.Dictionary({"a": 1, "b": 2}).rename(["a"], ["c"]), {"b": 2, "c": 1}),
    (lambda ee: ee.Dictionary({"a": 1, "b": 2}).rename(["a"], ["b"], True), {"b": 1}),
    (lambda ee: ee.Dictionary({"a": 1}).set("b", 2).size(), 2),
    (lambda ee: ee.Dictionary({"a": 1, "b": 2}).map(lambda key, value: ee.String(key).cat(ee.Number(value).format())), {"a": "a1", "b": "b2"}),
    (lambda ee: ee.Dictionary({"b": 1, "a": 2}).toArray(), [2, 1]),
    (lambda ee: ee.Dictionary({"b": 1, "a": 2}).toArray(["b", "a"], 1), [[1, 2]]),
    (lambda ee: ee.Dictionary({"b": ee.Array([3]), "a": 2}).toArray(["b"]), [3]),
    (lambda ee: ee.Dictionary({"a": 1}).getNumber("a"), 1),
    (lambda ee: ee.Dictionary({"a": "b"}).getString("a"), "b"),
    (lambda ee: ee.Dictionary({"a": ee.Array([1, 2])}).getArray("a"), [1, 2]),
    (lambda ee: ee.Dictionary({"a": ee.Geometry.Point([1, 2])}).getGeometry("a").coordinates(), [1, 2]),
    (lambda ee: ee.List([0, ee.Array([[1], [2]])]).getArray(1), [[1], [2]]),
    (lambda ee: ee.List([ee.Geometry.Point([1, 2])]).getGeometry(0).coordinates(), [1, 2]),
    (lambda ee: ee.List([1, None, 3, 4]).filter(ee.Filter.gt("item", 2)), [3, 4]),
]  # fmt: skip


@pytest.mark.parametrize(("made", "expected"), LISTS)
def test_lists(ee: Any, made: Made, expected: Any) -> None:
    assert answer(made(ee)) == expected


@pytest.mark.parametrize(("made", "expected"), DICTIONARIES)
def test_dictionaries(ee: Any, made: Made, expected: Any) -> None:
    assert answer(made(ee)) == expected


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda ee: ee.List([1]).get(1), "List.get: List index must be between 0 and 0"),
        (lambda ee: ee.List([1]).get(-2), "List.get: List index must be between"),
        (lambda ee: ee.List.sequence(0, 1, 0), "step must not be 0"),
        (lambda ee: ee.List.sequence(0), "At least one of 'end' or 'count'"),
        (lambda ee: ee.List.sequence(0, 1e12), "cannot be made"),
        (lambda ee: ee.List([1, 2]).sort([1]), "as many keys as elements"),
        (lambda ee: ee.List(["a"]).getNumber(0), "Expected type: Number. Actual type: String"),
        (lambda ee: ee.Dictionary({"a": 1}).get("label"), "Dictionary.get: Dictionary does not contain key: 'label'"),
        (lambda ee: ee.Dictionary({"a": 1}).select(["b"]), "does not contain key: 'b'"),
        (lambda ee: ee.Dictionary({"a": 1, "b": 2}).rename(["a"], ["b"]), "already has the key 'b'"),
        (lambda ee: ee.Dictionary(["a", 1, "b"]), "keys, which are strings, and values in turn"),
        (lambda ee: ee.Dictionary({"a": "x"}).toArray(), "must be numbers or arrays"),
    ],
)
def test_what_cannot_be_is_refused(ee: Any, made: Made, words: str) -> None:
    with pytest.raises(EarthEngineError, match=words):
        answer(made(ee))


def test_a_dictionary_as_an_image(ee: Any) -> None:
    assert answer(ee.Dictionary({"b": 1, "a": 2.5}).toImage().bandNames()) == ["a", "b"]
    assert values(ee.Dictionary({"b": 1, "a": 2.5}).toImage(["b", "a"])) == [1, 2.5]
    with pytest.raises(EarthEngineError, match="neither a number nor an array"):
        answer(ee.Dictionary({"a": "x"}).toImage())


def test_shuffling_depends_on_the_seed_alone(ee: Any) -> None:
    numbers = ee.List.sequence(0, 99)
    first, again = answer(numbers.shuffle(5)), answer(numbers.shuffle(5))
    assert first == again != answer(numbers.shuffle(6))
    assert sorted(first) == list(range(100))
    assert answer(numbers.shuffle(False)) != answer(numbers.shuffle(False))


ITEMS = st.lists(st.integers(0, 4) | st.sampled_from("ab"), max_size=8)


@given(ITEMS, st.integers(-9, 9))
def test_rotating_there_and_back(items: list[Any], distance: int) -> None:
    assert lists.rotate(lists.rotate(items, distance), -distance) == items


@given(ITEMS, ITEMS)
def test_searching_agrees_with_python(items: list[Any], other: list[Any]) -> None:
    assert lists.remove_all(items, other) == [one for one in items if one not in other]
    assert lists.distinct(items) == list(dict.fromkeys(items))
    at = lists.index_of_sublist(items, other)
    assert at == -1 or items[at : at + len(other)] == other
