"""Radar scenes with known truth, in the form of OPERA RTC-S1 files: for the demo, for tests, for trying a job.

They lie where no forest is (the Gulf of Guinea), carry a burst id that cannot exist (burst 1 belongs to track 1, not
175), version 0.0 and a TIFF tag `SIMULATED`: nobody can take them for data. The landscape does not depend on the seed,
the speckle on nothing else than seed, date, burst, polarization and tile: twelve dates are the first twelve of
thirteen, and any one scene can be made again by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from dask_jobs.landscape import CLEARED, LEVEL_DB, MASK_VALUE, Cover, class_power, footprint, landscape
from infra.errors import InputError
from infra.grid import Grid, Window, union

TRACK = 175  # the last relative orbit of Sentinel-1
SENSED_AT = timedelta(hours=5, minutes=30)
BURST_SECONDS = 2.758  # between neighbouring bursts of one sub-swath
TILE = 512  # pixels, as in OPERA's files
OUTSIDE = 255  # of the mask layer
PIXEL = 30.0  # metres
SIMULATED = "yes: gamma speckle over an invented landscape; no satellite has seen this"

README = """These scenes are SIMULATED. No satellite has seen them.

They follow the naming and layout of OPERA RTC-S1 so that every reader takes them: gamma nought, linear power,
{looks:g} looks, no data is NaN; in the mask 0 is valid, 1 shadow, 2 layover, 3 both, 255 outside.
The burst ids (T175-000001-IW1 and on) do not exist, and the place is open sea.
What is true about them stands in truth.json (class power of every date, the date of the clearing, seed) and
truth_classes.npy, where that is written (class of every pixel of the grid in truth.json).
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """What is true about simulated scenes.

    Attributes
    ----------
    folder : where the scenes are
    looks : equivalent number of looks of the speckle: variance = mean² / looks
    dates : sensing start of the first burst, UTC
    bursts : burst id to its grid, all on one lattice, neighbours overlapping
    clearing_date : first date on which the clearing is bare; None where the dates end before
    power : polarization to mean linear power, dims (date, class code), float64; NaN for code 0
    """

    folder: Path
    seed: int
    looks: float
    dates: tuple[datetime, ...]
    bursts: Mapping[str, Grid]
    clearing_date: datetime | None
    power: Mapping[str, np.ndarray]

    @property
    def grid(self) -> Grid:
        """Grid that covers all bursts; the class map is on it."""
        return union(list(self.bursts.values()))

    @property
    def classes(self) -> np.ndarray:
        """`Cover` of every pixel of `grid`, dims (y, x), uint8."""
        return landscape(self.grid, window=self.grid.full)

    def sensing(self, burst: str, *, date: int) -> datetime:
        """Sensing start of `burst` on date number `date`: neighbours follow within seconds. Whole seconds, UTC."""
        number = list(self.bursts).index(burst)
        return self.dates[date] + timedelta(seconds=round(number * BURST_SECONDS))

    def path(self, burst: str, *, date: int, layer: str) -> Path:
        """File of one burst, date and layer ("VV", "VH" or "mask")."""
        sensed = self.sensing(burst, date=date)
        processed = sensed + timedelta(days=1)
        name = f"OPERA_L2_RTC-S1_{burst}_{sensed:%Y%m%dT%H%M%SZ}_{processed:%Y%m%dT%H%M%SZ}_S1A_30_v0.0_{layer}.tif"
        return self.folder / name

    def mean_power(self, polarization: str, *, date: int) -> np.ndarray:
        """Power without speckle on `grid`, dims (y, x), linear, float64; borders included, where scenes hold NaN."""
        mean: np.ndarray = self.power[polarization][date][self.classes]
        return mean

    def to_json(self) -> dict[str, Any]:
        """Plain values, as in `truth.json`."""
        return {
            "simulated": True,
            "seed": self.seed,
            "looks": self.looks,
            "dates": [d.isoformat() for d in self.dates],
            "clearing_date": self.clearing_date.isoformat() if self.clearing_date else None,
            "grid": self.grid.to_json(),
            "bursts": {name: grid.to_json() for name, grid in self.bursts.items()},
            "overlap": "speckle of neighbouring bursts is independent where they overlap; their mean power is equal",
            "classes": {cover.name.lower(): int(cover) for cover in Cover},
            "power": {
                polarization: {cover.name.lower(): table[:, cover].tolist() for cover in Cover}
                for polarization, table in self.power.items()
            },
        }


def simulate_rtc(
    folder: Path,
    *,
    dates: int = 12,
    size: int = 256,
    looks: float = 4.4,
    bursts: int = 2,
    seed: int = 0,
    start: str = "2024-01-03",
    interval_days: int = 12,
) -> Truth:
    """Truth of the OPERA-like scenes that it writes: VV, VH and mask of each burst and date.

    Forest, a river and a lake, farmland with a yearly cycle, a clearing on the seventh date, a hill with layover and
    shadow, slanted borders of NaN. Neighbouring bursts lie on one lattice, overlap by an eighth of their height, are
    sensed seconds apart, and have independent speckle there, as looks of other parts of the spectrum have.

    Parameters
    ----------
    folder : made if absent; a name that begins with `simulated-` says at once what is in it
    size : height and width of a burst, pixels of 30 m (UTM 31N); at least 32
    looks : equivalent number of looks, above 0; 4.4 is what Sentinel-1 RTC has at 30 m
    seed : of the speckle; equal seeds give equal pixels with one version of NumPy
    start : first date, ISO 8601, UTC

    Raises
    ------
    InputError
        If a number is too small, or `start` is no date.

    References
    ----------
    Speckle: Goodman (1976), doi:10.1364/JOSA.66.001145; intensity of L looks is gamma distributed with shape L.
    """
    truth = _truth(
        Path(folder),
        grids=_bursts(count=bursts, height=size, width=size),
        times=_times(start, dates=dates, interval_days=interval_days),
        looks=looks,
        seed=seed,
        polarizations=("VV", "VH"),
    )
    _write_scenes(truth, layers=("VV", "VH", "mask"), compress=True)
    np.save(truth.folder / "truth_classes.npy", truth.classes)
    return truth


def simulate_scene_stack(
    folder: Path,
    *,
    dates: int = 30,
    height: int = 4096,
    width: int = 4096,
    looks: float = 4.4,
    polarizations: tuple[str, ...] = ("VV",),
    seed: int = 0,
    compress: bool = False,
) -> Truth:
    """Truth of one large burst over many dates, written tile by tile: for benchmarks.

    The landscape and the speckle are those of `simulate_rtc`; no class map is written and there is no mask layer.
    Memory does not grow with height, width or dates. `dates · height · width · 4` bytes per polarization go to disk;
    `compress` deflates them (speckle gains a tenth, at ten times the time).

    Parameters
    ----------
    folder : made if absent
    height, width : pixels of 30 m; at least 32

    Raises
    ------
    InputError
        If a number is too small, or a polarization is neither "VV" nor "VH".
    """
    unknown = sorted(set(polarizations) - set(LEVEL_DB))
    if unknown:
        raise InputError(f"polarization {unknown[0]!r} is not simulated", f"Choose from {', '.join(LEVEL_DB)}.")
    truth = _truth(
        Path(folder),
        grids=_bursts(count=1, height=height, width=width),
        times=_times("2024-01-03", dates=dates, interval_days=12),
        looks=looks,
        seed=seed,
        polarizations=polarizations,
    )
    _write_scenes(truth, layers=polarizations, compress=compress)
    return truth


def _truth(
    folder: Path,
    *,
    grids: dict[str, Grid],
    times: tuple[datetime, ...],
    looks: float,
    seed: int,
    polarizations: tuple[str, ...],
) -> Truth:
    if not looks > 0 or seed < 0:
        raise InputError(
            f"speckle of {looks} looks from seed {seed} cannot be simulated", "Give looks above 0 and a seed from 0 on."
        )
    return Truth(
        folder=folder,
        seed=seed,
        looks=looks,
        dates=times,
        bursts=grids,
        clearing_date=times[CLEARED] if len(times) > CLEARED else None,
        power={p: class_power(p, times=times) for p in polarizations},
    )


def _bursts(*, count: int, height: int, width: int) -> dict[str, Grid]:
    """Burst id to grid: each next one further south by 7/8 of the height and west by a few columns."""
    if count < 1 or min(height, width) < 32:
        raise InputError(
            f"{count} bursts of {height} x {width} pixels cannot be simulated",
            "Give at least one burst of at least 32 x 32 pixels.",
        )
    step, shift = height - height // 8, width // 32
    return {
        f"T{TRACK:03d}-{number + 1:06d}-IW1": Grid(
            crs="EPSG:32631",
            left=180_000.0 + (count - 1 - number) * shift * PIXEL,
            top=300_000.0 - number * step * PIXEL,
            dx=PIXEL,
            dy=PIXEL,
            height=height,
            width=width,
        )
        for number in range(count)
    }


def _times(start: str, *, dates: int, interval_days: int) -> tuple[datetime, ...]:
    if dates < 1 or interval_days < 1:
        raise InputError(f"{dates} dates every {interval_days} days cannot be simulated", "Give at least 1 of each.")
    try:
        first = datetime.fromisoformat(start)
    except ValueError as error:
        raise InputError(f"start is {start!r}, which is no ISO 8601 date", "Write it like 2024-01-03.") from error
    first = first.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC) + SENSED_AT
    return tuple(first + timedelta(days=interval_days * n) for n in range(dates))


def _write_scenes(truth: Truth, *, layers: tuple[str, ...], compress: bool) -> None:
    truth.folder.mkdir(parents=True, exist_ok=True)
    for date in range(len(truth.dates)):
        for burst in truth.bursts:
            for layer in layers:
                _write_layer(truth, burst=burst, date=date, layer=layer, compress=compress)
    (truth.folder / "README.txt").write_text(README.format(looks=truth.looks), encoding="utf-8")
    (truth.folder / "truth.json").write_text(json.dumps(truth.to_json(), indent=1) + "\n", encoding="utf-8")


def _write_layer(truth: Truth, *, burst: str, date: int, layer: str, compress: bool) -> None:
    """One GeoTIFF, tile by tile, under its name only when it is whole."""
    import rasterio

    grid, mask = truth.bursts[burst], layer == "mask"
    target = truth.path(burst, date=date, layer=layer)
    part = target.with_suffix(".part")
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": "uint8" if mask else "float32",
        "nodata": OUTSIDE if mask else np.nan,
        "count": 1,
        "height": grid.height,
        "width": grid.width,
        "crs": grid.crs,
        "transform": grid.affine,
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "compress": "deflate" if compress else "none",
    }
    with rasterio.open(part, "w", **profile) as file:
        file.update_tags(**_tags(truth, burst=burst, date=date))
        for window in _tiles(grid):
            pixels = _mask(truth, burst=burst, window=window)
            if not mask:
                pixels = _speckled(truth, burst=burst, date=date, polarization=layer, window=window)
            file.write(pixels, 1, window=rasterio.windows.Window(window.col, window.row, window.width, window.height))
    part.replace(target)


def _tags(truth: Truth, *, burst: str, date: int) -> dict[str, str]:
    """Tags of OPERA's names, and what tells these files from OPERA's."""
    return {
        "SIMULATED": SIMULATED,
        "LOOKS": f"{truth.looks:g}",
        "SEED": str(truth.seed),
        "BURST_ID": burst,
        "TRACK_NUMBER": str(TRACK),
        "ABSOLUTE_ORBIT_NUMBER": str(72 + TRACK * (date + 1)),  # of track 175, as for Sentinel-1A: (n - 73) mod 175 + 1
        "ORBIT_PASS_DIRECTION": "DESCENDING",
        "LOOK_DIRECTION": "RIGHT",
    }


def _tiles(grid: Grid) -> Iterator[Window]:
    for row in range(0, grid.height, TILE):
        for col in range(0, grid.width, TILE):
            yield Window(row, col, min(TILE, grid.height - row), min(TILE, grid.width - col))


def _cover(truth: Truth, *, burst: str, window: Window) -> np.ndarray:
    """`Cover` of a window of a burst, through the grid of all bursts."""
    at = truth.grid.window_of(truth.bursts[burst].crop(window))
    return landscape(truth.grid, window=at)


def _mask(truth: Truth, *, burst: str, window: Window) -> np.ndarray:
    """Values of OPERA's mask layer, dims (y, x), uint8."""
    value = np.zeros(len(Cover) + 1, dtype=np.uint8)
    for cover, code in MASK_VALUE.items():
        value[cover] = code
    inside = footprint(truth.bursts[burst], window=window)
    return np.where(inside, value[_cover(truth, burst=burst, window=window)], np.uint8(OUTSIDE))


def _speckled(truth: Truth, *, burst: str, date: int, polarization: str, window: Window) -> np.ndarray:
    """Mean power times gamma speckle of mean 1 and variance 1 / looks, dims (y, x), float32; NaN outside."""
    layer = list(LEVEL_DB).index(polarization)
    number = list(truth.bursts).index(burst)
    random = np.random.default_rng([truth.seed, date, number, layer, window.row, window.col])
    speckle = random.standard_gamma(truth.looks, size=(window.height, window.width), dtype=np.float32)
    mean = truth.power[polarization][date].astype(np.float32)[_cover(truth, burst=burst, window=window)]
    pixels: np.ndarray = mean * (speckle / np.float32(truth.looks))
    pixels[~footprint(truth.bursts[burst], window=window)] = np.nan
    return pixels
