"""Elements: properties of features, images and collections, with `.geo` and `system:index` (section 12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.geometry.relations import geometry_of
from gee.local.pixels import Image
from gee.local.values import Collection, Date, Feature, Geometry

Element = Feature | Image | Collection
INDEX = "system:index"
TIME = "system:time_start"
GEOMETRY = (".geo", ".all")
SYSTEM = ("system:", "google:", "earthengine:")


def index_of(element: Element) -> str | None:
    """Id within a collection: `system:index`; of images without it the last part of the asset's id."""
    if isinstance(element, Feature):
        return element.id
    found = element.properties.get(INDEX)
    if found is None and element.id is not None:
        return element.id.rsplit("/", 1)[-1]
    return None if found is None else str(found)


def with_index(element: Element, index: str | None) -> Element:
    """Same element under another id."""
    if isinstance(element, Feature):
        return replace(element, id=index)
    if index is None:
        return element
    return replace(element, properties={**element.properties, INDEX: index})


def get(element: Element, name: str) -> Any:
    """Value of a property; None where there is none. `.geo` is the geometry, `system:index` the id."""
    if name in GEOMETRY:
        return geometry_of(element)
    if name == INDEX:
        return index_of(element)
    return element.properties.get(name)


def names(element: Element) -> list[str]:
    """Names of the properties; `system:index` last where the element has an id of its own."""
    found = [name for name in element.properties if name != INDEX]
    return [*found, INDEX] if index_of(element) is not None else found


def updated(element: Element, properties: Mapping[str, Any]) -> Element:
    """Element with properties set; the others stay."""
    plain = {name: value for name, value in properties.items() if name not in (INDEX, ".geo")}
    found: Element = replace(element, properties={**element.properties, **plain})
    if INDEX in properties:
        found = with_index(found, _text(properties[INDEX]))
    if ".geo" in properties:
        found = with_geometry(found, geometry_of(properties[".geo"]))
    return found


def with_geometry(element: Element, geometry: Geometry | None) -> Element:
    """Element with another geometry.

    Raises
    ------
    EarthEngineError
        For collections.
    """
    if isinstance(element, Feature):
        return replace(element, geometry=geometry)
    if isinstance(element, Image):
        return replace(element, footprint=geometry)
    raise EarthEngineError("The geometry of a collection cannot be set.")


def ordinary(element: Element) -> dict[str, Any]:
    """Properties that are not the system's."""
    return {name: value for name, value in element.properties.items() if not name.startswith(SYSTEM)}


def numbered(elements: Iterable[Element]) -> list[Element]:
    """Elements with the ids 0, 1, 2 … (policy `constructed_ids`)."""
    return [with_index(element, str(number)) for number, element in enumerate(elements)]


def plain(value: Any) -> Any:
    """Value as it is compared: dates as milliseconds."""
    return value.millis if isinstance(value, Date) else value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
