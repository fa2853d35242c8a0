"""Which of the HyP3 products of a stack its geometry is taken from."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from dask_jobs.interferograms import SIGHT_ELEVATION, SIGHT_ORIENTATION, Interferogram
from infra.errors import InputError

ORDERED_BY = {  # option of an order that brings a layer of the geometry
    "height": "include DEM",
    SIGHT_ELEVATION: "include look vectors",
    SIGHT_ORIENTATION: "include look vectors",
}


def geometry_source(interferograms: Iterable[Interferogram]) -> Interferogram:
    """The interferogram whose geometry is used: the first, by dates and id, with height and both angles of the line of sight.

    Parameters
    ----------
    interferograms : in any order, one at least

    Raises
    ------
    InputError
        If none has all three, naming what the best one lacks and how to order it.
    """
    ordered = sorted(interferograms, key=lambda one: (one.dates, one.id))
    return ordered[first_whole([one.geometry for one in ordered], [one.product for one in ordered])]


def first_whole(geometries: Sequence[Container[str]], products: Sequence[str]) -> int:
    """Index of the first geometry, given as names of its layers, that has all that is needed; raises as `geometry_source`."""
    lacking = [[layer for layer in ORDERED_BY if layer not in geometry] for geometry in geometries]
    best = min(range(len(lacking)), key=lambda number: len(lacking[number]))  # of equal ones the first
    if lacking[best]:
        options = " and ".join(dict.fromkeys(f"'{ORDERED_BY[layer]}'" for layer in lacking[best]))
        raise InputError(
            f"geometry: no product has all of {', '.join(ORDERED_BY)}; {products[best]} lacks {', '.join(lacking[best])}",
            f"One product with all of them is enough: order {products[0]} again with {options}.",
        )
    return best
