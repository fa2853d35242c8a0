"""Dictionaries: keys are told in natural order (section 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gee.local.algorithms.images.bands import constant_band
from gee.local.algorithms.values.arrays import array, cat
from gee.local.algorithms.values.lists import TYPES, checked
from gee.local.bands.names import checked as checked_name
from gee.local.errors import EarthEngineError
from gee.local.pixels import Image
from gee.local.table import algorithm
from gee.local.texts.regexes import pattern
from gee.local.values import Array, Function


@algorithm("Dictionary")
def dictionary(input_: Any) -> dict[str, Any]:
    """Dictionary of a dictionary, of a list of keys and values in turn, or of an element's properties."""
    if input_ is None:
        return {}
    if isinstance(input_, dict):
        return dict(input_)
    if isinstance(input_, list):
        if len(input_) % 2 or not all(isinstance(key, str) for key in input_[::2]):
            raise EarthEngineError("A list must have keys, which are strings, and values in turn.")
        return dict(zip(input_[::2], input_[1::2], strict=True))
    properties = getattr(input_, "properties", None)
    if properties is None:
        raise EarthEngineError("A dictionary or a list of keys and values is needed.")
    return dict(properties)


@algorithm("Dictionary.fromLists")
def from_lists(keys: list[str], values: list[Any]) -> dict[str, Any]:
    """Dictionary of parallel lists."""
    if len(keys) != len(values):
        raise EarthEngineError(f"There must be as many keys as values: {len(keys)} and {len(values)}.")
    return dict(zip(named(keys), values, strict=True))


@algorithm("Dictionary.combine")
def combine(first: dict[str, Any], second: dict[str, Any], overwrite: bool) -> dict[str, Any]:  # noqa: FBT001 -- the list's
    """Both without nulls; where a key is in both the second counts, unless overwrite is false."""
    one, other = ({key: value for key, value in side.items() if value is not None} for side in (first, second))
    return one | other if overwrite else other | one


@algorithm("Dictionary.contains")
def contains(dictionary: dict[str, Any], key: str) -> bool:
    """Whether a key is there."""
    return key in dictionary


@algorithm("Dictionary.get")
def get(dictionary: dict[str, Any], key: str, default_value: Any) -> Any:
    """Value of a key, else the default, where that is not null."""
    if key in dictionary:
        return dictionary[key]
    if default_value is None:
        raise EarthEngineError(f"Dictionary does not contain key: '{key}'.")
    return default_value


def _typed(name: str, kinds: type[Any] | tuple[type[Any], ...]) -> Callable[..., Any]:
    @algorithm(f"Dictionary.get{name}")
    def function(dictionary: dict[str, Any], key: str) -> Any:
        return checked(get(dictionary, key, None), name, kinds)

    return function


MADE = tuple(_typed(name, kinds) for name, kinds in TYPES.items())


@algorithm("Dictionary.keys")
def keys(dictionary: dict[str, Any]) -> list[str]:
    """Keys in natural order."""
    return sorted(dictionary)


@algorithm("Dictionary.values")
def values(dictionary: dict[str, Any], keys: list[str] | None) -> list[Any]:
    """Values in the order of the keys given, else of all keys in natural order."""
    return [get(dictionary, key, None) for key in (sorted(dictionary) if keys is None else keys)]


@algorithm("Dictionary.size")
def size(dictionary: dict[str, Any]) -> int:
    """Number of entries."""
    return len(dictionary)


@algorithm("Dictionary.set")
def set_(dictionary: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """With another value of a key."""
    return {**dictionary, key: value}


@algorithm("Dictionary.map")
def map_(dictionary: dict[str, Any], base_algorithm: Function) -> dict[str, Any]:
    """With what a function makes of each key and value; keys for which that is null go."""
    found = {key: base_algorithm(key, dictionary[key]) for key in sorted(dictionary)}
    return {key: value for key, value in found.items() if value is not None}


def named(keys: list[str]) -> list[str]:
    """Keys, none of which may be null."""
    if None in keys:
        raise EarthEngineError("A key must be a string, not null.")
    return keys


def _matching(dictionary: dict[str, Any], selectors: list[str], *, ignore_missing: bool) -> list[str]:
    """Keys that selectors name, or match as regular expressions."""
    found: list[str] = []
    for selector in named(selectors):
        match = pattern(selector)
        hits = [selector] if selector in dictionary else [key for key in sorted(dictionary) if match.fullmatch(key)]
        if not hits and not ignore_missing:
            raise EarthEngineError(f"Dictionary does not contain key: '{selector}'.")
        found += [key for key in hits if key not in found]
    return found


@algorithm("Dictionary.select")
def select(dictionary: dict[str, Any], selectors: list[str], ignore_missing: bool) -> dict[str, Any]:  # noqa: FBT001 -- the list's
    """Entries of the keys that are named, or match."""
    return {key: dictionary[key] for key in _matching(dictionary, selectors, ignore_missing=ignore_missing)}


@algorithm("Dictionary.remove")
def remove(dictionary: dict[str, Any], selectors: list[str], ignore_missing: bool) -> dict[str, Any]:  # noqa: FBT001 -- the list's
    """Without the keys that are named, or match."""
    gone = _matching(dictionary, selectors, ignore_missing=ignore_missing)
    return {key: value for key, value in dictionary.items() if key not in gone}


@algorithm("Dictionary.rename")
def rename(dictionary: dict[str, Any], from_: list[str], to: list[str], overwrite: bool) -> dict[str, Any]:  # noqa: FBT001 -- the list's
    """With other keys; one that is there already is refused unless overwrite is true."""
    if len(from_) != len(to):
        raise EarthEngineError(f"'from' and 'to' must have the same length: {len(from_)} and {len(to)}.")
    moved = {new: get(dictionary, old, None) for old, new in zip(named(from_), named(to), strict=True)}
    rest = {key: value for key, value in dictionary.items() if key not in from_}
    clash = sorted(set(moved) & set(rest))
    if clash and not overwrite:
        raise EarthEngineError(f"The dictionary already has the key '{clash[0]}'.")
    return rest | moved


@algorithm("Dictionary.toArray")
def to_array(dictionary: dict[str, Any], keys: list[str] | None, axis: int) -> Array:
    """Values along an axis; arrays are put together along it."""
    found = values(dictionary, keys)
    if any(isinstance(one, Array) for one in found):
        return cat([one if isinstance(one, Array) else array(one, None) for one in found], axis)
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in found):
        raise EarthEngineError("All values must be numbers or arrays.")
    made = array(found, None)
    return Array(np.reshape(made.values, [1] * axis + [len(found)]), made.type)


@algorithm("Dictionary.toImage")
def to_image(dictionary: dict[str, Any], names: list[str] | None) -> Image:
    """Constant bands of the numbers and arrays, in the order of the names given, else in natural order."""
    wanted = sorted(dictionary) if names is None else names
    bands = []
    for name in wanted:
        value = get(dictionary, name, None)
        if isinstance(value, bool) or not isinstance(value, int | float | Array):
            raise EarthEngineError(f"The value of '{name}' is neither a number nor an array.")
        bands.append(constant_band(checked_name(name), value))
    return Image(tuple(bands))
