"""What a task does that two engines might do otherwise: the words that a certificate of parity must have for it."""

from __future__ import annotations

from pipelines.kinds.sentinel1.parameters import Sentinel1

PERCENTILE = "reducer p*"  # all percentiles are one: they differ in a number alone


def covers(parameters: Sentinel1, *, crs: str | None = None) -> tuple[str, ...]:
    """Words such as "filter refined_lee", "quantity ratio_db", "reducer median", "grid native", sorted.

    A survey gives them as `Survey.covers`; a certificate has one agreement for each.

    Parameters
    ----------
    crs : of the scenes: another one of the products is "grid reprojected"; None where it makes no difference
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


def _grid(parameters: Sentinel1, crs: str | None) -> str:
    if parameters.grid is None:
        return "native"
    return "averaged" if crs in (None, parameters.grid.crs) else "reprojected"
