"""Lists (section 15)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gee.local.algorithms.values.control import identity, same
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.evaluation.coercion import type_name
from gee.local.reduction.calling import reduce_rows
from gee.local.table import algorithm
from gee.local.texts.numbers import text_of
from gee.local.values import Array, Date, Feature, Filter, Function, Geometry, Reducer

LONGEST = 10_000_000  # elements of a list that is made from numbers: a mistyped step is refused, not tried


def position(values: list[Any], index: int, *, end: bool = False) -> int:
    """Index from the start; negative ones count from the end. With `end`, just after the last one is allowed."""
    found = index + len(values) if index < 0 else index
    if not 0 <= found < len(values) + end:
        raise EarthEngineError(f"List index must be between 0 and {len(values) - 1 + end}, but found {index}.")
    return found


def find(values: list[Any], element: Any) -> int:
    """First position of an element, or -1."""
    wanted = identity(element)
    return next((at for at, one in enumerate(values) if identity(one) == wanted), -1)


def identities(values: list[Any]) -> set[Any]:
    """What the elements are equal by."""
    return {identity(one) for one in values}


# -- parts ------------------------------------------------------------------------------------------------------------


@algorithm("List.get")
def get(list_: list[Any], index: int) -> Any:
    """Element at a position."""
    return list_[position(list_, index)]


def _typed(name: str, kinds: type[Any] | tuple[type[Any], ...]) -> Callable[..., Any]:
    @algorithm(f"List.get{name}")
    def function(list_: list[Any], index: int) -> Any:
        return checked(get(list_, index), name, kinds)

    return function


def checked(value: Any, name: str, kinds: type[Any] | tuple[type[Any], ...]) -> Any:
    """Value, if it is of the type that was asked for."""
    if isinstance(value, kinds) and not (name == "Number" and isinstance(value, bool)):
        return value
    if name == "Geometry" and isinstance(value, Feature) and value.geometry is not None:
        return value.geometry
    raise EarthEngineError(f"Expected type: {name}. Actual type: {type_name(value)}.")


TYPES: dict[str, type[Any] | tuple[type[Any], ...]] = {
    "Array": Array,
    "Geometry": Geometry,
    "Number": (int, float),
    "String": str,
}
MADE = tuple(_typed(name, kinds) for name, kinds in TYPES.items())


@algorithm("List.slice")
def slice_(list_: list[Any], start: int, end: int | None, step: int | None) -> list[Any]:
    """Elements from start to before end; positions beyond the list are cut."""
    if step is not None and step <= 0:
        raise EarthEngineError(f"step must be positive, but is {step}.")
    return list_[start:end:step]


@algorithm("List.size", "List.length")
def size(list_: list[Any]) -> int:
    """Number of elements."""
    return len(list_)


# -- questions --------------------------------------------------------------------------------------------------------


@algorithm("List.contains")
def contains(list_: list[Any], element: Any) -> bool:
    """Whether an element is there."""
    return find(list_, element) >= 0


@algorithm("List.containsAll")
def contains_all(list_: list[Any], other: list[Any]) -> bool:
    """Whether all of the other list's elements are there."""
    return identities(other) <= identities(list_)


@algorithm("List.equals")
def equals(list_: list[Any], other: list[Any]) -> bool:
    """Whether both have the same elements in the same order."""
    return same(list_, other)


@algorithm("List.frequency")
def frequency(list_: list[Any], element: Any) -> int:
    """How often an element is there."""
    return sum(same(one, element) for one in list_)


@algorithm("List.indexOf")
def index_of(list_: list[Any], element: Any) -> int:
    """First position of an element, or -1."""
    return find(list_, element)


def _sublists(list_: list[Any], target: list[Any]) -> Iterable[int]:
    span = len(target)
    return (at for at in range(len(list_) - span + 1) if same(list_[at : at + span], target))


@algorithm("List.indexOfSublist")
def index_of_sublist(list_: list[Any], target: list[Any]) -> int:
    """First position where another list begins, or -1."""
    return next(iter(_sublists(list_, target)), -1)


@algorithm("List.lastIndexOfSubList")
def last_index_of_sublist(list_: list[Any], target: list[Any]) -> int:
    """Last position where another list begins, or -1."""
    return max(_sublists(list_, target), default=-1)


# -- changes ----------------------------------------------------------------------------------------------------------


@algorithm("List.add")
def add(list_: list[Any], element: Any) -> list[Any]:
    """With an element at the end."""
    return [*list_, element]


@algorithm("List.cat")
def cat(list_: list[Any], other: list[Any]) -> list[Any]:
    """Both, one after the other."""
    return [*list_, *other]


@algorithm("List.insert")
def insert(list_: list[Any], index: int, element: Any) -> list[Any]:
    """With an element at a position; the rest moves on."""
    at = position(list_, index, end=True)
    return [*list_[:at], element, *list_[at:]]


@algorithm("List.set")
def set_(list_: list[Any], index: int, element: Any) -> list[Any]:
    """With another element at a position."""
    at = position(list_, index)
    return [*list_[:at], element, *list_[at + 1 :]]


@algorithm("List.swap")
def swap(list_: list[Any], pos1: int, pos2: int) -> list[Any]:
    """With two elements exchanged."""
    first, second, result = position(list_, pos1), position(list_, pos2), [*list_]
    result[first], result[second] = result[second], result[first]
    return result


@algorithm("List.splice")
def splice(list_: list[Any], start: int, count: int, other: list[Any] | None) -> list[Any]:
    """With `count` elements from a position replaced by another list."""
    at = position(list_, start, end=True)
    return [*list_[:at], *(other or []), *list_[at + max(count, 0) :]]


@algorithm("List.remove")
def remove(list_: list[Any], element: Any) -> list[Any]:
    """Without the first of the elements that are equal to one."""
    at = find(list_, element)
    return list_ if at < 0 else [*list_[:at], *list_[at + 1 :]]


@algorithm("List.removeAll")
def remove_all(list_: list[Any], other: list[Any]) -> list[Any]:
    """Without all that another list has."""
    gone = identities(other)
    return [one for one in list_ if identity(one) not in gone]


@algorithm("List.replace")
def replace(list_: list[Any], oldval: Any, newval: Any) -> list[Any]:
    """With the first of the elements that are equal to one replaced."""
    at = find(list_, oldval)
    return list_ if at < 0 else [*list_[:at], newval, *list_[at + 1 :]]


@algorithm("List.replaceAll")
def replace_all(list_: list[Any], oldval: Any, newval: Any) -> list[Any]:
    """With all elements that are equal to one replaced."""
    return [newval if same(one, oldval) else one for one in list_]


@algorithm("List.distinct")
def distinct(list_: list[Any]) -> list[Any]:
    """Without repetitions; the first of each stays."""
    found: dict[Any, Any] = {}
    for one in list_:
        found.setdefault(identity(one), one)
    return [*found.values()]


@algorithm("List.reverse")
def reverse(list_: list[Any]) -> list[Any]:
    """In the opposite order."""
    return list_[::-1]


@algorithm("List.rotate", policies=("rotation",))
def rotate(list_: list[Any], distance: int) -> list[Any]:
    """Moved toward the start, which goes on at the end: [1, 2, 3] by 1 is [2, 3, 1] (direction not documented)."""
    at = distance % len(list_) if list_ else 0
    return [*list_[at:], *list_[:at]]


@algorithm("List.flatten", policies=("flatten_depth",))
def flatten(list_: list[Any]) -> list[Any]:
    """Without inner lists, at all levels (the depth is not documented)."""
    found: list[Any] = []
    for one in list_:
        found.extend(flatten(one) if isinstance(one, list) else [one])
    return found


@algorithm("List.zip")
def zip_(list_: list[Any], other: list[Any]) -> list[list[Any]]:
    """Pairs, as many as the shorter list has."""
    return [[first, second] for first, second in zip(list_, other, strict=False)]


@algorithm("List.unzip")
def unzip(list_: list[Any]) -> list[list[Any]]:
    """Lists of all first elements, all second ones, and so on, as many as the shortest list has."""
    if not all(isinstance(one, list) for one in list_):
        raise EarthEngineError("All elements must be lists.")
    return [[*row] for row in zip(*list_, strict=False)]


# -- order ------------------------------------------------------------------------------------------------------------


def sort_key(value: Any) -> tuple[int, Any]:
    """What values are ordered by: numbers and dates, then texts, then lists, nulls last (mixed kinds: not documented)."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return 9, 0
    if isinstance(value, bool | int | float):
        return 0, value
    if isinstance(value, Date):
        return 1, value.millis
    if isinstance(value, str):
        return 2, value
    if isinstance(value, list):
        return 3, [sort_key(one) for one in value]
    raise EarthEngineError(f"Values of type {type_name(value)} have no order.")


@algorithm("List.sort", policies=("mixed_sort",))
def sort(list_: list[Any], keys: list[Any] | None) -> list[Any]:
    """In ascending order, of the keys where they are given; equal ones stay as they are."""
    by = list_ if keys is None else keys
    if len(by) != len(list_):
        raise EarthEngineError(f"There must be as many keys as elements: {len(by)} and {len(list_)}.")
    return [list_[at] for at in sorted(range(len(list_)), key=lambda at: sort_key(by[at]))]


@algorithm("List.shuffle", policies=("shuffle",))
def shuffle(list_: list[Any], seed: Any) -> list[Any]:
    """In an order that depends on the seed alone (numpy's PCG64: not the service's); another each time for false."""
    if not (seed is None or seed is False) and (not isinstance(seed, int | float) or not math.isfinite(seed)):
        raise EarthEngineError(f"The seed is a whole number or false, not {seed!r}.")
    chosen = None if seed is False else int(seed or 0) % 2**64
    return [list_[at] for at in np.random.default_rng(chosen).permutation(len(list_))]


# -- making and folding -----------------------------------------------------------------------------------------------


@algorithm("List.repeat")
def repeat(value: Any, count: int) -> list[Any]:
    """One value many times."""
    _allowed(count)
    return [value] * count


def _allowed(count: int) -> None:
    if not 0 <= count <= LONGEST:
        raise EarthEngineError(f"A list of {count} elements cannot be made: at most {LONGEST}.")


@algorithm("List.sequence")
def sequence(start: float, end: float | None, step: float, count: int | None) -> list[float]:
    """Numbers from start to end, inclusive, by step; with count that many, evenly spaced (the step is ignored)."""
    if not all(math.isfinite(one) for one in (start, end or 0, step)):
        raise EarthEngineError("start, end and step must be finite.")
    if end is None and count is None:
        raise EarthEngineError("At least one of 'end' or 'count' must be specified.")
    if count is not None:
        _allowed(count)
        if end is not None:
            step = (end - start) / max(count - 1, 1)
    elif step == 0:
        raise EarthEngineError("step must not be 0.")
    else:
        count = max(math.floor((end - start) / step) + 1, 0) if end is not None else 0
        _allowed(count)
    numbers = [start + step * at for at in range(count)]
    return [int(one) if isinstance(start, int) and float(one).is_integer() else one for one in numbers]


@algorithm("List.map")
def map_(list_: list[Any], base_algorithm: Function, drop_nulls: bool) -> list[Any]:  # noqa: FBT001 -- the list's
    """What a function makes of each element; nulls are dropped where that is asked for."""
    found = [base_algorithm(one) for one in list_]
    return [one for one in found if one is not None] if drop_nulls else found


@algorithm("List.iterate")
def iterate(list_: list[Any], function: Function, first: Any) -> Any:
    """What a function makes of each element and of what it made before."""
    result = first
    for one in list_:
        result = function(one, result)
    return result


@algorithm("List.filter")
def filter_(list_: list[Any], filter_: Filter) -> list[Any]:
    """Elements that a filter accepts; plain values are its property `item`."""
    return [
        one for one in list_ if filter_.accepts(one if hasattr(one, "properties") else Feature(None, {"item": one}))
    ]


@algorithm("List.reduce")
def reduce(list_: list[Any], reducer: Reducer) -> Any:
    """A reducer's output, or several by name."""
    found = reduce_rows(reducer, list_)
    return next(iter(found.values())) if len(found) == 1 else found


@algorithm("List.join", policies=("number_text",))
def join(list_: list[Any], separator: str) -> str:
    """Texts, numbers and booleans, one after the other."""
    return separator.join(_joined(one) for one in list_)


def _joined(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return text_of(value)
    raise NotImplementedHereError(f"what a {type_name(value)} looks like in a joined text is not documented.")
