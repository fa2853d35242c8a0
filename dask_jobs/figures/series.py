"""Backscatter of the area and its zones over time, in power and in dB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.figures.map import EDGE, Heading, heading_height, write_heading
from dask_jobs.figures.style import QUIET, SMALL, Sheet, line_look, say_no_data, wrapped

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

PANEL = (6.2, 2.2)  # inches
LEFT, LEGEND, FOOT = 0.85, 1.9, 0.6  # inches: labels at the left; legend; date labels and the note below
MOST, FEW = 30, 5  # lines in one figure; and with their smooth curves: more of them hide one another
ERRORS = "Bars: standard error of the mean, std / \u221an, with n pixels taken as independent."


def draw_series(table: pd.DataFrame, *, quantity: str, heading: Heading) -> Sheet:
    """Time series of one polarization.

    Parameters
    ----------
    table : as `dask_jobs.statistics.time_series` writes it; `smoothed_db` is drawn where it is there
    quantity : what the axes are called ("VV γ⁰")
    """
    zones = list(dict.fromkeys(table["zone"]))
    about = [heading.about]
    if len(zones) > MOST:
        about.append(f"the first {MOST} of {len(zones)} zones; the table has them all")
    heading = Heading(title=heading.title, about="\n".join(words for words in about if words))
    names = [wrapped(str(zone), width=LEGEND - 0.5, size=SMALL) for zone in zones[:MOST]]
    lines = sum(name.count("\n") + 1 for name in names) + ("smoothed_db" in table)
    width = LEFT + PANEL[0] + 0.15 + LEGEND
    top = EDGE + heading_height(heading, width=width)
    high = max(2 * PANEL[1] + 0.15, 0.175 * lines)
    sheet = Sheet(width + 2 * EDGE, top + high + FOOT + EDGE)
    write_heading(sheet, heading)
    power = sheet.axes(EDGE + LEFT, top, *PANEL)
    decibel = sheet.axes(EDGE + LEFT, top + PANEL[1] + 0.15, *PANEL)
    handles = draw_lines(power, decibel, table, zones=zones[:MOST])
    power.set_ylabel(f"mean {quantity}\n(linear power)")
    decibel.set_ylabel(f"mean {quantity} (dB)")
    power.tick_params(labelbottom=False)
    sheet.text(EDGE + LEFT, top + 2 * PANEL[1] + 0.15 + 0.4, ERRORS, size=SMALL, color=QUIET)
    at = (EDGE + LEFT + PANEL[0] + 0.15) / sheet.width, 1 - top / sheet.height
    found = sheet.figure.legend(
        handles,
        [*names, "smoothed" if len(zones) <= FEW else f"{zones[0]}, smoothed"][: len(handles)],
        loc="upper left",
        bbox_to_anchor=at,
    )
    found.set_in_layout(False)
    return sheet


def draw_lines(power: Axes, decibel: Axes, table: pd.DataFrame, *, zones: Sequence[str]) -> list[Artist]:
    """Lines of the zones into both axes, whose time axes become alike; handles for a legend."""
    handles: list[Any] = []
    for index, zone in enumerate(zones):
        rows = table[table["zone"] == zone]
        handles.append(_line(power, decibel, rows, look=line_look(index)))
    smoothed = _smoothed(decibel, table, zones=zones)
    for axes in (power, decibel):
        axes.grid(visible=True)
        time_axis(axes, _times(table))
        if not np.isfinite(table["mean_power"].to_numpy(dtype=float)).any():
            say_no_data(axes, width=PANEL[0], height=PANEL[1])
            axes.set_yticks([])
    return [*handles, *smoothed]


def _line(power: Axes, decibel: Axes, rows: pd.DataFrame, *, look: dict[str, Any]) -> Artist:
    """One zone; dates without data leave a gap."""
    times, mean, error = _times(rows), _column(rows, "mean_power"), _column(rows, "standard_error")
    made: Any = power.errorbar(times, mean, yerr=error, elinewidth=0.8, **look)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.where(mean > 0, 10 * np.log10(mean), np.nan)
        # where the bar reaches down to zero power it has no lower end in dB: it is drawn as long as the upper one
        upper = 10 * np.log10(mean + error) - middle
        lower = np.where(mean > error, middle - 10 * np.log10(np.maximum(mean - error, 1e-30)), upper)
    decibel.errorbar(times, middle, yerr=np.stack([lower, upper]), elinewidth=0.8, **look)
    line: Artist = made[0]
    return line


def _smoothed(decibel: Axes, table: pd.DataFrame, *, zones: Sequence[str]) -> list[Artist]:
    if "smoothed_db" not in table:
        return []
    lines: list[Any] = []
    shown = zones if len(zones) <= FEW else zones[:1]
    for index, zone in enumerate(shown):
        rows = table[table["zone"] == zone]
        smoothed = _column(rows, "smoothed_db")
        if np.isfinite(smoothed).any():
            lines += decibel.plot(_times(rows), smoothed, color=line_look(index)["color"], linestyle=(0, (5, 2)))
    return lines[:1]


def time_axis(axes: Axes, times: np.ndarray) -> None:
    """Dates along x with labels that keep their distance; one date stands in the middle of a month."""
    import matplotlib.dates

    dates: Any = matplotlib.dates  # has no types
    first, last = times.min(), times.max()
    if first == last:
        axes.set_xlim(first - np.timedelta64(15, "D"), first + np.timedelta64(15, "D"))
        axes.set_xticks([first])
        axes.xaxis.set_major_formatter(dates.DateFormatter("%Y-%m-%d"))
        return
    room = (last - first) * 3 // 100
    axes.set_xlim(first - room, last + room)
    locator = dates.AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


def _times(rows: pd.DataFrame) -> np.ndarray:
    return np.asarray(rows["date"].to_numpy(dtype="datetime64[s]"))


def _column(rows: pd.DataFrame, name: str) -> np.ndarray:
    return np.asarray(rows[name].to_numpy(dtype=float))
