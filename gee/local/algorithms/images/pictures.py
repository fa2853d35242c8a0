"""Images as pictures: values to 8-bit colours (`visualize`), and colour spaces."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gee.local.bands.masks import both, is_everywhere
from gee.local.bands.names import selected
from gee.local.bands.pixel_types import INTEGERS, named, smallest
from gee.local.errors import EarthEngineError
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.table import algorithm
from gee.local.values import PixelType

NAMES = ("vis-red", "vis-green", "vis-blue")
BYTE = named("uint8")
UNIT = PixelType("float", 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Values of a band to 0 … 1: `value * slope + offset`, then to the power `exponent`."""

    slope: float
    offset: float
    exponent: float

    def __call__(self, data: np.ndarray) -> np.ndarray:
        """Numbers from 0 to 1."""
        found: np.ndarray = np.clip(data * self.slope + self.offset, 0.0, 1.0)
        return found if self.exponent == 1 else found**self.exponent


@algorithm("Image.visualize")
def visualize(  # noqa: PLR0913 -- the arguments of the list
    image: Image,
    bands: Any,
    gain: Any,
    bias: Any,
    min_: Any,
    max_: Any,
    gamma: Any,
    opacity: float | None,
    palette: Any,
    *,
    force_rgb_output: bool,
) -> Image:
    """Bands `vis-red`, `vis-green` and `vis-blue`, or `vis-gray` of one band without a palette: 8 bits each.

    Not documented, and chosen: without a range integers are stretched over their smallest full type and floats over
    0 … 1; halves are rounded up; a pixel is masked where one of its bands is; colours of a palette lie at equal
    distances, linear between.
    """
    names = _listed(bands)
    chosen = selected(image, names) if names else image.bands[: 3 if len(image.bands) >= 3 else 1]
    if len(chosen) not in (1, 3):
        raise EarthEngineError(f"There must be 1 or 3 bands to visualize, not {len(chosen)}.")
    colours = _listed(palette)
    if colours and len(chosen) > 1:
        raise EarthEngineError("Cannot provide a palette when viewing more than one band.")
    if (gain is not None or bias is not None) and (min_ is not None or max_ is not None):
        raise EarthEngineError("Only one of 'gain' with 'bias' and 'min' with 'max' can be given.")
    if opacity is not None and not 0 <= opacity <= 1:
        raise EarthEngineError(f"The opacity must be from 0 to 1, not {opacity}.")
    parameters = [
        _numbers(one, len(chosen), what)
        for one, what in ((gain, "gain"), (bias, "bias"), (min_, "min"), (max_, "max"), (gamma, "gamma"))
    ]
    stretches = [_stretch(band.type, *row) for band, *row in zip(chosen, *parameters, strict=True)]
    if colours:
        return image.with_bands(_palette_bands(chosen[0], stretches[0], [colour(str(one)) for one in colours], opacity))
    grey = [_byte_band(band, stretch) for band, stretch in zip(chosen, stretches, strict=True)]
    if len(grey) == 1 and not force_rgb_output:
        return image.with_bands(_shown(grey, ["vis-gray"], opacity))
    return image.with_bands(_shown(grey * (4 - len(grey) if len(grey) == 1 else 1), NAMES, opacity))


def colour(text: str) -> tuple[int, int, int]:
    """Red, green and blue of a CSS name or a hexadecimal number, with or without `#`.

    Raises
    ------
    EarthEngineError
        If it is neither.
    """
    from PIL import ImageColor

    text = text.strip()
    try:
        found = ImageColor.getrgb(f"#{text}" if re.fullmatch(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}", text) else text)
    except ValueError as error:
        raise EarthEngineError(f"'{text}' is not a CSS color name or a hexadecimal number.") from error
    return found[0], found[1], found[2]


def _stretch(
    type_: PixelType, gain: float | None, bias: float | None, low: float | None, high: float | None, gamma: float | None
) -> Stretch:
    exponent = 1 / (gamma or 1.0)
    if gain is not None or bias is not None:
        return Stretch(slope=(1.0 if gain is None else gain) / 255, offset=(bias or 0.0) / 255, exponent=exponent)
    least, most = INTEGERS[smallest(type_)] if type_.precision == "int" else (0, 1)
    low, high = float(least if low is None else low), float(most if high is None else high)
    slope = 1 / (high - low) if high != low else 1e300  # a step
    return Stretch(slope=slope, offset=-low * slope, exponent=exponent)


def _byte_band(band: Band, stretch: Stretch) -> Band:
    def compute(grid: Grid) -> Pixels:
        found = band.pixels(grid)
        return found._replace(data=np.floor(stretch(found.data) * 255 + 0.5))

    return replace(band, type=BYTE, compute=compute, size=None)


def _palette_bands(
    band: Band, stretch: Stretch, colours: Sequence[tuple[int, int, int]], opacity: float | None
) -> list[Band]:
    def shade(values: Sequence[int]) -> Callable[[Grid], Pixels]:
        def compute(grid: Grid) -> Pixels:
            found = band.pixels(grid)
            at = stretch(found.data) * (len(values) - 1)
            return found._replace(data=np.floor(np.interp(at, np.arange(len(values)), values) + 0.5))

        return compute

    channels = [replace(band, type=BYTE, compute=shade(one), size=None) for one in zip(*colours, strict=True)]
    return _shown(channels, NAMES, opacity)


def _shown(channels: Sequence[Band], names: Sequence[str], opacity: float | None) -> list[Band]:
    """Channels with one mask, that of all, times the opacity."""

    def show(band: Band) -> Callable[[Grid], Pixels]:
        def compute(grid: Grid) -> Pixels:
            mask = both(*(one.pixels(grid).mask for one in channels))
            if opacity is not None and opacity != 1:
                mask = np.full(mask.shape, opacity) if is_everywhere(mask) else mask * opacity
            return Pixels(band.pixels(grid).data, mask)

        return compute

    return [replace(band, name=name, compute=show(band)) for band, name in zip(channels, names, strict=True)]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str):
        return [one.strip() for one in value.split(",")]
    return list(value) if isinstance(value, list) else [value]


def _numbers(value: Any, count: int, what: str) -> list[float | None]:
    """One number per band of a number, a list or a text with commas."""
    try:
        found = [float(one) for one in _listed(value)]
    except (TypeError, ValueError) as error:
        raise EarthEngineError(f"'{what}' must be numbers, not {value!r}.") from error
    if not found:
        return [None] * count
    if len(found) not in (1, count):
        raise EarthEngineError(f"'{what}' must have one value or {count}, not {len(found)}.")
    return [*found] * (count if len(found) == 1 else 1)


@algorithm("Image.rgbToHsv")
def rgb_to_hsv(image: Image) -> Image:
    """Bands `hue`, `saturation` and `value` of red, green and blue, all from 0 to 1."""

    def convert(rgb: np.ndarray) -> np.ndarray:
        high, low = rgb.max(axis=0), rgb.min(axis=0)
        span = np.where(high > low, high - low, 1.0)
        red, green, blue = rgb
        hue = np.select(
            [high == low, high == red, high == green],
            [0.0, ((green - blue) / span) % 6, (blue - red) / span + 2],
            (red - green) / span + 4,
        )
        return np.stack([hue / 6, np.where(high > 0, (high - low) / np.where(high > 0, high, 1.0), 0.0), high])

    return _colours(image, ("hue", "saturation", "value"), convert)


@algorithm("Image.hsvToRgb")
def hsv_to_rgb(image: Image) -> Image:
    """Bands `red`, `green` and `blue` of hue, saturation and value, all from 0 to 1."""

    def convert(hsv: np.ndarray) -> np.ndarray:
        hue, saturation, value = hsv
        steps = (np.array([5.0, 3.0, 1.0])[:, None, None] + hue * 6) % 6
        return np.asarray(value - value * saturation * np.clip(np.minimum(steps, 4 - steps), 0, 1))

    return _colours(image, ("red", "green", "blue"), convert)


def _colours(image: Image, names: Sequence[str], convert: Callable[[np.ndarray], np.ndarray]) -> Image:
    if len(image.bands) != 3 or any(band.type.dimensions for band in image.bands):
        raise EarthEngineError(f"The image must have 3 bands of numbers, not {len(image.bands)}.")

    def channel(index: int) -> Band:
        def compute(grid: Grid) -> Pixels:
            parts = [band.pixels(grid) for band in image.bands]
            return Pixels(convert(np.stack([one.data for one in parts]))[index], both(*(one.mask for one in parts)))

        return replace(image.bands[index], name=names[index], type=UNIT, compute=compute, size=None)

    return image.with_bands([channel(index) for index in range(3)])
