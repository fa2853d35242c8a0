"""Passes and grids of an order, and whether a store of its line can go on with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from infra.grid import Grid
from infra.storage import Location
from pipelines.kinds.lines.dask import held_ledger
from pipelines.orders import Order

if TYPE_CHECKING:
    from dask_jobs.scenes import Pass


def ordered_passes(order: Order) -> dict[str, tuple[Pass, ...]]:
    """Passes of each group of an order, in time order."""
    from dask_jobs.passes import group_passes
    from dask_jobs.scenes import Scene

    groups: Mapping[str, Any] = order.document["groups"]
    return {
        label: group_passes([Scene.from_json(scene) for scene in group["scenes"]]) for label, group in groups.items()
    }


def ordered_grids(order: Order) -> dict[str, Grid]:
    """Grid of each group of an order."""
    return {label: Grid(**group["grid"]) for label, group in order.document["groups"].items()}


def stack_obstacles(order: Order, store: Location) -> list[str]:
    """Why a store cannot go on with the order's passes; none where it can."""
    from dask_jobs.stack.ledger import obstacles

    passes, grids = ordered_passes(order), ordered_grids(order)
    ledgers = {label: held_ledger(store, label) for label in passes}
    return [
        reason
        for label, ledger in ledgers.items()
        if ledger
        for reason in obstacles(ledger, passes[label], grid=grids[label])
    ]
