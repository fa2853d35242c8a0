"""Collections as tables: distinct rows, columns that are remapped, random or put together (section 12)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from statistics import NormalDist
from typing import Any

from gee.local.algorithms.values.arrays import array
from gee.local.elements import properties as elements
from gee.local.elements.properties import Element
from gee.local.encoding.answers import encode
from gee.local.errors import EarthEngineError
from gee.local.table import algorithm
from gee.local.values import Collection, Feature

BITS = 53  # of a double's fraction


@algorithm("Collection.distinct", policies=("distinct",))
def distinct(collection: Collection, properties: Any) -> Collection:
    """Elements whose values of one or several properties no earlier element has; `.geo` is the geometry."""
    names = [properties] if isinstance(properties, str) else properties
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise EarthEngineError("'properties' must be a property name or a list of them.")
    seen: set[str] = set()
    found = []
    for element in collection.elements:
        key = _serialized(element, names)
        if key not in seen:
            seen.add(key)
            found.append(element)
    return collection.with_elements(found)


def _serialized(element: Element, names: Sequence[str]) -> str:
    return json.dumps([encode(elements.get(element, name)) for name in names], sort_keys=True)


@algorithm("Collection.randomColumn", policies=("random_column",))
def random_column(
    collection: Collection, column_name: str, seed: int, distribution: str, row_keys: Sequence[str]
) -> Collection:
    """Elements with a random number: a hash of the seed and the values of `row_keys`, so the same for the same rows."""
    if distribution not in {"uniform", "normal"}:
        raise EarthEngineError(f"Unknown distribution '{distribution}'. One of 'uniform' or 'normal' is needed.")

    def number(element: Element) -> float:
        text = f"{seed}|{_serialized(element, row_keys)}"
        bits = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> (64 - BITS)
        if distribution == "uniform":
            return float(bits / 2**BITS)
        return NormalDist().inv_cdf((bits + 0.5) / 2**BITS)

    return collection.with_elements(
        [elements.updated(element, {column_name: number(element)}) for element in collection.elements]
    )


@algorithm("Collection.remap")
def remap(collection: Collection, lookup_in: Sequence[Any], lookup_out: Sequence[int], column_name: str) -> Collection:
    """Elements whose property is among `lookup_in`, with the value of `lookup_out` instead; others are dropped."""
    if len(lookup_in) != len(lookup_out):
        raise EarthEngineError(
            f"Lists must be of the same length; 'lookupIn' has {len(lookup_in)}, 'lookupOut' {len(lookup_out)}."
        )
    if not all(isinstance(value, str | int | float) for value in lookup_in):
        raise EarthEngineError("'lookupIn' may hold strings and integers only.")
    table: Mapping[Any, int] = dict(zip(lookup_in, lookup_out, strict=True))
    found = []
    for element in collection.elements:
        value = elements.plain(elements.get(element, column_name))
        if isinstance(value, str | int | float) and value in table:
            found.append(elements.updated(element, {column_name: table[value]}))
    return collection.with_elements(found)


@algorithm("Collection.fromColumns")
def from_columns(columns: Sequence[Sequence[Any]], property_names: Sequence[str]) -> Collection:
    """Features without geometry, one per row of the columns."""
    if len(columns) != len(property_names):
        raise EarthEngineError(f"There are {len(columns)} columns, but {len(property_names)} names.")
    if len({len(column) for column in columns}) > 1:
        raise EarthEngineError("All columns must be of the same length.")
    rows = [Feature(None, dict(zip(property_names, row, strict=True))) for row in zip(*columns, strict=True)]
    return Collection(tuple(elements.numbered(rows)))


@algorithm("FeatureCollection.makeArray")
def make_array(collection: Collection, properties: Sequence[str], name: str) -> Collection:
    """Features with an array of some properties; those that lack one, or where one is no number, are dropped."""
    found = []
    for element in collection.elements:
        values = [elements.plain(elements.get(element, one)) for one in properties]
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            found.append(elements.updated(element, {name: array(values, None)}))
    return collection.with_elements(found)
