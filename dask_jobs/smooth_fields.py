"""Random fields that are smooth, as hills and air are: any window of them can be made by itself."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from infra.grid import Window

COARSE = 128  # intervals between nodes along each side, whatever the number of pixels


@lru_cache(maxsize=12)  # strips of what both dates of a pair need
def smooth_field(stream: tuple[int, ...], *, slope: float, shape: tuple[int, int], window: Window) -> np.ndarray:
    """Gaussian random field whose power spectrum falls with wavenumber to the power of `slope`.

    Mean 0 and standard deviation about 1 over the whole image. Filtered white noise on coarse nodes, and splines between
    them: nothing is finer than a 64th of the image.

    Parameters
    ----------
    stream : seed of `numpy.random.default_rng`
    shape : of the image, over which the field is stretched
    window : of the image

    Returns
    -------
    dims (y, x) of the window, float64, read only; the same, to the bit, in whatever window
    """
    v, u = places(shape, window=window)
    across = _spline(_coarse(stream, slope).T, u).T
    field = _spline(np.ascontiguousarray(across), v)
    field.setflags(write=False)
    return field


def places(shape: tuple[int, int], *, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Centres of pixels as parts of the image from the top, dims (y,), and from the left, dims (x,)."""
    v = (np.arange(window.row, window.row + window.height) + 0.5) / shape[0]
    u = (np.arange(window.col, window.col + window.width) + 0.5) / shape[1]
    return v, u


@lru_cache(maxsize=32)
def _coarse(stream: tuple[int, ...], slope: float) -> np.ndarray:
    """Nodes of a random field, dims (node, node): filtered white noise, whose period is twice the image."""
    side = COARSE + 3
    whole = 2 * side
    wavenumber = np.hypot(np.fft.fftfreq(whole)[:, np.newaxis], np.fft.rfftfreq(whole))
    wavenumber[0, 0] = np.inf
    white = np.random.default_rng(stream).standard_normal((whole, whole))
    nodes = np.fft.irfft2(np.fft.rfft2(white) * wavenumber ** (-slope / 2), s=(whole, whole))[:side, :side]
    return np.asarray((nodes - nodes.mean()) / nodes.std())


def _spline(nodes: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Values between nodes, dims (node, other), at places from 0 to 1: uniform cubic B-splines, dims (place, other).

    Sums of four, in an order of their own: a matrix product of BLAS may differ in the last digit from window to window.
    """
    at = place * COARSE
    first = np.minimum(at.astype(np.int64), COARSE - 1)
    f = (at - first)[:, np.newaxis]
    parts = ((1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, 1 + 3 * f + 3 * f**2 - 3 * f**3, f**3)
    value = np.zeros((place.size, nodes.shape[1]))
    for number, part in enumerate(parts):
        value += part / 6 * nodes[first + number]
    return value
