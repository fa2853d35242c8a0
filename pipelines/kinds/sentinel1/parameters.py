"""Parameters that the two Sentinel-1 kinds share, and the names of what they make."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from infra.grid import earth_crs
from pipelines.kinds.model import Parameters, Strict, TaskReference, not_in_key

GRD = "COPERNICUS/S1_GRD"
GRD_FLOAT = "COPERNICUS/S1_GRD_FLOAT"
OPERA = "OPERA/RTC/L2_V1/S1"
Collection = Literal["COPERNICUS/S1_GRD_FLOAT", "COPERNICUS/S1_GRD", "OPERA/RTC/L2_V1/S1"]
ORBITS = 175  # relative orbits of a cycle of 12 days
GRD_LOOKS = 4.4  # equivalent number of looks of the IW GRD products of high resolution
NEEDS_LOOKS = ("lee", "gamma_map", "lee_sigma")
Filter = Literal["boxcar", "focal_median", "lee", "refined_lee", "gamma_map", "lee_sigma", "multi_temporal"]
Quantity = Literal["vv_db", "vh_db", "vv", "vh", "ratio_db", "ratio"]
WINDOW, RADIUS = 7, 50.0  # pixels, metres: of a filter that is given none
BUCKET = r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"
REDUCER = re.compile(r"median|mean|stdDev|count|p(0[1-9]|[1-9][0-9])")
REDUCERS = "median, mean, stdDev, count, p01 to p99"


class Speckle(Strict):
    """How speckle is filtered, in power, at the scenes' own pixel spacing."""

    filter: Filter = Field(description="which filter, as docs/speckle.md defines it", examples=["refined_lee"])
    window: int | None = Field(
        None, ge=3, le=31, description="side of the window, pixels, odd, instead of 7; refined_lee has 7 always"
    )
    radius: float | None = Field(None, gt=0, le=1000, description="of the disk of focal_median, metres, instead of 50")
    looks: float | None = Field(
        None,
        gt=0,
        description="equivalent number of looks of a scene; lee, gamma_map and lee_sigma need it "
        "(4.4 for the GRD collections), refined_lee estimates the noise where it is left out",
    )
    sigma: float = Field(0.9, gt=0.3, lt=1.0, description="share of the speckle that lee_sigma averages over")
    strong_db: float = Field(
        5.0, description="power from which lee_sigma may take a pixel for a point target, dB", ge=-30, le=40
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_filter(cls, value: Any) -> Any:
        """What is left out is filled in here, so that saying a default makes no other key."""
        if not isinstance(value, dict):
            return value
        name, default = ("radius", RADIUS) if value.get("filter") == "focal_median" else ("window", WINDOW)
        return value if value.get(name) is not None else {**value, name: default}

    @model_validator(mode="after")
    def _what_the_filter_knows(self) -> Speckle:
        if self.window is not None and self.window % 2 == 0:
            raise ValueError(f"window {self.window} has no middle: it must be odd, e.g. {self.window + 1}")
        if self.filter == "focal_median" and self.window is not None:
            raise ValueError("focal_median takes `radius` in metres, not `window`")
        if self.filter != "focal_median" and self.radius is not None:
            raise ValueError(f"{self.filter} takes `window` in pixels, not `radius`")
        if self.filter == "refined_lee" and self.window not in (None, 7):
            raise ValueError(f"refined_lee is defined on a window of 7 pixels, not {self.window}")
        return self


class ValidRange(Strict):
    """Power outside is no data, in every polarization."""

    min: float | None = Field(None, description="least value that counts", examples=[-30])
    max: float | None = Field(None, description="greatest value that counts", examples=[20])
    units: Literal["power", "dB"] = Field("power", description="of both", examples=["dB"])

    @model_validator(mode="after")
    def _a_range(self) -> ValidRange:
        if self.min is None and self.max is None:
            raise ValueError("give `min`, `max` or both")
        if self.units == "power":
            for name, value in (("min", self.min), ("max", self.max)):
                if value is not None and value < 0:
                    raise ValueError(f"{name}: a power is never negative, and {value:g} is; is it dB? Write units: dB")
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min {self.min:g} is not below max {self.max:g}")
        return self

    @property
    def power(self) -> tuple[float | None, float | None]:
        """`(min, max)` as power, None where open."""
        ends = (self.min, self.max)
        if self.units == "dB":
            return tuple(None if end is None else 10.0 ** (end / 10.0) for end in ends)  # type: ignore[return-value] # two in, two out
        return ends


class BorderNoise(Strict):
    """Low values at the edge of a scene are no data; as low ones that do not touch its edge stay."""

    below_db: float = Field(-25.0, ge=-60, le=0, description="power below which a pixel may be border noise, dB")
    reach: float = Field(2000.0, gt=0, le=20_000, description="how far from the edge it is looked for, metres")


class OutputGrid(Strict):
    """The lattice of the products: corners of pixels fall on multiples of the resolution."""

    crs: str = Field(description="coordinate reference system", examples=["EPSG:32611"])
    resolution: float = Field(gt=0, description="side of a pixel, CRS units", examples=[30])

    @field_validator("crs")
    @classmethod
    def _crs_on_earth(cls, crs: str) -> str:
        return earth_crs(crs)


class Export(Strict):
    """Where Earth Engine puts its files, and how they are cut; nothing that changes a pixel."""

    to: Literal["folder", "cloud-storage", "drive", "asset"] = Field(
        "folder",
        description="folder: Drive, seen as a folder of this machine (SARBATCH_EARTH_ENGINE_FILES); cloud-storage: a bucket; "
        "drive: Drive, left there; asset: Earth Engine's own assets, left there",
    )
    bucket: str | None = Field(None, description="of cloud-storage")
    folder: str = Field("sarbatch", description="of Drive, of the bucket or of the assets")
    tile: int = Field(4096, ge=64, le=32768, multiple_of=64, description="side of an export at most, pixels")
    priority: int = Field(100, ge=0, le=9999, description="of the tasks among those of the project")

    @field_validator("bucket")
    @classmethod
    def _named_as_buckets_are(cls, bucket: str | None) -> str | None:
        if bucket is not None and not re.fullmatch(BUCKET, bucket):
            raise ValueError(
                f"'{bucket}' is no name of a bucket: 3 to 63 small letters, digits, - _ and ., without gs://"
            )
        return bucket

    @field_validator("folder")
    @classmethod
    def _below_its_place(cls, folder: str) -> str:
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", folder, re.ASCII) or {".", ".."} & set(folder.split("/")):
            raise ValueError(f"'{folder}' is no folder: letters, digits, - _ and . with / between, e.g. radar/tiles")
        return folder

    @model_validator(mode="after")
    def _bucket_of_cloud_storage(self) -> Export:
        if (self.to == "cloud-storage") != (self.bucket is not None):
            raise ValueError(
                "cloud-storage needs `bucket`" if self.bucket is None else f"{self.to} has no bucket; cloud-storage has"
            )
        return self


class Sentinel1(Parameters):
    """Parameters of both Sentinel-1 kinds."""

    # Where scenes are found is no part of the key: which ones they are is (their ids, or the stack's key)
    collection: Collection | None = not_in_key(
        GRD_FLOAT,
        description="of Earth Engine: S1_GRD_FLOAT and S1_GRD are sigma nought on the ellipsoid (power, dB), OPERA's RTC is terrain-flattened "
        "gamma nought; with `stack`, none unless it is given",
    )
    stack: Annotated[str | None, TaskReference("backscatter-stack")] = not_in_key(
        None,
        description="name of the backscatter-stack task whose RTC scenes are used on Dask; beside `collection` only where both "
        "are the same product (OPERA)",
    )
    pass_: Literal["ascending", "descending", "both"] = Field("both", alias="pass", description="direction of flight")
    orbits: list[int] | None = Field(
        None, description="relative orbits, 1 to 175, instead of all", examples=[[58, 131]]
    )
    platforms: list[Literal["S1A", "S1B", "S1C", "S1D"]] | None = Field(
        None, description="satellites, instead of all", examples=[["S1A"]]
    )
    polarizations: list[Literal["VV", "VH"]] | None = Field(
        None, description="that a scene must have, instead of those that the quantities need", examples=[["VV", "VH"]]
    )
    incidence_angle: tuple[float, float] | None = Field(
        None,
        description="least and greatest incidence angle that count, degrees; GRD collections alone tell it",
        examples=[[31, 45]],
    )
    border_noise: BorderNoise | None = Field(None, description="mask of the noise at the edges of GRD scenes")
    valid_range: ValidRange | None = Field(None, description="powers that count")
    speckle: Speckle | None = Field(None, description="speckle filter")
    quantities: list[Quantity] = Field(
        ["vv_db", "vh_db", "ratio_db"],
        min_length=1,
        description="vv vh: power; vv_db vh_db: dB; ratio: VV / VH of powers; ratio_db: the same in dB",
    )
    grid: OutputGrid | None = Field(
        None,
        description="of the products, instead of the scenes' own lattice (GRD: the UTM zone of the area's middle, 10 m)",
    )
    export: Export = not_in_key(Export(), description="where Earth Engine puts its files, and how they are cut")

    @field_validator("platforms", "polarizations")
    @classmethod
    def _sorted(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and not value:
            raise ValueError("is empty: leave it out to take all")
        return sorted(set(value)) if value else value

    @field_validator("orbits")
    @classmethod
    def _one_to_175(cls, orbits: list[int] | None) -> list[int] | None:
        if orbits is None:
            return None
        if not orbits:
            raise ValueError("is empty: leave it out to take all")
        for orbit in orbits:
            if not 1 <= orbit <= ORBITS:
                raise ValueError(f"relative orbits are 1 to {ORBITS}, not {orbit}")
        return sorted(set(orbits))

    @field_validator("quantities")
    @classmethod
    def _in_one_order(cls, value: list[str]) -> list[str]:
        """Whatever the order in the job file: the same products have the same key."""
        return [name for name in get_args(Quantity) if name in value]

    @field_validator("incidence_angle")
    @classmethod
    def _angles(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 <= value[0] < value[1] <= 90:
            raise ValueError(f"angles must rise and lie in 0 to 90 degrees, not {value[0]:g} to {value[1]:g}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _some_source(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("collection"):
            return value
        return {**value, "collection": None if value.get("stack") else GRD_FLOAT}

    @model_validator(mode="after")
    def _one_product(self) -> Sentinel1:
        if self.stack and self.collection and self.collection != OPERA:
            raise ValueError(
                f"collection {self.collection} is sigma nought on the ellipsoid and a stack holds RTC scenes: they are never the same "
                f"product; give one of the two, or collection: {OPERA} with a stack of OPERA's scenes"
            )
        if not self.is_grd:
            for name in ("incidence_angle", "border_noise"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name}: is for GRD scenes; RTC scenes have neither its band nor its noise")
        speckle = self.speckle
        if speckle and speckle.filter in NEEDS_LOOKS and speckle.looks is None and not self.is_grd:
            raise ValueError(f"speckle: {speckle.filter} needs `looks`, the equivalent number of looks of a scene")
        if self.polarizations is not None and (lacking := set(self.needed) - set(self.polarizations)):
            raise ValueError(f"quantities need {' and '.join(sorted(lacking))}, which `polarizations` leaves out")
        return self

    @property
    def is_grd(self) -> bool:
        """Whether the source is one of the GRD collections."""
        return self.collection in (GRD, GRD_FLOAT)

    @property
    def needed(self) -> tuple[str, ...]:
        """Polarizations that the quantities are made of."""
        return needed_polarizations(self.quantities)

    @property
    def looks(self) -> float | None:
        """Equivalent number of looks in effect."""
        if self.speckle is None:
            return None
        known = GRD_LOOKS if self.is_grd and self.speckle.filter in NEEDS_LOOKS else None
        return self.speckle.looks or known


def needed_polarizations(quantities: Sequence[str]) -> tuple[str, ...]:
    """Polarizations that quantities are made of, sorted."""
    found: set[str] = set()
    for quantity in quantities:
        name = quantity.removesuffix("_db")
        found |= {"VV", "VH"} if name == "ratio" else {name.upper()}
    return tuple(sorted(found))


def quantity_units(quantity: str) -> str:
    """Units of a quantity: "dB", or "1" for power and ratio."""
    return "dB" if quantity.endswith("_db") else "1"
