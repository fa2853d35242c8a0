"""Parts of the parameters of `stack-statistics`."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipelines.kinds.model import Strict


class Threshold(Strict):
    """Which coefficients of variation are worth a look: above a quantile of the area, or above a value."""

    quantile: float | None = Field(
        None,
        gt=0,
        lt=1,
        examples=[0.95],
        description="threshold as a quantile of the coefficient of variation of all pixels, 0 to 1",
    )
    value: float | None = Field(None, gt=0, description="threshold itself; give this or the quantile")
    upper: float | None = Field(
        None, gt=0, description="coefficient of variation above which a pixel is left out; such pixels are counted"
    )

    @model_validator(mode="after")
    def _one_threshold(self) -> Threshold:
        if self.quantile is not None and self.value is not None:
            raise ValueError(
                f"has both a quantile ({self.quantile:g}) and a value ({self.value:g}): give one of the two"
            )
        if self.quantile is None and self.value is None:
            raise ValueError("has neither a quantile nor a value: give one of the two, {quantile: 0.95}")
        if self.value is not None and self.upper is not None and not self.upper > self.value:
            raise ValueError(f"upper ({self.upper:g}) must be greater than value ({self.value:g})")
        return self


class Smoothing(Strict):
    """Local polynomials in days through the mean power of the area and each zone: dates are not equally spaced."""

    window: float = Field(
        90.0,
        gt=0,
        description="days around a date, from one edge to the other, whose dates count, with tricube weights",
    )
    degree: int = Field(
        2, ge=0, le=3, description="degree of the local polynomial; degree + 1 dates in a window are needed"
    )


class Harmonic(Strict):
    """A cycle of one period in each pixel's power, by least squares."""

    period: float = Field(365.25, gt=0, description="period of the fitted cycle, days")
