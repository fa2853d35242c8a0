"""Order statistics along the first axis: sorted once, masked values last (policy `percentile_rank`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def percentiles(values: np.ndarray, present: np.ndarray, *, ranks: Sequence[float]) -> list[np.ndarray]:
    """Percentiles at rank p / 100 * (n - 1), interpolated linearly between neighbours.

    Parameters
    ----------
    values : dims (n, ...), float64
    present : dims (n, ...), boolean; which values count
    ranks : p of each, 0 to 100

    Returns
    -------
    dims (...) each; 0 where nothing counts
    """
    shape = values.shape[1:]
    if values.shape[0] == 0:
        return [np.zeros(shape) for _ in ranks]
    if present.all():
        return _of_all(values, ranks)
    ordered, count = arranged(values, present)
    found = []
    for rank in ranks:
        at = rank / 100 * np.maximum(count - 1, 0)
        low = np.floor(at).astype(np.intp)
        high = np.minimum(low + 1, np.maximum(count - 1, 0))
        below, above = (np.take_along_axis(ordered, one[None], 0)[0] for one in (low, high))
        with np.errstate(invalid="ignore"):  # infinities where nothing counts
            found.append(np.where(count > 0, below + (above - below) * (at - low), 0.0))
    return found


def interval_mean(values: np.ndarray, present: np.ndarray, *, low: float, high: float) -> np.ndarray:
    """Mean of the values between two percentiles, both included; 0 where nothing counts. Dims (...)."""
    floor, ceiling = percentiles(values, present, ranks=(low, high))
    inside = present & (values >= floor) & (values <= ceiling)
    count = inside.sum(axis=0)
    total: np.ndarray = np.sum(values, axis=0, where=inside)
    return np.asarray(np.divide(total, count, out=np.zeros(count.shape), where=count > 0))


def mode(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Most frequent value, of several the smallest; 0 where nothing counts. Dims (...)."""
    if values.ndim == 1:
        kinds, counts = np.unique(values[present], return_counts=True)
        return kinds[np.argmax(counts)] if kinds.size else np.zeros(())
    ordered, count = arranged(values, present)
    best = np.where(count > 0, ordered[0], 0.0) if len(ordered) else np.zeros(values.shape[1:])
    run = np.ones(values.shape[1:], np.intp)
    longest = run.copy()
    for index in range(1, len(ordered)):
        run = np.where(ordered[index] == ordered[index - 1], run + 1, 1)
        better = (run > longest) & (index < count)
        longest = np.where(better, run, longest)
        best = np.where(better, ordered[index], best)
    return best


def distinct(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """How many different values there are. Dims (...)."""
    ordered, count = arranged(values, present)
    steps = (ordered[1:] != ordered[:-1]) & (np.arange(1, len(ordered)).reshape(-1, *[1] * count.ndim) < count)
    return np.where(count > 0, 1 + steps.sum(axis=0), 0)


def arranged(values: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values in ascending order, infinite after those that count, and how many count."""
    return in_order(np.where(present, values, np.inf)), present.sum(axis=0)


def in_order(values: np.ndarray) -> np.ndarray:
    """Values in ascending order along the first axis; of pixels each by itself, laid beside each other for it."""
    if values.ndim == 1:
        return np.sort(values)
    return np.moveaxis(np.sort(np.ascontiguousarray(np.moveaxis(values, 0, -1)), axis=-1), -1, 0)


def _of_all(values: np.ndarray, ranks: Sequence[float]) -> list[np.ndarray]:
    last = values.shape[0] - 1
    at = [rank / 100 * last for rank in ranks]
    needed = sorted({index for one in at for index in (int(one), min(int(one) + 1, last))})
    # a full sort of the few values of a pixel is vector code, which a partial one is not
    parted = np.partition(values, needed) if values.ndim == 1 else in_order(values)
    return [
        parted[int(one)] + (parted[min(int(one) + 1, last)] - parted[int(one)]) * (one - int(one)) if one % 1
        else parted[int(one)].copy()
        for one in at
    ]  # fmt: skip
