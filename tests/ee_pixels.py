"""NumPy arrays as images of the real Earth Engine client, and their pixels as the local evaluator computes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ee_offline import pixels, raster_band, shelf

from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Grid, Image

CRS, WEST, NORTH, SIDE = "EPSG:32720", 500000.0, 8000000.0, 10.0


def lattice(height: int, width: int) -> Grid:
    """Pixels of 10 m of an array that lies at the place of all of them."""
    return Grid(CRS, (SIDE, 0.0, WEST, 0.0, -SIDE, NORTH), width, height)


def stored(bands: Mapping[str, np.ndarray], **properties: Any) -> Image:
    """Image of arrays, dims (y, x); NaN is no data."""
    grid = lattice(*next(iter(bands.values())).shape)
    return Image(
        tuple(
            raster_band(name, np.nan_to_num(values), mask=np.isfinite(values), grid=grid)
            for name, values in bands.items()
        ),
        properties=properties,
    )


def catalogue(images: Mapping[str, Image]) -> Context:
    """What `ee.Image(name)` finds."""
    return shelf(**images)


def arrays(image: Any, context: Context, grid: Grid) -> dict[str, np.ndarray]:
    """Bands of a client's image on a grid, dims (y, x), NaN where masked."""
    from ee_offline import computed

    found = computed(image, context)
    return {
        band.name: np.where(one.mask > 0, one.data, np.nan)
        for band, one in zip(found.bands, pixels(found, grid, context), strict=True)
    }


def filtered(make: Any, powers: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What a function of a client's collection makes of arrays, one image each, with one band."""
    import ee

    context = catalogue({f"a{n}": stored({"VV": power}) for n, power in enumerate(powers)})
    made = make(ee.ImageCollection.fromImages([ee.Image(f"a{n}") for n in range(len(powers))]))
    grid, listed = lattice(*powers[0].shape), made.toList(len(powers))
    return [arrays(ee.Image(listed.get(n)), context, grid)["VV"] for n in range(len(powers))]
