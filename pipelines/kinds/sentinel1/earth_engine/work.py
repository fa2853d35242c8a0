"""What a task costs in Earth Engine: compute of the exports, and of putting their tiles together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra.grid import Grid
from pipelines.cost import Work
from pipelines.kinds.sentinel1.parameters import Sentinel1
from pipelines.kinds.sentinel1.parts import Part

# CPU seconds for a million pixels of one polarization of one pass, with three reducers of two quantities, measured on the
# local Earth Engine (2026-11-20). What Google bills for the same is not known before it was billed once.
LOCAL_SECONDS: Mapping[str | None, float] = {
    None: 0.22,
    "boxcar": 0.45,
    "focal_median": 0.45,
    "lee": 0.35,
    "refined_lee": 7.9,
    "gamma_map": 0.55,
    "lee_sigma": 16.0,
    "multi_temporal": 0.3,
}
MILLION = 1e6
ASSEMBLED_PER_SECOND = 15e6  # pixels of one core: read, put together, packed as a Cloud Optimized GeoTIFF
START_SECONDS = 6.0  # of the cluster and driver that put tiles together
PACKED = 0.87  # float32 over its raw size


def export_work(
    parameters: Sentinel1, grid: Grid, parts: Sequence[Part], reached: Sequence[Sequence[Grid]], *, bands: int
) -> Work:
    """Work of a task.

    Parameters
    ----------
    reached : of each part, outlines of its scenes, every one of every pass
    bands : products of a part
    """
    spacing = _share(grid, reached)
    seen = sum(_covered(grid, outlines) for outlines in reached)
    pixels = round(seen * spacing) * len(parameters.needed)
    filtered = LOCAL_SECONDS[parameters.speckle.filter if parameters.speckle else None]
    twice = 1 + bool(getattr(parameters, "unfiltered", False)) * LOCAL_SECONDS[None] / filtered
    made = grid.pixels * len(parts) * bands
    return Work(
        pixels=pixels,
        bytes_read=4 * pixels,
        bytes_written=round(4 * made * PACKED),
        core_seconds=made / ASSEMBLED_PER_SECOND,
        eecu_seconds=pixels / MILLION * filtered * twice,
        fixed_seconds=START_SECONDS + made / ASSEMBLED_PER_SECOND,
    )


def _covered(grid: Grid, outlines: Sequence[Grid]) -> int:
    """Pixels of the products under scenes, a scene's once each."""
    found = 0
    for outline in outlines:
        window = grid.full.intersect(grid.reach(outline))
        found += window.height * window.width
    return found


def _share(grid: Grid, reached: Sequence[Sequence[Grid]]) -> float:
    """Pixels of the scenes for each of the products."""
    scene = next((outline for outlines in reached for outline in outlines), None)
    if scene is None:
        return 1.0
    window = grid.reach(scene)
    return scene.pixels / max(window.height * window.width, 1)
