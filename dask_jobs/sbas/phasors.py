"""Sine and cosine of residual phases as straight vector code, which calls of the mathematical library are not."""

from __future__ import annotations

import math

import numba

TURN = 2 * math.pi
ROUND = 1.5 * 2.0**52  # added and taken away again it rounds a double to the nearest integer

# Interpolation at Chebyshev nodes in t², for |t| up to half a turn, of cos(2πt) to 1.2e-10 and of sin(2πt) / t to 2.1e-11
C0, C1, C2, C3 = 0.999999999884617, -19.739208743087502, 64.9393890524762, -85.45665775339239
C4, C5, C6, C7 = 60.24212492771494, -26.404630603916303, 7.800022165291011, -1.4529874920845032
S0, S1, S2, S3 = 6.283185307136348, -41.34170221825741, 81.6052474139701, -76.7058000303764
S4, S5, S6, S7 = 42.057751863590966, -15.086552631575614, 3.781282164156437, -0.6207367777824402


@numba.njit(nogil=True, inline="always")
def cosine_and_sine(phase):  # type: ignore[no-untyped-def] # numba infers types
    """Of a phase in radians below 1e15, each within 2e-10 and what rounding the number of turns leaves."""
    turns = phase * (1.0 / TURN)
    t = turns - ((turns + ROUND) - ROUND)
    u = t * t
    cosine = C0 + u * (C1 + u * (C2 + u * (C3 + u * (C4 + u * (C5 + u * (C6 + u * C7))))))
    sine = t * (S0 + u * (S1 + u * (S2 + u * (S3 + u * (S4 + u * (S5 + u * (S6 + u * S7)))))))
    return cosine, sine
