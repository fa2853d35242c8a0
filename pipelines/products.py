"""Products: published by a STAC item, written last and only once; a reader who sees the item sees all of it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from infra.grid import Grid
from infra.storage import Location
from pipelines.orders import Order, Product

ITEM = "item.json"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
SOFTWARE = ("sarbatch", "dask", "icechunk", "matplotlib", "numba", "numpy", "odc-geo", "rasterio", "xarray", "zarr")
LABELS = ("polarization", "date", "period", "orbit", "zone")


def is_published(order: Order) -> bool:
    """Whether the order's key has been published."""
    return order.home.exists(ITEM)


def published(order: Order) -> list[Product]:
    """Products of the order's key; empty if it has not been published."""
    try:
        item = order.home.read_json(ITEM)
    except FileNotFoundError:
        return []
    return products_of(item)


def products_of(item: Mapping[str, Any]) -> list[Product]:
    """Products that a STAC item names."""
    created = datetime.fromisoformat(item["properties"]["created"])
    return [Product(**{**asset["sarbatch:product"], "created": created}) for asset in item["assets"].values()]


def href(order_home: Location, product: Product) -> str:
    """Absolute path or s3:// URL of a product; of one that an engine has left elsewhere, the URL that it is known by."""
    if is_elsewhere(product):
        return product.path
    scheme, separator, rest = order_home.url.partition("://")
    if not separator:
        return posixpath.normpath(posixpath.join(order_home.url, product.path))
    return f"{scheme}://{posixpath.normpath(posixpath.join(rest, product.path))}"


def is_elsewhere(product: Product) -> bool:
    """Whether a product lies outside of the output, such as in Drive or among Earth Engine's assets."""
    return "://" in product.path


def to_json(order: Order, product: Product, *, run: str) -> dict[str, Any]:
    """Row of `products --json`, and of the registry."""
    return {
        "run": run,
        "task": order.task,
        "kind": order.kind,
        "name": product.name,
        "role": product.role,
        **{label: getattr(product, label) for label in LABELS},
        "href": href(order.home, product),
        "media_type": product.media_type,
        "bytes": product.size,
        "units": product.units,
        "key": order.key,
        "created": product.created.isoformat() if product.created else None,
        "group": product.group,
    }


ROW = ("run", "task", "kind", "name", "role", *LABELS, "href", "media_type", "bytes", "units", "key", "created")


def row_json(row: Any) -> dict[str, Any]:
    """A registry row as `products --json` shows it."""
    return {name: row.created.isoformat() if name == "created" else getattr(row, name) for name in ROW}


def publish(order: Order, products: Sequence[Product], *, versions: Mapping[str, str]) -> bool:
    """Make a key's products visible, once; False if another driver has published the same key before.

    The note in the line comes first: it counts only together with the item, so that a crash between the two leaves
    the key unpublished and whole.
    """
    from json import dumps

    item = stac_item(order, products, versions=versions, created=datetime.now(UTC))
    order.root.create(f".sarbatch/lines/{order.line[:16]}/{order.key[:16]}", order.key.encode())
    return order.home.create(ITEM, dumps(item, indent=2).encode())


def software_versions() -> dict[str, str]:
    """Versions of sarbatch and of what it computes with."""
    from importlib import metadata

    return {name: metadata.version(name) for name in SOFTWARE}


def stac_item(
    order: Order, products: Sequence[Product], *, versions: Mapping[str, str], created: datetime
) -> dict[str, Any]:
    """STAC item of a key: inputs, releases, versions, parameters, and an asset for every product."""
    import pystac

    document = order.document
    grid = Grid(**document["grid"])
    start, end = (datetime.fromisoformat(document[name]) for name in ("start", "end"))
    item = pystac.Item(
        id=f"{order.kind}-{order.key[:16]}",
        geometry=footprint(order),
        bbox=list(_degrees(grid)),
        datetime=None,
        start_datetime=start,
        end_datetime=end,
        stac_extensions=[PROJECTION],
        properties={
            "created": created.isoformat(),
            **_crs(grid),
            "proj:shape": list(grid.shape),
            "proj:transform": list(grid.affine)[:6],
            "sarbatch:kind": order.kind,
            "sarbatch:engine": order.backend,
            "sarbatch:key": order.key,
            "sarbatch:line": order.line,
            "sarbatch:parameters": dict(order.parameters),
            "sarbatch:inputs": {name: source.key for name, source in order.inputs.items()},
            "sarbatch:radiometry": document.get("radiometry"),
            "sarbatch:scenes": list(document.get("fingerprints", [])),
            "sarbatch:dropped": list(document.get("dropped", [])),
            "sarbatch:versions": dict(versions),
        },
    )
    for product in products:
        item.add_asset(_asset_key(product), _asset(product))
    value: dict[str, Any] = item.to_dict(include_self_link=False)
    return value


def _crs(grid: Grid) -> dict[str, Any]:
    """CRS by its code, or in full where it has none."""
    return {"proj:code": grid.crs} if grid.crs.startswith("EPSG:") else {"proj:code": None, "proj:wkt2": grid.crs}


def _asset(product: Product) -> Any:
    import pystac

    row = asdict(product)
    del row["created"]
    return pystac.Asset(
        href=product.path if product.path.startswith("..") or is_elsewhere(product) else f"./{product.path}",
        media_type=product.media_type,
        title=" ".join(str(part) for part in (product.name, product.polarization, product.date, product.zone) if part),
        roles=["overview" if product.role == "figure" else "data"],
        extra_fields={"sarbatch:product": row, **({"unit": product.units} if product.units else {})},
    )


def _asset_key(product: Product) -> str:
    labels = [getattr(product, label) for label in LABELS]
    several = product.role in {"table", "figure"}  # one content in several formats
    suffix = product.media_type.rpartition("/")[2].partition(";")[0] if several else None
    return "-".join(str(part) for part in (product.name, *labels, suffix) if part)


def _degrees(grid: Grid) -> tuple[float, float, float, float]:
    from infra.region import geographic_bounds

    return geographic_bounds(grid)


def footprint(order: Order) -> dict[str, Any]:
    """The outline of an order's grid in WGS84: its four corners, not the box around them."""
    from pyproj import Transformer

    grid = Grid(**order.document["grid"])
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    left, bottom, right, top = grid.bounds
    corners = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    ring = [[round(value, 7) for value in to_degrees.transform(x, y)] for x, y in corners]
    return {"type": "Polygon", "coordinates": [ring]}
