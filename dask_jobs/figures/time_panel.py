"""One panel over time with a column at its right for legend and colour bar: the frame of all figures of dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.figures.map import EDGE, Heading, heading_height, write_heading
from dask_jobs.figures.series import time_axis
from dask_jobs.figures.style import LINES, SMALL, Sheet, say_no_data, wrapped

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

PANEL = (6.6, 3.4)  # inches
LEFT, LEGEND, FOOT = 0.85, 1.9, 0.55  # inches: labels at the left; the column at the right; labels of dates
ROW = 0.185  # inches: a legend's line
EXCLUDED, REFERENCE = LINES[2], LINES[3]  # colours of dates that are left out, and of the reference date


@dataclass(frozen=True, kw_only=True)
class TimePanel:
    """A sheet with one panel.

    Attributes
    ----------
    axes : of the panel, time along x
    beside : left and top of the column at its right, inches
    """

    sheet: Sheet
    axes: Axes
    beside: tuple[float, float]

    def say_no_data(self) -> None:
        """Write "no data" instead of what would be drawn."""
        say_no_data(self.axes, width=PANEL[0], height=PANEL[1])
        self.axes.set_yticks([])

    def legend(self, handles: Sequence[Artist], *, below: float = 0.0) -> None:
        """Legend of what has a label, in the column at the right, `below` inches under its top."""
        if not handles:
            return
        self.sheet.figure.legend(
            handles=list(handles),
            loc="upper left",
            bbox_to_anchor=(self.beside[0] / self.sheet.width, 1 - (self.beside[1] + below) / self.sheet.height),
            borderaxespad=0,
            borderpad=0,
            handlelength=1.8,
        )


def time_panel(times: np.ndarray, *, heading: Heading, lines: int = 0) -> TimePanel:
    """Sheet with an empty panel.

    Parameters
    ----------
    times : dims (time,), datetime64; the panel spans them
    lines : of the legend: the sheet is as high as it needs
    """
    width = LEFT + PANEL[0] + 0.15 + LEGEND
    top = EDGE + heading_height(heading, width=width)
    sheet = Sheet(width + 2 * EDGE, top + max(PANEL[1] + FOOT, ROW * lines) + EDGE)
    write_heading(sheet, heading)
    axes = sheet.axes(EDGE + LEFT, top, *PANEL)
    axes.grid(visible=True)
    if times.size:
        time_axis(axes, times)
    else:
        axes.set_xticks([])
    return TimePanel(sheet=sheet, axes=axes, beside=(EDGE + LEFT + PANEL[0] + 0.15, top))


def in_column(name: str) -> str:
    """A name in lines that fit into the legend's column."""
    return wrapped(name, width=LEGEND - 0.45, size=SMALL)


def line_count(names: Sequence[str]) -> int:
    """Lines of a legend."""
    return sum(name.count("\n") + 1 for name in names)


def bar_points(times: np.ndarray, *, most: float) -> float:
    """Width of a date's bar in points: two thirds of the usual step between dates on the panel, `most` at most."""
    if len(times) < 2 or times.min() == times.max():
        return most
    share = float(np.median(np.diff(np.sort(times))) / (times.max() - times.min()))
    return min(most, max(0.8, 72 * PANEL[0] * share * 2 / 3))


def as_times(days: Sequence[date]) -> np.ndarray:
    """Days as matplotlib and NumPy take them, dims (time,), datetime64."""
    return np.array(days, dtype="datetime64[s]")


def dates_look(colour: str, *, hollow: bool = False, marker: str = "o") -> dict[str, Any]:
    """How the markers of dates look: filled with a white rim, or hollow."""
    if hollow:
        return {"linestyle": "none", "marker": marker, "color": colour, "markerfacecolor": "white", "markersize": 6.5, "markeredgewidth": 1.4}  # fmt: skip
    return {"linestyle": "none", "marker": marker, "color": colour, "markeredgecolor": "white", "markersize": 6}
