"""Features, and properties of features, images and collections (section 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gee.local.algorithms.values.arrays import array
from gee.local.elements import properties as elements
from gee.local.elements.properties import INDEX, Element
from gee.local.errors import EarthEngineError
from gee.local.evaluation.coercion import told
from gee.local.table import algorithm
from gee.local.texts.regexes import pattern
from gee.local.values import Array, Feature, Geometry


@algorithm("Feature")
def feature(geometry: Geometry | None, metadata: Mapping[str, Any], geometry_key: str | None) -> Feature:
    """Feature of a geometry and properties; a `system:index` among them is its id, an `id` is not."""
    del geometry_key  # obsolete, says the list
    properties = {name: value for name, value in metadata.items() if name != INDEX}
    index = metadata.get(INDEX)
    return Feature(geometry, properties, id=None if index is None else str(index))


@algorithm("Feature.id", "Image.id")
def identity(element: Element) -> str | None:
    """Id within a collection; null for features that were in none."""
    return elements.index_of(element)


@algorithm("Element.get")
def get(object_: Element, property_: str) -> Any:
    """Value of a property, null where there is none."""
    return elements.get(object_, property_)


@algorithm("Element.getNumber")
def get_number(object_: Element, property_: str) -> int | float | None:
    """Number in a property, null where there is none."""
    value = elements.plain(elements.get(object_, property_))
    found: int | float | None = _checked(value, (int, float), property_, "Number")
    return found


@algorithm("Element.getString")
def get_string(object_: Element, property_: str) -> str | None:
    """Text in a property, null where there is none."""
    found: str | None = _checked(elements.get(object_, property_), (str,), property_, "String")
    return found


@algorithm("Element.getArray")
def get_array(object_: Element, property_: str) -> Array | None:
    """Array in a property, null where there is none; lists of numbers become arrays."""
    value = elements.get(object_, property_)
    if isinstance(value, list):
        return array(value, None)
    found: Array | None = _checked(value, (Array,), property_, "Array")
    return found


def _checked(value: Any, kinds: tuple[type[Any], ...], name: str, wanted: str) -> Any:
    if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
        raise EarthEngineError(f"The property '{name}' must be of type {wanted}, not {told(value)}.")
    return value


@algorithm("Element.set")
def set_(object_: Element, key: str, value: Any) -> Element:
    """Element with one property set; null is kept as a null property."""
    return elements.updated(object_, {key: value})


@algorithm("Element.setMulti")
def set_multi(object_: Element, properties: Mapping[str, Any]) -> Element:
    """Element with several properties set."""
    return elements.updated(object_, properties)


@algorithm("Element.propertyNames")
def property_names(element: Element) -> list[str]:
    """Names of all properties, the system's too."""
    return elements.names(element)


@algorithm("Element.toDictionary")
def to_dictionary(element: Element, properties: Sequence[str] | None) -> dict[str, Any]:
    """Properties by name; without a list all that are not the system's, with one those of it that exist."""
    if properties is None:
        return elements.ordinary(element)
    known = set(elements.names(element))
    return {name: elements.get(element, name) for name in properties if name in known}


@algorithm("Element.copyProperties", "Image.copyProperties")
def copy_properties(
    destination: Element | None, source: Element | None, properties: Sequence[str] | None, exclude: Sequence[str] | None
) -> Element | None:
    """Destination with the source's properties: those named, else all that are not the system's."""
    if properties is not None and exclude is not None:
        raise EarthEngineError("Only one of 'properties' and 'exclude' may be specified.")
    if destination is None or source is None:
        return destination
    if properties is None:
        left_out = set(exclude or ())
        found = {name: value for name, value in elements.ordinary(source).items() if name not in left_out}
    else:
        known = set(elements.names(source))
        found = {name: elements.get(source, name) for name in properties if name in known}
    return elements.updated(destination, found)


@algorithm("Element.replaceProperties")
def replace_properties(destination: Element, source: Element | None) -> Element:
    """Destination with the source's properties and no others; its own id stays."""
    found = {} if source is None else {name: value for name, value in source.properties.items() if name != INDEX}
    own = destination.properties.get(INDEX)
    return replace(destination, properties=found if own is None else {**found, INDEX: own})


@algorithm("Feature.select")
def select(
    input_: Element, property_selectors: Sequence[str], new_properties: Sequence[str] | None, *, retain_geometry: bool
) -> Element:
    """Feature with the properties that names or whole-name regexes select, in their order; maybe renamed."""
    chosen: list[str] = []
    for selector in property_selectors:
        matching = [name for name in elements.names(input_) if name == selector or pattern(selector).fullmatch(name)]
        chosen.extend(name for name in matching if name not in chosen and name != INDEX)
    names = list(new_properties) if new_properties is not None else chosen
    if len(names) != len(chosen):
        raise EarthEngineError(f"{len(chosen)} properties are selected, but there are {len(names)} new names.")
    properties = {new: elements.get(input_, old) for new, old in zip(names, chosen, strict=True)}
    kept = {name: value for name, value in input_.properties.items() if name == INDEX}
    found: Element = replace(input_, properties={**properties, **kept})
    return found if retain_geometry else elements.with_geometry(found, None)


@algorithm("Feature.setGeometry")
def set_geometry(feature: Element, geometry: Geometry | None) -> Element:
    """Feature with another geometry, null included."""
    return elements.with_geometry(feature, geometry)


@algorithm("Feature.toArray")
def to_array(feature: Element, properties: Sequence[str]) -> Array:
    """Array of the numbers in some properties."""
    values = [elements.plain(elements.get(feature, name)) for name in properties]
    for name, value in zip(properties, values, strict=True):
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise EarthEngineError(f"The property '{name}' is no number.")
    return array(values, None)
