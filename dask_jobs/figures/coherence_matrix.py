"""Dates by dates: the mean coherence of each pair below the diagonal, whether it is kept above it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.figures.displacement_shades import pairs_shade
from dask_jobs.figures.map import EDGE, Heading, heading_height, write_heading
from dask_jobs.figures.map_marks import colour_bar
from dask_jobs.figures.network import KnownNetwork
from dask_jobs.figures.style import LINES, NO_DATA, QUIET, Sheet, say_no_data

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SIDE, LEFT, BELOW, COLUMN = 6.0, 1.0, 1.0, 1.4  # inches: of the matrix; for its labels; of legend and colour bar
LABEL = 0.19  # inches from date to date at least: their letters are 8 points high
KEPT, DROPPED, SAME = LINES[1], LINES[2], "#d9d9d9"  # the diagonal is neither
BAR_LENGTH = 2.6  # inches


def draw_coherence_matrix(network: KnownNetwork, *, heading: Heading) -> Sheet:
    """Matrix of all dates: row and column are the dates of a pair, white where there is no such pair."""
    width = LEFT + SIDE + 0.15 + COLUMN
    top = EDGE + heading_height(heading, width=width)
    sheet = Sheet(width + 2 * EDGE, top + SIDE + BELOW + EDGE)
    write_heading(sheet, heading)
    axes = sheet.axes(EDGE + LEFT, top, SIDE, SIDE)
    if not len(network.pairs):
        axes.set_xticks([])
        axes.set_yticks([])
        say_no_data(axes, width=SIDE, height=SIDE)
        return sheet
    shade = pairs_shade(network.coherence, label="mean coherence,\nbelow the diagonal")
    import matplotlib as mpl

    colours = mpl.colormaps[shade.colours].with_extremes(bad=(1, 1, 1, 0))
    coherence = axes.imshow(coherence_below(network), cmap=colours, vmin=shade.low, vmax=shade.high, zorder=2)
    axes.imshow(_states(network), zorder=1)
    _label(axes, network)
    beside = EDGE + LEFT + SIDE + 0.15
    colour_bar(sheet, coherence, shade, left=beside, top=top, length=BAR_LENGTH, upright=True)
    sheet.figure.legend(
        handles=_key(network),
        loc="upper left",
        bbox_to_anchor=(beside / sheet.width, 1 - (top + BAR_LENGTH + 0.3) / sheet.height),
        borderaxespad=0,
        borderpad=0,
        handlelength=1.0,
    )
    return sheet


def coherence_below(network: KnownNetwork) -> np.ndarray:
    """Mean coherence at row secondary, column reference; dims (time, time), NaN elsewhere."""
    number = len(network.dates)
    found = np.full((number, number), np.nan)
    found[network.pairs.second, network.pairs.first] = network.coherence
    return found


def _states(network: KnownNetwork) -> np.ndarray:
    """Colours of everything but coherence, dims (time, time, 3)."""
    from matplotlib.colors import to_rgb

    number = len(network.dates)
    found = np.ones((number, number, 3))
    found[np.arange(number), np.arange(number)] = to_rgb(SAME)
    first, second, kept = network.pairs.first, network.pairs.second, np.asarray(network.kept, dtype=bool)
    found[second, first] = to_rgb(NO_DATA)  # covered where the coherence is known
    found[first[kept], second[kept]] = to_rgb(KEPT)
    found[first[~kept], second[~kept]] = to_rgb(DROPPED)
    return found


def _label(axes: Axes, network: KnownNetwork) -> None:
    """Dates at both axes, as many as stand apart."""
    number = len(network.dates)
    every = max(1, math.ceil(LABEL * number / SIDE))
    places = list(range(0, number, every))
    names = [f"{network.dates[place]:%Y-%m-%d}" for place in places]
    axes.set_xticks(places, names, rotation=90)
    axes.set_yticks(places, names)
    axes.tick_params(length=2.5)


def _key(network: KnownNetwork) -> list[Artist]:
    """What the flat colours mean, of those that occur."""
    from matplotlib.patches import Patch

    kept = np.asarray(network.kept, dtype=bool)
    named = [
        (kept.any(), KEPT, "kept pair"),
        ((~kept).any(), DROPPED, "dropped pair"),
        (np.isnan(network.coherence).any(), NO_DATA, "coherence\nunknown"),
        (True, "white", "no such pair"),
    ]
    return [Patch(facecolor=colour, edgecolor=QUIET, linewidth=0.5, label=name) for some, colour, name in named if some]
