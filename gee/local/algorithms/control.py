"""Conditions, equality and the names of types."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gee.local.coercion import type_name
from gee.local.encoding import encode
from gee.local.table import algorithm
from gee.local.values import Array


def truth(value: Any) -> bool:
    """Whether a condition holds: not for null, 0, NaN, empty strings, lists and dictionaries."""
    if isinstance(value, int | float):
        return not (value == 0 or math.isnan(value))
    if isinstance(value, str | list | Mapping):
        return len(value) > 0
    return value is not None


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal: numbers by value, lists and dictionaries by what they hold."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(one, right[key]) for key, one in left.items())
    if isinstance(left, Array) and isinstance(right, Array):
        return np.array_equal(left.values, right.values)
    return type(left) is type(right) and bool(left == right)


@algorithm("If", lazy=True)
def if_(
    condition: Callable[[], Any] | None = None,
    true_case: Callable[[], Any] | None = None,
    false_case: Callable[[], Any] | None = None,
) -> Any:
    """One of two values; the other is not computed."""
    chosen = true_case if condition is not None and truth(condition()) else false_case
    return None if chosen is None else chosen()


@algorithm("IsEqual")
def is_equal(left: Any, right: Any) -> bool:
    """Whether two values are equal."""
    return same(left, right)


@algorithm("ObjectType")
def object_type(value: Any) -> str:
    """Name of a value's type."""
    return "Null" if value is None else type_name(value)


@algorithm("Describe", policies=("non_finite_json",))
def describe(input_: Any) -> Any:
    """What `getInfo()` shows of a value."""
    return encode(input_)
