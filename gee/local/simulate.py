"""Sentinel-1 GRD scenes that are made up, with their truth: speckle, noise, slices, passes, platforms; numpy alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

Pass = Literal["ASCENDING", "DESCENDING"]
BANDS = ("VV", "VH")
NEAR, FAR = 30.6, 45.9  # degrees, incidence across the IW swath
HOUR = {"ASCENDING": 18.0, "DESCENDING": 6.0}  # local mean solar time
RELATIVE_ORBITS = 175
CYCLE = 12  # days after which a satellite is back
PIXEL = 10.0
ANGLE_PIXEL = 20_000.0  # metres, about what the annotation's grid has
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, kw_only=True)
class Cover:
    """One kind of ground.

    Attributes
    ----------
    vv, vh : sigma nought at 38 degrees, linear power
    slope : dB per degree of incidence
    """

    vv: float
    vh: float
    slope: float = -0.12


COVERS: Mapping[str, Cover] = {
    "water": Cover(vv=0.010, vh=0.0011, slope=-0.6),
    "grass": Cover(vv=0.080, vh=0.016),
    "forest": Cover(vv=0.150, vh=0.040, slope=-0.08),
    "town": Cover(vv=0.500, vh=0.080, slope=-0.05),
}


@dataclass(frozen=True, kw_only=True)
class Orbit:
    """One track over the place.

    Attributes
    ----------
    relative : 1 to 175
    offset : days after the first date
    direction : northwards or southwards; it looks to the right, so the near range is in the west or the east
    """

    relative: int
    direction: Pass
    offset: int = 0


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What is made up.

    Attributes
    ----------
    west, north : metres, corner of the first slice in `crs`
    crs : a UTM zone, "EPSG:326zz" or "EPSG:327zz"
    width, height : pixels of 10 m of one slice
    slices : along the track, each begins `overlap` pixels before the one before it ends
    dates : passes of each orbit, `repeat` days apart
    platforms : letters, in turns
    looks : equivalent number of looks
    correlation : pixels, width of the Gaussian that joins neighbouring speckle; 0 for white speckle
    noise : thermal noise floor, linear power, which is added and not taken off; 0 for none
    border : pixels of weak noise along the edges of the slices, as of products before border noise was removed
    change : date index from which the last quarter of the forest is grass; None for no change
    """

    seed: int = 0
    west: float = 300_000.0
    north: float = 8_000_000.0
    crs: str = "EPSG:32720"
    width: int = 256
    height: int = 256
    slices: int = 2
    overlap: int = 32
    dates: int = 4
    repeat: int = 12
    start: datetime = datetime(2020, 1, 3, tzinfo=UTC)
    orbits: tuple[Orbit, ...] = (
        Orbit(relative=131, direction="ASCENDING"),
        Orbit(relative=58, direction="DESCENDING", offset=5),
    )
    platforms: str = "AB"
    looks: float = 4.4
    correlation: float = 0.0
    noise: float = 0.0016
    border: int = 0
    change: int | None = None
    covers: Mapping[str, Cover] = field(default_factory=lambda: dict(COVERS))

    def __post_init__(self) -> None:
        if not re.fullmatch(r"EPSG:32[67](0[1-9]|[1-5]\d|60)", self.crs):
            raise ValueError(f"crs must be a UTM zone, EPSG:326zz or EPSG:327zz, not {self.crs!r}")
        if not self.looks > 0 or self.correlation < 0 or self.noise < 0:
            raise ValueError("looks must be positive, correlation and noise not negative")
        if not 0 <= self.overlap < self.height or min(self.width, self.slices, self.dates, self.repeat) < 1:
            raise ValueError("sizes must be positive, and overlap less than height")
        if not self.orbits or not self.platforms or not self.covers:
            raise ValueError("orbits, platforms and covers must not be empty")

    @property
    def whole(self) -> tuple[int, int]:
        """Rows and columns of all slices together."""
        return self.slices * (self.height - self.overlap) + self.overlap, self.width


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One slice of one date.

    Attributes
    ----------
    index : as Sentinel-1 products are named, with SIMU where the product's checksum stands
    bands : linear power, dims (y, x), float32, NaN outside the swath
    angle : degrees, on its own grid of 20 km
    transform, angle_transform : of the two grids, as `gee.local.values.Transform`
    """

    index: str
    crs: str
    bands: Mapping[str, np.ndarray]
    transform: tuple[float, ...]
    angle: np.ndarray
    angle_transform: tuple[float, ...]
    properties: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What the scenes were made from.

    Attributes
    ----------
    covers : number of the kind of ground in `names`, dims (date, y, x), over all slices
    power : mean of a band over each kind at 38 degrees, without noise
    """

    names: tuple[str, ...]
    covers: np.ndarray
    power: Mapping[str, Mapping[str, float]]
    settings: Mapping[str, Any]


def truth(plan: Simulation) -> Truth:
    """Ground of every date, and the settings."""
    names = tuple(plan.covers)
    ground = _ground(plan, len(names))
    every = np.repeat(ground[None], plan.dates, axis=0)
    if plan.change is not None and {"forest", "grass"} <= set(names):
        forest = ground == names.index("forest")
        part = forest & (np.cumsum(forest).reshape(forest.shape) > 0.75 * forest.sum())
        every[plan.change :, part] = names.index("grass")
    power = {band: {name: getattr(cover, band.lower()) for name, cover in plan.covers.items()} for band in BANDS}
    settings = {
        "seed": plan.seed,
        "crs": plan.crs,
        "transform": [PIXEL, 0.0, plan.west, 0.0, -PIXEL, plan.north],
        "looks": plan.looks,
        "correlation": plan.correlation,
        "noise": plan.noise,
        "border": plan.border,
        "change": plan.change,
        "slopes_db_per_degree": {name: cover.slope for name, cover in plan.covers.items()},
        "synthetic": True,
    }
    return Truth(names=names, covers=every, power=power, settings=settings)


def scenes(plan: Simulation) -> list[Scene]:
    """Scenes of all orbits, dates and slices, in the order of their times.

    A pixel is gamma speckle on the ground's power at its incidence and the noise; slices of one pass are equal where
    they overlap, but for their borders. The same plan gives the same scenes.
    """
    known = truth(plan)
    found = []
    for number, orbit in enumerate(plan.orbits):
        for date in range(plan.dates):
            found += _pass(plan, known, orbit, number=number, date=date)
    return sorted(found, key=lambda one: one.properties["system:time_start"])


def _pass(plan: Simulation, known: Truth, orbit: Orbit, *, number: int, date: int) -> list[Scene]:
    """Slices of one overflight."""
    rng = np.random.default_rng([plan.seed, number, date])
    angle = incidence(plan, orbit)
    whole = {band: _observed(plan, known, band, date=date, angle=angle, rng=rng) for band in BANDS}
    return [_slice(plan, orbit, whole, rng, date=date, at=at) for at in range(plan.slices)]


def _observed(
    plan: Simulation, known: Truth, band: str, *, date: int, angle: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    ground = known.covers[date]
    power = np.array([known.power[band][name] for name in known.names])[ground]
    slope = np.array([plan.covers[name].slope for name in known.names])[ground]
    mean = power * 10 ** (slope * (angle - 38.0) / 10) + plan.noise
    return np.asarray(mean * speckle(mean.shape, looks=plan.looks, correlation=plan.correlation, rng=rng))


def speckle(shape: tuple[int, int], *, looks: float, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """Gamma speckle of mean 1 and variance 1 / looks, dims (y, x).

    With a correlation, complex Gaussian fields are smoothed by a Gaussian of that width in pixels; then `looks` is rounded
    to whole ones, whose intensities are averaged.
    """
    if correlation == 0:
        return rng.gamma(looks, 1 / looks, shape)
    count = max(round(looks), 1)
    total = np.zeros(shape)
    for _ in range(count):
        field_ = _smooth(rng.standard_normal(shape) + 1j * rng.standard_normal(shape), correlation)
        total += np.abs(field_) ** 2
    return total / (2 * count)


def _smooth(field_: np.ndarray, width: float) -> np.ndarray:
    """Field smoothed by a Gaussian around the edges, its variance kept."""
    spectrum = np.fft.fft2(field_)
    rows, cols = np.meshgrid(*(np.fft.fftfreq(size) for size in field_.shape), indexing="ij")
    response = np.exp(-2 * (np.pi * width) ** 2 * (rows**2 + cols**2))
    return np.asarray(np.fft.ifft2(spectrum * response) / np.sqrt(np.mean(response**2)))


def _ground(plan: Simulation, kinds: int) -> np.ndarray:
    """Patches of the kinds of ground, about equally much of each, dims (y, x)."""
    rng = np.random.default_rng([plan.seed, 10**6])
    height = _smooth(rng.standard_normal(plan.whole).astype(complex), max(min(plan.whole) / 16, 1.0)).real
    ranks = np.argsort(np.argsort(height, axis=None), axis=None).reshape(plan.whole)
    return np.asarray(ranks * kinds // ranks.size)


def incidence(plan: Simulation, orbit: Orbit) -> np.ndarray:
    """Incidence at each pixel in degrees, dims (y, x): from near to far range, to the right of the flight."""
    rows, cols = plan.whole
    across = (np.arange(cols) + 0.5) / cols
    if orbit.direction == "DESCENDING":  # flies south and looks west
        across = 1 - across
    return np.broadcast_to(NEAR + (FAR - NEAR) * across, (rows, cols))


# -- slices -----------------------------------------------------------------------------------------------------------


def _slice(
    plan: Simulation,
    orbit: Orbit,
    whole: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    *,
    date: int,
    at: int,
) -> Scene:
    rows = plan.height - plan.overlap
    first = at * rows
    bands = {}
    for band, values in whole.items():
        part = values[first : first + plan.height].copy()
        if plan.border:
            _weaken_border(part, plan.border, rng)
        bands[band] = part.astype(np.float32)
    north = plan.north - first * PIXEL
    # slices are numbered along the flight: from the south on the way north
    along = plan.slices - 1 - at if orbit.direction == "ASCENDING" else at
    when = _time(plan, orbit, date) + timedelta(seconds=25 * along)
    angle, angle_transform = _angle_grid(plan, orbit, north)
    return Scene(
        index=_name(plan, orbit, when, date),
        crs=plan.crs,
        bands=bands,
        transform=(PIXEL, 0.0, plan.west, 0.0, -PIXEL, north),
        angle=angle,
        angle_transform=angle_transform,
        properties=_properties(plan, orbit, when, date=date, along=along),
    )


def _weaken_border(part: np.ndarray, width: int, rng: np.random.Generator) -> None:
    """Replace what lies along the left and right edges by what is left of noise there: below -30 dB."""
    for edge in (slice(None, width), slice(-width, None)):
        part[:, edge] = 10 ** (rng.uniform(-45, -31, part[:, edge].shape) / 10)


def _angle_grid(plan: Simulation, orbit: Orbit, north: float) -> tuple[np.ndarray, tuple[float, ...]]:
    """Incidence on pixels of about 20 km that cover a slice: at least two each way."""
    wide, high = plan.width * PIXEL, plan.height * PIXEL
    cols, rows = (max(int(np.ceil(side / ANGLE_PIXEL)), 2) for side in (wide, high))
    x, y = wide / cols, high / rows
    across = (np.arange(cols) + 0.5) / cols
    if orbit.direction == "DESCENDING":
        across = 1 - across
    values = np.broadcast_to(NEAR + (FAR - NEAR) * across, (rows, cols)).astype(np.float32)
    return values, (x, 0.0, plan.west, 0.0, -y, north)


def _time(plan: Simulation, orbit: Orbit, date: int) -> datetime:
    """When the satellite passes: 18 or 6 h local solar time."""
    zone = int(plan.crs[-2:])
    longitude = -183 + 6 * zone + (plan.west - 500_000) / METRES_PER_DEGREE
    day = plan.start.replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=orbit.offset + plan.repeat * date, hours=HOUR[orbit.direction] - longitude / 15)


def _platform(plan: Simulation, date: int) -> str:
    return plan.platforms[date % len(plan.platforms)]


def _absolute(plan: Simulation, orbit: Orbit, date: int) -> int:
    """Number of an orbit that fits the relative one: 73 (A) and 27 (B) are the offsets of the numbering."""
    offset = {"A": 73, "B": 27}.get(_platform(plan, date), 0)
    return offset + orbit.relative - 1 + RELATIVE_ORBITS * (100 + date * plan.repeat // CYCLE)


def _name(plan: Simulation, orbit: Orbit, when: datetime, date: int) -> str:
    start, end = (one.strftime("%Y%m%dT%H%M%S") for one in (when, when + timedelta(seconds=25)))
    absolute = _absolute(plan, orbit, date)
    return f"S1{_platform(plan, date)}_IW_GRDH_1SDV_{start}_{end}_{absolute:06d}_{absolute + 4096:06X}_SIMU"


def _properties(plan: Simulation, orbit: Orbit, when: datetime, *, date: int, along: int) -> dict[str, Any]:
    """Properties as the catalogue's S1_GRD has them (section 20), and that it is made up."""
    start = round(when.timestamp() * 1000)
    return {
        "system:time_start": start,
        "system:time_end": start + 25_000,
        "GRD_Post_Processing_software_name": "sarbatch simulation",
        "instrument": "Synthetic Aperture Radar",
        "instrumentMode": "IW",
        "missionDataTakeID": float(_absolute(plan, orbit, date) + 4096),
        "orbitNumber_start": float(_absolute(plan, orbit, date)),
        "orbitProperties_pass": orbit.direction,
        "platform_number": _platform(plan, date),
        "productType": "GRD",
        "relativeOrbitNumber_start": float(orbit.relative),
        "resolution": "H",
        "resolution_meters": 10.0,
        "sliceNumber": float(along + 1),
        "totalSlices": float(plan.slices),
        "synthetic": "true",
        "transmitterReceiverPolarisation": list(BANDS),
    }
