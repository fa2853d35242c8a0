"""Collections of features and images: made, filtered, ordered, mapped (section 12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gee.local.algorithms.collections.filter_strings import parsed
from gee.local.elements import properties
from gee.local.elements.properties import Element
from gee.local.elements.sequences import Mapped
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Image
from gee.local.table import algorithm
from gee.local.values import Collection, Feature, Filter, Function


@algorithm("Collection", policies=("constructed_ids",))
def collection(features: list[Element]) -> Collection:
    """Collection of elements, numbered from 0 on by their ids."""
    return Collection(tuple(properties.numbered(features)))


@algorithm("ImageCollection.fromImages", policies=("constructed_ids",))
def from_images(images: list[Image]) -> Collection:
    """Collection of images, numbered from 0 on by their ids."""
    return Collection(tuple(properties.numbered(images)), images=True)


@algorithm("ImageCollection.load")
def load(id_: str, version: int | None, context: Context) -> Collection:
    """Image collection of the catalogue; there is one version of each."""
    del version
    if context.catalogue is None:
        raise EarthEngineError(
            f"ImageCollection asset '{id_}' not found (does not exist or caller does not have access)."
        )
    found: Collection = context.catalogue.load_collection(id_)
    return found


@algorithm("Collection.filter")
def filter_(collection: Collection, filter_: Any) -> Collection:
    """Elements that pass a filter, which may be a text."""
    if isinstance(filter_, str):
        filter_ = parsed(filter_)
    if not isinstance(filter_, Filter):
        raise EarthEngineError("The filter must be a Filter or a String.")
    condition = filter_
    return collection.with_elements([one for one in collection.elements if condition.accepts(one)])


@algorithm("Collection.limit", policies=("sort_nulls",))
def limit(collection: Collection, limit: int | None, key: str | None, *, ascending: bool) -> Collection:
    """First elements, ordered by a property where `key` is given.

    Ties keep their order; elements without the property come last. Numbers come before texts.
    """
    if limit is not None and limit < 0:
        raise EarthEngineError(f"The limit must not be negative: {limit}.")
    found: Sequence[Any] = collection.elements
    if key is not None:
        found = ordered(found, key, ascending=ascending)
    return replace(collection, elements=found if limit is None else found[:limit])


def ordered(found: Sequence[Element], key: str, *, ascending: bool = True) -> list[Element]:
    """Elements by a property: stable, those without it last (policy `sort_nulls`)."""
    valued = [(properties.plain(properties.get(one, key)), one) for one in found]
    present = [pair for pair in valued if pair[0] is not None]
    for value, _ in present:
        if not isinstance(value, int | float | str):
            raise EarthEngineError(f"Elements cannot be ordered by '{key}': {type(value).__name__} has no order.")
    present.sort(key=lambda pair: (isinstance(pair[0], str), pair[0]), reverse=not ascending)
    return [one for _, one in present] + [one for value, one in valued if value is None]


@algorithm("Collection.first")
def first(collection: Collection) -> Element | None:
    """First element, null of an empty collection."""
    return collection.elements[0] if len(collection.elements) else None


@algorithm("Collection.size")
def size(collection: Collection) -> int:
    """Number of elements."""
    return len(collection.elements)


@algorithm("Collection.toList")
def to_list(collection: Collection, count: int, offset: int) -> list[Element]:
    """At most `count` elements from `offset` on; fewer, or none, past the end."""
    if offset < 0 or count < 0:
        raise EarthEngineError(f"Count and offset must not be negative: {count}, {offset}.")
    return list(collection.elements[offset : offset + count])


@algorithm("Collection.map")
def map_(collection: Collection, base_algorithm: Function, *, drop_nulls: bool) -> Collection:
    """What a function makes of each element, under its id; computed when it is asked for, and so are its errors."""

    def one(element: Element) -> Element | None:
        index = properties.index_of(element)
        return _result(_called(base_algorithm, [element], index), index, drop_nulls=drop_nulls)

    mapped: Sequence[Any] = Mapped(collection.elements, one)
    if drop_nulls:
        mapped = tuple(found for found in mapped if found is not None)
    return replace(collection, elements=mapped)


def _where(index: str | None) -> str:
    return f"Error in map(ID={'null' if index is None else index}):\n"


def _called(function: Function, values: Sequence[Any], index: str | None) -> Any:
    try:
        return function(*values)
    except EarthEngineError as error:
        raise type(error)(_where(index) + error.message, code=error.code) from error


def _result(found: Any, index: str | None, *, drop_nulls: bool) -> Element | None:
    if found is None and drop_nulls:
        return None
    if not isinstance(found, Feature | Image | Collection):
        raise EarthEngineError(
            _where(index)
            + "A mapped algorithm must return a Feature or Image."
            + (" It returned null; use dropNulls to leave such elements out." if found is None else "")
        )
    return properties.with_index(found, index)


@algorithm("Collection.iterate")
def iterate(collection: Collection, function: Function, first: Any) -> Any:
    """Result of `function(element, previous)` over the elements; `first` for an empty collection."""
    found = first
    for element in collection.elements:
        found = function(element, found)
    return found


@algorithm("Collection.cache")
def cache(collection: Collection) -> Collection:
    """The collection."""
    return collection


@algorithm("Collection.merge", "ImageCollection.merge")
def merge(collection1: Collection, collection2: Collection) -> Collection:
    """Elements of both, with ids prefixed by 1_ and 2_; properties of the first collection."""
    parts = [
        properties.with_index(element, f"{number}_{properties.index_of(element)}")
        for number, part in ((1, collection1), (2, collection2))
        for element in part.elements
    ]
    return collection1.with_elements(parts)


@algorithm("Collection.flatten", policies=("flattened_ids",))
def flatten(collection: Collection) -> Collection:
    """Elements of the collections in a collection, with ids `<outer>_<inner>`."""
    found: list[Element] = []
    for outer in collection.elements:
        if not isinstance(outer, Collection):
            raise EarthEngineError("Only a collection of collections can be flattened.")
        index = properties.index_of(outer)
        found.extend(properties.with_index(inner, f"{index}_{properties.index_of(inner)}") for inner in outer.elements)
    inner_images = bool(collection.elements) and all(one.images for one in collection.elements)
    return replace(collection, elements=tuple(found), images=collection.images or inner_images)
