"""Bands of an image, and images of a collection, reduced pixel by pixel (sections 5 and 13).

Composites have the default projection, EPSG:4326 at 1 degree, and no properties; those of no image have no bands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gee.local.algorithms.reducers import counts, moments, ranks
from gee.local.bands.pixel_types import union
from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Band, Image
from gee.local.reduction.bands_together import bands_together
from gee.local.reduction.calling import output_types
from gee.local.reduction.stacks import images_of, reduced, stacks_of
from gee.local.table import algorithm
from gee.local.values import Collection, Geometry, PixelType, Projection, Reducer


@algorithm("Image.reduce")
def reduce_image(image: Image, reducer: Reducer) -> Image:
    """One band per output, named as it is; null where no band is valid."""
    if reducer.inputs != 1:
        raise EarthEngineError(f"Need 1 inputs for Reducer.{reducer.name}, got {reducer.inputs}.")
    if not image.bands:
        return image
    _scalar(image.bands)
    types = output_types(reducer, [union(*(band.type for band in image.bands))])
    bands = bands_together(
        reducer.outputs,
        types,
        partial(reduced, reducer, [image.bands]),
        projection=image.bands[0].projection,
    )
    return Image(tuple(bands), {}, image.footprint)


@algorithm("ImageCollection.reduce", policies=("ranges",))
def reduce_collection(collection: Collection, reducer: Reducer, parallel_scale: float, context: Context) -> Image:
    """`band_output` of each band and output; of reducers with several inputs `output`."""
    del parallel_scale  # changes no result
    stacks = stacks_of(collection, context.policies)
    if not stacks:
        return Image()
    if reducer.inputs == 1:
        groups = [([f"{name}_{one}" for one in reducer.outputs], [type_], [stack]) for name, type_, stack in stacks]
    elif reducer.inputs == len(stacks):
        groups = [(list(reducer.outputs), [one[1] for one in stacks], [one[2] for one in stacks])]
    else:
        raise EarthEngineError(f"Need {reducer.inputs} inputs for Reducer.{reducer.name}, got {len(stacks)}.")
    return _composite(collection, reducer, groups)


def _composite(
    collection: Collection,
    reducer: Reducer,
    groups: Sequence[tuple[Sequence[str], Sequence[PixelType], Sequence[Sequence[Band]]]],
) -> Image:
    bands: list[Band] = []
    for names, types, stacks in groups:
        for stack in stacks:
            _scalar(stack)
        bands += bands_together(
            names, output_types(reducer, types), partial(reduced, reducer, stacks), projection=Projection()
        )
    return Image(tuple(bands), footprint=common_footprint(collection))


def common_footprint(collection: Collection) -> Geometry | None:
    """Where any image has data; None where that is unbounded, or the images' footprints lie in several projections."""
    import shapely

    places = [image.footprint for image in images_of(collection)]
    known = [place for place in places if place is not None and place.shape is not None]
    if not known or len(known) < len(places) or len({(one.crs, one.geodesic) for one in known}) > 1:
        return None
    first = known[0]
    if all(one.shape == first.shape for one in known):
        return first
    whole = shapely.union_all(shapely.make_valid([one.shape for one in known]))
    return Geometry(whole, first.crs, first.geodesic, first.even_odd)


def _scalar(bands: Sequence[Band]) -> None:
    wrong = next((band.name for band in bands if band.type.dimensions), None)
    if wrong is not None:
        raise EarthEngineError(f"The band '{wrong}' has arrays; only scalar bands can be reduced here.")


def _shortcut(name: str, make: Callable[[], Reducer]) -> Callable[..., Image]:
    @algorithm(f"reduce.{name}", policies=("ranges",))
    def function(collection: Collection, context: Context) -> Image:
        stacks = stacks_of(collection, context.policies)
        reducer = make()
        return _composite(collection, reducer, [([name], [type_], [stack]) for name, type_, stack in stacks])

    return function


MADE = tuple(
    _shortcut(name, make)
    for name, make in (
        ("mean", moments.mean),
        ("sum", moments.sum_),
        ("product", moments.product),
        ("min", partial(moments.minimum, 1)),
        ("max", partial(moments.maximum, 1)),
        ("count", counts.count),
        ("and", moments.all_non_zero),
        ("or", moments.any_non_zero),
        ("median", partial(ranks.median, None, None, None)),
        ("mode", partial(ranks.mode, None, None, None)),
    )
)
