"""What a task does that two engines might do otherwise: the words that a certificate of parity must have for it."""

from __future__ import annotations

from collections.abc import Collection

from pipelines.kinds.sentinel1.parameters import Sentinel1

PERCENTILE = "reducer p*"  # all percentiles are one: they differ in a number alone


def covers(parameters: Sentinel1, *, crs: Collection[str] = ()) -> tuple[str, ...]:
    """Words such as "filter refined_lee", "quantity ratio_db", "reducer median", "grid native", sorted.

    A survey gives them as `Survey.covers`; a certificate has one agreement for each.

    Parameters
    ----------
    crs : of the scenes, each that there is: products in another are "grid reprojected", not "grid averaged"
    """
    found = {f"quantity {name}" for name in parameters.quantities}
    found |= {reducer_cover(name) for name in getattr(parameters, "reducers", ())}
    found.add(f"grid {_grid(parameters, crs)}")
    if parameters.speckle is not None:
        found.add(f"filter {parameters.speckle.filter}")
    if parameters.valid_range is not None:
        found.add("valid_range")
    return tuple(sorted(found))


def reducer_cover(name: str) -> str:
    """Word for a reducer."""
    return PERCENTILE if name.startswith("p") else f"reducer {name}"


def _grid(parameters: Sentinel1, crs: Collection[str]) -> str:
    if parameters.grid is None:
        return "native"
    return "averaged" if set(crs) <= {parameters.grid.crs} else "reprojected"
