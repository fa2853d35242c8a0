"""Where a stack is on the Earth: the job's area and the outlines of its scenes, in longitude and latitude."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.figures.ground import ground_of
from dask_jobs.figures.map import BELOW, EDGE, LEFT, Heading, heading_height, write_heading
from dask_jobs.figures.map_marks import MARKS, coordinate_ticks, marks
from dask_jobs.figures.style import LINES, Sheet
from infra.grid import Grid

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from infra.region import Region

LONG = 5.0  # inches: longer side of the map
Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Outline:
    """Outline of the rasters of one place, and how many scenes have it.

    Attributes
    ----------
    ring : (longitude, latitude), degrees, closed
    """

    ring: Ring
    scenes: int


def outlines_of(grids: Iterable[Grid]) -> tuple[Outline, ...]:
    """Outlines of scenes in longitude and latitude, those of one grid taken together."""
    counted: dict[Grid, int] = {}
    for grid in grids:
        counted[grid] = counted.get(grid, 0) + 1
    return tuple(Outline(ring=_ring(grid), scenes=number) for grid, number in counted.items())


def draw_footprints(outlines: Sequence[Outline], *, area: Region | None, heading: Heading) -> Sheet:
    """Map of the outlines (at least one) and of the area, which is None where the job has none."""
    from matplotlib.patches import Polygon

    bounds = _bounds(outlines, area)
    ground = ground_of(bounds, crs="EPSG:4326")
    ratio = (bounds[2] - bounds[0]) * ground.metres_x / ((bounds[3] - bounds[1]) * ground.metres_y)
    width, height = max(1.0, LONG * min(1, ratio)), max(1.0, LONG * min(1, 1 / ratio))
    whole = max(LEFT + width + 0.3, LEFT + MARKS[0] + 0.2, 5.5)
    top = EDGE + heading_height(heading, width=whole)
    legend = 0.22 * (1 + (area is not None))
    sheet = Sheet(whole + 2 * EDGE, top + height + BELOW + MARKS[1] + legend + 0.1 + EDGE)
    write_heading(sheet, heading)
    axes = sheet.axes(EDGE + LEFT, top, width, height)
    for outline in outlines:
        axes.add_patch(Polygon(outline.ring, facecolor=LINES[1] + "22", edgecolor=LINES[1], linewidth=1.0))
    if area is not None:
        for ring in _rings(area.geometry()):
            axes.add_patch(Polygon(ring, fill=False, edgecolor=LINES[2], linewidth=1.6, linestyle=(0, (4, 2))))
    axes.set_xlim(bounds[0], bounds[2])
    axes.set_ylim(bounds[1], bounds[3])
    axes.grid(visible=True)
    coordinate_ticks(axes, bounds, ground=ground, width=width, height=height)
    below = top + height + BELOW
    scale = (bounds[2] - bounds[0]) * ground.metres_x / width
    marks(sheet, ground=ground, scale=scale, left=EDGE + LEFT, top=below, upright=False, legend=False)
    _legend(sheet, outlines, area=area, top=below + MARKS[1] + 0.05)
    return sheet


def _legend(sheet: Sheet, outlines: Sequence[Outline], *, area: Region | None, top: float) -> None:
    from matplotlib.patches import Patch

    scenes = sum(outline.scenes for outline in outlines)
    words = f"outlines of {scenes} scenes" if scenes > 1 else "outline of 1 scene"
    places = f", {len(outlines)} places" if len(outlines) > 1 else ""
    handles = [Patch(facecolor=LINES[1] + "22", edgecolor=LINES[1], label=f"{words}{places}")]
    if area is not None:
        handles.append(
            Patch(facecolor="none", edgecolor=LINES[2], linewidth=1.6, linestyle=(0, (4, 2)), label="area of the job")
        )
    at = (EDGE + LEFT) / sheet.width, 1 - top / sheet.height
    sheet.figure.legend(handles=handles, loc="upper left", bbox_to_anchor=at, borderaxespad=0, borderpad=0)


def _ring(grid: Grid, *, points: int = 8) -> Ring:
    """Sides of a grid in degrees; they bend."""
    from pyproj import Transformer

    left, bottom, right, top = grid.bounds
    t = np.linspace(0, 1, points, endpoint=False)
    x = np.concatenate(
        [left + (right - left) * t, np.full(points, right), right - (right - left) * t, np.full(points, left)]
    )
    y = np.concatenate(
        [np.full(points, top), top - (top - bottom) * t, np.full(points, bottom), bottom + (top - bottom) * t]
    )
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(np.append(x, x[0]), np.append(y, y[0]))
    return tuple((float(a), float(b)) for a, b in zip(lon, lat, strict=True))


def _rings(shape: BaseGeometry) -> list[np.ndarray]:
    """Outer rings of a polygon or of several."""
    parts = getattr(shape, "geoms", [shape])
    return [np.asarray(part.exterior.coords) for part in parts if hasattr(part, "exterior")]


def _bounds(outlines: Sequence[Outline], area: Region | None) -> tuple[float, float, float, float]:
    """Everything, with a twelfth of room around it."""
    points = np.array([point for outline in outlines for point in outline.ring])
    if area is not None:
        points = np.concatenate([points, *(_rings(area.geometry()))])
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    room = max(east - west, (north - south) / max(math.cos(math.radians((north + south) / 2)), 0.1)) / 12
    return float(west - room), float(south - room), float(east + room), float(north + room)
