"""Arguments as the algorithm list declares them: numbers become images, texts dates and projections, and so on."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.pixels import Image
from gee.local.values import (
    Array,
    Collection,
    Date,
    DateRange,
    ErrorMargin,
    Feature,
    Filter,
    Function,
    Geometry,
    Join,
    Kernel,
    PixelType,
    Projection,
    Reducer,
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an argument must become: the type in angle brackets, its place for errors, algorithms to convert with."""

    inner: str
    where: str
    call: Callable[[str], Function]


ANYTHING = frozenset({"", "Object", "<any>"})  # lists of these are taken as they are
PLAIN: dict[str, tuple[type[Any], ...]] = {
    "String": (str,),
    "Kernel": (Kernel,),
    "Reducer": (Reducer,),
    "Filter": (Filter,),
    "Join": (Join,),
    "DateRange": (DateRange,),
    "PixelType": (PixelType,),
}


def coerce(value: Any, kind: str, *, where: str, call: Callable[[str], Function]) -> Any:
    """Value as an argument of a type of the algorithm list ("Image<unknown bands>", "List<Float>").

    Parameters
    ----------
    where : of the argument, for errors
    call : algorithm by name as a function

    Raises
    ------
    EarthEngineError
        If the value cannot be of that type.
    """
    name, inner = _parts(kind)
    if name in PLAIN:
        if not isinstance(value, PLAIN[name]):
            raise _wrong(value, name, where)
        return value
    convert = CONVERSIONS.get(name)
    return value if convert is None else convert(value, Wanted(inner=inner, where=where, call=call))


def type_name(value: Any) -> str:
    """Type of a value as Earth Engine calls it."""
    for kind, name in NAMES:
        if isinstance(value, kind):
            return name
    if isinstance(value, Collection):
        return "ImageCollection" if value.images else "FeatureCollection"
    return "null" if value is None else "Object"


def told(value: Any) -> str:
    """A value in an error: numbers and texts as they are, others by their type."""
    if isinstance(value, str | int | float):
        return repr(value)[:60]
    return "null" if value is None else f"a {type_name(value)}"


NAMES: tuple[tuple[type[Any], str], ...] = (
    (bool, "Boolean"), (int, "Integer"), (float, "Float"), (str, "String"), (list, "List"), (Mapping, "Dictionary"),
    (Image, "Image"), (Feature, "Feature"), (Geometry, "Geometry"), (Array, "Array"), (Date, "Date"), (DateRange, "DateRange"),
    (Projection, "Projection"), (Reducer, "Reducer"), (Kernel, "Kernel"), (Filter, "Filter"), (Join, "Join"),
    (PixelType, "PixelType"), (ErrorMargin, "ErrorMargin"), (Function, "Algorithm"),
)  # fmt: skip


@cache
def _parts(kind: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\w+)<(.*)>", kind)
    return (match[1], match[2]) if match else (kind, "")


def _wrong(value: Any, name: str, where: str) -> EarthEngineError:
    said = repr(value) if isinstance(value, str | int | float) else ""
    return EarthEngineError(
        f"{where}: Invalid type. Expected type: {name}. Actual type: {type_name(value)}. Actual value: {said}"[:400]
    )


def _image(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Image):
        return value
    if isinstance(value, bool | int | float | Array):
        return wanted.call("Image.constant").call({"value": value})
    raise _wrong(value, "Image", wanted.where)


def _integer(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(value, "Integer", wanted.where)
    return int(value)


def _float(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(value, "Float", wanted.where)
    return float(value)


def _number(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, int | float):
        raise _wrong(value, "Number", wanted.where)
    return value


def _boolean(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, bool | int | float):
        return bool(value)
    raise _wrong(value, "Boolean", wanted.where)


def _list(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Array):
        value = value.values.tolist()
    if not isinstance(value, list):
        raise _wrong(value, "List", wanted.where)
    if wanted.inner in ANYTHING:
        return value
    if any(one is None for one in value) and wanted.inner != "String":  # Reducer.setOutputs takes null names
        raise _wrong(None, wanted.inner, wanted.where)
    return [one if one is None else coerce(one, wanted.inner, where=wanted.where, call=wanted.call) for one in value]


def _dictionary(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Image | Feature):
        return dict(value.properties)
    if not isinstance(value, Mapping):
        raise _wrong(value, "Dictionary", wanted.where)
    return dict(value)


def _array(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Array):
        return value
    if isinstance(value, list | int | float) and not isinstance(value, bool):
        return wanted.call("Array").call({"values": value})
    raise _wrong(value, "Array", wanted.where)


def _date(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Date):
        return value
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return wanted.call("Date").call({"value": value})
    raise _wrong(value, "Date", wanted.where)


def _projection(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Projection):
        return value
    if isinstance(value, str):
        return wanted.call("Projection").call({"crs": value})
    if isinstance(value, Mapping) and value.get("type") == "Projection":  # as defaults are written in the list
        return wanted.call("Projection").call({key: value[key] for key in ("crs", "transform") if key in value})
    raise _wrong(value, "Projection", wanted.where)


def _geometry(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Geometry):
        return value
    if isinstance(value, Feature) and value.geometry is not None:
        return value.geometry
    if isinstance(value, Image):
        return value.footprint or Geometry(None)
    if isinstance(value, Collection):
        return wanted.call("Collection.geometry").call({"collection": value})
    raise _wrong(value, "Geometry", wanted.where)


def _margin(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, ErrorMargin):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return wanted.call("ErrorMargin").call({"value": value})
    if isinstance(value, Mapping) and value.get("type") == "ErrorMargin":  # as defaults are written in the list
        return ErrorMargin(value.get("value"), value.get("unit", "meters"))
    raise _wrong(value, "ErrorMargin", wanted.where)


def _element(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Feature | Image | Collection):
        return value
    if isinstance(value, Geometry):
        return Feature(value)
    raise _wrong(value, "Element", wanted.where)


def _collection(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Collection):
        return value
    if isinstance(value, Feature):
        return Collection((value,))
    if isinstance(value, Geometry):
        return Collection((Feature(value),))
    raise _wrong(value, "FeatureCollection", wanted.where)


def _image_collection(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Collection):
        return value
    if isinstance(value, Image):
        return Collection((value,), images=True)
    raise _wrong(value, "ImageCollection", wanted.where)


def _algorithm(value: Any, wanted: Wanted) -> Any:
    if isinstance(value, Function):
        return value
    if isinstance(value, str):
        return wanted.call(value)
    raise _wrong(value, "Algorithm", wanted.where)


CONVERSIONS: dict[str, Callable[[Any, Wanted], Any]] = {
    "Image": _image, "Integer": _integer, "Long": _integer, "Float": _float, "Number": _number, "Boolean": _boolean, "List": _list,
    "Dictionary": _dictionary, "Array": _array, "Date": _date, "Projection": _projection, "Geometry": _geometry,
    "Rectangle": _geometry, "ErrorMargin": _margin, "Element": _element, "Feature": _element, "FeatureCollection": _collection,
    "ImageCollection": _image_collection, "Algorithm": _algorithm,
}  # fmt: skip
