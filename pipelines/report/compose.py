"""What a report says of one task: gathered from its order, its products and what lies in the work in progress."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import yaml

from infra.grid import Grid
from infra.region import geographic_bounds
from infra.storage import Location
from pipelines.orders import Order, Product
from pipelines.products import software_versions
from pipelines.report.document import File, Picture, Report, Table
from pipelines.report.guides import guides_for

if TYPE_CHECKING:
    from pipelines.kinds.model import KindSpec, ProductSpec

ROWS = 60  # of a table on the page; the whole table is a product
PICTURE_BYTES = 12 * 2**20  # a larger film is linked, not embedded: pages beyond some ten megabytes open slowly
COLUMNS = (
    "date",
    "polarization",
    "zone",
    "mean_db",
    "median_db",
    "smoothed_db",
    "std_power",
    "n_pixels",
    "valid_fraction",
)
MEANT_ONCE = ("video/mp4", "image/png", "image/gif")  # one content in several formats is shown in the first of these


def compose(order: Order, products: Sequence[Product], *, kind: KindSpec, parts: Location, created: datetime) -> Report:
    """Report of one task.

    Parameters
    ----------
    products : of the task, whose paths are relative to `parts` now and to the report later
    """
    sources = list(_sources(order))
    return Report(
        job=order.job,
        task=order.task,
        kind=order.kind,
        summary=kind.summary,
        key=order.key,
        created=created,
        facts=list(_facts(order, products, parts)),
        pictures=list(_pictures(products, kind=kind, parts=parts)),
        tables=list(_tables(products, kind=kind, parts=parts)),
        used=[f"{row[0]} {row[1]}".strip() for one in sources for row in one.document.get("fingerprints", [])],
        dropped=[(row["path"], row["reason"]) for one in sources for row in one.document.get("dropped", [])],
        files=[_file(product, kind.product(product.name)) for product in products],
        guides=guides_for(order, products),
        parameters=yaml.safe_dump(
            {one.task: {"kind": one.kind, **one.parameters} for one in (*sources, order) if one.parameters},
            sort_keys=False,
            allow_unicode=True,
        ),
        versions=software_versions(),
    )


def _sources(order: Order) -> Iterator[Order]:
    """Orders that this one takes products of, the first ones first."""
    for source in order.inputs.values():
        yield from _sources(source)
        yield source


def _facts(order: Order, products: Sequence[Product], parts: Location) -> Iterator[tuple[str, str]]:
    document = order.document
    start, end = (datetime.fromisoformat(document[name]) for name in ("start", "end"))
    yield "period", f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
    yield "polarizations", ", ".join(document.get("polarizations", [])) or "-"
    orbits = sorted({product.orbit for product in products if product.orbit})
    if orbits:
        yield "orbits", ", ".join(orbits)
    if document.get("radiometry"):
        yield "backscatter", _radiometry(document["radiometry"])
    grid = Grid(**document["grid"])
    west, south, east, north = geographic_bounds(grid)
    yield "grid", f"{grid.crs.partition('[')[0]}, pixels of {grid.dx:g} x {grid.dy:g}, {grid.width} x {grid.height}"
    yield "extent", f"{west:.4f}, {south:.4f} to {east:.4f}, {north:.4f} (longitude, latitude)"
    for product in products:
        if product.name == "cov_summary":
            yield from _speckle(parts.read_json(product.path), product.orbit)
        if product.name == "summary":
            yield from ((label, value) for label, value in parts.read_json(product.path)["facts"])


def _radiometry(said: Mapping[str, Any]) -> str:
    quantity = str(said["quantity"]).replace("_", " ")
    speckle = {True: "speckle-filtered", False: "not speckle-filtered"}.get(said["speckle_filtered"], "")
    water = {True: "open water masked", False: ""}.get(said["water_masked"], "")
    return ", ".join(filter(None, (quantity, "linear power", speckle, water)))


def _speckle(summary: Mapping[str, Any], orbit: str | None) -> Iterator[tuple[str, str]]:
    """Speckle floor and threshold of each polarization, and where they come from."""
    for polarization, said in summary["polarizations"].items():
        label = " ".join(filter(None, (polarization, orbit)))
        if said["speckle_floor"] is not None:
            looks = f"{_short(said['looks'])} looks, {said['looks_source']}"
            yield f"{label} speckle floor", f"coefficient of variation {_short(said['speckle_floor'])} ({looks})"
        if said["threshold"]:
            limit = said["threshold"]
            rule = f" (quantile {_short(limit['quantile'])})" if limit["quantile"] is not None else ""
            above = f", {limit['pixels_above_upper']} above {_short(limit['upper'])} left out" if limit["upper"] else ""
            kept = f"{limit['pixels_kept']} of {said['pixels']} pixels reach it{above}"
            yield f"{label} threshold", f"coefficient of variation {_short(limit['value'])}{rule}: {kept}"


def _pictures(products: Sequence[Product], *, kind: KindSpec, parts: Location) -> Iterator[Picture]:
    shown: set[Product] = set()
    ranked = sorted(
        (product for product in products if product.role == "figure"),
        key=lambda p: MEANT_ONCE.index(p.media_type) if p.media_type in MEANT_ONCE else len(MEANT_ONCE),
    )
    once = []
    for product in ranked:
        content = replace(product, media_type="", path="", size=None, created=None)
        if content not in shown and (product.size or 0) <= PICTURE_BYTES:
            shown.add(content)
            once.append(product)
    for product in sorted(once, key=lambda p: (p.media_type.startswith("video/"), products.index(p))):
        label = _label(product)
        what = kind.product(product.name).long_name
        yield Picture(
            caption=f"{label}: {what}" if label else what,
            alt=f"{what} {label}".strip(),
            media_type=product.media_type,
            content=parts.read(product.path),
        )


def _tables(products: Sequence[Product], *, kind: KindSpec, parts: Location) -> Iterator[Table]:
    for product in products:
        if product.role != "table" or product.media_type.partition(";")[0] != "text/csv":
            continue
        lines = list(csv.DictReader(io.StringIO(parts.read(product.path).decode())))
        columns = [name for name in COLUMNS if lines and name in lines[0]] or list(lines[0] if lines else ())
        note = f"The first {ROWS} of {len(lines)} rows; " if len(lines) > ROWS else ""
        yield Table(
            caption=" ".join(filter(None, (kind.product(product.name).long_name, product.orbit))),
            columns=columns,
            rows=[[_short(row[name]) for name in columns] for row in lines[:ROWS]],
            note=f"{note}every column is in {product.path}.",
        )


def _file(product: Product, row: ProductSpec) -> File:
    return File(
        name=product.name,
        what=row.long_name,
        label=_label(product),
        units=product.units,
        path=product.path,
        size=product.size,
        media_type=product.media_type,
    )


def _label(product: Product) -> str:
    return " ".join(filter(None, (product.orbit, product.polarization, (product.date or "")[:10], product.zone)))


def _short(value: Any) -> str:
    """Number with four digits that count; text as it is."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return "" if value is None else str(value)
    return str(value) if number.is_integer() and abs(number) < 1e9 else f"{number:.4g}"
