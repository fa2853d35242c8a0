"""Which figures a displacement has, and the task that draws one on a worker."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dask_jobs.displacement.displace import Displaced
from dask_jobs.displacement.rasters import masked, reader
from dask_jobs.displacement.tables import Point
from dask_jobs.figures.coherence_matrix import draw_coherence_matrix
from dask_jobs.figures.displacement_dates import displacement_film, draw_dates
from dask_jobs.figures.displacement_maps import draw_kind
from dask_jobs.figures.displacement_series import draw_points, draw_rms
from dask_jobs.figures.displacement_shades import displacement_shade
from dask_jobs.figures.film_files import MEDIA, write_film
from dask_jobs.figures.map import Heading
from dask_jobs.figures.network import KnownNetwork, draw_baselines, draw_coherences, draw_network
from dask_jobs.figures.picture import Averager, Picture
from dask_jobs.figures.places import Place, reference_place
from dask_jobs.figures.quicklook import windows
from dask_jobs.figures.style import Sheet, save_png, styled
from dask_jobs.sbas.residual import NORMAL
from dask_jobs.written import Written
from infra.errors import SarbatchError

if TYPE_CHECKING:
    from infra.storage import Location

PNG = "image/png"
LONGEST = 1000  # pixels of a picture's longer side
FRAMES_PER_SECOND = 4.0
MAPS = {  # figure to the kind of map and the raster that it shows
    "figure_velocity": ("velocity", "velocity"),
    "figure_velocity_std": ("velocity_standard_error", "velocity_std"),
    "figure_temporal_coherence": ("temporal_coherence", "temporal_coherence"),
    "figure_mean_coherence": ("mean_coherence", "mean_coherence"),
    "figure_closure_count": ("closure_count", "closure_count"),
    "figure_dem_error": ("dem_error", "dem_error"),
}
UNMASKED = ("temporal_coherence", "mean_coherence", "closure_count")  # what tells how good pixels are shows all of them


class DrawingTask(NamedTuple):
    """One figure; paths are relative to the work in progress, by media type."""

    name: str
    paths: tuple[tuple[str, str], ...]

    @property
    def marker(self) -> str:
        """Marker: the figure is where it belongs."""
        return f"drawn/{self.paths[0][1]}"


def drawing_tasks(made: Displaced, points: Sequence[Point]) -> list[DrawingTask]:
    """Figures of a displacement; films first, since they take longest."""
    names = ["figure_dates", "figure_network", "figure_baselines", "figure_coherence", "figure_coherence_matrix"]
    names += [name for name in MAPS if name != "figure_dem_error" or made.fits.dem_error is not None]
    names += ["figure_rms"] * (made.dates.rms is not None) + ["figure_points"] * bool(points)
    film = tuple((media, f"figures/animation.{kind}") for kind, media in MEDIA.items())
    stills = [DrawingTask(name, ((PNG, f"figures/{name.removeprefix('figure_')}.png"),)) for name in names]
    return [DrawingTask("animation", film), *stills]


def draw(task: DrawingTask, *, work: Displaced, parts: Location) -> None:
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
                if task.name == "animation":
                    _film(work, files)
                else:
                    save_png(_sheet(task.name, work, parts), files[PNG])
        except SarbatchError:
            raise
        except Exception as error:
            raise SarbatchError(
                f"the figure {task.name} could not be drawn: {type(error).__name__}: {error}",
                "It is a fault of sarbatch, please report it; `figures: false` makes the other products meanwhile.",
            ) from error
        for media, path in task.paths:
            parts.upload(files[media], path)
    work.place.write(task.marker, b"")


def written_drawing(task: DrawingTask, *, parts: Location) -> list[Written]:
    """What the task has drawn."""
    found = []
    for media, path in task.paths:
        entry = parts.stat(path)
        size = entry.size if entry else 0
        found.append(Written(name=task.name, path=path, media_type=media, role="figure", size=size))
    return found


def _sheet(name: str, made: Displaced, parts: Location) -> Sheet:
    if name in MAPS:
        kind, raster = MAPS[name]
        return draw_kind(kind, _picture(made, raster), about=_about(made), places=[_reference(made)])
    if name == "figure_dates":
        return _all_dates(made)
    if name == "figure_rms":
        return _rms(made)
    if name == "figure_points":
        import pandas as pd

        table = pd.read_parquet(io.BytesIO(parts.read("point_series.parquet")))
        table["excluded"] = ~table["fitted"]
        return draw_points(table, heading=Heading(title="Displacement at points", about=_about(made)))
    draw_it, title = NETWORKS[name]
    return draw_it(known_network(made), heading=Heading(title=title, about=_span(made)))


NETWORKS: Mapping[str, tuple[Callable[..., Sheet], str]] = {
    "figure_network": (draw_network, "Network of interferograms"),
    "figure_baselines": (draw_baselines, "Perpendicular baselines"),
    "figure_coherence": (draw_coherences, "Coherence of each date"),
    "figure_coherence_matrix": (draw_coherence_matrix, "Coherence of each pair"),
}


def known_network(made: Displaced) -> KnownNetwork:
    """All pairs of the stack, for figures."""
    pairs, dates = made.work.pairs, made.network.pairs.dates
    kept = np.zeros(len(pairs), dtype=bool)
    kept[list(made.network.kept)] = True
    baselines = dict(zip(dates, made.network.baselines, strict=True))
    left_out: set[date] = {day for day, used in zip(dates, made.dates.used, strict=True) if not used}
    return KnownNetwork(
        pairs=pairs,
        kept=kept,
        coherence=made.coherence,
        baseline=np.array([baselines.get(day, np.nan) for day in pairs.dates]),
        excluded=frozenset(left_out),
        reference_date=dates[made.dates.reference],
    )


def _all_dates(made: Displaced) -> Sheet:
    days = made.network.pairs.dates
    heading = Heading(title="Displacement of each date", about=_about(made))
    shade = displacement_shade(_date_picture(made, step) for step in _sampled(made))
    return draw_dates(days, lambda step: _date_picture(made, step), shade=shade, heading=heading)


def _film(made: Displaced, files: Mapping[str, Path]) -> None:
    days = made.network.pairs.dates
    shade = displacement_shade(_date_picture(made, step) for step in _sampled(made))
    frames = displacement_film(
        days, lambda step: _date_picture(made, step), shade=shade, about=_about(made), places=[_reference(made)]
    )
    formats = {kind: files[media] for kind, media in MEDIA.items() if media in files}
    write_film(frames, formats, frames_per_second=FRAMES_PER_SECOND, colours=str(shade.colours))


def _sampled(made: Displaced) -> list[int]:
    """Dates that the common stretch is taken of, none that is left out: a noisy one would make all others pale."""
    used = np.flatnonzero(made.dates.used)
    return sorted({int(used[round(place)]) for place in np.linspace(0, len(used) - 1, min(len(used), 12))})


def _rms(made: Displaced) -> Sheet:
    days, dates = made.network.pairs.dates, made.dates
    rms = np.full(len(days), np.nan) if dates.rms is None else dates.rms
    known = rms[np.isfinite(rms)]
    return draw_rms(
        days,
        rms,
        threshold=3 * NORMAL * float(np.median(known)) if known.size else float("nan"),
        noisy=dates.noisy,
        reference_date=days[dates.reference],
        heading=Heading(title="Noise of each date", about="residual without a quadratic ramp, over the mask"),
    )


def _date_picture(made: Displaced, step: int) -> Picture:
    return _averaged(made, reader("displacement", step, made))


def _picture(made: Displaced, raster: str) -> Picture:
    read = reader(raster, None, made)
    if raster in UNMASKED or raster == "velocity":
        return _averaged(made, lambda window: _with_nan(read(window)))
    return _averaged(made, lambda window: masked(made, window, read(window)))


def _with_nan(values: np.ndarray) -> np.ndarray:
    """Counts with no data as NaN."""
    if values.dtype.kind == "i":
        return np.where(values < 0, np.nan, values).astype(np.float32)
    return values


def _averaged(made: Displaced, read: Callable[..., np.ndarray]) -> Picture:
    averager = Averager(made.work.grid, longest=LONGEST)
    for window in windows(made.work.grid, chunk=max(made.work.tile)):
        averager.add(window, read(window))
    return averager.picture()


def _reference(made: Displaced) -> Place:
    return reference_place(made.work.grid, row=made.reference.row, col=made.reference.col)


def _span(made: Displaced) -> str:
    days, sensing = made.network.pairs.dates, made.work.recipe.sensing
    track = [f"relative orbit {sensing.relative_orbit}" if sensing.relative_orbit is not None else ""]
    track.append(sensing.pass_direction or "")
    named = " ".join(filter(None, track))
    return f"{days[0]} to {days[-1]}, {len(days)} dates" + (f"; {named}" if named else "")


def _about(made: Displaced) -> str:
    return f"{_span(made)}; relative to {made.network.pairs.dates[made.dates.reference]}"
