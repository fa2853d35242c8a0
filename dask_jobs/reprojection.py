"""Scenes of any lattice brought to one: power resampled window by window, by workers, as it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
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
EDGE = 1  # pixels without data around what is resampled
SUPPORT = {"average": 1, "bilinear": 1, "cubic": 2, "nearest": 1}  # pixels on each side that a value is made of
TILE = 128  # pixels
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
    for scenes in _by_lattice(pass_.scenes):
        part = replace(pass_, scenes=tuple(scenes))
        source = union([scene.grid for scene in scenes])
        read = partial(mosaic_layers, part, polarization, target=source, hide=hide, s3=s3)
        if source.lattice_difference(target) is None:
            own, seen = read(window=source.window_of(target.crop(window)))
        else:
            own, seen = _resampled(read, source=source, target=target, window=window, resampling=resampling)
        covered |= seen
        power = np.where(np.isnan(power), own, power)
    if inside is not None:
        covered &= inside
        power[~inside] = np.nan
    return power, covered


def _resampled(
    read: Callable[..., tuple[np.ndarray, np.ndarray]],
    *,
    source: Grid,
    target: Grid,
    window: Window,
    resampling: Resampling,
) -> tuple[np.ndarray, np.ndarray]:
    """Power and coverage of a window of the target, from `read(window=…)` of the source, asked once."""
    part = WindowResampling(source=source, target=target, window=window, resampling=resampling)
    if not part.needs:
        return np.full(window[2:], np.nan, dtype=np.float32), np.zeros(window[2:], dtype=bool)
    found, there = read(window=part.around)
    power = part.of(found)
    seen = part.of(there.astype(np.uint8), resampling="nearest") > 0
    return power, seen | np.isfinite(power)


@dataclass(frozen=True, kw_only=True)
class WindowResampling:
    """How a window of a grid is made of pixels of another, so that it does not matter how the grid is cut.

    Attributes
    ----------
    side : of the target's tiles that are made at once, pixels
    """

    source: Grid
    target: Grid
    window: Window
    resampling: Resampling
    side: int = TILE

    @cached_property
    def needs(self) -> dict[Window, Window]:
        """Pixels of the source that each tile of the target is made of, where there are any."""
        found = {
            tile: _needed(self.source, self.target.crop(tile), self.resampling)
            for tile in _tiles(self.target, self.window, side=self.side)
        }
        return {tile: need for tile, need in found.items() if need.height and need.width}

    @cached_property
    def around(self) -> Window:
        """Pixels of the source that are needed; empty where there are none."""
        return _hull(self.needs.values()) if self.needs else Window(0, 0, 0, 0)

    def of(self, values: np.ndarray, *, resampling: Resampling | None = None) -> np.ndarray:
        """Values on the window, same dtype; NaN (floats) or 0 where there is nothing.

        Parameters
        ----------
        values : dims (y, x) of `around`, float32, float64 or uint8
        resampling : of these values; what it sees is the same
        """
        made = np.full((self.window.height, self.window.width), _empty(values), dtype=values.dtype)
        for tile, need in self.needs.items():
            one = _warp(
                values[_within(need, self.around)],
                grid=self.source.crop(need),
                target=self.target.crop(tile),
                resampling=resampling or self.resampling,
            )
            part = tile.intersect(self.window)
            made[_within(part, self.window)] = one[_within(part, tile)]
        return made


def resample(values: np.ndarray, *, grid: Grid, target: Grid, resampling: Resampling) -> np.ndarray:
    """Values on another grid; NaN of floats is no data and gives nothing.

    "average" weighs what a target pixel covers by area; the others interpolate between neighbouring source pixels.

    Parameters
    ----------
    values : dims (y, x) of `grid`, float32 or uint8

    Returns
    -------
    dims (y, x) of `target`, same dtype; NaN (floats) or 0 where the grid has nothing to give
    """
    result = np.full(target.shape, _empty(values), dtype=values.dtype)
    for tile in _tiles(target, target.full):
        made = _warp(values, grid=grid, target=target.crop(tile), resampling=resampling)
        part = tile.intersect(target.full)
        result[part.slices] = made[_within(part, tile)]
    return result


def _warp(values: np.ndarray, *, grid: Grid, target: Grid, resampling: Resampling) -> np.ndarray:
    """Values of one tile.

    GDAL interpolates positions along a row of what it is given, and rasterio offers no way to turn that off: over 512
    pixels they are off by 0.013 pixel (between two UTM zones), and differ with the window. Tiles of 128 pixels, which
    lie on the target's lattice wherever a window begins and see the same source pixels, keep it below 0.001 pixel (0.006
    where the target is in degrees), and every window gives the same values.

    Of a target pixel that hangs over the edge of what it is given, GDAL weighs the last pixels by the part that hangs over: a
    margin without data takes that weight.
    """
    from odc.geo.geobox import GeoBox
    from odc.geo.warp import rio_reproject

    made = np.full(target.shape, _empty(values), dtype=values.dtype)
    whole = grid.crop(Window(-EDGE, -EDGE, grid.height + 2 * EDGE, grid.width + 2 * EDGE))
    rio_reproject(
        np.pad(values, EDGE, constant_values=_empty(values)),
        made,
        GeoBox(whole.shape, whole.affine, whole.crs),
        GeoBox(target.shape, target.affine, target.crs),
        resampling,
        src_nodata=_empty(values) if values.dtype.kind == "f" else None,
        dst_nodata=_empty(values),
    )
    return made


def _empty(values: np.ndarray) -> float:
    return np.nan if values.dtype.kind == "f" else 0


def _tiles(target: Grid, window: Window, *, side: int = TILE) -> Iterator[Window]:
    """Whole tiles of the target that meet the window; a tile's corner is a multiple of its side on the lattice."""
    row, col = round(-target.top / target.dy), round(target.left / target.dx)
    for top in range(window.row - (row + window.row) % side, window.row + window.height, side):
        for left in range(window.col - (col + window.col) % side, window.col + window.width, side):
            yield Window(top, left, side, side)


def _hull(windows: Iterable[Window]) -> Window:
    """Smallest window that holds all of them."""
    rows, cols, bottoms, rights = zip(
        *((w.row, w.col, w.row + w.height, w.col + w.width) for w in windows), strict=True
    )
    return Window(min(rows), min(cols), max(bottoms) - min(rows), max(rights) - min(cols))


def _within(part: Window, whole: Window) -> tuple[slice, slice]:
    """Slices of `part` in an array that holds `whole`."""
    return Window(part.row - whole.row, part.col - whole.col, part.height, part.width).slices


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
