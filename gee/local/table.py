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
FAMILIES = (
    "aggregates",
    "array_reductions",
    "arrays",
    "collection_columns",
    "collection_geometry",
    "collection_images",
    "collection_regions",
    "collections",
    "composites",
    "control",
    "date_ranges",
    "dates",
    "dictionaries",
    "elements",
    "error_margins",
    "expressions",
    "filters",
    "geometries",
    "geometry_constructors",
    "geometry_filters",
    "geometry_results",
    "image_array_values",
    "image_arrays",
    "image_bands",
    "image_coordinates",
    "image_grids",
    "image_masks",
    "image_math",
    "image_matrices",
    "image_neighbourhoods",
    "image_objects",
    "image_pictures",
    "image_reductions",
    "image_regions",
    "image_resolution",
    "image_types",
    "joins",
    "kernels",
    "lists",
    "matrices",
    "number_expressions",
    "numbers",
    "pixel_type_values",
    "projections",
    "reducer_combinations",
    "reducer_counts",
    "reducer_fits",
    "reducer_lists",
    "reducer_ranks",
    "reducers",
    "strings",
)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Implementation:
    """One algorithm.

    Attributes
    ----------
    parameters : Earth Engine's argument name to the function's
    context : whether the function takes the `context` (`gee.local.evaluator.Context`)
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
    for family in FAMILIES:
        module = import_module(f"gee.local.algorithms.{family}")
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
