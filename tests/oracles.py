"""What NumPy and rasterio alone say of files and of stacks: what whole jobs are compared with. Imports nothing of ours."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
from pyproj import Transformer
from shapely import contains_xy, from_wkt, segmentize, transform

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
POWER = ("mean", "std", "cov", "min", "max", "p05", "p50", "p95")
RASTERS = (*POWER, "mean_db", "min_date", "max_date", "count")


@dataclass(frozen=True)
class Cube:
    """Pixels of many dates on one north-up grid: `power` has dims (time, y, x), float32, NaN no data."""

    crs: str
    left: float
    top: float
    step: float
    times: tuple[datetime, ...]
    power: dict[str, np.ndarray]
    _made: dict[str, dict[str, np.ndarray]] = field(default_factory=dict, init=False)

    @property
    def shape(self) -> tuple[int, int]:
        return next(iter(self.power.values())).shape[1:]

    @property
    def x(self) -> np.ndarray:
        return self.left + (np.arange(self.shape[1]) + 0.5) * self.step

    @property
    def y(self) -> np.ndarray:
        return self.top - (np.arange(self.shape[0]) + 0.5) * self.step

    def cut(self, rows: slice, cols: slice) -> Cube:
        top, left = self.top - (rows.start or 0) * self.step, self.left + (cols.start or 0) * self.step
        return replace(self, top=top, left=left, power={n: v[:, rows, cols] for n, v in self.power.items()})

    def within(self, west: float, south: float, east: float, north: float) -> Cube:
        """Pixels whose centre lies in the box after its sides are densified and projected."""
        corners = f"POLYGON (({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}))"
        left, bottom, right, top = projected(corners, self.crs).bounds
        rows = np.flatnonzero((self.y >= bottom) & (self.y <= top))
        cols = np.flatnonzero((self.x >= left) & (self.x <= right))
        return self.cut(slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))

    def inside(self, wkt: str) -> np.ndarray:
        """Whether each pixel's centre lies in the polygon, dims (y, x)."""
        return contains_xy(projected(wkt, self.crs), *np.meshgrid(self.x, self.y))

    def between(self, start: str, end: str) -> Cube:
        """Dates from `start` until before `end`."""
        first, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end))
        kept = [i for i, time in enumerate(self.times) if first <= time < last]
        return replace(
            self, times=tuple(self.times[i] for i in kept), power={n: v[kept] for n, v in self.power.items()}
        )

    def statistics(self, polarization: str) -> dict[str, np.ndarray]:
        """Every raster of `stack-statistics` in double precision, dims (y, x); worked out once."""
        if polarization not in self._made:
            self._made[polarization] = self._statistics(polarization)
        return self._made[polarization]

    def _statistics(self, polarization: str) -> dict[str, np.ndarray]:
        power = self.power[polarization].astype(np.float64)
        days = np.array([(time - EPOCH).days for time in self.times])
        there = ~np.isnan(power)
        count = there.sum(axis=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of pixels without any data: NaN is what is wanted
            made = {
                "mean": np.nanmean(power, axis=0),
                "std": np.nanstd(power, axis=0),
                "min": np.nanmin(power, axis=0),
                "max": np.nanmax(power, axis=0),
                **dict(zip(("p05", "p50", "p95"), percentiles(power, (5, 50, 95)), strict=True)),
            }
            made["cov"] = np.where((count >= 2) & (made["mean"] > 0), made["std"] / made["mean"], np.nan)
            made["mean_db"] = np.where(made["mean"] > 0, 10 * np.log10(made["mean"]), np.nan)
        made["count"] = count
        for name, fill, pick in (("min_date", np.inf, np.argmin), ("max_date", -np.inf, np.argmax)):
            made[name] = np.where(count > 0, days[pick(np.where(there, power, fill), axis=0)], -1)
        return made

    def series(self, polarization: str, zone: str, inside: np.ndarray | None = None) -> pd.DataFrame:
        """Rows of the time series of one zone."""
        where = np.ones(self.shape, dtype=bool) if inside is None else inside
        rows = []
        for time, image in zip(self.times, self.power[polarization].astype(np.float64), strict=True):
            values = image[where]
            values = values[~np.isnan(values)]
            n = values.size
            mean, std, median = (f(values) if n else np.nan for f in (np.mean, np.std, np.median))
            rows.append(
                {
                    "date": f"{time:%Y-%m-%d}",
                    "polarization": polarization,
                    "zone": zone,
                    "mean_power": mean,
                    "mean_db": 10 * np.log10(mean),
                    "median_db": 10 * np.log10(median),
                    "std_power": std,
                    "n_pixels": n,
                    "valid_fraction": n / where.sum() if where.any() else np.nan,
                    "looks": (mean / std) ** 2 if n > 1 else np.nan,
                    "standard_error": std / np.sqrt(n) if n else np.nan,
                }
            )
        made = pd.DataFrame(rows)
        days = np.array([(time - EPOCH) / timedelta(days=1) for time in self.times])
        with np.errstate(invalid="ignore", divide="ignore"):
            smoothed = 10 * np.log10(local_parabola(made["mean_power"].to_numpy(), days, window=90.0))
        made["smoothed_db"] = np.where(np.isinf(smoothed), np.nan, smoothed)
        made["smoothing_days"] = 90.0
        return made


def local_parabola(values: np.ndarray, days: np.ndarray, *, window: float) -> np.ndarray:
    """Parabolas by `np.polyfit` with tricube weights around each day; NaN where a window holds fewer than three values."""
    made = np.full(values.size, np.nan)
    for i, day in enumerate(days):
        away = np.abs(days - day) / (window / 2)
        use = (away < 1) & ~np.isnan(values)
        if use.sum() >= 3:
            weights = np.sqrt((1 - away[use] ** 3) ** 3)  # polyfit squares them
            made[i] = np.polyfit((days[use] - day) / window, values[use], 2, w=weights)[-1]
    return made


def percentiles(power: np.ndarray, wanted: tuple[float, ...]) -> np.ndarray:
    """Dims (percentile, y, x); `nanpercentile` is a thousand times slower, so it gets only what it must."""
    holes = np.isnan(power).any(axis=0)
    made = np.empty((len(wanted), *power.shape[1:]))
    made[:, ~holes] = np.percentile(power[:, ~holes], wanted, axis=0)
    some = holes & ~np.isnan(power).all(axis=0)
    made[:, holes] = np.nan
    made[:, some] = np.nanpercentile(power[:, some], wanted, axis=0)
    return made


def projected(wkt: str, crs: str) -> Any:
    """Polygon in `crs`, its sides densified first."""
    to_crs = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    dense = segmentize(from_wkt(wkt), 1e-3)
    return transform(dense, lambda xy: np.column_stack(to_crs.transform(xy[:, 0], xy[:, 1])))


def read_cube(files: Sequence[Path], *, name: Callable[[Path], tuple[str, datetime]]) -> Cube:
    """Files of one grid; `name` gives polarization and time of each."""
    found: dict[str, dict[datetime, np.ndarray]] = {}
    for file in files:
        polarization, time = name(file)
        with rasterio.open(file) as dataset:
            values = dataset.read(1)
            place = (dataset.crs.to_string(), dataset.transform.c, dataset.transform.f, dataset.transform.a)
        found.setdefault(polarization, {})[time] = values
    times = tuple(sorted(next(iter(found.values()))))
    return Cube(*place, times, {p: np.stack([images[t] for t in times]) for p, images in found.items()})


def opera_name(file: Path) -> tuple[str, datetime]:
    """Polarization and sensing time that an OPERA file name tells."""
    match = re.search(r"_(\d{8}T\d{6})Z_\d{8}T\d{6}Z_S1[A-Z]_30_v[\d.]+_(V[VH])\.tif$", file.name)
    assert match is not None
    return match[2], datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def opera_cube(folder: Path) -> Cube:
    """All dates of one burst."""
    return read_cube(sorted(folder.glob("*_V[VH].tif")), name=opera_name)


def assert_power(got: np.ndarray, expected: np.ndarray, *, what: str = "") -> None:
    """Equal to a millionth, no data in the same places."""
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=0, equal_nan=True, err_msg=what)


def assert_statistics(read: Callable[[str], np.ndarray], cube: Cube, polarization: str) -> None:
    """Every raster, by its name, is what NumPy makes of the cube."""
    for name, expected in cube.statistics(polarization).items():
        got, what = read(name), f"{name} {polarization}"
        if name in {"count", "min_date", "max_date"}:
            assert got.dtype == np.int32, what
            np.testing.assert_array_equal(got, expected, err_msg=what)
        elif name == "mean_db":  # a millionth of power is 4.3e-6 dB
            np.testing.assert_allclose(got, expected, rtol=2e-7, atol=4.3e-6, equal_nan=True, err_msg=what)
        else:
            assert got.dtype == np.float32, what
            # the difference of nearly equal numbers keeps their error, not its own millionth
            atol = 1e-7 * float(np.nanmax(expected)) if name in {"std", "cov"} else 0.0
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=atol, equal_nan=True, err_msg=what)


def assert_series(got: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Every row and column of a time series."""
    order = ["polarization", "zone", "date"]
    got, expected = (frame.sort_values(order).reset_index(drop=True) for frame in (got, expected))
    assert list(got.columns) == list(expected.columns)
    for column in expected:
        if column in {"date", "polarization", "zone", "n_pixels"}:
            assert got[column].tolist() == expected[column].tolist(), column
        else:
            db = 4.3e-6 if column.endswith("_db") else 0.0
            np.testing.assert_allclose(got[column], expected[column], rtol=1e-6, atol=db, err_msg=column)
