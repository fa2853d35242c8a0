"""What workers do to draw one figure of a stack: read small pictures, counts and the table, draw, upload.

A figure is in the work in progress as it will be published, and its marker says so: whoever goes on after a death
draws what has none.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from dask_jobs.figures.animation import Means, Moment, film, film_with_means
from dask_jobs.figures.bins import Bins
from dask_jobs.figures.film_files import MEDIA, write_film
from dask_jobs.figures.footprints import Outline, draw_footprints
from dask_jobs.figures.histogram import CovLimits, Side, draw_cov, draw_date, power_shade
from dask_jobs.figures.map import Heading, draw_map
from dask_jobs.figures.map_marks import Shade
from dask_jobs.figures.quicklook import Gallery, read_raster
from dask_jobs.figures.series import draw_series
from dask_jobs.figures.style import VARIATION, Sheet, save_png, signed, styled
from infra.errors import SarbatchError
from infra.region import Region
from infra.storage import Location

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

COV_BINS: Bins = (0.0, 5.0, 0.002)
PNG = "image/png"
EMPTY_STRETCH = (-25.0, 0.0)  # dB, where no pixel has data


class FigureTask(NamedTuple):
    """One figure, or one film in several formats.

    Attributes
    ----------
    name : of the product ("map_mean", "image", "animation")
    step : number of the time step that it shows, None for all
    paths : relative to the work in progress, by media type
    """

    name: str
    polarization: str | None
    step: int | None
    paths: tuple[tuple[str, str], ...]

    @property
    def marker(self) -> str:
        """Marker: the figure is where it belongs."""
        return f"drawn/{self.paths[0][1]}"


@dataclass(frozen=True, kw_only=True)
class Studio:
    """What every figure of one stack needs.

    Attributes
    ----------
    gallery : pictures and histograms of the dates
    times : of the time steps, UTC
    parts : work in progress; products at its top
    rasters : path of (polarization, name of the statistic)
    table : path of the time series (Parquet)
    stretch : polarization to limits in dB; None where it has no data at all
    limits : polarization to what limits the coefficient of variation
    quantity : symbol of the backscatter ("γ⁰")
    about : orbit and radiometry, in words
    area, outlines : where the stack is
    frames_per_second : of films
    """

    gallery: Gallery
    times: tuple[datetime, ...]
    parts: Location
    rasters: Mapping[tuple[str, str], str]
    table: str
    stretch: Mapping[str, tuple[float, float] | None]
    limits: Mapping[str, CovLimits]
    quantity: str
    about: str
    area: Region | None
    outlines: tuple[Outline, ...]
    frames_per_second: float

    @property
    def place(self) -> Location:
        """Where markers lie."""
        return self.gallery.place

    @property
    def period(self) -> str:
        """First and last date, and how many."""
        first, last = f"{self.times[0]:%Y-%m-%d}", f"{self.times[-1]:%Y-%m-%d}"
        return f"{first}, one date" if len(self.times) == 1 else f"{first} to {last}, {len(self.times)} dates"

    def said(self, *more: str) -> str:
        """Lines below a title: what is special, then where the data are from."""
        return "\n".join(words for words in (*more, self.about) if words)

    def shade(self, polarization: str) -> Shade:
        """The one stretch of a polarization, in dB."""
        low, high = self.stretch[polarization] or EMPTY_STRETCH
        label = signed(f"{polarization} {self.quantity} (dB), {low:g} to {high:g} dB in all figures")
        return Shade(low=low, high=high, label=label, decibel=True)


def draw_figure(task: FigureTask, *, work: Studio) -> None:
    """On a worker: draw one figure and put it where it belongs.

    Raises
    ------
    SarbatchError
        If it cannot be drawn: which one, and why. There is never an empty picture instead.
    """
    with TemporaryDirectory(prefix="figure-") as folder:
        files = {media: Path(folder) / f"figure.{path.rpartition('.')[2]}" for media, path in task.paths}
        try:
            with styled():
                _drawn(task, work, files)
        except SarbatchError:
            raise
        except Exception as error:
            said = " ".join(part for part in (task.name, task.polarization, _day(task, work)) if part)
            raise SarbatchError(
                f"the figure {said} could not be drawn: {type(error).__name__}: {error}",
                "It is a fault of sarbatch, please report it; `figures: none` makes the other products meanwhile.",
            ) from error
        for media, path in task.paths:
            work.parts.upload(files[media], path)
    work.place.write(task.marker, b"")


def _drawn(task: FigureTask, work: Studio, files: dict[str, Path]) -> None:
    if task.name in SHEETS:
        save_png(SHEETS[task.name](task, work), files[PNG])
        return
    formats = {kind: files[media] for kind, media in MEDIA.items() if media in files}
    write_film(FILMS[task.name](task, work), formats, frames_per_second=work.frames_per_second)


def _day(task: FigureTask, work: Studio) -> str:
    return "" if task.step is None else f"{work.times[task.step]:%Y-%m-%d %H:%M} UTC"


def _polarization(task: FigureTask) -> str:
    if task.polarization is None:
        raise ValueError(f"{task.name} is of a polarization")
    return task.polarization


def _map_mean(task: FigureTask, work: Studio) -> Sheet:
    name = _polarization(task)
    picture, _ = read_raster(work.parts, work.rasters[name, "mean"])
    heading = Heading(title=f"{name}: mean backscatter", about=work.said(work.period))
    return draw_map(picture, shade=work.shade(name), heading=heading).sheet


def _map_cov(task: FigureTask, work: Studio) -> Sheet:
    name = _polarization(task)
    picture, histogram = read_raster(work.parts, work.rasters[name, "cov"], bins=COV_BINS)
    top = histogram.percentile(98) if histogram else None
    high = math.ceil(20 * top) / 20 if top else 1.0
    label = f"std / mean over time, 0 to {high:g}"
    shade = Shade(low=0.0, high=high, label=label, colours=VARIATION, cut="max")
    heading = Heading(title=f"{name}: coefficient of variation", about=work.said(work.period))
    return draw_map(picture, shade=shade, heading=heading).sheet


def _map_count(task: FigureTask, work: Studio) -> Sheet:
    name = _polarization(task)
    picture, _ = read_raster(work.parts, work.rasters[name, "count"])
    high = float(len(work.times))
    shade = Shade(low=0.0, high=high, label="dates with data", colours=VARIATION, cut="neither", whole=True)
    heading = Heading(title=f"{name}: dates with data", about=work.said(work.period))
    return draw_map(picture, shade=shade, heading=heading).sheet


def _image(task: FigureTask, work: Studio) -> Sheet:
    name, step = _polarization(task), task.step or 0
    heading = Heading(title=f"{name}: {_day(task, work)}", about=work.said())
    return draw_map(work.gallery.picture(step, name), shade=work.shade(name), heading=heading).sheet


def _histogram(task: FigureTask, work: Studio) -> Sheet:
    name, step = _polarization(task), task.step or 0
    look, shade = work.gallery.look(step, name), work.shade(name)
    power = power_shade(shade, label=f"{name} {work.quantity} (linear power)")
    sides = (
        Side(shade=power, histogram=look.power, unit=f"{name} {work.quantity} (linear power)"),
        Side(shade=shade, histogram=look.db, unit=f"{name} {work.quantity} (dB)"),
    )
    heading = Heading(title=f"{name}: {_day(task, work)}, in power and in dB", about=work.said())
    return draw_date(work.gallery.picture(step, name), sides, heading=heading)


def _cov_histogram(task: FigureTask, work: Studio) -> Sheet:
    name = _polarization(task)
    _, histogram = read_raster(work.parts, work.rasters[name, "cov"], bins=COV_BINS)
    if histogram is None:
        raise ValueError("no histogram was made")
    heading = Heading(title=f"{name}: coefficient of variation of all pixels", about=work.said(work.period))
    return draw_cov(histogram, limits=work.limits[name], heading=heading)


def _time_series(task: FigureTask, work: Studio) -> Sheet:
    name = _polarization(task)
    heading = Heading(title=f"{name}: mean backscatter over time", about=work.said(work.period))
    return draw_series(_table(work, name), quantity=f"{name} {work.quantity}", heading=heading)


def _footprints(_: FigureTask, work: Studio) -> Sheet:
    heading = Heading(title="Area and scenes", about=work.said(work.period))
    return draw_footprints(work.outlines, area=work.area, heading=heading)


def _animation(task: FigureTask, work: Studio) -> Iterator[np.ndarray]:
    name = _polarization(task)
    return film(_moments(name, work), shade=work.shade(name), about=work.said())


def _animation_means(task: FigureTask, work: Studio) -> Iterator[np.ndarray]:
    name = _polarization(task)
    table = _table(work, name)
    rows = table[table["zone"] == table["zone"].iloc[0]]  # the area comes first
    means = Means(
        times=rows["date"].to_numpy(dtype="datetime64[s]"),
        power=rows["mean_power"].to_numpy(dtype=float),
        label=f"mean {name} {work.quantity} of the area (dB)",
    )
    return film_with_means(_moments(name, work), means, shade=work.shade(name), about=work.said())


def _moments(polarization: str, work: Studio) -> Iterator[Moment]:
    for step, time in enumerate(work.times):
        title = f"{polarization}: {time:%Y-%m-%d %H:%M} UTC"
        yield Moment(title=title, picture=work.gallery.picture(step, polarization))


def _table(work: Studio, polarization: str) -> pd.DataFrame:
    import pandas as pd

    table = pd.read_parquet(io.BytesIO(work.parts.read(work.table)))
    rows: pd.DataFrame = table[table["polarization"] == polarization].reset_index(drop=True)
    return rows


SHEETS: Mapping[str, Callable[[FigureTask, Studio], Sheet]] = {
    "map_mean": _map_mean,
    "map_cov": _map_cov,
    "map_count": _map_count,
    "image": _image,
    "histogram": _histogram,
    "cov_histogram": _cov_histogram,
    "time_series": _time_series,
    "footprints": _footprints,
}
FILMS: Mapping[str, Callable[[FigureTask, Studio], Iterator[np.ndarray]]] = {
    "animation": _animation,
    "animation_means": _animation_means,
}
