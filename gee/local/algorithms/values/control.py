"""Conditions, equality and the names of types."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from gee.local.encoding.answers import encode
from gee.local.evaluation.coercion import type_name
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
    if type(left) is type(right) and isinstance(left, str | int):
        return bool(left == right)
    return bool(identity(left) == identity(right))


def identity(value: Any) -> Hashable:
    """What equal values have in common, and can be looked up by: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, bool):
        return "boolean", value
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, list):
        return "list", tuple(identity(one) for one in value)
    if isinstance(value, Mapping):
        return "dictionary", frozenset((key, identity(one)) for key, one in value.items())
    if isinstance(value, Array):
        return "array", value.values.shape, value.values.astype(np.float64).tobytes()
    if isinstance(value, Hashable):
        return type(value), value
    return type(value), id(value)


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
