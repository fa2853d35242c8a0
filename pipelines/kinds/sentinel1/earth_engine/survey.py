"""A look at Earth Engine's catalogue: scenes, passes, grid and tiles of a task. Computes no pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import InputError, JobError
from infra.grid import Grid
from pipelines.kinds.binding import Request, Survey
from pipelines.kinds.sentinel1.covers import covers
from pipelines.kinds.sentinel1.earth_engine.catalogue import (
    fingerprint,
    found_passes,
    on_one_lattice,
    scene_grid,
    scene_json,
)
from pipelines.kinds.sentinel1.earth_engine.same_product import check_same_product, same_granules
from pipelines.kinds.sentinel1.earth_engine.tiles import largest_side, tile_names
from pipelines.kinds.sentinel1.earth_engine.work import export_work
from pipelines.kinds.sentinel1.output_grid import area_grid, asked_lattice, one_lattice, utm_lattice
from pipelines.kinds.sentinel1.parameters import OPERA, Export, Sentinel1
from pipelines.kinds.sentinel1.parts import Part, Pass
from pipelines.kinds.sentinel1.stack_passes import chosen_passes, group_grids, outline_wkt, stack_output

if TYPE_CHECKING:
    from datetime import datetime

    from gee.scenes import SceneInfo
    from gee.sentinel1 import Found
    from infra.settings import Settings

Cut = Callable[[Sequence[Pass]], tuple[Part, ...]]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a task is made of.

    Attributes
    ----------
    scenes : by asset id
    grid : of the products
    dropped : {path, reason}
    stack : summary of the stack whose granules these are; None where Earth Engine's own scenes count
    """

    passes: tuple[Pass, ...]
    scenes: Mapping[str, SceneInfo]
    grid: Grid
    dropped: tuple[Mapping[str, str], ...]
    stack: Mapping[str, Any] | None = None

    @property
    def cuts(self) -> dict[str, Grid]:
        """Groups of the stack with the grid outside of which their passes have no data."""
        return group_grids(self.stack, self.passes) if self.stack else {}


def survey_collection(request: Request, *, parts_of: Cut, bands: Sequence[str]) -> Survey:
    """What Earth Engine finds for a request.

    Parameters
    ----------
    parts_of : how passes are put together
    bands : names of the products

    Raises
    ------
    JobError
        If the job has no area or no period.
    InputError
        If the area, grid or destination cannot be meant, nothing is there, or it is not the product of the stack.
    EngineError
        If Earth Engine cannot be reached or refuses the login.
    """
    parameters = request.parameters
    if not isinstance(parameters, Sentinel1):
        raise TypeError(type(parameters).__name__)
    _check_export(parameters.export, request.settings)
    chosen = _of_stack(request, parameters) if parameters.stack else _of_collection(request, parameters)
    parts = parts_of(chosen.passes)
    reached = [[scene_grid(chosen.scenes[name]) for one in part.passes for name in one.scenes] for part in parts]
    tiles = tile_names(chosen.grid, reached, size=largest_side(parameters.export.tile, bands=len(bands)))
    used = [name for name in chosen.scenes if any(name in one.scenes for part in parts for one in part.passes)]
    times = sorted(chosen.scenes[name].time for name in used)
    radiometry = chosen.stack["radiometry"] if chosen.stack else _radiometry(parameters)
    fingerprints = [fingerprint(chosen.scenes[name]) for name in used]
    return Survey(
        grid=chosen.grid.to_json(),
        radiometry=radiometry,
        scenes=() if chosen.stack else fingerprints,
        used=used,
        dropped=chosen.dropped,
        document={
            "grid": chosen.grid.to_json(),
            "parts": [part.to_json() for part in parts],
            "scenes": {name: scene_json(chosen.scenes[name]) for name in used},
            "cuts": {label: grid.to_json() for label, grid in chosen.cuts.items()},
            "native": on_one_lattice([chosen.scenes[name] for name in used], chosen.grid),
            "start": times[0].isoformat(),
            "end": (times[-1] + timedelta(seconds=1)).isoformat(),
            "radiometry": radiometry,
            "tags": _tags(parameters, radiometry),
            "fingerprints": fingerprints,
            "dropped": list(chosen.dropped),
            "files": request.settings.earth_engine_files,
            "project": request.settings.earth_engine_project,
        },
        work=export_work(parameters, chosen.grid, parts, reached, bands=len(bands)),
        summary={"grid": chosen.grid.to_json()},
        tiles=tiles,
        takes_inputs=False,
        source=parameters.collection,
        covers=covers(parameters, crs={scene_grid(chosen.scenes[name]).crs for name in used}),
    )


def _of_collection(request: Request, parameters: Sentinel1) -> Chosen:
    region, period = request.region, request.period
    if region is None:
        raise JobError("area: is missing: Earth Engine has scenes of everywhere", "Add `area` to the job.")
    if period is None:
        raise JobError("period: is missing: Earth Engine has scenes of ten years", "Add `period` to the job.")
    grid = None  # found before anything is asked, where the scenes have no say in it
    if parameters.grid is not None:
        grid = area_grid(asked_lattice(parameters.grid, region), region)
    elif parameters.is_grd:
        grid = area_grid(utm_lattice(region), region)
    found = _find(parameters, request, region=region.wkt, period=period, filtered=True)
    if grid is None:
        names = [scene.index for scene in found.scenes]
        grid = area_grid(one_lattice([scene_grid(scene) for scene in found.scenes], names), region)
    west, _, east, _ = region.geometry().bounds
    return Chosen(
        passes=found_passes(found.scenes, longitude=(west + east) / 2),
        scenes={scene.id: scene for scene in found.scenes},
        grid=grid,
        dropped=tuple(
            {"path": scene.id, "reason": "a newer release of the scene is there"} for scene in found.superseded
        ),
    )


def _of_stack(request: Request, parameters: Sentinel1) -> Chosen:
    """The granules of a stack, as far as they are asked for, in Earth Engine's collection."""
    stack = request.inputs["stack"].summary
    if parameters.collection is None:
        raise InputError(
            "collection: none is given beside `stack`, so that Earth Engine has no scenes",
            f"Add `collection: {OPERA}` where the stack is of OPERA's scenes.",
        )
    check_same_product(stack, parameters, request.region)
    passes, dropped = chosen_passes(stack, parameters)
    grid = stack_output(stack, parameters, request.region)
    around = min(one.time for one in passes), max(one.time for one in passes) + timedelta(hours=2)
    outline = outline_wkt(Grid(**stack["grid"]))
    found = _find(parameters, request, region=outline, period=around, filtered=False)
    same, scenes = same_granules(passes, stack, [*found.superseded, *found.scenes])
    return Chosen(passes=same, scenes=scenes, grid=grid, dropped=dropped_json(dropped), stack=stack)


def dropped_json(dropped: Sequence[tuple[Pass, str]]) -> tuple[Mapping[str, str], ...]:
    """Scenes of passes that are not asked for, with the reason."""
    return tuple({"path": name, "reason": why} for one, why in dropped for name in one.scenes)


def _find(
    parameters: Sentinel1, request: Request, *, region: str, period: tuple[datetime, datetime], filtered: bool
) -> Found:
    """Scenes in an area and a period; `filtered` as the parameters say."""
    from gee.sentinel1 import find_scenes
    from gee.session import connection_of, initialize

    initialize(connection_of(request.settings))
    return find_scenes(
        str(parameters.collection),
        region=region,
        start=period[0],
        end=period[1],
        pass_direction=parameters.pass_ if filtered else "both",
        orbits=parameters.orbits if filtered else None,
        platforms=parameters.platforms if filtered else None,
        polarizations=sorted({*parameters.needed, *(parameters.polarizations or ())}),
    )


def _check_export(export: Export, settings: Settings) -> None:
    """Where files go must be known before anything is exported."""
    if export.to == "folder":
        if settings.earth_engine_files is None:
            raise InputError(
                "export: to: folder: it is not said which folder of this machine Earth Engine's exports appear in",
                "Set SARBATCH_EARTH_ENGINE_FILES, or export to cloud-storage, drive or asset.",
            )
        if not Path(settings.earth_engine_files).expanduser().is_dir():
            raise InputError(
                f"export: to: folder: {settings.earth_engine_files} (SARBATCH_EARTH_ENGINE_FILES) is no folder",
                "Set it to the folder of Drive, or of the local Earth Engine.",
            )
    if export.to == "asset" and settings.earth_engine_project is None:
        raise InputError(
            "export: to: asset: assets belong to a project, and none is set", "Set SARBATCH_EARTH_ENGINE_PROJECT."
        )


def _radiometry(parameters: Sentinel1) -> dict[str, Any]:
    return {
        "quantity": "sigma0_ellipsoid" if parameters.is_grd else "gamma0_terrain",
        "speckle_filtered": False,
        "water_masked": False,
        "collection": parameters.collection,
    }


def _tags(parameters: Sentinel1, radiometry: Mapping[str, Any]) -> dict[str, str]:
    """What each raster says of itself beside its labels."""
    speckle = parameters.speckle
    return {
        "RADIOMETRY": str(radiometry["quantity"]),
        "SOURCE": str(parameters.collection),
        "SPECKLE_FILTER": speckle.filter if speckle else "none",
    }
