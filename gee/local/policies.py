"""Choices where the documentation is silent: each has a name, a default, and the alternatives that are implemented."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


def _policy(default: str, why: str) -> Any:
    return field(default=default, metadata={"why": why})


@dataclass(frozen=True, kw_only=True)
class Policies:
    """Every undocumented choice; the coverage page lists them with the algorithms that depend on them."""

    fractional_masks: Literal["minimum"] = _policy("minimum", "masks of several inputs combine by their minimum")
    percentile_rank: Literal["linear"] = _policy(
        "linear", "percentiles lie at rank p / 100 * (n - 1), interpolated linearly"
    )
    log_domain: Literal["masked"] = _policy("masked", "results that are not finite are masked")
    convolve: Literal["correlation"] = _policy(
        "correlation", "kernels are not flipped; a masked neighbour masks the result"
    )
    focal_at_masked: Literal["filled", "masked"] = _policy("filled", "focal reducers write where the centre is masked")
    ranges: Literal["warn", "error"] = _policy("warn", "images of a collection may differ in the range of their types")
    pixel_edges: Literal["larger-index"] = _policy(
        "larger-index", "a centre on an edge takes the pixel right of or below it"
    )
    clip_fraction: Literal["area"] = _policy(
        "area", "pixels on the edge of a clip are masked by the area inside, in steps of 1/255"
    )
    constructed_ids: Literal["renumbered"] = _policy(
        "renumbered", "elements of collections made from lists get the ids 0, 1, 2 …, whatever theirs were"
    )
    flattened_ids: Literal["outer_inner"] = _policy("outer_inner", "flatten joins the ids of both levels by '_'")
    sort_nulls: Literal["last"] = _policy("last", "sorting is stable; elements without the property come last")
    mixed_order: Literal["false"] = _policy("false", "filters of order are false between texts and numbers")
    distinct: Literal["first"] = _policy("first", "of equal elements the first one stays")
    random_column: Literal["blake2b"] = _policy(
        "blake2b", "random columns hash seed and row keys by BLAKE2b; values differ from the service's"
    )
    random_points: Literal["pcg64"] = _policy(
        "pcg64", "random points come from NumPy's PCG64; places differ from the service's"
    )
    areas: Literal["sphere"] = _policy("sphere", "areas and lengths lie on a sphere of radius 6378137 m")
    distances: Literal["nearest-on-sphere"] = _policy(
        "nearest-on-sphere", "distances on the ellipsoid join the points that are nearest on the sphere"
    )
    touching: Literal["intersects"] = _policy("intersects", "geometries that touch intersect, and contain their edges")
    random_numbers: Literal["splitmix64"] = _policy(
        "splitmix64", "random images hash row, column and seed: other numbers than the service's"
    )
