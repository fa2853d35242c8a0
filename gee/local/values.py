"""Values of an expression that are not pixels: types, projections, dates, geometries, elements, collections, functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

Precision = Literal["int", "float", "double"]
Transform = tuple[
    float, float, float, float, float, float
]  # xScale, xShear, xTranslation, yShear, yScale, yTranslation
IDENTITY: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
WGS84 = "EPSG:4326"


@dataclass(frozen=True)
class PixelType:
    """Precision and range of numbers; limits of floats are None where they are open.

    Attributes
    ----------
    dimensions : 0 for scalars; of arrays the number of axes
    """

    precision: Precision
    low: float | None = None
    high: float | None = None
    dimensions: int = 0


@dataclass(frozen=True)
class Array:
    """An n-dimensional array of numbers; `values` is float64 or int64, and may be empty along any axis."""

    values: np.ndarray
    type: PixelType


@dataclass(frozen=True)
class Projection:
    """CRS (code or WKT) and affine transform from pixels to its coordinates."""

    crs: str = WGS84
    transform: Transform = IDENTITY


@dataclass(frozen=True)
class ErrorMargin:
    """Tolerance of a geometry's approximation, in `unit`s ("meters", "projected", "infinite")."""

    value: float | None
    unit: str = "meters"


@dataclass(frozen=True)
class Date:
    """Milliseconds since 1970-01-01 UTC."""

    millis: int


@dataclass(frozen=True)
class DateRange:
    """From `start` to before `end`; empty where start >= end."""

    start: Date
    end: Date


@dataclass(frozen=True)
class Geometry:
    """A shape in a CRS.

    Attributes
    ----------
    shape : shapely geometry in `crs` coordinates; None where it is unbounded
    geodesic : whether edges are shortest paths on the sphere (else straight in the CRS)
    even_odd : how the interior of polygons is meant
    """

    shape: BaseGeometry | None
    crs: str = WGS84
    geodesic: bool = True
    even_odd: bool = True


@dataclass(frozen=True)
class Kernel:
    """Weights of a neighbourhood.

    Attributes
    ----------
    weights : dims (y, x), float64, top row first; where `build` is given, made when the pixel size is known
    focus : (x, y) of the weight that lies on the pixel
    build : weights from the size of a pixel in metres, for kernels whose units are metres
    """

    weights: np.ndarray
    focus: tuple[int, int]
    build: Callable[[float], Kernel] | None = None

    def at(self, metres: float) -> Kernel:
        """Weights for pixels of a size."""
        return self if self.build is None else self.build(metres)


@dataclass(frozen=True)
class Reducer:
    """Many values to a few.

    Attributes
    ----------
    inputs : how many values each step takes
    outputs : names
    reduce : `(values, weights) -> outputs`; see `gee.local.algorithms.reducers.moments`
    weighted : whether weights matter (else only whether they are 0)
    types : of the outputs from those of the inputs; double where None
    """

    name: str
    inputs: int
    outputs: tuple[str, ...]
    reduce: Callable[..., Any]
    weighted: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    types: Callable[[Sequence[PixelType]], tuple[PixelType, ...]] | None = None


@dataclass(frozen=True)
class Filter:
    """A condition on elements; with `pair`, on two of them (joins)."""

    name: str
    accepts: Callable[[Any], bool]
    pair: Callable[[Any, Any], bool] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Join:
    """A way of matching two collections; `apply` is `(primary, secondary, condition) -> Collection`."""

    name: str
    apply: Callable[..., Collection]


@dataclass(frozen=True, eq=False)
class Feature:
    """Geometry and properties."""

    geometry: Geometry | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None

    def with_properties(self, properties: Mapping[str, Any]) -> Feature:
        """Same with other properties."""
        return replace(self, properties=dict(properties))


@dataclass(frozen=True, eq=False)
class Collection:
    """Elements in order: `Image`s or `Feature`s.

    Attributes
    ----------
    images : whether it is an ImageCollection
    """

    elements: Sequence[Any] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)
    images: bool = False
    id: str | None = None

    def with_elements(self, elements: Sequence[Any]) -> Collection:
        """Same with other elements."""
        return replace(self, elements=tuple(elements))


@dataclass(frozen=True, eq=False)
class Function:
    """Something that can be called: a definition in the graph with its closure, or an algorithm."""

    arguments: tuple[str, ...]
    call: Callable[[Mapping[str, Any]], Any]
    name: str = ""

    def __call__(self, *values: Any) -> Any:
        """Result for arguments in order."""
        return self.call(dict(zip(self.arguments, values, strict=False)))
