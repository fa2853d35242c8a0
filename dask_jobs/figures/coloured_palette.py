"""The colours of a GIF whose maps are not grey: of its 256 most are those of their colour map."""

from __future__ import annotations

import numpy as np

from dask_jobs.figures.film_files import Palette
from dask_jobs.figures.style import LINES, NO_DATA

GREYS, COLOURED = 48, 180  # of a GIF's 256 colours: letters need few greys, a map many colours
CELL = 4  # of red, green and blue: the nearest colour is looked up by cells of that size; pale ones differ by little


class ColouredPalette(Palette):
    """Greys, evenly chosen colours of a colour map, and what else stands on a map: no data and the lines' colours."""

    def __init__(self, colours: str) -> None:
        import matplotlib as mpl
        from matplotlib.colors import to_rgb

        greys = np.repeat(np.rint(np.linspace(0, 255, GREYS))[:, np.newaxis], 3, axis=1)
        mapped = 255 * mpl.colormaps[colours](np.linspace(0, 1, COLOURED))[:, :3]
        other = 255 * np.array([to_rgb(colour) for colour in (NO_DATA, *LINES[1:])])
        self._table = np.rint(np.concatenate([greys, mapped, other]))
        self._grey = np.rint(np.arange(256) / 255 * (GREYS - 1)).astype(np.uint8)
        steps = np.arange(0, 256, CELL) + CELL // 2
        cells = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
        # |cell - colour|² without what is the same for all colours; all at once would be 250 MB
        half = np.square(self._table).sum(axis=1) / 2
        nearest = [(half - slab @ self._table.T).argmin(axis=1) for slab in np.split(cells.astype(float), 16)]
        self._coloured = np.concatenate(nearest).astype(np.uint8).reshape((len(steps),) * 3)
        for index in range(GREYS + COLOURED, len(self._table)):  # a single colour is kept exactly
            red, green, blue = (self._table[index] // CELL).astype(int)
            self._coloured[red, green, blue] = index

    def indices(self, frame: np.ndarray) -> np.ndarray:
        """Nearest colour of each pixel of a frame, dims (y, x), uint8; greys are looked for among greys."""
        red, green, blue = (frame[..., part] for part in range(3))
        coloured = self._coloured[red // CELL, green // CELL, blue // CELL]
        return np.asarray(np.where((red == green) & (green == blue), self._grey[red], coloured))
