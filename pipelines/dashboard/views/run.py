"""One run: its tasks as they are now, and what they have made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Response

from pipelines.dashboard.products import has_picture, is_file, is_raster, product_id
from pipelines.dashboard.site import Site
from pipelines.products import LABELS
from pipelines.registry.rows import EventRow, ProductRow, RunRow
from pipelines.status import status

PICTURES = 24  # of a task that are shown at once
QUIET = 60.0  # seconds without news after which somebody should look


def router(site: Site) -> APIRouter:
    """Its page and its fragment."""
    routes = APIRouter()

    @routes.get("/runs/{run}")
    def page(run: str) -> Response:
        found = site.run(run)
        events = site.registry.events(found.id)
        return site.pages.show("run.html", **_now(site, found, events), **_products(site, found))

    @routes.get("/runs/{run}/live")
    def live(run: str, seen: int = 0, made: int = 0) -> Response:
        found = site.run(run)
        # From the last one that the page has seen: its time is shown where there is nothing newer
        events = site.registry.events(found.id, after=seen - 1)
        news = not events or events[-1].id != seen
        values = _now(site, found, events)
        products = _products(site, found) if news else {"made": made, "groups": []}
        return site.pages.show(
            "run_live.html", **values, **products, news=news, new_products=news and products["made"] != made
        )

    return routes


def _now(site: Site, run: RunRow, events: Sequence[EventRow]) -> dict[str, Any]:
    """The run and its tasks; when anything was heard of it last."""
    now = datetime.now(UTC)
    heard = events[-1].time if events else run.started
    [value] = status(site.registry, [run])["runs"]
    return {
        "run": value,
        "output": run.output,
        "period": run.document.get("period"),
        "scenes": {task["task"]: task["inputs"] for task in run.document.get("tasks", [])},
        "now": now,
        "heard": heard,
        "quiet": run.state == "running" and (now - heard).total_seconds() > QUIET,
        "seen": events[-1].id if events else 0,
    }


def _products(site: Site, run: RunRow) -> dict[str, Any]:
    rows = site.registry.products(run.id)
    tasks = list(dict.fromkeys(row.task for row in rows))
    return {"made": len(rows), "groups": [_group(task, [row for row in rows if row.task == task]) for task in tasks]}


def _group(task: str, rows: list[ProductRow]) -> dict[str, Any]:
    products = [_product(row) for row in rows]
    pictures = [row for row in products if row["picture"]]
    return {
        "task": task,
        "products": products,
        "pictures": pictures[:PICTURES],
        "left": len(pictures[PICTURES:]),
        "reports": [row for row in products if row["role"] == "report"],
    }


def _product(row: ProductRow) -> dict[str, Any]:
    """What templates show of a product."""
    labels = [getattr(row, label) for label in LABELS]
    return {
        "id": product_id(row),
        "run": row.run,
        "name": row.name,
        "role": row.role,
        "of": " ".join(filter(None, labels)),
        "units": row.units or "",
        "bytes": row.bytes,
        "href": row.href,
        "picture": has_picture(row),
        "raster": is_raster(row),
        "film": row.media_type.startswith("video/"),
        "link": is_file(row),
    }
