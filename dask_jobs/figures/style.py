"""The one style of all figures, and a sheet on which their parts are placed in inches.

matplotlib's object interface only: nothing here knows pyplot, a window or a file of settings in the user's home.
"""

from __future__ import annotations

import math
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

DPI = 150  # of files
TITLE, BODY, SMALL = 11.0, 9.0, 8.0  # points
GREY, VARIATION = (
    "gray",
    "cividis",
)  # colour maps: of backscatter; of everything else (even in lightness, colour-blind safe)
NO_DATA = "#e6cf9f"  # sand: greys have no colour, and cividis is darker or more yellow
INK, QUIET = "#1a1a1a", "#595959"
# Okabe, Ito (2008), Color universal design; without their yellow, which is pale on white. Black is the whole area.
LINES = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("s", "^", "D", "v", "P", "X", "<")  # of zones; the whole area has a dot
EM = {TITLE: 0.70, BODY: 0.62, SMALL: 0.62}  # width of a letter in its size: DejaVu Sans at its widest usual mix
LINE = 1.45 / 72  # inches per point from line to line

STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": BODY,
    "axes.labelsize": BODY,
    "axes.titlesize": BODY,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.grid": False,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.0,
    "errorbar.capsize": 2.0,
    "image.interpolation": "nearest",  # averages are made in power, before: none in dB by the renderer
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a zone may be called "$2"
}

_one_at_a_time = threading.Lock()  # matplotlib's settings are of the process, workers may have several threads


@contextmanager
def styled() -> Iterator[None]:
    """The style while the block runs, whatever the user's matplotlibrc says; one block at a time per process."""
    import matplotlib as mpl

    with _one_at_a_time, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


class Sheet:
    """A white sheet; places are inches from its top left corner, sizes are inches.

    Attributes
    ----------
    figure : with a canvas that draws to memory
    """

    def __init__(self, width: float, height: float, *, dpi: int = DPI) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        # whole and even pixels: video wants them
        pixels = [2 * math.ceil(size * dpi / 2) for size in (width, height)]
        self.width, self.height = pixels[0] / dpi, pixels[1] / dpi
        self.figure: Figure = Figure(figsize=(self.width, self.height), dpi=dpi)
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes in that box."""
        box = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box)

    def blank(self, left: float, top: float, width: float, height: float) -> Axes:
        """A box without frame whose coordinates are inches, x to the right and y down."""
        axes = self.axes(left, top, width, height)
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        return axes

    def text(self, left: float, top: float, words: str, *, size: float = BODY, **more: Any) -> Text:
        """Words whose upper left corner is there."""
        place = {"va": "top", "ha": "left", "linespacing": 1.25, **more}
        return self.figure.text(left / self.width, 1 - top / self.height, words, fontsize=size, **place)


def save_png(sheet: Sheet, path: Path) -> None:
    """Write a sheet; equal sheets give equal bytes: neither date nor version of a program stands in the file."""
    sheet.figure.savefig(path, format="png", dpi=sheet.figure.dpi, metadata={"Software": None})


def wrapped(words: str, *, width: float, size: float = BODY) -> str:
    """Words in lines of at most `width` inches; a single longer word is broken."""
    letters = max(6, int(width / (EM[size] * size / 72)))
    return "\n".join(textwrap.fill(line, letters) for line in words.splitlines())


def lines_height(words: str, *, size: float = BODY) -> float:
    """Height of a text in inches."""
    return (words.count("\n") + 1) * size * LINE if words else 0.0


def signed(text: str) -> str:
    """A number's text with a minus sign that is as wide as a plus."""
    return text.replace("-", "\u2212")


def line_look(index: int) -> dict[str, Any]:
    """Colour and marker of the n-th line: the first is the whole area, in black; no two of the first 43 are alike."""
    if index == 0:
        return {"color": LINES[0], "marker": "o"}
    zone, colours = index - 1, LINES[1:]
    return {"color": colours[zone % len(colours)], "marker": MARKERS[zone % len(MARKERS)]}


def say_no_data(axes: Axes, *, width: float, height: float) -> None:
    """Write "no data" into axes of that size in inches; upright where they are too narrow."""
    narrow = width < 0.8 < height
    axes.text(
        0.5,
        0.5,
        "no data",
        transform=axes.transAxes,
        ha="center",
        va="center",
        rotation=90 if narrow else 0,
        fontsize=BODY if min(width, height) < 1 else TITLE,
        zorder=9,
    )
