"""Numbers in files: which type holds a band, its GDAL name, and values with masked pixels filled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gee.local.bands.pixel_types import smallest
from gee.local.errors import EarthEngineError
from gee.local.pixels import Band, Pixels
from gee.local.values import PixelType

GDAL_NAMES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
}
LIMITS_64 = (-(2.0**63), 2.0**63 - 1024)  # what float64 and int64 both hold


def dtype_of(type_: PixelType) -> np.dtype[Any]:
    """Smallest type of numbers that holds a pixel type (section 18): integers from 0 to 1 are bytes."""
    return np.dtype({"float": "float32", "double": "float64"}.get(name := smallest(type_), name))


def common_dtype(bands: Sequence[Band]) -> np.dtype[Any]:
    """Type of a GeoTIFF's bands.

    Raises
    ------
    EarthEngineError
        If there are none, they are arrays, or they have several types.
    """
    if not bands:
        raise EarthEngineError("The image has no bands.")
    check_scalar(bands)
    found = list(dict.fromkeys(dtype_of(band.type).name for band in bands))
    if len(found) > 1:
        one, other = (GDAL_NAMES[name] for name in found[:2])
        raise EarthEngineError(
            f"Exported bands must have compatible data types; found inconsistent types: {one} and {other}."
        )
    return np.dtype(found[0])


def check_scalar(bands: Sequence[Band]) -> None:
    """Return, or refuse bands of arrays.

    Raises
    ------
    EarthEngineError
        If there are some.
    """
    arrays = [band.name for band in bands if band.type.dimensions]
    if arrays:
        raise EarthEngineError(f"Array-valued bands cannot be written: {', '.join(arrays)[:200]}. Flatten them first.")


def filled(pixels: Pixels, dtype: np.dtype[Any], fill: float) -> np.ndarray:
    """Values in a type, dims (y, x), with `fill` where the mask is 0; integers are rounded down and limited."""
    valid = pixels.mask > 0
    values = pixels.data
    if dtype.kind in "iu":
        low, high = LIMITS_64 if dtype.itemsize == 8 else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        values = np.clip(np.trunc(values), low, high)
    if not valid.all():
        values = np.where(valid, values, fill)
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def check_no_data(value: float, dtype: np.dtype[Any]) -> float:
    """A no-data value.

    Raises
    ------
    EarthEngineError
        If the type does not hold it.
    """
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if not limits.min <= value <= limits.max or value != int(value):
            raise EarthEngineError(
                f"The noData value {value:g} is not in the range of the bands' type {GDAL_NAMES[dtype.name]}."
            )
    elif dtype.name == "float32" and np.isfinite(value) and abs(value) > float(np.finfo(np.float32).max):
        raise EarthEngineError(f"The noData value {value:g} is not in the range of the bands' type Float32.")
    return value
