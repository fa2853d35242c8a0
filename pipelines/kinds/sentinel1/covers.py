"""What a task does that two engines might do otherwise: the words that a certificate of parity must have for it."""

from __future__ import annotations

from pipelines.kinds.sentinel1.parameters import Sentinel1

PERCENTILE = "reducer p*"  # all percentiles are one: they differ in a number alone


def covers(parameters: Sentinel1) -> tuple[str, ...]:
    """Words such as "filter refined_lee", "quantity ratio_db", "reducer median", "grid native", sorted.

    A survey gives them as `Survey.covers`; a certificate has one agreement for each.
    """
    found = {f"quantity {name}" for name in parameters.quantities}
    found |= {f"reducer {name}" for name in getattr(parameters, "reducers", ())}
    found = {PERCENTILE if word.startswith("reducer p") else word for word in found}
    found.add("grid native" if parameters.grid is None else "grid averaged")
    if parameters.speckle is not None:
        found.add(f"filter {parameters.speckle.filter}")
    if parameters.valid_range is not None:
        found.add("valid_range")
    return tuple(sorted(found))
