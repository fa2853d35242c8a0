"""Reducers that count their inputs, or take one by its place (section 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gee.local.algorithms.reducers.moments import present_anywhere
from gee.local.bands.pixel_types import INTEGERS
from gee.local.reduction.calling import Handling, Output, is_null, make, same, step_at
from gee.local.reduction.order_statistics import distinct
from gee.local.table import algorithm
from gee.local.values import PixelType, Reducer

COUNT = PixelType("int", 0, INTEGERS["uint32"][1])


def _count(
    name: str, function: Callable[[np.ndarray, np.ndarray], np.ndarray], *, nulls: bool, objects: bool = True
) -> Reducer:
    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        data = np.asarray(function(values[0], present), np.float64)
        return [(data, np.ones(data.shape))]

    handling = Handling(nulls=nulls, objects=objects)
    return make(name, reduce, outputs=("count",), handling=handling, types=lambda _: (COUNT,))


@algorithm("Reducer.count")
def count() -> Reducer:
    """How many values are not null."""
    return _count("count", lambda _, present: present.sum(axis=0), nulls=False)


@algorithm("Reducer.countEvery")
def count_every() -> Reducer:
    """How many values there are, nulls too."""
    return _count("countEvery", lambda _, present: present.sum(axis=0), nulls=True)


@algorithm("Reducer.countDistinct")
def count_distinct() -> Reducer:
    """How many different values there are; null is one."""
    return _count("countDistinct", _distinct, nulls=True)


@algorithm("Reducer.countDistinctNonNull")
def count_distinct_non_null() -> Reducer:
    """How many different values there are, nulls aside."""
    return _count("countDistinctNonNull", _distinct, nulls=False)


@algorithm("Reducer.countRuns")
def count_runs() -> Reducer:
    """How many runs of one value there are, nulls aside."""
    return _count("countRuns", _runs, nulls=False)


def _distinct(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    if values.ndim > 1:
        return distinct(values, present)
    kept = values[present]
    null = is_null(kept)
    return np.asarray(len({repr(one) for one in kept[~null].tolist()}) + bool(null.any()))


def _runs(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    found = np.zeros(present.shape[1:], np.intp)
    before = np.zeros(present.shape[1:], values.dtype)
    started = np.zeros(present.shape[1:], bool)
    for value, here in zip(values, present, strict=True):
        found = found + (here & ~(started & np.asarray(value == before, bool)))
        before = np.where(here, value, before)
        started = started | here
    return found


# -- positions --------------------------------------------------------------------------------------------------------


def _position(name: str, output: str, *, last: bool, nulls: bool) -> Reducer:
    def reduce(values: Sequence[np.ndarray], present: np.ndarray) -> list[Output]:
        mask = present_anywhere(present)
        if not len(present):
            return [(mask, mask)]
        at = len(present) - 1 - np.argmax(present[::-1], axis=0) if last else np.argmax(present, axis=0)
        if nulls and values[0].ndim == 1:
            mask = mask * ~is_null(values[0][at : at + 1])[0]
        return [(step_at(values[0], at), mask)]

    return make(name, reduce, outputs=(output,), handling=Handling(nulls=nulls, objects=True), types=same)


@algorithm("Reducer.first")
def first() -> Reducer:
    """First value; null where that is null."""
    return _position("first", "first", last=False, nulls=True)


@algorithm("Reducer.firstNonNull")
def first_non_null() -> Reducer:
    """First value that is not null, named `first`."""
    return _position("firstNonNull", "first", last=False, nulls=False)


@algorithm("Reducer.last")
def last() -> Reducer:
    """Last value; null where that is null."""
    return _position("last", "last", last=True, nulls=True)


@algorithm("Reducer.lastNonNull")
def last_non_null() -> Reducer:
    """Last value that is not null, named `last`."""
    return _position("lastNonNull", "last", last=True, nulls=False)
