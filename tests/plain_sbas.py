"""Small baselines as plain loops over pixels and dense matrices, written from the papers: what compiled code is held against.

Everything in float64. Imports nothing of ours: pairs are (first, second) indices of dates, days are numbers.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy import special

Edges = list[tuple[int, int]]


def phase_variance(coherence: float, looks: int) -> float:
    """Second moment over 200 phases of the density in the closed form of Lee et al. (1994), with Gauss' function."""
    phases = np.linspace(-math.pi, math.pi, 200)
    beta = coherence * np.cos(phases)
    rest = 1 - beta**2
    ratio = special.poch(looks, 0.5)  # gamma(L + 1/2) / gamma(L)
    density = ratio * (1 - coherence**2) ** looks * beta / (2 * math.sqrt(math.pi) * rest ** (looks + 0.5))
    density += (1 - coherence**2) ** looks / (2 * math.pi) * special.hyp2f1(looks, 1, 0.5, beta**2)
    return float((phases**2 * density).sum() * 2 * math.pi / 200)


def weight(coherence: float, *, kind: str, looks: int) -> float:
    coherence = max(0.0 if math.isnan(coherence) else coherence, 0.05)
    if kind == "var":
        number = int((coherence - 0.0025) / 0.005)
        return 1 / phase_variance(0.0025 + 0.005 * number, looks)
    if kind == "fim":
        coherence = min(coherence, 0.999)
        return 2 * looks * coherence**2 / (1 - coherence**2)
    return coherence if kind == "coh" else 1.0


def design(edges: Edges, dates: int) -> np.ndarray:
    """A of Berardino et al. (2002), eq. 9, without the first date's column."""
    matrix = np.zeros((len(edges), dates))
    for row, (i, j) in enumerate(edges):
        matrix[row, i], matrix[row, j] = -1, 1
    return matrix[:, 1:]


def generalized_inverse(edges: Edges, days: np.ndarray, weights: np.ndarray, *, norm: str) -> np.ndarray:
    """What phases are multiplied by to have the series at dates 1, 2, ...: least squares of least norm, by pseudo-inverse.

    For the norm of the velocity the unknowns are the velocities between consecutive dates (Berardino et al., eq. 11-13).
    """
    root = np.sqrt(weights)[:, None]
    matrix = design(edges, len(days))
    steps = (
        np.tril(np.ones((len(days) - 1, len(days) - 1))) * np.diff(days)
        if norm == "velocity"
        else np.eye(len(days) - 1)
    )
    return np.asarray(steps @ np.linalg.pinv(root * (matrix @ steps), rcond=1e-11) * root.T)


def invert_pixel(
    phase: np.ndarray,
    weights: np.ndarray,
    *,
    edges: Edges,
    days: np.ndarray,
    norm: str = "velocity",
    redundancy: float = 1.0,
    first_too: bool = True,
) -> tuple[np.ndarray, float, int]:
    """Series in radians, temporal coherence, number of pairs; NaN, NaN, 0 where not solved."""
    there = [k for k in range(len(edges)) if np.isfinite(phase[k])]
    kept = [edges[k] for k in there]
    number = [sum(i in edge for edge in kept) for i in range(len(days))]
    if not kept or min(number[0 if first_too else 1 :]) < redundancy:
        return np.full(len(days), np.nan), np.nan, 0
    series = generalized_inverse(kept, days, weights[there], norm=norm) @ phase[there]
    residual = phase[there] - design(kept, len(days)) @ series
    return np.concatenate([[0.0], series]), abs(np.exp(1j * residual).mean()), len(kept)


def variance_of(
    row: np.ndarray,
    variances: np.ndarray,
    weights: np.ndarray,
    *,
    edges: Edges,
    days: np.ndarray,
    norm: str = "velocity",
) -> float:
    """Of a linear combination, of a pixel that has all these pairs."""
    inverse = generalized_inverse(edges, days, weights, norm=norm)
    covariance = inverse @ np.diag(variances) @ inverse.T
    return float(row[1:] @ covariance @ row[1:])


def count_open_triplets(phase: np.ndarray, *, edges: Edges) -> float:
    """Of those that are whole; NaN if none is."""
    of = dict(reversed([(edge, k) for k, edge in enumerate(edges)]))
    found = []
    for i, j, k in itertools.combinations(range(max(j for _, j in edges) + 1), 3):
        if (i, j) in of and (j, k) in of and (i, k) in of:
            closure = phase[of[i, j]] + phase[of[j, k]] - phase[of[i, k]]
            wrapped = (closure + math.pi) % (2 * math.pi) - math.pi
            found.append((closure - wrapped) / (2 * math.pi))
    whole = [turns for turns in found if math.isfinite(turns)]
    return float(sum(round(turns) != 0 for turns in whole)) if whole else math.nan


def spanning_trees(edges: Edges, dates: int) -> list[tuple[int, ...]]:
    """Every set of pairs that connects all dates with one fewer."""
    found = []
    for chosen in itertools.combinations(range(len(edges)), dates - 1):
        laplacian = np.zeros((dates, dates))
        for k in chosen:
            i, j = edges[k]
            laplacian[[i, j], [i, j]] += 1
            laplacian[[i, j], [j, i]] -= 1
        if round(np.linalg.det(laplacian[1:, 1:])):
            found.append(chosen)
    return found
