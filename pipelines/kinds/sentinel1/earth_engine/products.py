"""Products of what was exported: one raster for each band and part, or where the service has left its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipelines.kinds.binding import Driver
from pipelines.kinds.model import KindSpec, ProductSpec
from pipelines.kinds.sentinel1.earth_engine.mosaic import Mosaic, write_mosaic
from pipelines.kinds.sentinel1.earth_engine.tiles import destination, exported_files, file_name
from pipelines.kinds.sentinel1.parts import Part
from pipelines.orders import Order, Product

if TYPE_CHECKING:
    from dask_jobs.write import Layer

ASSET_TYPE = "application/vnd.google-earth-engine.image"
TIFF_TYPE = "image/tiff; application=geotiff"


def make_products(order: Order, driver: Driver, *, kind: KindSpec, bands: Sequence[str]) -> list[Product]:
    """Products of an order whose tiles are exported; goes on from the rasters that an earlier attempt has finished.

    Parameters
    ----------
    bands : of every tile, in order: names of products

    Raises
    ------
    TransientError
        If a tile's file is not there (yet).
    InputError
        If a file is not what was asked for.
    """
    parts = [Part.from_json(value) for value in order.document["parts"]]
    if not destination(order).readable:
        return list(_left_there(order, parts, kind=kind, bands=bands))
    driver.checkpoint("start", 0.0)
    mosaics = _mosaics(order, parts, kind=kind, bands=tuple(bands))
    missing = [mosaic for _, mosaic in mosaics if driver.parts.stat(mosaic.path) is None]
    _write(missing, driver, of=len(mosaics))
    return [replace(product, size=_size(driver, product.path)) for product, _ in mosaics]


def _write(mosaics: Sequence[Mosaic], driver: Driver, *, of: int) -> None:
    """Rasters by the workers; what is queued is cancelled where one fails or the driver may not go on."""
    from distributed import as_completed

    client = driver.client
    futures = client.map(write_mosaic, mosaics, parts=driver.parts, pure=False) if mosaics else []
    try:
        finished = as_completed(futures, with_results=True, loop=client.loop)
        for done, _ in enumerate(finished, start=of - len(futures) + 1):
            driver.checkpoint("write", done / of)
    finally:
        client.cancel(futures)


def _mosaics(
    order: Order, parts: Sequence[Part], *, kind: KindSpec, bands: tuple[str, ...]
) -> list[tuple[Product, Mosaic]]:
    from dask_jobs.write import COG_TYPE
    from infra.grid import Grid

    files, grid = exported_files(order), Grid(**order.document["grid"])
    made = []
    for number, part in enumerate(parts):
        for band in bands:
            product = _product(part, kind.product(band), name=band, path=part.file(band), media_type=COG_TYPE)
            mosaic = Mosaic(
                grid=grid,
                bands=bands,
                band=band,
                layer=_layer(part, kind.product(band), name=band, tags=order.document["tags"]),
                tiles=files.get(number, ()),
                region=order.region if order.region and order.region.masks else None,
                path=product.path,
            )
            made.append((product, mosaic))
    return made


def _left_there(order: Order, parts: Sequence[Part], *, kind: KindSpec, bands: Sequence[str]) -> Iterator[Product]:
    """Products where the service has put them: every tile holds all bands, and tells itself by its name."""
    from gee.destinations import remote_href
    from gee.tiles import Tile

    where = destination(order)
    media_type = ASSET_TYPE if where.to == "asset" else TIFF_TYPE
    tiles = [(Tile.parse(name).part, name) for name in order.tiles]
    for part, name in tiles:
        alone = sum(other == part for other, _ in tiles) == 1
        for band in bands:
            path = remote_href(where, file_name(order, name))
            product = _product(parts[part], kind.product(band), name=band, path=path, media_type=media_type)
            yield replace(product, zone=None if alone else name)


def _product(part: Part, row: ProductSpec, *, name: str, path: str, media_type: str) -> Product:
    return Product(
        name=name,
        role=row.role,
        path=path,
        media_type=media_type,
        units=row.units,
        date=part.date,
        period=part.period,
        orbit=part.orbit,
    )


def _layer(part: Part, row: ProductSpec, *, name: str, tags: dict[str, Any]) -> Layer:
    """How a product's raster is written; what it is of stands in its tags."""
    from dask_jobs.write import Layer

    if row.overview is None:
        raise TypeError(f"{row.name} is no raster")
    days = [f"{one.time:%Y-%m-%d}" for one in part.passes]
    labels = {"PERIOD": part.period, "ORBIT": part.orbit, "DATE": part.date, "PLATFORM": part.platform}
    return Layer(
        dtype="int32" if row.dtype == "int32" else "float32",
        description=name,
        units=row.units,
        overview=row.overview,
        nodata=float("nan") if row.dtype == "float32" else row.nodata,
        tags={
            **{tag: value for tag, value in labels.items() if value},
            "PASSES": str(len(days)),
            "FIRST_DATE": days[0],
            "LAST_DATE": days[-1],
            **tags,
        },
    )


def _size(driver: Driver, path: str) -> int | None:
    entry = driver.parts.stat(path)
    return entry.size if entry else None
