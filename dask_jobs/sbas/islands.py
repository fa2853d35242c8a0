"""Pixels whose remaining pairs leave several components of dates: what the observations do not tell is chosen minimal.

Least squares fix each component but for an offset. It is found with the component's first date at 0; the offsets are then
those of least norm, of the velocity between consecutive dates, Σ ((x(i+1) - x(i)) / (t(i+1) - t(i)))², or of the phase,
Σ x(i)², with x = 0 at the first date of all. Both are what the pseudo-inverse gives (Berardino et al. 2002, section III).
"""

from __future__ import annotations

import numba


@numba.njit(nogil=True)
def label_components(network, weight, lane, labels):  # type: ignore[no-untyped-def] # numba infers types
    """First date of the component that each date belongs to, into `labels`, dims (lane, time), by pairs of weight above 0."""
    for i in range(labels.shape[1]):
        labels[lane, i] = i
    for k in range(network.first.size):
        if weight[k, lane] > 0.0:
            a, b = network.first[k], network.second[k]
            while labels[lane, a] != a:
                a = labels[lane, a]
            while labels[lane, b] != b:
                b = labels[lane, b]
            labels[lane, a if a > b else b] = a if a < b else b
    for i in range(labels.shape[1]):
        labels[lane, i] = labels[lane, labels[lane, i]]  # ascending: what it points to has its root already


@numba.njit(nogil=True)
def ground(labels, pivots, lane):  # type: ignore[no-untyped-def] # numba infers types
    """Hold each component at 0 at its first date, by the diagonal of the normal equations; any positive number does."""
    for i in range(1, labels.shape[1]):
        if labels[lane, i] == i:
            pivots[i - 1, lane] += pivots[i - 1, lane] if pivots[i - 1, lane] > 0.0 else 1.0


@numba.njit(nogil=True)
def join(network, every_label, velocity, lane, series, room):  # type: ignore[no-untyped-def] # numba infers types
    """Add to a grounded solution, dims (row, lane), the offsets of least norm.

    Parameters
    ----------
    every_label : dims (lane, time), of `label_components`
    velocity : whether the norm is of the velocity
    room : dims (time + 1, time), float64, to work in
    """
    labels = every_label[lane]
    offsets = room[labels.size]
    offsets[:] = 0.0
    if velocity:
        for i in range(labels.size - 1):
            if labels[i] != labels[i + 1]:
                step = series[i, lane] - (series[i - 1, lane] if i > 0 else 0.0)
                step /= (network.days[i + 1] - network.days[i]) ** 2
                offsets[labels[i + 1]] -= step
                offsets[labels[i]] += step
        _least_velocity(network.days, labels, room)
    else:
        for i in range(1, labels.size):
            offsets[labels[i]] -= series[i - 1, lane]
        _mean(labels, room)
    for i in range(1, labels.size):
        series[i - 1, lane] += offsets[labels[i]]


@numba.njit(nogil=True)
def join_transposed(network, every_label, velocity, lane, right, room):  # type: ignore[no-untyped-def] # numba infers types
    """Make of a row r, dims (row, lane), one r' such that r'ᵀ (grounded solution) is rᵀ (solution of least norm)."""
    labels = every_label[lane]
    sums = room[labels.size]
    sums[:] = 0.0
    for i in range(1, labels.size):
        sums[labels[i]] += right[i - 1, lane]
    if velocity:
        _least_velocity(network.days, labels, room)
        for i in range(labels.size - 1):
            if labels[i] != labels[i + 1]:
                step = sums[labels[i + 1]] - sums[labels[i]]
                step /= (network.days[i + 1] - network.days[i]) ** 2
                right[i, lane] -= step
                if i > 0:
                    right[i - 1, lane] += step
    else:
        _mean(labels, room)
        for i in range(1, labels.size):
            right[i - 1, lane] -= sums[labels[i]]


@numba.njit(nogil=True)
def _mean(labels, room):  # type: ignore[no-untyped-def] # numba infers types
    """Divide the numbers of the last row, one per component, by its dates; the first date's component moves nowhere."""
    values, number = room[labels.size], room[0]
    number[:] = 0.0
    for i in range(1, labels.size):
        number[labels[i]] += 1.0
    values[0] = 0.0
    for i in range(1, labels.size):
        if labels[i] == i:
            values[i] /= number[i]


@numba.njit(nogil=True)
def _least_velocity(days, labels, room):  # type: ignore[no-untyped-def] # numba infers types
    """Solve for the last row the Laplacian of components, which time connects; rows of no component are the identity's."""
    dates = labels.size
    matrix, values = room[:dates], room[dates]
    matrix[:] = 0.0
    for i in range(dates - 1):
        a, b = labels[i], labels[i + 1]
        if a != b:
            step = 1.0 / (days[i + 1] - days[i]) ** 2
            matrix[a, a] += step
            matrix[b, b] += step
            matrix[max(a, b), min(a, b)] -= step
    values[0] = 0.0  # the first date's component moves nowhere
    for i in range(dates):
        if labels[i] != i or i == 0:
            matrix[i, i] = 1.0
        matrix[i, 0] = 1.0 if i == 0 else 0.0
    _solve_dense(matrix, values)


@numba.njit(nogil=True)
def _solve_dense(matrix, values):  # type: ignore[no-untyped-def] # numba infers types
    """Solution over the right-hand side, of a symmetric positive definite matrix's lower triangle; LDLᵀ is left in it."""
    n = values.size
    for i in range(n):
        for j in range(i):
            for m in range(j):
                matrix[i, j] -= matrix[i, m] * matrix[j, m]
        for j in range(i):
            scaled = matrix[i, j] / matrix[j, j]
            matrix[i, i] -= matrix[i, j] * scaled
            matrix[i, j] = scaled
            values[i] -= scaled * values[j]
    for i in range(n - 1, -1, -1):
        values[i] /= matrix[i, i]
        for j in range(i + 1, n):
            values[i] -= matrix[j, i] * values[j]
