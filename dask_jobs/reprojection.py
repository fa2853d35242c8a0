"""Scenes of any lattice brought to one: power resampled window by window, by workers, as it is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dask_jobs.backscatter import mosaic_layers
from dask_jobs.passes import canvas
from dask_jobs.scenes import Pass, Scene
from infra.errors import InputError
from infra.grid import Grid, Window, intersection, union

if TYPE_CHECKING:
    from infra.region import Region
    from infra.storage import S3Options

Resampling = Literal["average", "bilinear", "cubic", "nearest"]
SUPPORT = {"average": 1, "bilinear": 1, "cubic": 2, "nearest": 1}  # pixels on each side that a value is made of
SPARE = 2  # source pixels read beyond that: footprints are computed from a window's outline


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """CRS, spacing and origin of a grid without an extent.

    Attributes
    ----------
    pixel : any one pixel of it
    """

    pixel: Grid

    @classmethod
    def of(cls, grid: Grid) -> Lattice:
        """Lattice that a grid lies on."""
        return cls(pixel=replace(grid, height=1, width=1))

    @classmethod
    def spaced(cls, *, crs: str, resolution: float) -> Lattice:
        """Lattice of square pixels, in CRS units, whose corners are multiples of the resolution."""
        return cls(pixel=Grid(crs=crs, left=0.0, top=0.0, dx=resolution, dy=resolution, height=1, width=1))

    def around(self, grid: Grid) -> Grid:
        """Smallest grid of this lattice that covers `grid`.

        Raises
        ------
        InputError
            If the grid lies where the lattice's projection ends.
        """
        window = self.pixel.reach(grid)
        if not (window.height > 0 and window.width > 0):
            raise InputError(
                f"grid: {self.pixel.crs} does not reach the scenes, whose bounds are {grid.bounds} in {grid.crs}",
                "Give a CRS that holds for the scenes' part of the Earth.",
            )
        return self.pixel.crop(window)


def target_grid(
    passes: Sequence[Pass],
    *,
    lattice: Lattice,
    extent: Literal["union", "intersection", "area"],
    region: Region | None = None,
) -> Grid:
    """Grid of a stack whose scenes are reprojected; extents are those of the scenes' bounds on the lattice.

    Parameters
    ----------
    extent, region : as in `dask_jobs.passes.stack_grid`

    Raises
    ------
    InputError
        If no pixel is common or inside the region, "area" is asked for without one, or the lattice's projection does
        not reach the scenes.
    """
    own = [union([lattice.around(grid) for grid in dict.fromkeys(s.grid for s in p.scenes)]) for p in passes]
    if extent == "area":
        if region is None:
            raise InputError("extent: area needs an area, and the job has none", "Add `area`, or say extent: union.")
        around = canvas(lattice.pixel, region)
        return around.crop(region.window(around))
    grid = union(own) if extent == "union" else intersection(own)
    if not grid.pixels:
        raise InputError("extent: no pixel is common to all passes", "Say extent: union, or take scenes of one frame.")
    return grid.crop(region.window(grid)) if region else grid


def reproject_mosaic(
    pass_: Pass,
    polarization: str,
    *,
    target: Grid,
    window: Window,
    resampling: Resampling,
    hide: frozenset[str] = frozenset(),
    inside: np.ndarray | None = None,
    s3: S3Options,
) -> tuple[np.ndarray, np.ndarray]:
    """Power of one pass in a window of any grid: masked, mosaicked on each lattice of its scenes, then resampled.

    Power is resampled, never dB; a pixel without data gives nothing to its neighbours, and a target pixel is data where
    any source pixel that it is made of is. Scenes on the target's own lattice keep their values. Where several lattices
    give a pixel, the one with the first scene (by id) does. The result does not depend on how the target is cut.

    Parameters
    ----------
    window : pixels of `target`
    inside : dims (window.height, window.width), bool; pixels outside become no data and are not counted

    Returns
    -------
    power : dims (window.height, window.width), float32, NaN where there is no data
    covered : same dims, bool, whether some scene has data there, hidden or not
    """
    power = np.full((window.height, window.width), np.nan, dtype=np.float32)
    covered = np.zeros(power.shape, dtype=bool)
    place = target.crop(window)
    for scenes in _by_lattice(pass_.scenes):
        part = replace(pass_, scenes=tuple(scenes))
        source = union([scene.grid for scene in scenes])
        if source.lattice_difference(place) is None:
            at = source.window_of(place)
            own, seen = mosaic_layers(part, polarization, target=source, window=at, hide=hide, s3=s3)
        else:
            around = _needed(source, place, resampling)
            if not (around.height and around.width):
                continue
            found, there = mosaic_layers(part, polarization, target=source, window=around, hide=hide, s3=s3)
            cut = source.crop(around)
            own = resample(found, grid=cut, target=place, resampling=resampling, scale=_scale(source, target))
            seen = resample(there.astype(np.uint8), grid=cut, target=place, resampling="nearest") > 0
            seen |= np.isfinite(own)
        covered |= seen
        power = np.where(np.isnan(power), own, power)
    if inside is not None:
        covered &= inside
        power[~inside] = np.nan
    return power, covered


def resample(
    values: np.ndarray,
    *,
    grid: Grid,
    target: Grid,
    resampling: Resampling,
    scale: tuple[float, float] | None = None,
) -> np.ndarray:
    """Values on another grid; NaN of floats is no data and gives nothing.

    Parameters
    ----------
    values : dims (y, x) of `grid`, float32 or uint8
    scale : target pixels per source pixel along x and y; None: GDAL's guess, which depends on the grids' extents

    Returns
    -------
    dims (y, x) of `target`, same dtype; NaN (floats) or 0 where the grid has nothing to give
    """
    from odc.geo.geobox import GeoBox
    from odc.geo.warp import rio_reproject

    empty = np.nan if values.dtype.kind == "f" else 0
    result = np.full(target.shape, empty, dtype=values.dtype)
    options: dict[str, str] = {} if scale is None else {"XSCALE": f"{scale[0]:.12g}", "YSCALE": f"{scale[1]:.12g}"}
    rio_reproject(
        values,
        result,
        GeoBox(grid.shape, grid.affine, grid.crs),
        GeoBox(target.shape, target.affine, target.crs),
        resampling,
        src_nodata=empty if values.dtype.kind == "f" else None,
        dst_nodata=empty,
        tolerance=0.0,  # exact positions: approximated ones differ with the window's extent
        **options,
    )
    return result


def _by_lattice(scenes: Sequence[Scene]) -> list[list[Scene]]:
    """Scenes that share a lattice, in the order of the first of each."""
    groups: list[list[Scene]] = []
    for scene in sorted(scenes, key=lambda s: s.id):
        home = next((g for g in groups if g[0].grid.lattice_difference(scene.grid) is None), None)
        if home is None:
            groups.append([scene])
        else:
            home.append(scene)
    return groups


def _needed(source: Grid, place: Grid, resampling: Resampling) -> Window:
    """Window of `source` that the pixels of `place` are made of; empty where they do not meet."""
    reach = source.reach(place)
    if not (reach.height and reach.width):
        return reach
    per_pixel = max(1.0, reach.height / place.height, reach.width / place.width)
    margin = SPARE + round(SUPPORT[resampling] * per_pixel + 0.5)
    wide = Window(reach.row - margin, reach.col - margin, reach.height + 2 * margin, reach.width + 2 * margin)
    return wide.intersect(source.full)


def _scale(source: Grid, target: Grid) -> tuple[float, float]:
    """Target pixels per source pixel along the source's x and y, in its middle: one figure for all windows."""
    from pyproj import Transformer

    to_target = Transformer.from_crs(source.crs, target.crs, always_xy=True)
    left, bottom, right, top = source.bounds
    x, y = (left + right) / 2, (bottom + top) / 2
    (x0, x1, x2), (y0, y1, y2) = to_target.transform([x, x + source.dx, x], [y, y, y + source.dy])
    along_x = math.hypot((x1 - x0) / target.dx, (y1 - y0) / target.dy)
    along_y = math.hypot((x2 - x0) / target.dx, (y2 - y0) / target.dy)
    return along_x, along_y
