"""Special functions on arrays: gamma, error function and their kin, to about 1e-13 of their value.

The formulas are the classical ones: Lanczos' series with Godfrey's coefficients (g = 607 / 128) for gamma, Abramowitz
and Stegun 6.3.18 and 6.4.12 for digamma and trigamma, 6.5.29 and 6.5.31 for the incomplete gamma function, from which
erf and erfc follow (erf x = P(1/2, x²)), and Giles (2012) with Newton's steps for the inverse error functions.
"""

from __future__ import annotations

import numpy as np

LANCZOS_G = 607 / 128
LANCZOS = (
    0.99999999999999709182, 57.156235665862923517, -59.597960355475491248, 14.136097974741747174,
    -0.49191381609762019978, 0.33994649984811888699e-4, 0.46523628927048575665e-4, -0.98374475304879564677e-4,
    0.15808870322491248884e-3, -0.21026444172410488319e-3, 0.21743961811521264320e-3, -0.16431810653676389022e-3,
    0.84418223983852743293e-4, -0.26190838401581408670e-4, 0.36899182659531622704e-5,
)  # fmt: skip
ASYMPTOTIC = 12.0  # from here on the series of digamma and trigamma are exact to float64
TERMS = 500  # of the series and the fraction of the incomplete gamma function; both end earlier
TINY = 1e-300
GILES = (
    ((2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
      0.246640727, 1.50140941), 2.5),
    ((-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
      1.00167406, 2.83297682), 3.0),
)  # fmt: skip


def lanczos(x: np.ndarray) -> np.ndarray:
    """Lanczos' sum, from which gamma is made; infinite at its poles -1, -2 … -14."""
    total = np.full_like(np.asarray(x, float), LANCZOS[0])
    for order, coefficient in enumerate(LANCZOS[1:], start=1):
        total = total + coefficient / (x + order)
    return np.where(np.isfinite(total), total, np.inf)


def log_gamma(x: np.ndarray) -> np.ndarray:
    """Logarithm of gamma for x > 0."""
    base = x + LANCZOS_G + 0.5
    result: np.ndarray = (x + 0.5) * np.log(base) - base + 0.5 * np.log(2 * np.pi) + np.log(lanczos(x) / x)
    return result


def gamma(x: np.ndarray) -> np.ndarray:
    """Gamma; NaN at 0 and the negative whole numbers, infinite where it exceeds float64."""
    x = np.asarray(x, float)
    positive = np.where(x < 0.5, 1 - x, x)
    half = np.where(x < 0.5, 1.0, (positive + LANCZOS_G + 0.5) ** (0.5 * (positive + 0.5)))
    low = np.exp(log_gamma(positive))
    base = positive + LANCZOS_G + 0.5
    high = half * np.exp(-base) * half * np.sqrt(2 * np.pi) * lanczos(positive) / positive
    reflected = np.pi / (np.sin(np.pi * x) * low)
    whole = (x <= 0) & (x == np.floor(x))
    return np.where(whole, np.nan, np.where(x < 0.5, reflected, np.where(positive < 150, high, low)))


def _raised(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps of 1 up to `ASYMPTOTIC`, and where they end."""
    steps = np.clip(np.ceil(ASYMPTOTIC - x), 0, None)
    return steps, x + steps


def _pole(x: np.ndarray) -> np.ndarray:
    result: np.ndarray = (x <= 0) & (x == np.floor(x))
    return result


def digamma(x: np.ndarray) -> np.ndarray:
    """Logarithmic derivative of gamma; minus infinity at 0 and the negative whole numbers."""
    x = np.asarray(x, float)
    mirrored = x < -ASYMPTOTIC
    y = np.where(mirrored, 1 - x, x)
    steps, up = _raised(y)
    total = np.zeros_like(up)
    for step in range(int(steps.max(initial=0)) if np.isfinite(steps).all() else 0):
        total = total - np.where(step < steps, 1 / (y + step), 0.0)
    r = 1 / (up * up)
    series = r * (1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132 - r * 691 / 32760)))))
    total = total + np.log(up) - 0.5 / up - series
    total = np.where(mirrored, total - np.pi / np.tan(np.pi * np.where(mirrored, x, 0.5)), total)
    return np.where(_pole(x), -np.inf, total)


def trigamma(x: np.ndarray) -> np.ndarray:
    """Derivative of digamma; infinite at 0 and the negative whole numbers."""
    x = np.asarray(x, float)
    mirrored = x < -ASYMPTOTIC
    y = np.where(mirrored, 1 - x, x)
    steps, up = _raised(y)
    total = np.zeros_like(up)
    for step in range(int(steps.max(initial=0)) if np.isfinite(steps).all() else 0):
        total = total + np.where(step < steps, 1 / (y + step) ** 2, 0.0)
    r = 1 / (up * up)
    series = 1 / 6 - r * (1 / 30 - r * (1 / 42 - r * (1 / 30 - r * (5 / 66 - r * 691 / 2730))))
    total = total + 1 / up + 0.5 * r + r / up * series
    total = np.where(mirrored, (np.pi / np.sin(np.pi * np.where(mirrored, x, 0.5))) ** 2 - total, total)
    return np.where(_pole(x), np.inf, total)


def _series(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Lower incomplete gamma, over gamma(a + 1) x^a e^-x (A&S 6.5.29)."""
    term = np.ones_like(x)
    total = term
    for order in range(1, TERMS):
        term = term * x / (a + order)
        total = total + term
        if not np.any(term > total * 1e-17):
            break
    return total


def _fraction(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Upper incomplete gamma, over x^a e^-x (A&S 6.5.31, by Lentz's method)."""
    b = x + 1 - a
    c = np.full_like(x, 1 / TINY)
    d = 1 / np.where(b == 0, TINY, b)
    total = d
    for order in range(1, TERMS):
        factor = -order * (order - a)
        b = b + 2
        d = factor * d + b
        d = 1 / np.where(np.abs(d) < TINY, TINY, d)
        c = b + factor / c
        c = np.where(np.abs(c) < TINY, TINY, c)
        total = total * d * c
        if not np.any(np.abs(d * c - 1) > 1e-16):
            break
    return total


def _incomplete(a: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Regularised lower and upper incomplete gamma for a > 0, x >= 0."""
    a, x = np.broadcast_arrays(np.asarray(a, float), np.asarray(x, float))
    low = x < a + 1
    front = np.exp(a * np.log(np.where(x > 0, x, 1)) - x - log_gamma(a))
    lower = front / a * _series(a, np.where(low, x, 0.0))
    upper = front * _fraction(a, np.where(low, a + 1, x))
    lower = np.where(x == 0, 0.0, lower)
    return np.where(low, lower, 1 - upper), np.where(low, 1 - lower, upper)


def gammainc(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Regularised lower incomplete gamma P(a, x); NaN where x < 0 or a <= 0."""
    x, a = np.broadcast_arrays(np.asarray(x, float), np.asarray(a, float))
    valid = (x >= 0) & (a > 0)
    inner = np.where(valid & np.isfinite(x), x, 0.0)
    lower = _incomplete(np.where(valid, a, 1.0), inner)[0]
    return np.where(valid, np.where(np.isposinf(x), 1.0, lower), np.nan)


def _error(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Erf and erfc of |x|."""
    square = np.minimum(np.abs(np.asarray(x, float)), 30.0) ** 2  # erfc(27) is 0 in float64
    return _incomplete(np.full_like(square, 0.5), square)


def erf(x: np.ndarray) -> np.ndarray:
    """Error function."""
    return np.where(np.isnan(x), np.nan, np.copysign(_error(x)[0], x))


def erfc(x: np.ndarray) -> np.ndarray:
    """Complementary error function, exact for large x too."""
    lower, upper = _error(x)
    return np.where(np.isnan(x), np.nan, np.where(np.asarray(x) >= 0, upper, 1 + lower))


def _start(one_minus_square: np.ndarray) -> np.ndarray:
    """Giles' approximation of erfInv(x) / x from 1 - x², good to 1e-6 up to 1 - 1e-14, rough beyond."""
    w = -np.log(one_minus_square)
    low = np.polyval(GILES[0][0], w - GILES[0][1])
    high = np.polyval(GILES[1][0], np.sqrt(np.minimum(w, 32.0)) - GILES[1][1])
    return np.where(
        w < 5, low, np.where(w < 32, high, np.sqrt(np.maximum(w - 0.5 * np.log(np.maximum(w, 1.0) * np.pi), 0)))
    )


def _inverse(x: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Positive root y of erf(y) = x, given both x (0 to 1) and rest = 1 - x exactly."""
    y = _start(np.maximum(rest * (1 + x), TINY)) * np.where(x > 0, x, 0.0)
    for _ in range(4):
        lower, upper = _error(y)
        off = np.where(x < 0.5, lower - x, rest - upper)
        step = off / (2 / np.sqrt(np.pi) * np.exp(-np.minimum(y * y, 700.0)))
        y = y - step / (1 + y * step)  # Halley's step: f'' / f' = -2 y
    return y


def erf_inv(x: np.ndarray) -> np.ndarray:
    """Inverse error function; infinite at -1 and 1, NaN beyond."""
    x = np.asarray(x, float)
    size = np.abs(x)
    inner = np.where(size < 1, size, 0.0)
    found = np.copysign(_inverse(inner, 1 - inner), x)
    return np.where(size < 1, found, np.where(size == 1, np.copysign(np.inf, x), np.nan))


def erfc_inv(x: np.ndarray) -> np.ndarray:
    """Inverse complementary error function; infinite at 0 and 2, NaN beyond."""
    x = np.asarray(x, float)
    valid = (x > 0) & (x < 2)
    near = np.where(valid, np.minimum(x, 2 - x), 1.0)
    found = np.copysign(_inverse(1 - near, near), 1 - x)
    return np.where(valid, found, np.where(x == 0, np.inf, np.where(x == 2, -np.inf, np.nan)))
