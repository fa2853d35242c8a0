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
    negated_missing: Literal["passes", "fails"] = _policy(
        "passes",
        "a negated filter passes where the property is missing; the client sends neq, lte and gte as negations",
    )
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
    number_expression_division: Literal["floating"] = _policy(
        "floating", "in expressions of numbers '/' is Number.divide, also between whole numbers"
    )
    result_ranges: Literal["intervals"] = _policy(
        "intervals", "types of results have the range that interval arithmetic gives, so that bytes do not wrap"
    )
    real_functions: Literal["float-of-whole"] = _policy(
        "float-of-whole", "quotients, roots, logarithms and the like of integers are 32-bit floats in arrays and images"
    )
    cast_fractions: Literal["toward-zero"] = _policy("toward-zero", "casts to integers drop the fraction toward 0")
    modulo_by_zero: Literal["zero"] = _policy("zero", "a remainder of division by 0 is 0")
    shift_counts: Literal["six-bits"] = _policy("six-bits", "shifts take the lowest six bits of the count")
    bit_order: Literal["least-first"] = _policy("least-first", "arrays of bits begin with the least significant one")
    number_text: Literal["shortest"] = _policy(
        "shortest", "numbers as text are the shortest digits that are the number again, whole ones without a point"
    )
    non_finite_json: Literal["text"] = _policy("text", 'NaN and infinities are answered as "NaN" and "Infinity"')
    replacement_groups: Literal["dollar"] = _policy("dollar", "'$1' in a replacement is the first group of the match")
    flatten_depth: Literal["all"] = _policy("all", "List.flatten flattens lists at all levels")
    rotation: Literal["toward-start"] = _policy("toward-start", "List.rotate moves elements toward the start")
    shuffle: Literal["pcg64"] = _policy("pcg64", "List.shuffle takes the order from NumPy's PCG64 by the seed")
    mixed_sort: Literal["by-kind"] = _policy("by-kind", "lists sort numbers, dates, texts, lists, then nulls")
    average_year: Literal["365.2425-days"] = _policy(
        "365.2425-days", "years have 365.2425 days and months a twelfth of that, where averages are asked for"
    )
    fraction_of_month: Literal["average"] = _policy(
        "average", "Date.advance moves whole years and months by the calendar and the rest by their average length"
    )
    month_ends: Literal["clipped"] = _policy("clipped", "a month after January 31 is the last day of February")
    disjoint_ranges: Literal["empty-at-later-start"] = _policy(
        "empty-at-later-start", "disjoint date ranges intersect in an empty one at the later start; unions fill the gap"
    )
    signs_of_vectors: Literal["first-positive"] = _policy(
        "first-positive", "the first entry of an eigenvector is not negative; other decompositions have LAPACK's signs"
    )
    pyramids: Literal["none"] = _policy("none", "assets have no pyramids: whatever the scale, the nearest native pixel")
    collection_order: Literal["by-id"] = _policy(
        "by-id", "images of a stored collection come in the order of their ids"
    )
    masked_in_files: Literal["nan-or-0"] = _policy(
        "nan-or-0",
        "without noData, masked pixels are NaN in GeoTIFFs of floats, and 0 in those of integers and in NPY; valid above 0",
    )
    file_split: Literal["8-gib"] = _policy(
        "8-gib", "without fileDimensions, an export is one file up to 8 GiB of pixels, then the largest squares below"
    )
    overviews: Literal["average-or-nearest"] = _policy(
        "average-or-nearest", "overviews of cloud-optimised files are averages of floats and samples of integers"
    )
    reducer_weights: Literal["moments"] = _policy(
        "moments",
        "variances, skew and kurtosis are weighted as means are; ranks, extremes, products and counts take what has any weight",
    )
    mixed_weights: Literal["weighted"] = _policy(
        "weighted",
        "combined reducers over a region are weighted if any part is; the others count what is covered at all",
    )
    empty_reductions: Literal["null"] = _policy(
        "null", "sums and products of nothing are null, counts 0 (masked in images)"
    )
    shape_of_samples: Literal["population"] = _policy(
        "population", "skew is m3 / m2^1.5, kurtosis m4 / m2^2 - 3, covariances are divided by n"
    )
    extremum_names: Literal["numbered"] = _policy("numbered", "companions of min and max are min1, min2 and so on")
    fraction_names: Literal["underscore"] = _policy("underscore", "the 2.5th percentile is named p2_5")
    histogram_buckets: Literal["256-powers-of-2"] = _policy(
        "256-powers-of-2",
        "histograms have at most 256 buckets unless told, as wide as a power of 2, from a multiple of it",
    )
    rank_probabilities: Literal["normal"] = _policy(
        "normal", "Kendall's p-value is the normal approximation without ties; Spearman's is Student's"
    )
    sens_offset: Literal["medians"] = _policy("medians", "the offset of sensSlope is median(y) - slope * median(x)")
    kernel_radii: Literal["whole-or-within"] = _policy(
        "whole-or-within", "real radii: squares take the whole part, circles and diamonds the cells within"
    )
    octagons: Literal["r-and-half"] = _policy(
        "r-and-half", "octagons hold the cells no more than r + floor((r - 1) / 2) city blocks away"
    )
    gaussian_size: Literal["ceil-minus-1"] = _policy(
        "ceil-minus-1", "gaussians have a half-size of ceil(r) - 1 pixels, at least 1"
    )
    negative_kernels: Literal["subtract-mean"] = _policy(
        "subtract-mean", "normalising a kernel with negative weights subtracts the mean of its weights"
    )
    kernel_focus: Literal["first-middle"] = _policy(
        "first-middle", "the focus of a fixed kernel with even sides is left of and above its middle"
    )
    derivative: Literal["central"] = _policy("central", "derivatives are central differences per pixel, y downwards")
    far_from_all: Literal["masked"] = _policy(
        "masked", "fastDistanceTransform masks what has nothing within its neighbourhood"
    )
    cost_of_steps: Literal["mean-of-ends"] = _policy(
        "mean-of-ends", "a step to one of eight neighbours costs its length times the mean cost of its two pixels"
    )
    cost_reach: Literal["along-the-way"] = _policy(
        "along-the-way", "maxDistance bounds the length of the cheapest way; sources must be valid in the cost image"
    )
    partial_mosaics: Literal["over"] = _policy("over", "mosaics let what is below through fractional masks")
    quality_ties: Literal["last"] = _policy("last", "of images of equal quality the last one is taken")
    random_samples: Literal["pcg64"] = _policy("pcg64", "samples are chosen by NumPy's PCG64 from the seed")
    best_effort: Literal["as-needed"] = _policy(
        "as-needed", "bestEffort enlarges the scale no further than maxPixels needs"
    )
    region_edges: Literal["left-and-top"] = _policy(
        "left-and-top", "a pixel's centre on a region's left or top edge lies inside"
    )
    region_rows: Literal["by-pixel"] = _policy(
        "by-pixel", "getRegion tells pixel by pixel, and for each the images in order"
    )
