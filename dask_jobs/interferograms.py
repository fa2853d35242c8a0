"""What a reader of interferograms finds: one value per interferogram, with the geometry that it was seen under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

from dask_jobs.scenes import Container, Dropped, Raster, Scale
from infra.grid import Grid

PHASE, COHERENCE, COMPONENTS = "unwrapped_phase", "coherence", "connected_components"
LAYERS = (PHASE, COHERENCE, COMPONENTS)  # of an interferogram; the last only where the product has it
SIGHT_ELEVATION, SIGHT_ORIENTATION = "lv_theta", "lv_phi"
GEOMETRY = ("height", SIGHT_ELEVATION, SIGHT_ORIENTATION, "water_mask")  # files of the geometry
SENTINEL1_WAVELENGTH = 299_792_458.0 / 5.405e9  # m

Processor = Literal["gamma", "isce-burst", "isce-multi-burst"]


@dataclass(frozen=True, kw_only=True)
class Sensing:
    """How an interferogram was taken and made: what its metadata file says, typed.

    Attributes
    ----------
    processor : of HyP3
    platform : of the reference ("S1A"); None where no granule is named
    mode, swaths : "IW", "123": which sub-swaths the product may hold ("2" of a burst in IW2)
    polarization : "VV"
    pass_direction : "ascending" or "descending"
    relative_orbit, absolute_orbit : of the reference; None where unknown
    reference_granule, secondary_granule : names; "" where the file has none
    range_looks, azimuth_looks : numbers of looks, before which range pixels are 2.3 m and azimuth pixels 14.1 m
    earth_radius, spacecraft_height, slant_range_near : m
    heading : degrees clockwise from north, as in the file
    centre_seconds : time of day of the centre line, seconds since 00:00 UTC
    unwrapping : method ("mcf", "snaphu_mcf")
    wavelength : m
    """

    processor: Processor
    platform: str | None
    mode: str
    swaths: str
    polarization: str
    pass_direction: str | None
    relative_orbit: int | None
    absolute_orbit: int | None
    reference_granule: str
    secondary_granule: str
    range_looks: int
    azimuth_looks: int
    earth_radius: float
    spacecraft_height: float
    slant_range_near: float
    heading: float
    centre_seconds: float
    unwrapping: str
    wavelength: float = SENTINEL1_WAVELENGTH


@dataclass(frozen=True, kw_only=True)
class Interferogram:
    """One unwrapped interferogram as it lies on disk.

    Attributes
    ----------
    id : the same for two products of one pair of acquisitions on one place ("20180106_20180118", and for bursts their ids)
    release : what tells products of one pair apart (the product's id and its processing time)
    product : name of the product
    reference, secondary : starts of sensing, UTC; the reference is the earlier
    grid : of all its rasters
    rasters : layer ("unwrapped_phase", "coherence", "connected_components") to raster, as stored: radians, 0 is no data;
        0 to 1; labels, 0 is none
    geometry : "height" (m), "lv_theta", "lv_phi" (radians), "water_mask" (1 land, 0 water) to raster; of the one
        interferogram of a stack whose geometry is used, of the others none
    perpendicular_baseline : m
    size : bytes of the rasters
    fingerprint : content hash or ETag over the rasters; never path or time
    geometry_fingerprint : the same over the geometry's rasters
    """

    id: str
    release: str
    product: str
    reference: datetime
    secondary: datetime
    grid: Grid
    rasters: Mapping[str, Raster]
    geometry: Mapping[str, Raster]
    perpendicular_baseline: float
    sensing: Sensing
    size: int = 0
    fingerprint: str = ""
    geometry_fingerprint: str = ""

    @property
    def dates(self) -> tuple[date, date]:
        """Days of reference and secondary, UTC."""
        return self.reference.date(), self.secondary.date()

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` restores the interferogram."""
        return {
            **asdict(self),
            "reference": self.reference.isoformat(),
            "secondary": self.secondary.isoformat(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Interferogram:
        """Interferogram from what `to_json` gave."""
        return cls(
            **{
                **value,
                "reference": datetime.fromisoformat(value["reference"]),
                "secondary": datetime.fromisoformat(value["secondary"]),
                "grid": Grid(**value["grid"]),
                "rasters": {name: _raster(one) for name, one in value["rasters"].items()},
                "geometry": {name: _raster(one) for name, one in value["geometry"].items()},
                "sensing": Sensing(**value["sensing"]),
            }
        )


def _raster(value: Mapping[str, Any]) -> Raster:
    return Raster(**{**value, "container": Container(value["container"]), "scale": Scale(value["scale"])})


@dataclass(frozen=True, kw_only=True)
class FoundInterferograms:
    """What a reader found: interferograms ordered by dates, then by id; and what was left out."""

    interferograms: tuple[Interferogram, ...]
    dropped: tuple[Dropped, ...] = ()
