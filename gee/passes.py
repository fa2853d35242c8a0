"""Passes: the slices or bursts of one overflight, found from plain values, and made one image of power."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

import ee

from gee.backscatter import DECIBEL, POWER, Backscatter, to_power
from gee.border_noise import BorderNoise, without_border_noise
from gee.scenes import GRD, OPERA, SceneInfo
from infra.errors import InputError

REVOLUTION = timedelta(hours=2)  # more than one of any SAR satellite
PASS_LENGTH = timedelta(minutes=30)  # a pass is under half a revolution of about 100 minutes
ANGLE = "angle"  # band of incidence of the GRD collections, degrees
Range = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class PassInfo:
    """Scenes of one overflight of one satellite.

    Attributes
    ----------
    scenes : in time order
    time : UTC, of the first one
    """

    scenes: tuple[SceneInfo, ...]

    @property
    def time(self) -> datetime:
        """UTC, of the first scene."""
        return self.scenes[0].time

    @property
    def platform(self) -> str | None:
        """Satellite, "S1A"."""
        return self.scenes[0].platform

    @property
    def absolute_orbit(self) -> int | None:
        """Orbit since launch."""
        return self.scenes[0].absolute_orbit

    @property
    def relative_orbit(self) -> int | None:
        """Orbit of the cycle, 1 to 175."""
        return self.scenes[0].relative_orbit

    @property
    def pass_direction(self) -> str | None:
        """Direction of flight: "ascending" or "descending"."""
        return self.scenes[0].pass_direction


def group_passes(scenes: Iterable[SceneInfo]) -> tuple[PassInfo, ...]:
    """Passes in time order, the scenes of each in time order.

    Scenes belong together when platform and absolute orbit are the same, and never because of their date: two orbits may
    see a place on one day, and a pass may last over midnight. Where a scene does not name its absolute orbit, the
    relative orbit and 30 minutes from the pass's first scene stand for it.
    """
    groups: list[list[SceneInfo]] = []
    for scene in sorted(scenes, key=lambda one: (one.time, one.id)):
        recent = takewhile(lambda group: scene.time - group[0].time <= REVOLUTION, reversed(groups))  # noqa: B023 -- used at once
        home = next((group for group in recent if _belongs(scene, group[0])), None)
        if home is None:
            groups.append([scene])
        else:
            home.append(scene)
    return tuple(PassInfo(scenes=tuple(group)) for group in groups)


def _belongs(scene: SceneInfo, first: SceneInfo) -> bool:
    if scene.platform != first.platform or scene.pass_direction != first.pass_direction:
        return False
    if scene.absolute_orbit is not None and first.absolute_orbit is not None:
        return scene.absolute_orbit == first.absolute_orbit
    return scene.relative_orbit == first.relative_orbit and scene.time - first.time <= PASS_LENGTH


def pass_image(
    pass_: PassInfo,
    *,
    collection_id: str,
    bands: Sequence[str],
    incidence_angle: tuple[float, float] | None = None,
    border_noise: BorderNoise | None = None,
    valid_range: Range | None = None,
) -> ee.Image:
    """Linear power of a pass: scenes masked, then laid over one another, the first in time on top.

    The valid range of RTC scenes is looked at in the mosaic, not in each scene: a stack of the same scenes on disk has only that.

    The default projection is the first scene's, so that neighbourhoods lie at native spacing, which a mosaic of Earth
    Engine would lose.

    Parameters
    ----------
    bands : polarizations; pixels where one of them has no data have none
    incidence_angle : least and greatest that count, degrees, both included; for the GRD collections
    border_noise : what is masked at the edges of scenes; for the GRD collections
    valid_range : least and greatest power that count, both included, None where open; each polarization by itself

    Returns
    -------
    bands in their order, float64, with `system:time_start` and the pass's orbits

    Raises
    ------
    InputError
        If a mask is asked for that the collection has no band for.
    """
    if collection_id == OPERA and (incidence_angle is not None or border_noise is not None):
        name = "incidence_angle" if incidence_angle is not None else "border_noise"
        raise InputError(
            f"{name}: {OPERA} has neither the angle's band nor border noise", f"Take {name} out, or a GRD collection."
        )

    like = pass_.scenes[0].polarizations[:1]  # VV or HH, whichever bands are asked for

    def masked(stored: ee.Image) -> ee.Image:
        image = _power(stored, bands, collection_id)
        if incidence_angle is not None:
            angle = stored.select(ANGLE)
            image = image.updateMask(angle.gte(incidence_angle[0]).And(angle.lte(incidence_angle[1])))
        if border_noise is not None:
            image = without_border_noise(image, _power(stored, like, collection_id), border_noise)
        return image if valid_range is None or collection_id == OPERA else _within_range(image, valid_range)

    # mosaic() puts the last one on top
    scenes = ee.ImageCollection.fromImages([ee.Image(scene.id) for scene in reversed(pass_.scenes)]).map(masked)
    first = pass_.scenes[0]
    whole = scenes.mosaic().setDefaultProjection(first.crs, list(first.transform))
    if valid_range is not None and collection_id == OPERA:
        whole = _within_range(whole, valid_range)
    if len(bands) > 1:
        whole = whole.updateMask(whole.mask().reduce(ee.Reducer.min()))
    return _described(whole, pass_)


def _power(stored: ee.Image, bands: Sequence[str], collection_id: str) -> ee.Image:
    units = DECIBEL if collection_id == GRD else POWER
    values = Backscatter(image=stored.select(list(bands)).toDouble(), units=units)
    return (to_power(values) if units == DECIBEL else values).image


def _within_range(image: ee.Image, valid_range: Range) -> ee.Image:
    least, greatest = valid_range
    whole = image
    if least is not None:
        image = image.updateMask(whole.gte(least))
    return image if greatest is None else image.updateMask(whole.lte(greatest))


def _described(image: ee.Image, pass_: PassInfo) -> ee.Image:
    known = {
        "system:time_start": round(pass_.time.timestamp() * 1000),
        "platform": pass_.platform,
        "absolute_orbit": pass_.absolute_orbit,
        "relative_orbit": pass_.relative_orbit,
        "pass_direction": pass_.pass_direction,
    }
    described: ee.Image = ee.Image(image.set({name: value for name, value in known.items() if value is not None}))
    return described
