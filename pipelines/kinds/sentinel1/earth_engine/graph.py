"""Graphs of tiles, built from an order alone: what Earth Engine is to compute, and where it is to put it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from infra.errors import InputError
from infra.grid import Grid
from pipelines.kinds.sentinel1.earth_engine.catalogue import pass_info, scene_grid, scene_of
from pipelines.kinds.sentinel1.earth_engine.tiles import destination, file_name, window_of
from pipelines.kinds.sentinel1.filtering import filter_arguments
from pipelines.kinds.sentinel1.parameters import Sentinel1
from pipelines.kinds.sentinel1.parts import Part, Pass, beside
from pipelines.kinds.sentinel1_composite.spec import Measure, Sentinel1Composite
from pipelines.kinds.sentinel1_series.spec import Sentinel1Series
from pipelines.orders import Order

if TYPE_CHECKING:
    import ee

    from gee.composites import Average
    from gee.exports import Export
    from gee.measures import Measure as Band

MOST_AVERAGED = 65_536  # pixels of a scene that Earth Engine averages to one


def composite_export(
    order: Order, tile: str, parameters: Sentinel1Composite, *, measures: Mapping[str, Measure]
) -> Export:
    """Export of a tile of a composite, a band for each measure, named as it is."""
    import ee

    from gee.composites import composite
    from gee.measures import Measure as Band

    bands = [Band(**asdict(measure)) for measure in measures.values()]
    part = _part(order, tile)
    raw = _powers(order, part.passes, parameters)
    image = composite(
        _filtered(order, raw, parameters),
        measures=bands,
        unfiltered=ee.ImageCollection.fromImages(list(raw.values())) if parameters.unfiltered else None,
        average=_average(order, part),
    )
    return _export(order, tile, image, bands)


def series_export(order: Order, tile: str, parameters: Sentinel1Series) -> Export:
    """Export of a tile of a pass, a band for each quantity."""
    import ee

    from gee.composites import per_pass
    from gee.measures import Measure as Band

    bands = [Band(quantity=quantity) for quantity in parameters.quantities]
    part = _part(order, tile)
    (own,) = part.passes
    together = parameters.speckle is not None and parameters.speckle.filter == "multi_temporal"
    passes = beside(part, _parts(order)) if together else part.passes
    raw = _powers(order, passes, parameters)
    image = ee.Image(_filtered(order, raw, parameters).toList(1, passes.index(own)).get(0))
    return _export(order, tile, per_pass(image, measures=bands, average=_average(order, part)), bands)


def _parts(order: Order) -> list[Part]:
    return [Part.from_json(value) for value in order.document["parts"]]


def _part(order: Order, tile: str) -> Part:
    from gee.tiles import Tile

    return _parts(order)[Tile.parse(tile).part]


def _powers(order: Order, passes: Sequence[Pass], parameters: Sentinel1) -> dict[Pass, ee.Image]:
    """Linear power of passes as they were seen, masked."""
    from gee.border_noise import BorderNoise
    from gee.passes import pass_image

    noise = parameters.border_noise
    border = BorderNoise(below=10.0 ** (noise.below_db / 10.0), reach=noise.reach) if noise else None
    cuts = {label: Grid(**grid) for label, grid in order.document["cuts"].items()}
    found = {}
    for one in passes:
        image = pass_image(
            pass_info(one, order.document["scenes"]),
            collection_id=str(parameters.collection),
            bands=parameters.needed,
            incidence_angle=parameters.incidence_angle,
            border_noise=border,
            valid_range=parameters.valid_range.power if parameters.valid_range else None,
        )
        found[one] = _cut(image, cuts[one.group]) if one.group in cuts else image
    return found


def _cut(image: ee.Image, grid: Grid) -> ee.Image:
    """Image masked outside of a grid's pixels, as a stack of that grid has nothing there."""
    import ee

    at = ee.Image.pixelCoordinates(ee.Projection(grid.crs, list(grid.affine)[:6]))
    x, y = at.select("x"), at.select("y")
    inside = x.gte(0).And(x.lt(grid.width)).And(y.gte(0)).And(y.lt(grid.height))
    cut: ee.Image = image.updateMask(inside)
    return cut


def _filtered(order: Order, raw: Mapping[Pass, ee.Image], parameters: Sentinel1) -> ee.ImageCollection:
    """Filtered power of passes, orbit by orbit: those of one are filtered together where the filter looks over time."""
    import ee

    from gee.speckle.choice import Speckle
    from gee.speckle.despeckle import despeckle

    first = _first_scene(order, next(iter(raw)))
    arguments = filter_arguments(parameters, spacing=first.dx, crs=first.crs)
    found: ee.ImageCollection = ee.ImageCollection.fromImages(list(raw.values()))
    if arguments is None:
        return found
    if parameters.speckle is None or parameters.speckle.filter != "multi_temporal":
        orbits = [list(raw.values())]
    else:
        orbits = [[raw[one] for one in raw if one.orbit == orbit] for orbit in dict.fromkeys(one.orbit for one in raw)]
    found, *others = [
        despeckle(ee.ImageCollection.fromImages(images), Speckle(**arguments), polarizations=parameters.needed)
        for images in orbits
    ]
    for other in others:
        found = found.merge(other)
    return found


def _first_scene(order: Order, one: Pass) -> Grid:
    return scene_grid(scene_of(order.document["scenes"][one.scenes[0]]))


def _average(order: Order, part: Part) -> Average | None:
    """Grid to which power is averaged; None where the scenes lie on it.

    Raises
    ------
    InputError
        If a pixel is made of more than Earth Engine averages.
    """
    from gee.composites import Average

    if order.document["native"]:
        return None
    grid, scene = Grid(**order.document["grid"]), _first_scene(order, part.passes[0])
    window = grid.reach(scene)
    share = math.sqrt(scene.pixels / max(window.height * window.width, 1))
    most = (math.ceil(share) + 2) ** 2  # those that it touches at its edges too
    if most > MOST_AVERAGED:
        raise InputError(
            f"grid: a pixel of {grid.dx:g} is made of {most} pixels of a scene, and Earth Engine averages {MOST_AVERAGED}",
            "Take a finer `grid`.",
        )
    return Average(crs=grid.crs, transform=tuple(grid.affine)[:6], most=most)


def _export(order: Order, tile: str, image: ee.Image, bands: Sequence[Band]) -> Export:
    from gee.exports import Export
    from gee.tiles import Tile

    where, place = destination(order), Tile.parse(tile)
    grid = Grid(**order.document["grid"]).crop(window_of(place))
    a, b, c, d, e, f = list(grid.affine)[:6]
    return Export(
        image=image if where.readable else _masked(order, image),
        bands=tuple(one.name for one in bands),
        crs=grid.crs,
        transform=(a, b, c, d, e, f),
        width=grid.width,
        height=grid.height,
        destination=where,
        name=file_name(order, tile),
    )


def _masked(order: Order, image: ee.Image) -> Any:
    """Image without what is outside of the area, where nobody puts tiles together and cuts them then."""
    if order.region is None or not order.region.masks:
        return image
    import ee
    from shapely.geometry import mapping

    outline = ee.Geometry(mapping(order.region.geometry()), "EPSG:4326", geodesic=False, evenOdd=True)
    return image.clip(outline)
