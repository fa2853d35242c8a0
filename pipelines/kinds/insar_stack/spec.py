"""Parameters and products of `insar-stack`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipelines.kinds.model import KindSpec, Parameters, ProductSpec, Strict, not_in_key
from pipelines.kinds.places import PATHS, Paths, SourceS3

Edges = Annotated[list[float], Field(min_length=4, max_length=4)]


class Hyp3Insar(Strict):
    """HyP3 InSAR products: INSAR_GAMMA, INSAR_ISCE_BURST or INSAR_ISCE_MULTI_BURST, as folders or zips."""

    format: Literal["hyp3-insar"] = "hyp3-insar"
    path: Paths = not_in_key(description=PATHS)
    s3: SourceS3 | None = not_in_key(None, description="how the source's bucket is reached, if not as the output is")


class InsarStack(Parameters):
    """Parameters of `insar-stack`."""

    source: Hyp3Insar = Field(description="HyP3 InSAR products that the stack is made from")
    extent: Literal["intersection", "union", "area"] | Edges = Field(
        "intersection",
        description="pixels of the stack: those that every product covers, that any does, the job's area, or the outer "
        "edges [left, bottom, right, top] in units of the products' CRS; products are cut to it, never shifted",
    )
    chunk: Literal[64, 128, 256, 512, 1024] = not_in_key(256, description="side of a chunk of the store, pixels")

    @field_validator("extent")
    @classmethod
    def _edges_in_order(cls, extent: str | list[float]) -> str | list[float]:
        if not isinstance(extent, str) and not (extent[0] < extent[2] and extent[1] < extent[3]):
            raise ValueError(f"{extent} is no [left, bottom, right, top]: left and bottom come first")
        return extent


KIND = KindSpec(
    name="insar-stack",
    version=1,
    summary="unwrapped interferograms of one track with coherence and geometry, in an Icechunk store that later runs append to",
    parameters=InsarStack,
    products=(
        ProductSpec(
            name="stack",
            role="store",
            long_name="unwrapped interferograms, coherence and geometry",
            units="radian",
            dtype="float32",
        ),
    ),
    backends={"dask": "pipelines.kinds.insar_stack.dask"},
)
