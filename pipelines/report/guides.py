"""How products are opened: in QGIS, in Python, in MintPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.orders import Order, Product
from pipelines.report.document import Guide

NO_MINTPY = "MintPy works on interferograms and what it makes of them: this is not an input of it."


def guides_for(order: Order, products: Sequence[Product]) -> list[Guide]:
    """A guide for each sort of product that there is."""
    found = (
        _rasters(order, products),
        _tables(order, products),
        _own_store(order, products),
        _mintpy(products),
        _stores(order),
    )
    return [guide for guide in found if guide]


def _word_on_mintpy(products: Sequence[Product]) -> str:
    return "Its tools open the files in mintpy/ (below)." if _mintpy(products) else NO_MINTPY


def _mintpy(products: Sequence[Product]) -> Guide | None:
    series = next((product for product in products if product.name == "mintpy_timeseries_corrected"), None) or next(
        (product for product in products if product.name == "mintpy_timeseries"), None
    )
    if series is None:
        return None
    return Guide(
        sort="MintPy's files (HDF5)",
        steps=[
            ("MintPy", "A map of every date, and the series of a pixel that you click at:", f"tsview.py {series.path}"),
            ("MintPy", "What a file holds:", f"info.py {series.path}"),
            ("Python", "Like any HDF5 file:", f'import h5py\nseries = h5py.File("{series.path}")["timeseries"]'),
        ],
    )


def _own_store(order: Order, products: Sequence[Product]) -> Guide | None:
    store = next((product for product in products if product.role == "store" and "zarr" in product.media_type), None)
    if store is None or order.kind != "displacement":
        return None
    return Guide(
        sort="The series of every pixel (Zarr)",
        steps=[
            (
                "Python",
                "As a lazy xarray dataset, dims (time, y, x):",
                f'from pipelines import open_product\nseries = open_product(task="{order.task}", name="{store.name}")',
            ),
            (
                "Python, without sarbatch",
                "From the folder of this page:",
                f'import xarray as xr\nseries = xr.open_zarr("{store.path}", consolidated=False)',
            ),
        ],
    )


def _rasters(order: Order, products: Sequence[Product]) -> Guide | None:
    raster = next((product for product in products if product.role == "raster"), None)
    if raster is None:
        return None
    labels = "".join(
        f', {name}="{getattr(raster, name)}"' for name in ("polarization", "orbit") if getattr(raster, name)
    )
    return Guide(
        sort="Rasters (Cloud Optimized GeoTIFF)",
        steps=[
            (
                "QGIS",
                "Drag the file onto the map. Rasters in dB show well as they are; set the stretch of others to 2 to 98 %.",
                "",
            ),
            (
                "Python",
                "By name, wherever the file lies:",
                f'from pipelines import open_product\nraster = open_product(task="{order.task}", name="{raster.name}"{labels})',
            ),
            (
                "Python, without sarbatch",
                "From the folder of this page:",
                f'import rioxarray\nraster = rioxarray.open_rasterio("{raster.path}", masked=True)',
            ),
            ("MintPy", _word_on_mintpy(products), ""),
        ],
    )


def _tables(order: Order, products: Sequence[Product]) -> Guide | None:
    table = next((p for p in products if p.role == "table" and "parquet" in p.media_type), None)
    if table is None:
        return None
    return Guide(
        sort="Tables (CSV and Parquet)",
        steps=[
            (
                "QGIS",
                "Layer > Add Layer > Add Delimited Text Layer, with no geometry; join it to the zones by name.",
                "",
            ),
            (
                "Python",
                "As a data frame:",
                f'from pipelines import open_product\ntable = open_product(task="{order.task}", name="{table.name}")',
            ),
            (
                "Python, without sarbatch",
                "From the folder of this page:",
                f'import pandas as pd\ntable = pd.read_parquet("{table.path}")',
            ),
            ("MintPy", _word_on_mintpy(products), ""),
        ],
    )


def _stores(order: Order) -> Guide | None:
    stack = next(_stacks(order), None)
    if stack is None:
        return None
    return Guide(
        sort="The stack underneath (Icechunk)",
        steps=[
            (
                "QGIS",
                "QGIS reads no Icechunk: say `export: {geotiff: per-date}` in the stack's task, and run again.",
                "",
            ),
            (
                "Python",
                "As a lazy xarray dataset, dims (time, y, x):",
                f'from pipelines import open_product\nstack = open_product(task="{stack.task}", name="stack")',
            ),
            ("MintPy", NO_MINTPY, ""),
        ],
    )


def _stacks(order: Order) -> Iterator[Order]:
    for source in order.inputs.values():
        if source.kind == "backscatter-stack":
            yield source
        yield from _stacks(source)
