"""The network of pairs: perpendicular baselines over time, and what is known of the pairs of each date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from dask_jobs.figures.displacement_shades import pairs_shade, span_of
from dask_jobs.figures.map import Heading
from dask_jobs.figures.map_marks import colour_bar
from dask_jobs.figures.style import INK, NO_DATA, QUIET, Sheet
from dask_jobs.figures.time_panel import (
    EXCLUDED,
    REFERENCE,
    TimePanel,
    as_times,
    bar_points,
    dates_look,
    in_column,
    time_panel,
)
from dask_jobs.sbas.pairs import Pairs
from infra.errors import InputError

if TYPE_CHECKING:
    from matplotlib.artist import Artist

DROPPED, FAINT = "#8c8c8c", "#a9bfd6"
PAPER = "#e4e4e4"  # behind lines in the colours of coherence, whose brightest are pale on white
BAR_LENGTH = 1.9  # inches


@dataclass(frozen=True, kw_only=True)
class KnownNetwork:
    """Pairs and what is known of them.

    Attributes
    ----------
    kept : dims (pair,), bool; the others are dropped
    coherence : dims (pair,), mean coherence of each pair, 0 to 1; NaN unknown
    baseline : dims (time,), perpendicular baseline of each of `pairs.dates`, m; NaN unknown
    excluded : dates that are left out of what is estimated
    reference_date : on which displacement is 0
    """

    pairs: Pairs
    kept: np.ndarray
    coherence: np.ndarray
    baseline: np.ndarray
    excluded: frozenset[date] = frozenset()
    reference_date: date | None = None

    def __post_init__(self) -> None:
        for name, wanted in (("kept", len(self.pairs)), ("coherence", len(self.pairs)), ("baseline", len(self.dates))):
            found = np.shape(getattr(self, name))
            if found != (wanted,):
                raise InputError(f"{name} of a network has the shape {found}, not ({wanted},)", "Give one value each.")

    @property
    def dates(self) -> tuple[date, ...]:
        """Of the pairs, ascending."""
        return self.pairs.dates

    @property
    def left_out(self) -> np.ndarray:
        """Whether each date is excluded, dims (time,), bool."""
        return np.array([day in self.excluded for day in self.dates], dtype=bool)

    def coherence_of_dates(self) -> np.ndarray:
        """Least, mean and greatest coherence of the kept pairs of each date, dims (3, time); NaN where there is none."""
        found = np.full((3, len(self.dates)), np.nan)
        known = self.kept & np.isfinite(self.coherence)
        for number in range(len(self.dates)):
            values = self.coherence[known & ((self.pairs.first == number) | (self.pairs.second == number))]
            if values.size:
                found[:, number] = values.min(), values.mean(), values.max()
        return found


def draw_network(network: KnownNetwork, *, heading: Heading) -> Sheet:
    """Perpendicular baseline against time: kept pairs in the colour of their coherence, dropped ones dashed."""
    panel = time_panel(as_times(network.dates), heading=heading.with_more(_counted(network)))
    panel.axes.set_ylabel("perpendicular baseline (m)")
    if not np.isfinite(network.baseline).any():
        panel.say_no_data()
        return panel.sheet
    panel.axes.set_facecolor(PAPER)
    panel.axes.grid(visible=True, color="white")
    handles = [*_lines(panel, network), *_dates(panel, network, network.baseline)]
    panel.axes.margins(y=0.07)
    panel.legend(handles, below=BAR_LENGTH + 0.25)
    return panel.sheet


def draw_baselines(network: KnownNetwork, *, heading: Heading) -> Sheet:
    """Perpendicular baseline of each date."""
    panel = time_panel(as_times(network.dates), heading=heading)
    panel.axes.set_ylabel("perpendicular baseline (m)")
    if not np.isfinite(network.baseline).any():
        panel.say_no_data()
        return panel.sheet
    panel.axes.axhline(0.0, color=QUIET, linewidth=0.8)
    panel.axes.plot(as_times(network.dates), network.baseline, color=FAINT, linewidth=1.0)
    panel.legend(_dates(panel, network, network.baseline))
    return panel.sheet


def draw_coherences(network: KnownNetwork, *, heading: Heading) -> Sheet:
    """Least, mean and greatest coherence of the kept pairs of each date."""
    times = as_times(network.dates)
    low, mean, high = network.coherence_of_dates()
    panel = time_panel(times, heading=heading)
    panel.axes.set_ylabel("mean coherence of pairs")
    if not np.isfinite(mean).any():
        panel.say_no_data()
        return panel.sheet
    bottom, top = span_of(np.concatenate([low, high]))
    panel.axes.set_ylim(bottom, top)
    alone = ~np.isfinite(mean)
    width = bar_points(times, most=7.0)
    spans = panel.axes.vlines(times[~alone], low[~alone], high[~alone], colors=FAINT, linewidths=width)
    spans.set_label(in_column("least to greatest of the date's kept pairs"))
    handles: list[Artist] = [spans, *_dates(panel, network, mean, name="mean")]
    if alone.any():
        handles += panel.axes.plot(
            times[alone],
            np.full(alone.sum(), bottom),
            label="no kept pair",
            clip_on=False,
            **dates_look(DROPPED, marker="X"),
        )
    panel.legend(handles)
    return panel.sheet


def _lines(panel: TimePanel, network: KnownNetwork) -> list[Artist]:
    """Pairs, and the colour bar of those that are kept; what the legend needs."""
    import matplotlib as mpl
    import matplotlib.dates
    from matplotlib.collections import LineCollection

    dates: Any = matplotlib.dates  # has no types
    points = np.stack([dates.date2num(as_times(network.dates)), network.baseline], axis=-1)
    segments = np.stack([points[network.pairs.first], points[network.pairs.second]], axis=1)
    kept = np.asarray(network.kept, dtype=bool)
    shade = pairs_shade(network.coherence[kept], label="mean coherence")
    colours = mpl.colormaps[shade.colours].with_extremes(bad=NO_DATA)
    # the least coherent lie on top: they are what one looks for
    order = np.flatnonzero(kept)[np.argsort(-np.nan_to_num(network.coherence[kept], nan=-1.0), kind="stable")]
    lines = LineCollection(list(segments[order]), cmap=colours, linewidths=1.6, zorder=3)
    lines.set_array(np.ma.masked_invalid(network.coherence[order]))
    lines.set_clim(shade.low, shade.high)
    panel.axes.add_collection(lines)
    left, top = panel.beside
    colour_bar(panel.sheet, lines, shade, left=left, top=top, length=BAR_LENGTH, upright=True)
    found: list[Artist] = []
    if not kept.all():
        dropped = LineCollection(list(segments[~kept]), colors=DROPPED, linewidths=0.9, linestyles=[(0, (4, 2))])
        dropped.set_label("dropped pair")
        panel.axes.add_collection(dropped)
        found.append(dropped)
    if np.isnan(network.coherence[kept]).any():
        found += panel.axes.plot([], [], color=NO_DATA, linewidth=1.6, label="coherence unknown")
    return found


def _dates(panel: TimePanel, network: KnownNetwork, values: np.ndarray, *, name: str = "date") -> list[Artist]:
    """Dates as points at their values: used, left out, and the reference date; what the legend needs."""
    times, out = as_times(network.dates), network.left_out
    first = np.array([day == network.reference_date for day in network.dates], dtype=bool)
    found: list[Artist] = []
    for some, words, look in (
        (~out & ~first, name, {**dates_look(INK), "markersize": _dot(len(times))}),
        (out & ~first, "excluded date", dates_look(EXCLUDED, hollow=True)),
        (first, f"reference date {network.reference_date}", dates_look(REFERENCE, marker="D")),
    ):
        if some.any():
            found += panel.axes.plot(times[some], values[some], zorder=5, label=in_column(words), **look)
    return found


def _dot(number: int) -> float:
    """Size in points of so many dates' markers: many large ones would hide the pairs."""
    return float(np.clip(6.0 * (60 / max(1, number)) ** 0.5, 3.2, 6.0))


def _counted(network: KnownNetwork) -> str:
    """How many pairs and dates."""
    kept, pairs = int(np.sum(network.kept)), len(network.pairs)
    return f"{kept} of {pairs} pairs kept, {len(network.dates)} dates"
