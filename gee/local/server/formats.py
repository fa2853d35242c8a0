"""Formats of pixels that are answered."""

from __future__ import annotations

from gee.local.pixels import Grid, Image
from gee.local.rendering import formats
from gee.local.rendering.formats import check_format
from gee.local.server.exchange import Answer

PICTURES = ("AUTO_JPEG_PNG", "JPEG", "PNG")

__all__ = ["PICTURES", "check_format", "render"]


def render(image: Image, grid: Grid, format_: str, *, name: str = "") -> Answer:
    """File of an image's pixels on a grid.

    Parameters
    ----------
    name : of the files in an archive
    """
    content, kind = formats.render(image, grid, format_, name=name)
    return Answer(content=content, type=kind)
