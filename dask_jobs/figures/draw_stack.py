"""Figures of a stack and its statistics: which ones, and who draws them. The driver itself draws nothing and sees no pixel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from dask_jobs.figures.draw_figure import PNG, FigureTask, Studio, draw_figure
from dask_jobs.figures.film_files import MEDIA, Format
from dask_jobs.figures.footprints import Outline
from dask_jobs.figures.histogram import CovLimits
from dask_jobs.figures.quicklook import LONGEST, Gallery, Look, look_name, merged_looks, stretch_of, take_look
from dask_jobs.reduction.task_runner import Checkpoint, TaskRunner
from dask_jobs.reduction.work import Reduction, Work, open_work
from dask_jobs.stack.ledger import Ledger, utc
from dask_jobs.written import Written
from infra.errors import InputError
from infra.storage import Location

if TYPE_CHECKING:
    from distributed import Client

VERSION = 1  # of the figures and of what lies in the work in progress
FOLDER = "figures"


@dataclass(frozen=True, kw_only=True)
class FigureChoice:
    """Which figures to draw.

    Attributes
    ----------
    maps : mean, coefficient of variation and count
    dates : ISO dates with an image and a histogram of their own
    animation, animation_means : formats
    stretch_db : limits of the grey scale, dB; None for the 2nd and 98th percentile of all pixels of all dates
    """

    maps: bool = True
    dates: tuple[str, ...] | Literal["first-and-last", "all", "none"] = "first-and-last"
    cov_histogram: bool = True
    time_series: bool = True
    footprints: bool = True
    animation: tuple[Format, ...] = ("gif", "mp4")
    animation_means: tuple[Format, ...] = ("gif", "mp4")
    stretch_db: tuple[float, float] | None = None
    frames_per_second: float = 2.0

    @property
    def looks_at_dates(self) -> bool:
        """Whether any figure needs the pixels of the dates."""
        needed = self.maps and self.stretch_db is None
        return needed or self.dates not in {"none", ()} or bool(self.animation or self.animation_means)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What the figures say of a stack beside its pixels.

    Attributes
    ----------
    quantity : symbol of the backscatter ("γ⁰")
    about : radiometry and orbit, in words
    outlines : of its scenes (`dask_jobs.figures.footprints.outlines_of`)
    """

    quantity: str
    about: str
    outlines: tuple[Outline, ...]


def draw_stack(
    reduction: Reduction,
    written: Sequence[Written],
    *,
    choice: FigureChoice,
    subject: Subject,
    parts: Location,
    client: Client,
    checkpoint: Checkpoint = lambda _phase, _fraction: None,
) -> list[Written]:
    """Draw figures into `parts`.

    Parameters
    ----------
    reduction, written : what was reduced, and what `dask_jobs.reduction.reduce_stack` made of it in `parts`
    client : of the cluster whose workers draw
    checkpoint : called after every task; what it raises stops the drawing, which a later call takes up again

    Returns
    -------
    Rows with role "figure"; paths are relative to `parts`.

    Raises
    ------
    SarbatchError
        If a figure cannot be drawn.
    """
    work, ledger = open_work(reduction, place=parts / "work")
    names = reduction.polarizations or ledger.polarizations
    gallery = _gallery(work, ledger, names=names, choice=choice)
    run = TaskRunner(client=client, work=gallery, checkpoint=checkpoint)
    stretch = dict.fromkeys(names, choice.stretch_db)
    if choice.looks_at_dates:
        items = [(step, name) for name in names for step in range(len(ledger.steps))]
        done = run.done("look")
        todo = [item for item in items if look_name(*item) not in done]
        run.each("look", take_look, todo, of=len(items))
        if choice.stretch_db is None:
            looks: list[Look] = run.gather(merged_looks, names)
            stretch = {name: stretch_of([look]) for name, look in zip(names, looks, strict=True)}
    studio = Studio(
        gallery=gallery,
        times=tuple(utc(step.time) for step in ledger.steps),
        parts=parts,
        rasters={(row.polarization, row.name): row.path for row in written if row.polarization is not None},
        table=next(row.path for row in written if row.name == "time_series" and row.path.endswith(".parquet")),
        stretch=stretch,
        limits=_limits(written, parts=parts, names=names),
        quantity=subject.quantity,
        about=subject.about,
        area=reduction.region,
        outlines=subject.outlines,
        frames_per_second=choice.frames_per_second,
    )
    tasks = _tasks(choice, ledger, names=names, prefix=f"{reduction.group}_" if reduction.group else "")
    run = TaskRunner(client=client, work=studio, checkpoint=checkpoint)
    done = run.done("drawn")
    missing = [t for t in tasks if t.marker not in done or any(parts.stat(path) is None for _, path in t.paths)]
    run.each("figure", draw_figure, missing, of=len(tasks))
    return [row for task in tasks for row in _rows(task, studio, orbit=reduction.group or None)]


def _gallery(work: Work, ledger: Ledger, *, names: Sequence[str], choice: FigureChoice) -> Gallery:
    """Where the pictures lie: a place of its own for exactly this stack and these figures."""
    plan: dict[str, Any] = {
        "version": VERSION,
        "snapshot": work.session.snapshot_id,
        "group": work.group,
        "polarizations": list(names),
        "longest": LONGEST,
        "choice": repr(choice),
    }
    digest = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]
    return Gallery(
        store=work.store,
        session=work.session,
        group=work.group,
        grid=work.grid,
        chunk=ledger.chunk,
        steps=len(ledger.steps),
        place=work.place / f"figures-{digest}",
    )


def _tasks(choice: FigureChoice, ledger: Ledger, *, names: Sequence[str], prefix: str) -> list[FigureTask]:
    """Every figure, in the order in which people look at them."""
    wanted = {
        "map_mean": choice.maps,
        "map_cov": choice.maps,
        "map_count": choice.maps,
        "cov_histogram": choice.cov_histogram,
        "time_series": choice.time_series,
    }
    tasks = []
    for name in names:
        for figure, drawn in wanted.items():
            if drawn:
                tasks.append(_one(figure, name, paths={PNG: f"{prefix}{name}_{figure}.png"}))
        for step in _steps(choice, ledger):
            moment = f"{utc(ledger.steps[step].time):%Y%m%dT%H%M%S}"
            tasks += [
                _one(figure, name, step=step, paths={PNG: f"{prefix}{name}_{moment}_{figure}.png"})
                for figure in ("image", "histogram")
            ]
        for figure, formats in (("animation", choice.animation), ("animation_means", choice.animation_means)):
            if formats:
                paths = {MEDIA[kind]: f"{prefix}{name}_{figure}.{kind}" for kind in formats}
                tasks.append(_one(figure, name, paths=paths))
    if choice.footprints:
        tasks.append(_one("footprints", None, paths={PNG: f"{prefix}footprints.png"}))
    # films take longest: begun last, they would leave every other worker waiting for them
    return sorted(tasks, key=lambda task: not task.name.startswith("animation"))


def _one(name: str, polarization: str | None, *, paths: Mapping[str, str], step: int | None = None) -> FigureTask:
    placed = tuple((media, f"{FOLDER}/{path}") for media, path in paths.items())
    return FigureTask(name, polarization, step, placed)


def _steps(choice: FigureChoice, ledger: Ledger) -> list[int]:
    """Time steps with figures of their own: the first of those whose time is the same to the second."""
    steps = range(len(ledger.steps))
    times = [utc(step.time).replace(microsecond=0) for step in ledger.steps]
    first = [next(group) for _, group in groupby(steps, key=lambda step: times[step])]
    if choice.dates == "all":
        return first
    if choice.dates == "first-and-last":
        return sorted({first[0], first[-1]})
    return [step for step in first if choice.dates != "none" and _days(ledger)[step] in choice.dates]


def _days(ledger: Ledger) -> list[str]:
    return [f"{utc(step.time):%Y-%m-%d}" for step in ledger.steps]


def _limits(written: Sequence[Written], *, parts: Location, names: Sequence[str]) -> dict[str, CovLimits]:
    """Threshold and speckle floor as the statistics have found them."""
    path = next(row.path for row in written if row.name == "cov_summary")
    found: Mapping[str, Any] = parts.read_json(path)["polarizations"]
    return {name: _limit(found[name]) for name in names}


def _limit(cov: Mapping[str, Any]) -> CovLimits:
    threshold = cov["threshold"] or {}
    quantile = threshold.get("quantile")
    looks = f"{cov['looks']:.3g} looks, {cov['looks_source']}" if cov["looks"] is not None else ""
    return CovLimits(
        threshold=threshold.get("value"),
        threshold_words=f"quantile {quantile:g}" if quantile is not None else "",
        upper=threshold.get("upper"),
        floor=cov["speckle_floor"],
        floor_words=looks,
    )


def _rows(task: FigureTask, studio: Studio, *, orbit: str | None) -> list[Written]:
    rows = []
    for media, path in task.paths:
        entry = studio.parts.stat(path)
        if entry is None:
            raise InputError(f"{studio.parts.href(path)} vanished while it was being made", "Leave the work alone.")
        rows.append(
            Written(
                name=task.name,
                path=path,
                media_type=media,
                role="figure",
                size=entry.size,
                polarization=task.polarization,
                date=None if task.step is None else studio.times[task.step].isoformat(),
                orbit=orbit,
            )
        )
    return rows
