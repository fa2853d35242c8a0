"""Whether Earth Engine can make of its own scenes what Dask makes of a stack: only of the same granules, untouched."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from infra.errors import InputError
from infra.region import Region
from pipelines.kinds.sentinel1.parameters import OPERA, Sentinel1
from pipelines.kinds.sentinel1.parts import Pass
from pipelines.kinds.sentinel1.stack_passes import EARTH_ENGINES

if TYPE_CHECKING:
    from gee.scenes import SceneInfo

# OPERA_L2_RTC-S1_{burst}_{sensing}_{processing}_{platform}_{spacing}_v{version}
GRANULE = re.compile(
    r"OPERA_L2_RTC-S1_(T\d{3}-\d{6}-[IE]W\d)_(\d{8}T\d{6}Z)_(\d{8}T\d{6}Z)_S1[A-Z]_\d+_v(\d+(?:\.\d+)*)"
)
QUANTITY = "gamma0_terrain"
SHOWN = 3  # granules that a message names
OTHERWISE = "Let Dask make it, or leave `stack` out so that Earth Engine makes a product of its own."


def check_same_product(stack: Mapping[str, Any], parameters: Sentinel1, region: Region | None) -> None:
    """Return where a stack leaves OPERA's pixels as Earth Engine has them.

    Raises
    ------
    InputError
        With what makes it another product.
    """
    product = EARTH_ENGINES.get(stack["format"])
    if product != parameters.collection or product != OPERA:
        raise _not_the_same(f"its scenes are {stack['format']}, and Earth Engine has {parameters.collection}")
    if stack["radiometry"]["quantity"] != QUANTITY:
        raise _not_the_same(f"it is {stack['radiometry']['quantity']}, and {OPERA} is {QUANTITY}")
    if stack["masks"]:
        raise _not_the_same(f"it hides {', '.join(stack['masks'])}, which {OPERA} shows")
    if stack["resampled"]:
        raise _not_the_same("its scenes are resampled to its `grid`")
    if region is not None and region.masks and (parameters.speckle is not None or parameters.grid is not None):
        what = "filter" if parameters.speckle is not None else "grid"
        raise _not_the_same(f"it ends at the area's outline, so that the {what} would see other neighbours there")


def same_granules(
    passes: Sequence[Pass], stack: Mapping[str, Any], there: Sequence[SceneInfo]
) -> tuple[tuple[Pass, ...], dict[str, SceneInfo]]:
    """Passes of a stack with the asset ids of the same granules, and these scenes by asset id.

    Raises
    ------
    InputError
        Naming granules that the collection lacks or has in another release.
    """
    assets = {granule: scene for scene in there if (granule := _granule(scene.index))}
    found: dict[str, SceneInfo] = {}
    lacking: list[str] = []
    same = []
    for one in passes:
        names = [tuple(scene) for scene in stack["groups"][one.group]["passes"][one.index]["scenes"]]
        lacking += [f"{name} ({release})" for name, release in names if (name, release) not in assets]
        scenes = [assets[name] for name in names if name in assets]
        found |= {scene.id: scene for scene in scenes}
        same.append(replace(one, scenes=tuple(scene.id for scene in scenes)))
    if lacking:
        shown = ", ".join(lacking[:SHOWN]) + (f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else "")
        raise _not_the_same(f"Earth Engine lacks {len(lacking)} of its granules: {shown}")
    return tuple(same), found


def _granule(index: str) -> tuple[str, str] | None:
    """Scene and release of an asset's name, as the reader of OPERA's files names them."""
    match = GRANULE.fullmatch(index)
    return (f"{match[1]}_{match[2]}", f"v{match[4]}_{match[3]}") if match else None


def _not_the_same(why: str) -> InputError:
    return InputError(f"stack: Earth Engine cannot make the same of it: {why}", OTHERWISE)
