"""Values as the service answers them in JSON (`value:compute`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gee.local.errors import NotImplementedHereError

ENCODERS: dict[type[Any], Callable[[Any], Any]] = {}


def encode(value: Any) -> Any:
    """JSON of a value: what `getInfo()` returns.

    Raises
    ------
    EarthEngineError
        If values of that type have no JSON form here.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {key: encode(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [encode(one) for one in value]
    encoder = ENCODERS.get(type(value))
    if encoder is None:
        raise NotImplementedHereError(f"a {type(value).__name__} has no JSON form in this local Earth Engine.")
    return encoder(value)
