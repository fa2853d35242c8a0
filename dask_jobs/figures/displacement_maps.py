"""Maps of what small baselines give: velocity and its error, coherences, DEM error, closures, displacement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dask_jobs.figures.displacement_shades import (
    CYCLE,
    TOWARD,
    coherence_shade,
    count_shade,
    dem_error_shade,
    velocity_error_shade,
    velocity_shade,
    wrapped_shade,
)
from dask_jobs.figures.map import Heading, draw_map

if TYPE_CHECKING:
    from dask_jobs.figures.map_marks import Shade
    from dask_jobs.figures.picture import Picture
    from dask_jobs.figures.places import Place
    from dask_jobs.figures.style import Sheet


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How the maps of one quantity look.

    Attributes
    ----------
    title, note : above the map; what must be known to read it
    shade : of a picture
    """

    title: str
    note: str
    shade: Callable[[Picture], Shade]


KINDS: Mapping[str, Kind] = {
    "velocity": Kind(
        title="Velocity",
        note=f"along the line of sight, {TOWARD}; relative to the reference pixel",
        shade=velocity_shade,
    ),
    "velocity_standard_error": Kind(
        title="Standard error of the velocity",
        note="for residuals without correlation in time; the noise of the reference pixel is not in it",
        shade=velocity_error_shade,
    ),
    "temporal_coherence": Kind(
        title="Temporal coherence",
        note="1 where the time series explains every interferogram",
        shade=lambda _: coherence_shade("temporal coherence"),
    ),
    "mean_coherence": Kind(
        title="Mean spatial coherence",
        note="mean over the pairs",
        shade=lambda _: coherence_shade("mean spatial coherence"),
    ),
    "dem_error": Kind(
        title="Error of the elevation model",
        note="from the phase that follows the perpendicular baseline; relative to the reference pixel",
        shade=dem_error_shade,
    ),
    "closure_count": Kind(
        title="Triplets of pairs that do not close",
        note="number of triplets whose unwrapped phases disagree by whole cycles",
        shade=lambda picture: count_shade(picture, label="triplets that do not close"),
    ),
}


def draw_kind(kind: str, picture: Picture, *, about: str, places: Sequence[Place] = ()) -> Sheet:
    """Map of one of the `KINDS`.

    Parameters
    ----------
    picture : in m/year, m, 1 or counts, as the products are stored; NaN no data or masked
    about : where the data are from
    places : to be marked (`dask_jobs.figures.places.reference_place`)
    """
    look = KINDS[kind]
    heading = Heading(title=look.title, about=look.note).with_more(about)
    return draw_map(picture, shade=look.shade(picture), heading=heading, places=places).sheet


def draw_wrapped(picture: Picture, *, heading: Heading, cycle: float = CYCLE, places: Sequence[Place] = ()) -> Sheet:
    """Map of displacement in m in cyclic colours, each turn through them `cycle` metres."""
    return draw_map(picture, shade=wrapped_shade(cycle), heading=heading, places=places).sheet
