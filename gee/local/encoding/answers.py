"""Values as the service answers them in JSON (`value:compute`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from gee.local.errors import NotImplementedHereError

# modules of this package with a table ENCODERS: type of a value to the function that gives its JSON, which calls
# `encode` for what the value holds
TABLES = ("elements", "images", "values")
WHOLE = 2.0**53  # whole floats below are written as integers: 2.0 as 2


def encode(value: Any) -> Any:
    """JSON of a value: what `getInfo()` returns.

    Whole numbers have no decimal point, whatever their type; NaN and infinities are "NaN", "Infinity" and "-Infinity"
    (not documented: as in other JSON of the service).

    Raises
    ------
    EarthEngineError
        If values of that type have no JSON form here.
    """
    if isinstance(value, float):
        return _number(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {key: encode(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [encode(one) for one in value]
    encoder = encoders().get(type(value))
    if encoder is None:
        raise NotImplementedHereError(f"a {type(value).__name__} has no JSON form in this local Earth Engine.")
    return encoder(value)


@cache
def encoders() -> Mapping[type[Any], Callable[[Any], Any]]:
    """Every type of value that is not plain JSON.

    Raises
    ------
    ValueError
        If two tables have one type.
    """
    found: dict[type[Any], Callable[[Any], Any]] = {}
    for name in TABLES:
        for kind, encoder in import_module(f"gee.local.encoding.{name}").ENCODERS.items():
            if found.setdefault(kind, encoder) is not encoder:
                raise ValueError(f"{kind.__name__} has two encoders")
    return found


def _number(value: float) -> Any:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return int(value) if value.is_integer() and abs(value) < WHOLE else float(value)
