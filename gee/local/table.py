"""The table of algorithms: a new one is one function with its name above it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

# where the algorithms are: functions marked in each module, and those of its MADE, which it builds from a table
FAMILIES = {
    "collections": (
        "aggregates",
        "columns",
        "composites",
        "elements",
        "filters",
        "geometry",
        "geometry_filters",
        "images",
        "joins",
        "members",
        "regions",
    ),
    "geometries": (
        "constructors",
        "error_margins",
        "measures",
        "projections",
        "results",
    ),
    "images": (
        "array_values",
        "arrays",
        "bands",
        "coordinates",
        "expressions",
        "grids",
        "kernels",
        "masks",
        "math",
        "matrices",
        "neighbourhoods",
        "objects",
        "pictures",
        "reductions",
        "regions",
        "resolution",
        "types",
    ),
    "reducers": (
        "combinations",
        "counts",
        "fits",
        "lists",
        "moments",
        "ranks",
    ),
    "values": (
        "array_reductions",
        "arrays",
        "control",
        "date_ranges",
        "dates",
        "dictionaries",
        "lists",
        "matrices",
        "number_expressions",
        "numbers",
        "pixel_types",
        "strings",
    ),
}

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Implementation:
    """One algorithm.

    Attributes
    ----------
    parameters : Earth Engine's argument name to the function's
    context : whether the function takes the `context` (`gee.local.evaluation.evaluator.Context`)
    lazy : whether it gets functions that give its arguments, instead of values
    policies : named choices where the documentation is silent (`gee.local.policies`)
    """

    name: str
    function: Callable[..., Any]
    parameters: dict[str, str]
    context: bool
    lazy: bool
    policies: tuple[str, ...]


MARK = "earth_engine"


def algorithm(*names: str, lazy: bool = False, policies: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Mark a function as what one or several names of the algorithm list do.

    Its parameters are the list's argument names in snake case; a parameter `context` gets the evaluator's context.
    """

    def mark(function: F) -> F:
        own = [name for name in inspect.signature(function).parameters if name != "context"]
        marks = [
            Implementation(
                name=name,
                function=function,
                parameters={camel(parameter): parameter for parameter in own},
                context="context" in inspect.signature(function).parameters,
                lazy=lazy,
                policies=policies,
            )
            for name in names
        ]
        setattr(function, MARK, marks)
        return function

    return mark


@cache
def implementations() -> dict[str, Implementation]:
    """Every algorithm that there is, by name.

    Raises
    ------
    ValueError
        If two functions have one name.
    """
    table: dict[str, Implementation] = {}
    for name in (f"{room}.{family}" for room, families in FAMILIES.items() for family in families):
        module = import_module(f"gee.local.algorithms.{name}")
        for function in (*vars(module).values(), *getattr(module, "MADE", ())):
            if getattr(function, "__module__", None) != module.__name__:
                continue
            for one in getattr(function, MARK, ()):
                if table.setdefault(one.name, one) is not one:
                    raise ValueError(f"{one.name} is there twice")
    return table


def camel(name: str) -> str:
    """`crs_transform` as Earth Engine writes it: `crsTransform`."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name.rstrip("_"))
