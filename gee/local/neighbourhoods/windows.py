"""Neighbourhoods of pixels reduced by moving windows; what has no fast way of its own is stacked, strip by strip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gee.local.bands.masks import is_everywhere
from gee.local.grids.reprojection import nominal_scale
from gee.local.pixels import Band, Grid
from gee.local.reduction.calling import Output
from gee.local.values import Kernel, Reducer
from gee.local.work.compiled import compiled

InputWeight = Literal["kernel", "mask", "min"]
FEW = 12  # cells that are sorted pixel by pixel; more are followed by their ranks
ROUNDING = 1e-14  # of a squared mean: variances below it are what rounding left of it
STACK_BYTES = 2**26  # of neighbours laid side by side at once


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Cells of a kernel whose weight is not 0.

    Attributes
    ----------
    x, y : offsets from the focus, row by row from the top left
    weights : of each
    """

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray

    @property
    def margin(self) -> tuple[int, int, int, int]:
        """Pixels needed beyond a grid: left, top, right, bottom."""
        return (
            max(-int(self.x.min()), 0),
            max(-int(self.y.min()), 0),
            max(int(self.x.max()), 0),
            max(int(self.y.max()), 0),
        )

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows, columns) from the first pixel of the margin."""
        left, top, _, _ = self.margin
        return np.ascontiguousarray(self.y + top), np.ascontiguousarray(self.x + left)


def cells_of(kernel: Kernel, grid: Grid) -> Cells:
    """Cells of a kernel on the pixels of a grid."""
    found = kernel if kernel.build is None else kernel.at(nominal_scale(grid.projection))
    rows, cols = np.nonzero(found.weights)
    if rows.size == 0:  # a kernel of zeros: no neighbour takes part
        rows, cols = np.array([found.focus[1]]), np.array([found.focus[0]])
    return Cells(x=cols - found.focus[0], y=rows - found.focus[1], weights=found.weights[rows, cols])


@dataclass(frozen=True, kw_only=True)
class Window:
    """Pixels with a margin, and the cells that lie around each pixel without it.

    Attributes
    ----------
    data, mask : dims (y, x) with margin
    """

    data: np.ndarray
    mask: np.ndarray
    cells: Cells

    @property
    def shape(self) -> tuple[int, int]:
        """Size without margin."""
        left, top, right, bottom = self.cells.margin
        return self.data.shape[0] - top - bottom, self.data.shape[1] - left - right

    def inner(self, array: np.ndarray) -> np.ndarray:
        """Part of an array with margin that lies without it."""
        left, top, _, _ = self.cells.margin
        height, width = self.shape
        return array[top : top + height, left : left + width]

    @property
    def whole(self) -> bool:
        """Whether all pixels are valid entirely."""
        return is_everywhere(self.mask) or bool((self.mask == 1).all())


def window(band: Band, grid: Grid, cells: Cells) -> Window:
    """Pixels of a band around those of a grid."""
    pixels = band.pixels(grid.pad(*cells.margin))
    return Window(data=np.ascontiguousarray(pixels.data), mask=pixels.mask, cells=cells)


# -- fast ways --------------------------------------------------------------------------------------------------------


def _deviations(
    view: Window, input_weight: InputWeight, *, squares: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Origin, sum of weights, and weighted sums of the deviations from the origin and of their squares. Dims (y, x).

    The origin is the pixel in the middle (the mean of all where it is masked): constant areas have no variance at all,
    and large offsets cost no digits.
    """
    from gee.local.neighbourhoods import loops

    rows, cols = view.cells.places()
    shares = np.ones(rows.size) if input_weight == "mask" else view.cells.weights
    first = np.zeros(view.shape)
    second = np.zeros(view.shape if squares else (0, 0))
    middle = view.inner(view.data)
    if view.whole and (input_weight != "min" or shares.max() <= 1):
        origin = np.ascontiguousarray(middle)
        compiled(loops.moments)(view.data, origin, rows, cols, shares, first, second)
        return origin, np.broadcast_to(shares.sum(), view.shape), first, second
    valid = view.mask > 0
    mean = float(view.data[valid].mean()) if valid.any() else 0.0
    data = np.where(valid, view.data, mean)
    origin = np.ascontiguousarray(view.inner(data))
    weights = np.ascontiguousarray(valid.astype(np.float64) if input_weight == "kernel" else view.mask)
    totals = np.zeros(view.shape)
    compiled(loops.masked_moments)(
        data, weights, origin, rows, cols, shares, input_weight == "min", totals, first, second
    )
    return origin, totals, first, second


def _over(sums: np.ndarray, totals: np.ndarray) -> np.ndarray:
    if totals.strides == (0, 0) and totals[0, 0] != 0:  # one total for all pixels
        return np.asarray(sums / totals[0, 0])
    return np.asarray(np.divide(sums, totals, out=np.zeros(sums.shape), where=totals != 0))


def _there(totals: np.ndarray) -> np.ndarray:
    """Mask of what has any weight; one value broadcast where all have the same."""
    if totals.strides == (0, 0):
        return np.broadcast_to(np.float64(totals[0, 0] != 0), totals.shape)
    return np.asarray(totals != 0, np.float64)


def _mean(view: Window, input_weight: InputWeight) -> list[Output]:
    origin, totals, first, _ = _deviations(view, input_weight, squares=False)
    return [(origin + _over(first, totals), _there(totals))]


def _sum(view: Window, input_weight: InputWeight) -> list[Output]:
    origin, totals, first, _ = _deviations(view, input_weight, squares=False)
    return [(origin * totals + first, _there(count(view)))]


def _variance(view: Window, input_weight: InputWeight) -> list[Output]:
    _, totals, first, second = _deviations(view, input_weight, squares=True)
    square = _over(first, totals) ** 2
    found = _over(second, totals) - square
    return [(np.where(found > ROUNDING * square, found, 0.0), _there(totals))]


def _std_dev(view: Window, input_weight: InputWeight) -> list[Output]:
    (variance, mask), *_ = _variance(view, input_weight)
    return [(np.sqrt(variance), mask)]


def count(view: Window) -> np.ndarray:
    """How many valid neighbours each pixel has. Dims (y, x)."""
    if is_everywhere(view.mask):
        return np.broadcast_to(float(view.cells.x.size), view.shape)
    from gee.local.neighbourhoods import loops

    rows, cols = view.cells.places()
    found = np.zeros(view.shape)
    valid = (view.mask > 0).astype(np.float64)
    zero = np.zeros(view.shape)
    compiled(loops.moments)(valid, zero, rows, cols, np.ones(rows.size), found, np.zeros((0, 0)))
    return found


def _count(view: Window, input_weight: InputWeight) -> list[Output]:
    del input_weight  # counts are not weighted
    return [(count(view), np.broadcast_to(1.0, view.shape))]


def _extreme(sign: float) -> Callable[[Window, InputWeight], list[Output]]:
    def reduce(view: Window, input_weight: InputWeight) -> list[Output]:
        del input_weight  # extremes are not weighted
        from gee.local.neighbourhoods import loops

        rows, cols = view.cells.places()
        data = sign * view.data if is_everywhere(view.mask) else np.where(view.mask > 0, sign * view.data, np.inf)
        found = np.full(view.shape, np.inf)
        compiled(loops.minima)(data, rows, cols, found)
        there = np.isfinite(found)
        return [(np.where(there, sign * found, 0.0), there.astype(np.float64))]

    return reduce


def quantiles(view: Window, at: Sequence[float]) -> list[Output]:
    """Quantiles (0 to 1) of the valid neighbours, interpolated linearly between ranks."""
    from gee.local.neighbourhoods import loops

    rows, cols = view.cells.places()
    found = np.zeros((len(at), *view.shape))
    counts = np.zeros(view.shape, np.int32)
    valid = np.ascontiguousarray(view.mask > 0)
    wanted = np.asarray(at, np.float64)
    if rows.size <= FEW:
        compiled(loops.small_ranks)(view.data, valid, rows, cols, wanted, found, counts)
    else:
        ordered, ranks = _ranked(view.data, valid)
        steps = _steps(view.cells)
        compiled(loops.sliding_ranks)(ranks, ordered, rows, cols, *steps, wanted, found, counts)
    mask = (counts > 0).astype(np.float64)
    return [(one, mask) for one in found]


def _ranked(data: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Valid values in ascending order, and each pixel's place among them (-1 where it is not valid)."""
    places = np.flatnonzero(valid)
    values = data.ravel()[places]
    order = np.argsort(values)
    ranks = np.full(data.size, -1, np.int32)
    ranks[places[order]] = np.arange(order.size, dtype=np.int32)
    return values[order], ranks.reshape(data.shape)


def _steps(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Cells that come in with a step to the right, and those that go out."""
    places = list(zip(cells.x.tolist(), cells.y.tolist(), strict=True))
    known = set(places)
    entering = [index for index, (x, y) in enumerate(places) if (x + 1, y) not in known]
    leaving = [index for index, (x, y) in enumerate(places) if (x - 1, y) not in known]
    return np.array(entering, np.int64), np.array(leaving, np.int64)


def modes_and_entropies(view: Window) -> tuple[Output, Output]:
    """Most frequent value among the neighbours, and the entropy of their frequencies in bits."""
    from gee.local.neighbourhoods import loops

    rows, cols = view.cells.places()
    modes, entropies, counts = np.zeros(view.shape), np.zeros(view.shape), np.zeros(view.shape, np.int32)
    valid = np.ascontiguousarray(view.mask > 0)
    compiled(loops.runs)(view.data, valid, rows, cols, modes, entropies, counts)
    mask = (counts > 0).astype(np.float64)
    return (modes, mask), (entropies, mask)


FAST: dict[str, Callable[[Window, InputWeight], list[Output]]] = {
    "mean": _mean,
    "sum": _sum,
    "variance": _variance,
    "stdDev": _std_dev,
    "count": _count,
    "min": _extreme(1.0),
    "max": _extreme(-1.0),
    "mode": lambda view, _: [modes_and_entropies(view)[0]],
}


def reduce_window(reducer: Reducer, views: Sequence[Window], input_weight: InputWeight) -> list[Output]:
    """Outputs of a reducer over the neighbourhood of each pixel: data and mask, dims (y, x).

    Parameters
    ----------
    views : one per input
    """
    if len(views) == 1 and views[0].data.ndim == 2:
        if reducer.name in FAST and reducer.inputs == 1:
            return FAST[reducer.name](views[0], input_weight)
        if reducer.name in ("median", "percentile"):
            return quantiles(views[0], [one / 100 for one in reducer.parameters["percentiles"]])
    return _stacked(reducer, views, input_weight)


def _stacked(reducer: Reducer, views: Sequence[Window], input_weight: InputWeight) -> list[Output]:
    cells = views[0].cells
    rows, cols = cells.places()
    height, width = views[0].shape
    strip = max(STACK_BYTES // (8 * rows.size * max(width, 1) * 2 * len(views)), 1)
    parts = []
    for top in range(0, height, strip):
        size = min(strip, height - top)
        values = [_neighbours(view.data, rows + top, cols, size, width) for view in views]
        weights = [
            _weights(_neighbours(view.mask, rows + top, cols, size, width), cells.weights, input_weight)
            for view in views
        ]
        parts.append(reducer.reduce(values, weights))
    return [
        (np.concatenate([part[index][0] for part in parts]), np.concatenate([part[index][1] for part in parts]))
        for index in range(len(reducer.outputs))
    ]


def _neighbours(array: np.ndarray, rows: np.ndarray, cols: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.stack([array[row : row + height, col : col + width] for row, col in zip(rows, cols, strict=True)])


def _weights(mask: np.ndarray, shares: np.ndarray, input_weight: InputWeight) -> np.ndarray:
    share = shares.reshape(-1, 1, 1)
    if input_weight == "mask":
        return mask
    if input_weight == "min":
        return np.asarray(np.minimum(mask, share))
    return np.asarray((mask > 0) * share)
