"""The sphere of geodesic edges: unit vectors, areas, centres, distances; latitudes count as angles of the sphere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

RADIUS = 6378137.0  # metres: the ellipsoid's semi-major axis, as for the nominal size of a degree
BLOCK = 2_000_000  # pairs of points and edges compared at once


class Nearest(NamedTuple):
    """Shortest way between two sets of edges: radians, and its two ends as unit vectors."""

    angle: float
    left: np.ndarray
    right: np.ndarray


def vectors(lonlat: np.ndarray) -> np.ndarray:
    """Unit vectors, dims (point, 3), of longitudes and latitudes in degrees, dims (point, 2)."""
    lon, lat = np.radians(lonlat[:, 0]), np.radians(lonlat[:, 1])
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def degrees(xyz: np.ndarray, *, around: float = 0.0) -> np.ndarray:
    """Longitudes and latitudes of vectors of any length; longitudes within half a turn of `around`."""
    lon = np.degrees(np.arctan2(xyz[:, 1], xyz[:, 0]))
    lat = np.degrees(np.arctan2(xyz[:, 2], np.hypot(xyz[:, 0], xyz[:, 1])))
    return np.column_stack([lon - 360.0 * np.round((lon - around) / 360.0), lat])


def angles(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Angles in radians between unit vectors along the last axis; exact for small ones too."""
    # Kahan's formula: no cancellation near 0 and pi
    return np.asarray(2 * np.arctan2(np.linalg.norm(one - other, axis=-1), np.linalg.norm(one + other, axis=-1)))


def length(line: np.ndarray) -> float:
    """Angle in radians along the great circles between unit vectors, dims (point, 3)."""
    return float(angles(line[1:], line[:-1]).sum())


def ring_area(ring: np.ndarray) -> float:
    """Steradians left of a closed ring of unit vectors, signed: negative where it runs clockwise.

    Sum of the signed triangles (Van Oosterom and Strackee 1983, doi:10.1109/TBME.1983.325207) from the ring's middle.
    """
    middle = ring[:-1].mean(axis=0)
    middle = middle / (np.linalg.norm(middle) or 1.0)
    a, b = ring[:-1], ring[1:]
    up = np.einsum("ij,ij->i", np.broadcast_to(middle, a.shape), np.cross(a, b))
    down = 1 + a @ middle + np.einsum("ij,ij->i", a, b) + b @ middle
    return float(2 * np.arctan2(up, down).sum())


def planar_area(ring: np.ndarray) -> float:
    """Steradians left of a closed ring whose edges are straight in longitude and latitude, dims (point, 2): -∮ sin φ dλ."""
    lon, lat = np.radians(ring[:, 0]), np.radians(ring[:, 1])
    step = np.diff(lat)
    flat = np.abs(step) < 1e-9
    mean_sine = np.where(
        flat, np.sin((lat[1:] + lat[:-1]) / 2), (np.cos(lat[:-1]) - np.cos(lat[1:])) / np.where(flat, 1.0, step)
    )
    return float(-(mean_sine * np.diff(lon)).sum())


def ring_moment(ring: np.ndarray) -> np.ndarray:
    """Integral of the position over what lies left of a closed ring, dims (3,): half the sum of angle times edge normal."""
    normal = np.cross(ring[:-1], ring[1:])
    size = np.linalg.norm(normal, axis=1)
    angle = angles(ring[:-1], ring[1:])
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(size[:, None] > 0, normal / size[:, None], 0.0)
    return np.asarray(0.5 * (angle[:, None] * unit).sum(axis=0))


def line_moment(line: np.ndarray) -> np.ndarray:
    """Integral of the position along a line, dims (3,)."""
    both = line[1:] + line[:-1]
    size = np.linalg.norm(both, axis=1)
    chord = 2 * np.sin(angles(line[1:], line[:-1]) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(size[:, None] > 0, both / size[:, None], 0.0)
    return np.asarray((chord[:, None] * unit).sum(axis=0))


def latitudes(line: np.ndarray) -> tuple[float, float]:
    """Lowest and highest latitude in degrees of the great circles between unit vectors: edges bulge beyond their ends."""
    low, high = float(line[:, 2].min()), float(line[:, 2].max())
    a, b = line[:-1], line[1:]
    normal = np.cross(a, b)
    size = np.linalg.norm(normal, axis=1)
    real = size > 0
    a, b, normal = a[real], b[real], normal[real] / size[real, None]
    top = np.sqrt(np.clip(1 - normal[:, 2] ** 2, 0, 1))
    apex = np.array([0.0, 0.0, 1.0]) - normal[:, 2:] * normal
    for sign in (1, -1):
        within = _between(sign * apex, a, b, normal)
        if within.any():
            high = max(high, float((top[within]).max())) if sign > 0 else high
            low = min(low, float(-(top[within]).max())) if sign < 0 else low
    return float(np.degrees(np.arcsin(np.clip(low, -1, 1)))), float(np.degrees(np.arcsin(np.clip(high, -1, 1))))


def _between(point: np.ndarray, a: np.ndarray, b: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Whether points of great circles lie on the arcs from a to b."""
    after = np.einsum("...j,...j->...", np.cross(normal, a), point) > 0
    before = np.einsum("...j,...j->...", np.cross(b, normal), point) > 0
    return np.asarray(after & before)


def nearest(points: np.ndarray, line: np.ndarray) -> Nearest:
    """Shortest way from points to the great circles of a line (of one point or more)."""
    best = Nearest(np.inf, points[0], line[0])
    edges = max(len(line) - 1, 1)
    step = max(BLOCK // edges, 1)
    for first in range(0, len(points), step):
        found = _nearest(points[first : first + step], line)
        best = found if found.angle < best.angle else best
    return best


def distances(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Angles in radians from each point to the great circles of a line, dims (point,)."""
    edges = max(len(line) - 1, 1)
    step = max(BLOCK // edges, 1)
    return np.concatenate(
        [_to_line(points[first : first + step], line)[0].min(axis=1) for first in range(0, len(points), step)]
    )


def _nearest(points: np.ndarray, line: np.ndarray) -> Nearest:
    away, feet = _to_line(points, line)
    i, j = np.unravel_index(int(away.argmin()), away.shape)
    on = line[j] if j < len(line) else feet[i, j - len(line)]
    return Nearest(float(away[i, j]), points[i], on / np.linalg.norm(on))


def _to_line(points: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles from points to the vertices and then to the edges of a line, dims (point, vertex and edge), and the feet."""
    ends = angles(points[:, None], line[None])
    a, b = line[:-1], line[1:]
    normal = np.cross(a, b)
    size = np.linalg.norm(normal, axis=1)
    real = size > 0
    a, b, normal = a[real], b[real], normal[real] / size[real, None]
    off = points @ normal.T
    feet = points[:, None] - off[..., None] * normal[None]
    within = _between(feet, a[None], b[None], normal[None])
    away = np.where(within, np.abs(np.arcsin(np.clip(off, -1, 1))), np.inf)
    return np.concatenate([ends, away], axis=1), feet
