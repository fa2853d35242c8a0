"""Names of bands: selected by name, pattern or index, made unique, checked (section 4)."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import replace

from gee.local.errors import EarthEngineError
from gee.local.pixels import Band, Image

FORBIDDEN = re.compile(r"[^\w\-.:]")
BEYOND_RE2 = re.compile(r"\(\?(=|!|<=|<!|>|\()|\\[1-9]")


def checked(name: str) -> str:
    """A new name, if its characters are allowed.

    Raises
    ------
    EarthEngineError
        If it is empty or has others than letters, digits and `_ - . :`.
    """
    if not name or FORBIDDEN.search(name):
        raise EarthEngineError(f"Invalid band name: '{name}'. Names have letters, digits and '_', '-', '.', ':' only.")
    return name


def unique(name: str, taken: Container[str]) -> str:
    """Name that is not taken: `foo`, else the first free one of `foo_1`, `foo_2` and so on."""
    if name not in taken:
        return name
    count = 1
    while f"{name}_{count}" in taken:
        count += 1
    return f"{name}_{count}"


def joined(bands: Sequence[Band], more: Sequence[Band]) -> tuple[Band, ...]:
    """Bands with others appended, which are renamed where their name is taken."""
    found = list(bands)
    names = {band.name for band in bands}
    for band in more:
        name = unique(band.name, names)
        found.append(band if name == band.name else replace(band, name=name))
        names.add(name)
    return tuple(found)


def selected(image: Image, selectors: Sequence[object]) -> tuple[Band, ...]:
    """Bands that selectors find, in their order; a pattern's in the image's.

    Raises
    ------
    EarthEngineError
        If a selector finds none, or is neither text nor a whole number.
    """
    found: tuple[Band, ...] = ()
    for selector in selectors:
        found = joined(found, [image.bands[index] for index in _indices(image, selector)])
    return found


def named_band(image: Image, name: str) -> Band:
    """The band of a name.

    Raises
    ------
    EarthEngineError
        If there is none.
    """
    return selected(image, [name])[0]


def _indices(image: Image, selector: object) -> list[int]:
    if isinstance(selector, bool) or not isinstance(selector, str | int | float):
        raise EarthEngineError(f"Band selectors are names, patterns or indices, not {selector!r}.")
    if not isinstance(selector, str):
        if selector != int(selector) or not 0 <= selector < len(image.bands):
            raise EarthEngineError(f"Band index {selector} is out of range. {_available(image)}")
        return [int(selector)]
    if not image.bands:
        raise EarthEngineError(f"Band pattern '{selector}' was applied to an Image with no bands")
    if selector in image.band_names:
        return [image.band_names.index(selector)]
    pattern = _pattern(selector)
    matches = [index for index, name in enumerate(image.band_names) if pattern.fullmatch(name)]
    if not matches:
        raise EarthEngineError(f"Band pattern '{selector}' did not match any bands. {_available(image)}")
    return matches


def _available(image: Image) -> str:
    return f"Available bands: [{', '.join(image.band_names)}]"


def _pattern(text: str) -> re.Pattern[str]:
    if BEYOND_RE2.search(text):
        raise EarthEngineError(f"Invalid regular expression '{text}': RE2 has no look-around and no back-references.")
    try:
        return re.compile(text)
    except re.error as error:
        raise EarthEngineError(f"Invalid regular expression '{text}': {error}.") from error
