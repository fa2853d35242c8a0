"""Velocity for Google Earth: a picture on the ground, its colours explained, and the point that it is relative to.

Memory is that of the picture, one byte a pixel, and of a strip: the raster is never whole in memory.
"""

from __future__ import annotations

import html
import math
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np

from dask_jobs.figures.bins import Bins, Histogram
from dask_jobs.figures.style import BODY, DPI, QUIET, SMALL, Sheet, lines_height, save_png, signed, styled, wrapped
from infra.errors import InputError
from infra.grid import OUTLINE, Grid

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from rasterio.io import DatasetReader

KMZ_TYPE = "application/vnd.google-earth.kmz"
LONGEST = 4096  # pixels of a side at most: what graphics cards take as one texture
STRIP = 256  # rows in memory at once
CACHE_BYTES, WARP_MB = 64 * 2**20, 64  # of GDAL
COLOURS = "coolwarm_r"  # red away from the satellite, blue toward it (Moreland 2009, doi:10.1007/978-3-642-10520-3_9)
LEVELS = 255  # colours; odd, so that one of them is zero's. Index 0 is no data
BINS: Bins = (-2.0, 2.0, 1e-4)  # m/year
PERCENT = 0.5  # of the pixels that the colours leave out on either side: a bowl of subsidence is a small part of a map
LEAST = 0.001  # m/year: limits are not narrower
NICE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)  # times powers of ten: limits that read well
CM = 100.0  # cm in a metre
SIGN = "Positive: the ground moves toward the satellite. Negative: away from it."
NAMESPACE = "http://www.opengis.net/kml/2.2"
KML, PICTURE, BAR = "doc.kml", "velocity.png", "colours.png"  # names in the archive
NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say: equal content gives equal bytes


def write_kmz(
    path: Path,
    *,
    raster: Path,
    reference: tuple[float, float],
    title: str,
    about: Sequence[str] = (),
    limits: tuple[float, float] | None = None,
) -> None:
    """Write velocity as a KMZ file for Google Earth.

    Parameters
    ----------
    path : local file to be made; one that is there is replaced
    raster : local GeoTIFF, m/year along the line of sight, positive toward the satellite; no data is transparent
    reference : x and y of the point with velocity 0, in the raster's CRS
    title : name of the layer
    about : lines of its description: dates, track
    limits : of the colours, m/year; None for limits about zero that leave out 0.5 % of the pixels on either side

    Raises
    ------
    InputError
        If the raster cannot be read, is nowhere on Earth, or the limits are not a range.

    Notes
    -----
    The picture is in geographic coordinates, as KML wants it: the nearest pixel where the raster has at most 4096 per
    side, else means over the pixels with data.
    """
    import rasterio

    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES, GDAL_NUM_THREADS="1"), rasterio.open(raster) as source:
            grid = _geographic(source)
            scale = _Scale(*(limits or _limits(source)))
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".kmz-") as scratch:
                picture, bar = Path(scratch) / PICTURE, Path(scratch) / BAR
                _draw_picture(picture, source=source, grid=grid, scale=scale)
                size = _draw_bar(bar, scale=scale)
                place = _degrees(source, *reference)
                document = _document(grid, bar=size, reference=place, title=title, about=(*about, *scale.words))
                _pack(path, document=document, pictures=(picture, bar))
    except rasterio.errors.RasterioIOError as error:
        raise InputError(f"{raster} cannot be read: {error}", "Give a GeoTIFF of velocity.") from error


@dataclass(frozen=True)
class _Scale:
    """Limits of the colours, m/year."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InputError(
                f"limits: {self.low:g} to {self.high:g} m/year is no range",
                "Give the lower limit first, as -0.05, 0.05.",
            )

    @property
    def words(self) -> tuple[str, ...]:
        """Lines that explain it."""
        low, high = (signed(f"{CM * value:+.3g}") for value in (self.low, self.high))
        return (
            SIGN,
            f"Colours from {low} to {high} cm/year; what is beyond has the last colour. No data is transparent.",
        )

    def index(self, velocity: np.ndarray) -> np.ndarray:
        """Number of each value's colour, dims as given, uint8: 1 to 255, 0 is no data."""
        share = (velocity.astype(np.float64) - self.low) / (self.high - self.low)
        level = np.rint(np.clip(share, 0.0, 1.0) * (LEVELS - 1)) + 1
        return np.where(np.isfinite(velocity), level, 0).astype(np.uint8)


def _limits(source: DatasetReader) -> tuple[float, float]:
    """Limits about zero, m/year, between which most pixels lie."""
    histogram = Histogram.empty(BINS)
    for part in _parts(source):
        values = source.read(1, window=part, masked=True).compressed()
        histogram = histogram.of(values[np.isfinite(values)])
    ends = [histogram.percentile(percent) or 0.0 for percent in (PERCENT, 100.0 - PERCENT)]
    limit = _nice(max(LEAST, *map(abs, ends)))
    return -limit, limit


def _parts(source: DatasetReader) -> Iterator[Any]:
    """Windows of whole blocks, of about `STRIP` rows and `LONGEST` columns."""
    from rasterio.windows import Window

    high, wide = (
        block * max(1, most // block) for block, most in zip(source.block_shapes[0], (STRIP, LONGEST), strict=True)
    )
    for row in range(0, source.height, high):
        for col in range(0, source.width, wide):
            yield Window(col, row, min(wide, source.width - col), min(high, source.height - row))


def _nice(limit: float) -> float:
    """The next larger number that reads well."""
    power = 10.0 ** math.floor(math.log10(limit))
    return next(step * power for step in NICE if step * power >= limit * (1 - 1e-9))


def _geographic(source: DatasetReader) -> Grid:
    """Grid in degrees that covers the raster with about its pixels; it may reach beyond 180 degrees, as in KML."""
    west, south, east, north = _bounds(source)
    x, y = source.xy(source.height // 2, source.width // 2)
    dx, dy = source.res
    left, right = (_degrees(source, x + step, y)[0] for step in (-dx / 2, dx / 2))
    bottom, top = (_degrees(source, x, y + step)[1] for step in (-dy / 2, dy / 2))
    wide, high = (east - west) / abs((right - left + 180.0) % 360.0 - 180.0), (north - south) / abs(top - bottom)
    shrink = max(1.0, wide / LONGEST, high / LONGEST)
    width, height = max(1, math.floor(wide / shrink)), max(1, math.floor(high / shrink))
    return Grid(
        crs="EPSG:4326",
        left=west,
        top=north,
        dx=(east - west) / width,
        dy=(north - south) / height,
        height=height,
        width=width,
    )


def _bounds(source: DatasetReader) -> tuple[float, float, float, float]:
    west, south, east, north = _to_degrees(source).transform_bounds(*source.bounds, densify_pts=OUTLINE)
    if not all(map(math.isfinite, (west, south, east, north))):
        raise InputError(f"{source.name} is nowhere on Earth: its CRS is {source.crs}", "Give it the right CRS.")
    return west, south, east if east > west else east + 360.0, north


def _degrees(source: DatasetReader, x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a point in the raster's CRS."""
    longitude, latitude = _to_degrees(source).transform(x, y)
    return float(longitude), float(latitude)


def _to_degrees(source: DatasetReader) -> Any:
    from pyproj import CRS, Transformer

    if source.crs is None:
        raise InputError(f"{source.name} has no CRS", "Give a GeoTIFF that says where it lies.")
    return Transformer.from_crs(CRS.from_wkt(source.crs.to_wkt()), "EPSG:4326", always_xy=True)


def _draw_picture(path: Path, *, source: DatasetReader, grid: Grid, scale: _Scale) -> None:
    from PIL import Image
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT
    from rasterio.windows import Window

    shrinks = max(source.shape) > LONGEST
    made = np.zeros(grid.shape, dtype=np.uint8)
    with WarpedVRT(
        source,
        crs=grid.crs,
        transform=grid.affine,
        height=grid.height,
        width=grid.width,
        src_nodata=math.nan if source.nodata is None else source.nodata,
        nodata=math.nan,
        resampling=Resampling.average if shrinks else Resampling.nearest,
        warp_mem_limit=WARP_MB,
    ) as warped:
        for row in range(0, grid.height, STRIP):
            rows = min(STRIP, grid.height - row)
            made[row : row + rows] = scale.index(warped.read(1, window=Window(0, row, grid.width, rows)))
    image = Image.fromarray(made)
    image.putpalette(_palette())  # a byte a pixel, in memory and in the file
    image.save(path, format="PNG", transparency=0)


def _palette() -> bytes:
    """Red, green, blue of no data and of each level."""
    return bytes(3) + bytes(np.rint(255 * _colours()(np.linspace(0, 1, LEVELS))[:, :3]).astype(np.uint8))


def _colours() -> Colormap:
    import matplotlib as mpl

    return mpl.colormaps[COLOURS]


def _draw_bar(path: Path, *, scale: _Scale) -> tuple[int, int]:
    """Draw what the colours mean; width and height in pixels."""
    width, edge, bar = 1.9, 0.12, 2.1  # inches
    with styled():
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        inner = width - 2 * edge
        heading = wrapped("Velocity along the line of sight (cm/year)", width=inner)
        above, below = (
            wrapped(words, width=inner, size=SMALL) for words in ("+ toward the satellite", "\u2212 away from it")
        )
        line = lines_height(above, size=SMALL)
        top = edge + lines_height(heading) + 0.08
        sheet = Sheet(width, top + line + 0.16 + bar + 0.16 + lines_height(below, size=SMALL) + edge)
        sheet.text(edge, edge, heading, size=BODY)
        sheet.text(edge, top, above, size=SMALL, color=QUIET)
        axes = sheet.axes(edge, top + line + 0.16, 0.2, bar)
        colours = ScalarMappable(Normalize(CM * scale.low, CM * scale.high), _colours())
        drawn = sheet.figure.colorbar(colours, cax=axes, extend="both", extendfrac=0.04)
        drawn.ax.tick_params(width=0.6, length=3)
        sheet.text(edge, top + line + 0.16 + bar + 0.12, below, size=SMALL, color=QUIET)
        save_png(sheet, path)
    return round(sheet.width * DPI), round(sheet.height * DPI)


def _document(
    grid: Grid, *, bar: tuple[int, int], reference: tuple[float, float], title: str, about: Sequence[str]
) -> bytes:
    """KML text: bounds are the picture's outer edges."""
    west, south, east, north = grid.bounds
    root = ET.Element("kml", xmlns=NAMESPACE)
    document = ET.SubElement(root, "Document")
    lines = "<br/>".join(html.escape(line) for line in about)  # descriptions are HTML
    _add(document, name=title, open="1", description=lines)
    view = ET.SubElement(document, "LookAt")
    middle = (west + east) / 2, (south + north) / 2
    metres = 111_000 * math.hypot(north - south, (east - west) * math.cos(math.radians(middle[1])))
    _add(
        view,
        longitude=f"{(middle[0] + 180) % 360 - 180:.6f}",
        latitude=f"{middle[1]:.6f}",
        range=f"{max(2_000.0, 1.3 * metres):.0f}",
    )
    ground = ET.SubElement(document, "GroundOverlay")
    _add(ground, name="Velocity along the line of sight", description=lines)
    _add(ET.SubElement(ground, "Icon"), href=PICTURE)
    box = ET.SubElement(ground, "LatLonBox")
    _add(box, north=f"{north:.9f}", south=f"{south:.9f}", east=f"{east:.9f}", west=f"{west:.9f}")
    screen = ET.SubElement(document, "ScreenOverlay")
    _add(screen, name="Colours (cm/year)")
    _add(ET.SubElement(screen, "Icon"), href=BAR)
    corner: dict[str, Any] = {"xunits": "fraction", "yunits": "fraction"}
    ET.SubElement(screen, "overlayXY", x="0", y="0", **corner)
    ET.SubElement(screen, "screenXY", x="0.02", y="0.06", **corner)  # above the line that the viewer writes into
    ET.SubElement(screen, "size", x=str(bar[0]), y=str(bar[1]), xunits="pixels", yunits="pixels")
    point = ET.SubElement(document, "Placemark")
    _add(point, name="Reference point", description="Velocities are relative to this pixel, whose velocity is 0.")
    _add(ET.SubElement(point, "Point"), coordinates=f"{reference[0]:.9f},{reference[1]:.9f},0")
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _add(parent: ET.Element, **texts: str) -> None:
    for name, text in texts.items():
        ET.SubElement(parent, name).text = text


def _pack(path: Path, *, document: bytes, pictures: Sequence[Path]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data, packed in (
            (KML, document, zipfile.ZIP_DEFLATED),  # a viewer takes the first KML file for the document
            *((picture.name, picture.read_bytes(), zipfile.ZIP_STORED) for picture in pictures),
        ):
            entry = zipfile.ZipInfo(name, date_time=NO_TIME)
            entry.compress_type, entry.external_attr, entry.create_system = packed, 0o644 << 16, 3
            archive.writestr(entry, data)
