"""What a task costs in Earth Engine: compute of the exports, and of putting their tiles together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra.grid import Grid
from pipelines.cost import Work
from pipelines.kinds.sentinel1.parameters import Sentinel1
from pipelines.kinds.sentinel1.parts import Part

# Seconds for a million pixels of one polarization of one pass, measured on the local Earth Engine. What Google bills for
# the same is not known before it was billed once.
LOCAL_SECONDS: Mapping[str | None, float] = {
    None: 0.15,
    "boxcar": 0.3,
    "focal_median": 0.9,
    "lee": 0.5,
    "refined_lee": 1.2,
    "gamma_map": 0.5,
    "lee_sigma": 3.0,
    "multi_temporal": 0.6,
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
