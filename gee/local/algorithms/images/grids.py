"""Images and their pixel grids: projections, resampling, clips, bounds and scale (sections 10 and 11)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gee.local.algorithms.geometries.projections import as_transform
from gee.local.bands.masks import both
from gee.local.errors import EarthEngineError
from gee.local.grids import reprojection
from gee.local.pixels import Band, Grid, Image, Pixels
from gee.local.regions.coverage import remembered
from gee.local.regions.output_grid import BoundsRequest, bounds_grid, grid_shape
from gee.local.table import algorithm
from gee.local.values import Collection, Feature, Geometry, Projection


@algorithm("Image.projection")
def projection(image: Image) -> Projection:
    """Projection that all bands have."""
    found = {band.projection for band in image.bands}
    if len(found) > 1:
        raise EarthEngineError(
            "The bands of the specified image contain different projections. Use Image.select to pick a single band."
        )
    if not found:
        raise EarthEngineError("The image has no bands.")
    return found.pop()


def requested(crs: Projection, crs_transform: list[float] | None, scale: float | None) -> Projection:
    """Projection with its transform replaced or its pixels resized.

    Raises
    ------
    EarthEngineError
        If both are asked for.
    """
    if crs_transform is not None and scale is not None:
        raise EarthEngineError("Only one of 'crsTransform' and 'scale' can be given.")
    if crs_transform is not None:
        return replace(crs, transform=as_transform(crs_transform))
    return crs if scale is None else reprojection.at_scale(crs, scale)


@algorithm("Image.setDefaultProjection")
def set_default_projection(
    image: Image, crs: Projection, crs_transform: list[float] | None, scale: float | None
) -> Image:
    """Image that has a projection unless one is asked for; its pixels stay where they are."""
    target = requested(crs, crs_transform, scale)
    bands = [replace(band, projection=target, size=None) for band in image.bands]
    return replace(image.with_bands(bands), grid=None)


@algorithm("Image.reproject", policies=("pixel_edges",))
def reproject(image: Image, crs: Projection, crs_transform: list[float] | None, scale: float | None) -> Image:
    """Image computed in a projection, whatever is asked for; from there by nearest pixel."""
    target = requested(crs, crs_transform, scale)
    return replace(image.with_bands([_forced(band, target) for band in image.bands]), grid=None)


def _forced(band: Band, target: Projection) -> Band:
    read = window_reader(band, target)
    return replace(band, projection=target, size=None, compute=lambda grid: reprojection.nearest(grid, target, read))


def window_reader(band: Band, target: Projection) -> reprojection.Read:
    """Reads a band on any window of a projection's pixels."""
    first = reprojection.lattice(target)

    def read(row: int, col: int, height: int, width: int) -> Pixels:
        return band.pixels(first.pad(-col, -row, col + width - 1, row + height - 1))

    return read


@algorithm("Image.resample", policies=("pixel_edges",))
def resample(image: Image, mode: str) -> Image:
    """Image interpolated between its own pixels wherever another grid is asked for.

    Bands without a projection of their own (composites, constants) stay as they are.
    """
    if mode not in ("bilinear", "bicubic"):
        raise EarthEngineError(f"Invalid interpolation mode: {mode}")
    return image.with_bands([_smooth(band, cubic=mode == "bicubic") for band in image.bands])


def _smooth(band: Band, *, cubic: bool) -> Band:
    if band.projection == Projection() or band.type.dimensions:
        return band
    read = window_reader(band, band.projection)

    def compute(grid: Grid) -> Pixels:
        return reprojection.interpolated(grid, band.projection, read, cubic=cubic)

    return replace(band, compute=compute)


@algorithm("Image.changeProj", policies=("pixel_edges",))
def change_proj(input_: Image, src_proj: Projection, dst_proj: Projection) -> Image:
    """Image whose pixels move from their coordinates in one projection to the same ones in another."""

    def moved(band: Band) -> Band:
        read = window_reader(band, src_proj)
        return replace(
            band, projection=dst_proj, size=None, compute=lambda grid: reprojection.nearest(grid, dst_proj, read)
        )

    return replace(input_.with_bands([moved(band) for band in input_.bands]), footprint=None, grid=None)


@algorithm("Image.translate", policies=("pixel_edges",))
def translate(input_: Image, x: float, y: float, units: str, proj: Projection | None) -> Image:
    """Image moved right and up by metres or pixels of a projection (default the first band's)."""
    if units not in ("meters", "pixels"):
        raise EarthEngineError(f"Unknown units '{units}'; one of meters, pixels.")

    def moved(band: Band) -> Band:
        base = proj or band.projection
        a, b, c, d, e, f = base.transform
        if units == "meters":
            size = reprojection.metres_per_unit(base.crs)
            dx, dy = x / size, y / size
        else:
            dx, dy = a * x + b * y, d * x + e * y
        target = replace(base, transform=(a, b, c + dx, d, e, f + dy))
        read = window_reader(band, base)
        return replace(
            band, projection=target, size=None, compute=lambda grid: reprojection.nearest(grid, target, read)
        )

    return replace(input_.with_bands([moved(band) for band in input_.bands]), footprint=None, grid=None)


# -- clips ------------------------------------------------------------------------------------------------------------


@algorithm("Image.clip", policies=("clip_fraction",))
def clip(input_: Image, geometry: Any) -> Image:
    """Image masked outside a geometry or feature, which becomes its footprint; on the edge by the part inside."""
    found = _one_geometry(geometry)
    return replace(clipped(input_, [found]), footprint=found)


@algorithm("Image.clipToCollection", policies=("clip_fraction",))
def clip_to_collection(input_: Image, collection: Any) -> Image:
    """Image masked outside the geometries of a collection."""
    if not isinstance(collection, Collection):
        raise EarthEngineError("Parameter 'collection' must be a FeatureCollection.")
    shapes = [one.geometry for one in collection.elements if isinstance(one, Feature) and one.geometry is not None]
    return clipped(input_, shapes)


def clipped(image: Image, geometries: list[Geometry]) -> Image:
    """Image with the pixels that geometries cover in part masked in part; metadata and footprint stay."""
    inside = remembered(geometries)

    def cut(band: Band) -> Band:
        def compute(grid: Grid) -> Pixels:
            found = band.pixels(grid)
            return found._replace(mask=both(found.mask, inside(grid)))

        return replace(band, compute=compute, size=None)

    return image.with_bands([cut(band) for band in image.bands])


def _one_geometry(value: Any) -> Geometry:
    if isinstance(value, Geometry):
        return value
    if isinstance(value, Feature) and value.geometry is not None:
        return value.geometry
    if isinstance(value, Image) and value.footprint is not None:
        return value.footprint
    raise EarthEngineError("Parameter 'geometry' must be a Geometry or a Feature with one.")


@algorithm("Image.clipToBoundsAndScale")
def clip_to_bounds_and_scale(
    input_: Image,
    geometry: Geometry | None,
    width: int | None,
    height: int | None,
    max_dimension: int | None,
    scale: float | None,
) -> Image:
    """Image of a geometry's bounds in the image's projection, in pixels of a size or a number of them."""
    request = BoundsRequest(geometry=geometry, width=width, height=height, max_dimension=max_dimension, scale=scale)
    grid = bounds_grid(input_, request)
    inside = remembered([grid_shape(grid)])

    def cut(band: Band) -> Band:
        def compute(asked: Grid) -> Pixels:
            found = band.pixels(asked)
            if _within(asked, grid):
                return found
            return found._replace(mask=both(found.mask, inside(asked)))

        return replace(band, compute=compute, projection=grid.projection, size=(grid.width, grid.height))

    return replace(input_.with_bands([cut(band) for band in input_.bands]), footprint=grid_shape(grid), grid=grid)


def _within(asked: Grid, grid: Grid) -> bool:
    at = asked.offset_in(grid)
    return at is not None and min(at) >= 0 and at[0] + asked.height <= grid.height and at[1] + asked.width <= grid.width
