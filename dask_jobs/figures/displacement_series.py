"""Displacement over time at chosen points, and the root mean square residual of every date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.figures.displacement_shades import TOWARD
from dask_jobs.figures.map import Heading
from dask_jobs.figures.series import MOST
from dask_jobs.figures.style import INK, QUIET, Sheet, line_look
from dask_jobs.figures.time_panel import (
    EXCLUDED,
    REFERENCE,
    TimePanel,
    as_times,
    bar_points,
    dates_look,
    in_column,
    line_count,
    time_panel,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist

USED = "#6b8fb3"  # bars of dates that are used
FOUND = 2.5  # points: a bar that is to be found among hundreds


def draw_points(table: pd.DataFrame, *, heading: Heading) -> Sheet:
    """Time series of displacement at points, with the function of time that was fitted to each.

    Parameters
    ----------
    table : columns point (name), date, displacement (m, positive toward the satellite; NaN no data), model (m; NaN
        where nothing was fitted), excluded (bool: the date was left out of the fit)
    """
    points = list(dict.fromkeys(table["point"]))
    if len(points) > MOST:
        heading = heading.with_more(f"the first {MOST} of {len(points)} points; the table has them all")
    names = [in_column(str(point)) for point in points[:MOST]]
    panel = time_panel(_times(table), heading=heading, lines=line_count(names) + 2)
    panel.axes.set_ylabel(f"displacement (cm),\n{TOWARD}")
    if not np.isfinite(_column(table, "displacement")).any():
        panel.say_no_data()
        return panel.sheet
    panel.axes.axhline(0.0, color=QUIET, linewidth=0.8)
    handles: list[Artist] = []
    for index, (point, name) in enumerate(zip(points[:MOST], names, strict=True)):
        handles.append(_point(panel, table[table["point"] == point], name=name, look=line_look(index)))
    if np.isfinite(_column(table, "model")).any():
        handles += panel.axes.plot([], [], color=QUIET, label="fitted function")
    if table["excluded"].any():
        handles += panel.axes.plot([], [], label="excluded date", **dates_look(QUIET, hollow=True))
    panel.legend(handles)
    return panel.sheet


def _point(panel: TimePanel, rows: pd.DataFrame, *, name: str, look: dict[str, Any]) -> Artist:
    """One point: its function as a line, dates as markers, hollow where they are excluded."""
    rows = rows.sort_values("date")
    times, centimetres = _times(rows), 100 * _column(rows, "displacement")
    out = rows["excluded"].to_numpy(dtype=bool)
    panel.axes.plot(times, 100 * _column(rows, "model"), color=look["color"], alpha=0.75)
    (made,) = panel.axes.plot(times[~out], centimetres[~out], linestyle="none", label=name, **look)
    panel.axes.plot(times[out], centimetres[out], linestyle="none", markerfacecolor="white", markeredgewidth=1.3, **look)  # fmt: skip
    return made


def draw_rms(
    days: Sequence[date],
    rms: np.ndarray,
    *,
    threshold: float,
    noisy: Sequence[bool] | np.ndarray,
    reference_date: date | None,
    heading: Heading,
) -> Sheet:
    """Root mean square residual of each date, with the threshold above which a date is noisy.

    Parameters
    ----------
    rms : dims (time,), m; NaN where a date has no data
    threshold : m
    noisy : dims (time,), whether a date is left out
    """
    times, values = as_times(days), np.asarray(rms, dtype=float)
    finite = values[np.isfinite(values)]
    scale, unit = (1000.0, "mm") if not finite.size or finite.max() < 0.02 else (100.0, "cm")
    panel = time_panel(times, heading=heading)
    panel.axes.set_ylabel(f"RMS of residual displacement ({unit})")
    if not finite.size:
        panel.say_no_data()
        return panel.sheet
    out = np.asarray(noisy, dtype=bool)
    first = np.array([day == reference_date for day in days], dtype=bool)
    width = bar_points(times, most=9.0)
    handles: list[Artist] = []
    for some, name, colour, thick in (
        (~out & ~first, "date", USED, width),
        (out, "noisy date", EXCLUDED, max(width, FOUND)),
        (first & ~out, f"reference date {reference_date}", REFERENCE, max(width, FOUND)),
    ):
        here = some & np.isfinite(values)
        if here.any():
            bars = panel.axes.vlines(times[here], 0.0, scale * values[here], colors=colour, linewidths=thick)
            bars.set_label(in_column(name))
            handles.append(bars)
    line = panel.axes.axhline(scale * threshold, color=INK, linestyle=(0, (4, 2)))
    line.set_label(in_column(f"threshold {scale * threshold:.3g} {unit}"))
    panel.axes.set_ylim(0.0, 1.06 * scale * max(float(finite.max()), threshold if np.isfinite(threshold) else 0.0))
    panel.legend([*handles, line])
    return panel.sheet


def _times(rows: pd.DataFrame) -> np.ndarray:
    return np.asarray(rows["date"].to_numpy(dtype="datetime64[s]"))


def _column(rows: pd.DataFrame, name: str) -> np.ndarray:
    return np.asarray(rows[name].to_numpy(dtype=float))
