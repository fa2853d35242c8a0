"""What a reader finds: scenes, the passes they belong to, and what was left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from infra.grid import Grid


class Container(StrEnum):
    """What kind of file or store holds the pixels."""

    GEOTIFF = "geotiff"
    HDF5 = "hdf5"
    ZARR = "zarr"


class Scale(StrEnum):
    """What the pixel values of a file are; inside sarbatch they are always linear power."""

    POWER = "power"
    AMPLITUDE = "amplitude"
    DB = "db"


@dataclass(frozen=True, kw_only=True)
class Radiometry:
    """What backscatter means in a stack: scenes that differ in any of this are never mixed.

    Attributes
    ----------
    quantity : "gamma0_terrain", "sigma0_ellipsoid", "sigma0_terrain", "beta0" or "unknown"
    speckle_filtered, water_masked : None where the product does not say
    """

    quantity: str = "unknown"
    speckle_filtered: bool | None = None
    water_masked: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Raster:
    """One band of one file.

    Attributes
    ----------
    url : absolute path or s3:// URL; "ARCHIVE.zip!/MEMBER" is a file in an archive
    container : what it is
    dataset : path of the array inside an HDF5 file or Zarr store
    step : index along the first dimension of an array with dims (time, y, x); None where it has dims (y, x)
    band : of a GeoTIFF, 1-based
    south_up : whether the first row of an array is the southernmost
    scale : of the values in the file
    calibration_db : added in dB to reach calibrated power (ALOS digital numbers: amplitude and -83)
    nodata : value that means no data beside NaN, None where the file declares none
    """

    url: str
    container: Container = Container.GEOTIFF
    dataset: str = ""
    step: int | None = None
    band: int = 1
    south_up: bool = False
    scale: Scale = Scale.POWER
    calibration_db: float = 0.0
    nodata: float | None = None


@dataclass(frozen=True, kw_only=True)
class Mask:
    """A layer that says of each pixel what is wrong with it.

    Attributes
    ----------
    raster : unsigned integers
    invalid : values that mean that nothing was measured: always no data
    layers : "layover", "shadow" or "water" to the values that mark it (several may hold for one value)
    """

    raster: Raster
    invalid: tuple[int, ...] = ()
    layers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One acquisition of one piece of ground: a burst, a frame, a file per polarization.

    Attributes
    ----------
    id : the same for two releases of the same acquisition ("T137-292320-IW1_20211119T015859Z")
    release : what tells releases of one scene apart (version and processing time); "" where there is none
    time : start of sensing, UTC
    platform : "S1A"; None where unknown, as are the orbits and the pass
    pass_direction : "ascending" or "descending"
    look_direction : "left" or "right"
    rasters : polarization ("VV") to raster
    mask : None where the product has none
    gain : raster that every power is multiplied by (gamma nought to sigma nought), None for none
    size : bytes of all files
    fingerprint : content hash or ETag over the rasters, mask and gain; never path or time
    """

    id: str
    release: str
    time: datetime
    grid: Grid
    rasters: Mapping[str, Raster]
    mask: Mask | None = None
    gain: Raster | None = None
    radiometry: Radiometry = field(default_factory=Radiometry)
    platform: str | None = None
    absolute_orbit: int | None = None
    relative_orbit: int | None = None
    pass_direction: str | None = None
    look_direction: str | None = None
    size: int = 0
    fingerprint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` restores the scene."""
        return {
            **asdict(self),
            "time": self.time.isoformat(),
            "rasters": {k: asdict(v) for k, v in self.rasters.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Scene:
        """Scene from what `to_json` gave."""
        rasters = {k: _raster(v) for k, v in value["rasters"].items()}
        return cls(
            **{
                **value,
                "time": datetime.fromisoformat(value["time"]),
                "grid": Grid(**value["grid"]),
                "rasters": rasters,
                "mask": _mask(value["mask"]) if value["mask"] else None,
                "gain": _raster(value["gain"]) if value["gain"] else None,
                "radiometry": Radiometry(**value["radiometry"]),
            }
        )


def _raster(value: Mapping[str, Any]) -> Raster:
    return Raster(**{**value, "container": Container(value["container"]), "scale": Scale(value["scale"])})


def _mask(value: Mapping[str, Any]) -> Mask:
    layers = {layer: tuple(codes) for layer, codes in value["layers"].items()}
    return Mask(raster=_raster(value["raster"]), invalid=tuple(value["invalid"]), layers=layers)


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A file or scene that is not used, and why: shown by `plan`, kept in the STAC item."""

    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a reader found: scenes in time order (then by id), and what was left out."""

    scenes: tuple[Scene, ...]
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Scenes of one pass of one platform: one time step of a stack, mosaicked on their lattice.

    `time` is the earliest scene's. Where scenes overlap, the first one in `scenes` (ordered by id) that has
    data at a pixel gives its value.
    """

    time: datetime
    scenes: tuple[Scene, ...]

    @property
    def fingerprint(self) -> tuple[tuple[str, str, int, str], ...]:
        """`(id, release, size, hash)` of each scene: the identity of this time step."""
        return tuple((s.id, s.release, s.size, s.fingerprint) for s in self.scenes)
