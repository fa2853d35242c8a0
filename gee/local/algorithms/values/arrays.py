"""Arrays: making, elementwise operations, shapes (section 15); matrices are in `matrices`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gee.local.algorithms.values.arithmetic import BINARY, CASTS, UNARY, Operation, policies_of
from gee.local.bands import pixel_types
from gee.local.errors import EarthEngineError
from gee.local.table import algorithm
from gee.local.values import Array, PixelType

LARGEST = 10**8  # numbers of an array that one algorithm makes from lengths
MOST_AXES = 32  # numpy before 2 has no more


def held(values: np.ndarray, kind: PixelType) -> Array:
    """Array of a type: values clamped and cut as casts do, int64 where it is whole."""
    data = pixel_types.cast(values, kind)
    if kind.precision == "int":
        data = np.nan_to_num(data).astype(np.int64) if data.dtype != np.int64 else data
    else:
        data = data.astype(np.float64)
    return Array(data, replace(kind, dimensions=data.ndim))


def alike(values: np.ndarray, source: Array) -> Array:
    """Array of the same type with other values."""
    return Array(values, replace(source.type, dimensions=values.ndim))


def inferred(values: np.ndarray) -> PixelType:
    """Type of numbers: the smallest full integer type that holds them, else double (section 1)."""
    if not np.issubdtype(values.dtype, np.integer):
        return pixel_types.DOUBLE
    span = PixelType("int", int(values.min()), int(values.max()))
    return pixel_types.named(pixel_types.smallest(span))


def _shape(values: Any) -> tuple[int, ...]:
    """Lengths of nested lists, which must not differ."""
    if not isinstance(values, list):
        return values.values.shape if isinstance(values, Array) else ()
    inner = {_shape(one) for one in values}
    if len(inner) > 1:
        raise EarthEngineError("All inner lists and arrays at the same depth must have the same length.")
    return (len(values), *(inner.pop() if inner else ()))


def _leaves(values: Any) -> list[Any]:
    if isinstance(values, list):
        return [leaf for one in values for leaf in _leaves(one)]
    return values.values.ravel().tolist() if isinstance(values, Array) else [values]


@algorithm("Array")
def array(values: Any, pixel_type: PixelType | None) -> Array:
    """Array of an array, a number or nested lists of numbers; of a type, else of the smallest one that holds them."""
    if isinstance(values, Array):
        return values if pixel_type is None else held(values.values, pixel_type)
    shape, leaves = _shape(values), _leaves(values)
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in leaves):
        raise EarthEngineError("An array is made of a number or of nested lists of numbers.")
    if not leaves and pixel_type is None:
        raise EarthEngineError("The pixelType must be provided where there are no numbers.")
    whole = all(isinstance(one, int) and abs(one) < 2**63 for one in leaves)
    data = np.array(leaves, np.int64 if whole and leaves else float).reshape(shape)
    return held(data, pixel_type or inferred(data))


# -- elementwise ------------------------------------------------------------------------------------------------------


def elementwise(operation: Operation, *inputs: Array) -> Array:
    """Operation on arrays of one shape; arrays without axes go with all."""
    shapes = {one.values.shape for one in inputs if one.values.ndim}
    if len(shapes) > 1:
        told = " and ".join(str(list(one.values.shape)) for one in inputs)
        raise EarthEngineError(f"Arrays must have the same lengths, or be single numbers: {told}.")
    kind = operation.result(*(one.type for one in inputs))
    found = operation(*(one.values for one in inputs))
    return held(found if found.dtype == np.int64 else found.astype(np.float64), kind)


def _elementwise(name: str, operation: Operation) -> Callable[..., Array]:
    if name in BINARY:

        @algorithm(f"Array.{name}", policies=policies_of(name))
        def binary(left: Array, right: Array) -> Array:
            return elementwise(operation, left, right)

        return binary

    @algorithm(f"Array.{name}", policies=policies_of(name))
    def unary(input_: Array) -> Array:
        return elementwise(operation, input_)

    return unary


def _cast(name: str, kind: PixelType) -> Callable[..., Array]:
    @algorithm(f"Array.{name}", policies=policies_of(name))
    def function(input_: Array) -> Array:
        return held(input_.values, kind)

    return function


MADE = (
    *(_elementwise(name, one) for name, one in (UNARY | BINARY).items()),
    *(_cast(name, kind) for name, kind in CASTS.items()),
)


# -- numbers of an array ----------------------------------------------------------------------------------------------


def number(value: Any) -> float:
    """Number of an array's element."""
    found: float = np.asarray(value).item()
    return found


@algorithm("Array.get")
def get(array: Array, position: list[int]) -> float:
    """Element at a position."""
    if len(position) != array.values.ndim:
        raise EarthEngineError(f"A position has {array.values.ndim} coordinates, not {len(position)}.")
    for axis, (at, length) in enumerate(zip(position, array.values.shape, strict=True)):
        if not 0 <= at < length:
            raise EarthEngineError(f"Position {at} is not on axis {axis}, which has length {length}.")
    return number(array.values[tuple(position)])


@algorithm("Array.argmax")
def argmax(array: Array) -> list[int] | None:
    """Position of the first of the greatest elements; null of an empty array."""
    if array.values.size == 0:
        return None
    return [int(one) for one in np.unravel_index(int(np.argmax(array.values)), array.values.shape)]


@algorithm("Array.dotProduct")
def dot_product(array1: Array, array2: Array) -> float:
    """Sum of the products of two arrays with one axis."""
    if array1.values.ndim != 1 or array1.values.shape != array2.values.shape:
        raise EarthEngineError("Both arrays must have one axis, of the same length.")
    return number(np.dot(array1.values, array2.values))


@algorithm("Array.length")
def length(array: Array) -> Array:
    """Length of each axis."""
    return held(np.array(array.values.shape, np.int64), pixel_types.named("int32"))


@algorithm("Array.toList")
def to_list(array: Array) -> Any:
    """Nested lists of numbers."""
    return array.values.tolist()


@algorithm("Array.bitsToArray", policies=("bit_order",))
def bits_to_array(input_: float) -> Array:
    """Bits up to the highest one that is set, the least significant first (order not documented)."""
    if not np.isfinite(input_):
        raise EarthEngineError(f"{input_} has no bits.")
    word = int(input_) % 2**64
    bits = [word >> at & 1 for at in range(max(word.bit_length(), 1))]
    return held(np.array(bits, np.int64), pixel_types.named("uint8"))


# -- shapes -----------------------------------------------------------------------------------------------------------


def deep(values: np.ndarray, axes: int) -> np.ndarray:
    """Values with axes of length 1 added at the end."""
    return values.reshape(values.shape + (1,) * (axes - values.ndim))


def allowed(lengths: list[int]) -> None:
    """Refuse arrays that no memory holds."""
    if math.prod(max(one, 1) for one in lengths) > LARGEST or len(lengths) > MOST_AXES:
        raise EarthEngineError(f"An array with lengths {lengths} is too large: at most {LARGEST} numbers.")


def on_axis(array: Array, axis: int) -> int:
    """Axis, if the array has it."""
    if not 0 <= axis < array.values.ndim:
        raise EarthEngineError(f"Axis {axis} is not there: the array has {array.values.ndim} axes.")
    return axis


@algorithm("Array.cat")
def cat(arrays: list[Array], axis: int) -> Array:
    """Arrays one after the other along an axis, which may be one more than they have."""
    if not arrays:
        raise EarthEngineError("At least one array is needed.")
    if not 0 <= axis < MOST_AXES:
        raise EarthEngineError(f"Axis {axis} is not there.")
    parts = [deep(one.values, axis + 1) if axis >= one.values.ndim else one.values for one in arrays]
    if len({part.ndim for part in parts}) > 1 or len({np.delete(part.shape, axis).tobytes() for part in parts}) > 1:
        raise EarthEngineError("Arrays must have the same lengths on all axes except the one along which they are put.")
    return held(np.concatenate(parts, axis=axis), pixel_types.union(*(one.type for one in arrays)))


@algorithm("Array.cut")
def cut(array: Array, position: list[int]) -> Array:
    """One position on each axis, or with -1 all of it; the number of axes stays."""
    if len(position) != array.values.ndim:
        raise EarthEngineError(f"A position has {array.values.ndim} coordinates, not {len(position)}.")
    for axis, (at, size) in enumerate(zip(position, array.values.shape, strict=True)):
        if not -1 <= at < size:
            raise EarthEngineError(f"Position {at} is not on axis {axis}, which has length {size}.")
    return alike(array.values[tuple(slice(None) if at == -1 else slice(at, at + 1) for at in position)], array)


@algorithm("Array.slice")
def slice_(array: Array, axis: int, start: int, end: int | None, step: int) -> Array:
    """Positions from start to before end along an axis; negative ones count from its end."""
    if step <= 0:
        raise EarthEngineError(f"step must be positive, but is {step}.")
    at = on_axis(array, axis)
    return alike(array.values[(slice(None),) * at + (slice(start, end, step),)], array)


@algorithm("Array.mask")
def mask(input_: Array, mask: Array) -> Array:
    """Positions along the mask's long axis where the mask is not 0."""
    if mask.values.ndim != input_.values.ndim:
        raise EarthEngineError(f"The mask has {mask.values.ndim} axes, the array {input_.values.ndim}.")
    long = [axis for axis, size in enumerate(mask.values.shape) if size != 1] or [0]
    axis = long[0]
    if len(long) > 1 or (mask.values.ndim and mask.values.shape[axis] != input_.values.shape[axis]):
        raise EarthEngineError("The mask must be as long as the array on one axis, and have length 1 on all others.")
    if not mask.values.ndim:
        raise EarthEngineError("The array has no axis along which it could be masked.")
    return alike(np.compress(mask.values.ravel() != 0, input_.values, axis=axis), input_)


@algorithm("Array.pad")
def pad(array: Array, lengths: list[int], pad: float) -> Array:
    """Array with a value appended up to a length of each axis."""
    values = deep(array.values, max(len(lengths), array.values.ndim))
    allowed(lengths)
    if values.ndim == 0:
        return array
    grow = [max(want - have, 0) for want, have in zip(lengths, values.shape, strict=False)]
    ends = [(0, one) for one in grow] + [(0, 0)] * (values.ndim - len(grow))
    filler = pixel_types.cast(np.asarray(pad, float), array.type)  # as all fillers: clamped and cut (section 1)
    if array.type.precision == "int" and not np.isfinite(filler):
        raise EarthEngineError(f"{pad} is no whole number.")
    return held(np.pad(values, ends, constant_values=filler.astype(values.dtype)), array.type)


@algorithm("Array.project")
def project(array: Array, axes: list[int]) -> Array | None:
    """Array with some of its axes; the others must have length 1 at most; null where one of them is empty (section 21)."""
    kept = [on_axis(array, one) for one in axes]
    gone = [axis for axis in range(array.values.ndim) if axis not in kept]
    if any(array.values.shape[axis] > 1 for axis in gone) or len(set(kept)) != len(kept):
        raise EarthEngineError("Axes that are left out must be at most length 1.")
    values = np.moveaxis(array.values, kept, range(len(kept)))
    if any(array.values.shape[axis] == 0 for axis in gone):
        return None
    return alike(values.reshape(values.shape[: len(kept)]), array)


@algorithm("Array.repeat")
def repeat(array: Array, axis: int, copies: int) -> Array:
    """Copies one after the other along an axis, which may be a new one."""
    if not 0 <= axis < MOST_AXES or copies < 0:
        raise EarthEngineError(f"Axis {axis} or {copies} copies cannot be.")
    allowed([array.values.size, copies])
    values = deep(array.values, max(axis + 1, array.values.ndim))
    return alike(np.concatenate([values] * copies, axis=axis) if copies else values.take([], axis=axis), array)


@algorithm("Array.reshape")
def reshape(array: Array, shape: Array) -> Array:
    """Same numbers with other lengths, one of which may be -1: as long as needed."""
    wanted = [int(one) for one in shape.values.ravel()]
    try:
        return alike(array.values.reshape(wanted), array)
    except ValueError as error:
        raise EarthEngineError(f"An array of {array.values.size} numbers cannot have the lengths {wanted}.") from error


@algorithm("Array.sort")
def sort(array: Array, keys: Array | None) -> Array:
    """Sorted along the keys' long axis, by the keys, else by the values; equal ones stay as they are."""
    by = array if keys is None else keys
    long = [axis for axis, size in enumerate(by.values.shape) if size > 1]
    if len(long) > 1:
        raise EarthEngineError("The keys may be longer than 1 along one axis only.")
    if by.values.ndim != array.values.ndim:
        raise EarthEngineError(f"The keys have {by.values.ndim} axes, the array {array.values.ndim}.")
    if not long:
        return array
    if by.values.shape[long[0]] != array.values.shape[long[0]]:
        raise EarthEngineError("The keys must be as long as the array along the axis to sort.")
    return alike(array.values.take(np.argsort(by.values.ravel(), kind="stable"), axis=long[0]), array)


@algorithm("Array.transpose", "Array.matrixTranspose")
def transpose(array: Array, axis1: int, axis2: int) -> Array:
    """With two axes exchanged; arrays get the axes that they lack."""
    if min(axis1, axis2) < 0 or max(axis1, axis2) >= MOST_AXES:
        raise EarthEngineError(f"Axes {axis1} and {axis2} are not there.")
    values = deep(array.values, max(axis1 + 1, axis2 + 1, array.values.ndim))
    return alike(np.swapaxes(values, axis1, axis2), array)
