"""Sums over pixels that a fit to every date of a series needs: added up block by block, they are those of the raster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SINGULAR = 1e-13  # eigenvalue over the largest, of normal equations with a unit diagonal, that is rounding alone


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Products of the columns of a linear model and of the values fitted to it, summed over the pixels of each date.

    Attributes
    ----------
    products : dims (time, column, column), float64: the sum over pixels of column times column; the last column is the
        value that is fitted, m
    count : dims (time,), float64: pixels that have data, in the fit or not
    """

    products: np.ndarray
    count: np.ndarray

    def __add__(self, other: Moments) -> Moments:
        if self.products.shape != other.products.shape:
            raise ValueError(f"moments of {self.products.shape} and of {other.products.shape} cannot be added")
        return Moments(products=self.products + other.products, count=self.count + other.count)

    def solve(self) -> np.ndarray:
        """Coefficients of least squares, dims (time, column), float64, of every column but the last.

        Where the pixels of a date do not tell all of them, those of least norm; zeros where it has no pixel.
        """
        normal, right = self.products[:, :-1, :-1], self.products[:, :-1, -1]
        size = np.sqrt(np.einsum("tii->ti", normal))
        size = np.where(size > 0, size, 1.0)
        value, vector = np.linalg.eigh(normal / (size[:, :, None] * size[:, None, :]))
        told = value > SINGULAR * np.maximum(value[:, -1:], 0.0)
        inverse = np.where(told, 1.0, 0.0) / np.where(told, value, 1.0)
        along = np.einsum("tik,ti->tk", vector, right / size)
        return np.asarray(np.einsum("tik,tk->ti", vector, inverse * along) / size)
