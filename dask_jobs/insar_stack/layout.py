"""What a store of interferograms looks like: layers per pair, what is known of each pair, geometry beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from dask_jobs.insar_stack.steps import PairStep
from dask_jobs.interferograms import COHERENCE, COMPONENTS, PHASE
from dask_jobs.stack.schema import CALENDAR, TIME_UNITS, Column, Layout, seconds

if TYPE_CHECKING:
    from dask_jobs.scenes import Pass

NAN = float("nan")
LAYER_ATTRIBUTES: Mapping[str, tuple[str, float, Mapping[str, Any]]] = {
    PHASE: ("float32", NAN, {"units": "radian", "long_name": "unwrapped phase, secondary minus reference"}),
    COHERENCE: ("float32", NAN, {"units": "1", "long_name": "spatial coherence, 0 to 1"}),
    COMPONENTS: ("uint16", 0, {"units": "1", "long_name": "connected component of the unwrapping, 0 for none"}),
}
HEIGHT, INCIDENCE, AZIMUTH, SLANT_RANGE, LAND = (
    "height",
    "incidence_angle",
    "azimuth_angle",
    "slant_range",
    "land",
)
GEOMETRY_ATTRIBUTES: Mapping[str, tuple[str, float, Mapping[str, Any]]] = {
    HEIGHT: ("float32", NAN, {"units": "m", "long_name": "height above the ellipsoid"}),
    INCIDENCE: ("float32", NAN, {"units": "degree", "long_name": "angle of the line of sight from the vertical"}),
    AZIMUTH: (
        "float32",
        NAN,
        {"units": "degree", "long_name": "azimuth of the line of sight, ground to satellite, anticlockwise from north"},
    ),
    SLANT_RANGE: ("float32", NAN, {"units": "m", "long_name": "distance from the satellite"}),
    LAND: ("uint8", 0, {"units": "1", "long_name": "1 on land, 0 on water and outside"}),
}


@dataclass(frozen=True, kw_only=True)
class PairLayout(Layout):
    """Layout of a stack of interferograms; steps are pairs, in the order of their arrival."""

    dimension = "pair"
    in_order = False
    # phase and coherence pack to 1.04 times what zstd makes of them, in a fifth of the time
    packing: ClassVar[tuple[Literal["zstd", "lz4"], int]] = ("lz4", 5)
    # an object of 256 x 256 pixels takes longer to create than to write; 1024 x 1024 are one
    chunks_along_shard: ClassVar[int] = 4

    def layer(self, name: str) -> tuple[str, float, Mapping[str, Any]]:
        """Dtype, value of no data and attributes of a layer."""
        return LAYER_ATTRIBUTES[name]

    def columns(self) -> Sequence[Column]:
        """Both times and the baseline of each pair."""
        time = {"units": TIME_UNITS, "calendar": CALENDAR}
        return (
            Column(
                name="reference_time",
                dtype="int64",
                fill=0,
                attributes={**time, "long_name": "start of sensing of the reference"},
            ),
            Column(
                name="secondary_time",
                dtype="int64",
                fill=0,
                attributes={**time, "long_name": "start of sensing of the secondary"},
            ),
            Column(
                name="perpendicular_baseline",
                dtype="float64",
                fill=NAN,
                attributes={"units": "m", "long_name": "perpendicular baseline"},
            ),
        )

    def column_values(
        self, steps: Sequence[Pass], *, masked: Sequence[int], covered: Sequence[int]
    ) -> Mapping[str, Sequence[float]]:
        """Values of the columns."""
        del masked, covered
        pairs = [step for step in steps if isinstance(step, PairStep)]
        return {
            "reference_time": [seconds(pair.reference) for pair in pairs],
            "secondary_time": [seconds(pair.time) for pair in pairs],
            "perpendicular_baseline": [pair.perpendicular_baseline for pair in pairs],
        }
