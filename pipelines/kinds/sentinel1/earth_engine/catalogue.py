"""What Earth Engine's catalogue has for a task: scenes as plain values, their grids, and the passes that they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from infra.grid import Grid
from pipelines.kinds.sentinel1.parts import Pass, with_directions

if TYPE_CHECKING:
    from gee.passes import PassInfo
    from gee.scenes import SceneInfo


def scene_grid(scene: SceneInfo) -> Grid:
    """Pixels of a scene's bands of backscatter."""
    dx, _, left, _, dy, top = scene.transform
    return Grid(crs=scene.crs, left=left, top=top, dx=dx, dy=-dy, height=scene.height, width=scene.width)


def fingerprint(scene: SceneInfo) -> list[Any]:
    """What tells a scene from all others, and from what it may be replaced by: id, version, size."""
    return [scene.id, "" if scene.version is None else str(scene.version), scene.size or 0, ""]


def scene_json(scene: SceneInfo) -> dict[str, Any]:
    """Plain values; `scene_of` restores the scene, without its footprint."""
    plain = {"time": scene.time.isoformat(), "polarizations": list(scene.polarizations)}
    return {**asdict(replace(scene, footprint=None)), **plain, "transform": list(scene.transform)}


def scene_of(value: Mapping[str, Any]) -> SceneInfo:
    """Scene from what `scene_json` gave."""
    from gee.scenes import SceneInfo

    a, b, c, d, e, f = value["transform"]
    more = {"time": datetime.fromisoformat(value["time"]), "polarizations": tuple(value["polarizations"])}
    return SceneInfo(**{**value, **more, "transform": (a, b, c, d, e, f)})


def found_passes(scenes: Iterable[SceneInfo], *, longitude: float) -> tuple[Pass, ...]:
    """Passes of scenes, in time order; a pass's scenes by asset id, in time order.

    Parameters
    ----------
    longitude : degrees, of the area's middle
    """
    from gee.passes import group_passes

    passes = [
        Pass(
            time=one.time,
            platform=one.platform,
            relative_orbit=one.relative_orbit,
            direction=one.pass_direction,
            scenes=tuple(scene.id for scene in one.scenes),
        )
        for one in group_passes(scenes)
    ]
    return with_directions(passes, longitude=longitude)


def pass_info(one: Pass, scenes: Mapping[str, Any]) -> PassInfo:
    """Pass as Earth Engine's functions take it.

    Parameters
    ----------
    scenes : asset id to the scene's plain values
    """
    from gee.passes import PassInfo

    return PassInfo(scenes=tuple(scene_of(scenes[name]) for name in one.scenes))


def on_one_lattice(scenes: Sequence[SceneInfo], grid: Grid) -> bool:
    """Whether every scene's pixels are pixels of a grid's lattice."""
    return all(grid.lattice_difference(scene_grid(scene)) is None for scene in scenes)
