"""The stores of a stack's line: what they hold, and in which one a set of scenes can go on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from infra.grid import Grid
from infra.storage import Location
from pipelines.keys import short
from pipelines.orders import Order

if TYPE_CHECKING:
    from dask_jobs.scenes import Pass
    from dask_jobs.stack.ledger import Ledger


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


def line_store(order: Order, generation: int) -> Location:
    """Where the store of a generation of the order's line lies."""
    return order.root / order.kind / f"{short(order.line)}-{generation}.icechunk"


def held_ledger(store: Location, label: str) -> Ledger | None:
    """What a group of a store holds; None where there is no such thing yet."""
    from dask_jobs.stack.store import read_ledger

    return read_ledger(store, group=label)


def line_generation(order: Order) -> tuple[int, list[str]]:
    """First generation of the line's store that these scenes can go on in, and why those that are there cannot."""
    from dask_jobs.stack.ledger import obstacles

    notes: list[str] = []
    passes, grids = ordered_passes(order), ordered_grids(order)
    there = _generations(order)
    for generation in there:
        store = line_store(order, generation)
        ledgers = {label: held_ledger(store, label) for label in passes}
        reasons = [
            reason
            for label, ledger in ledgers.items()
            if ledger
            for reason in obstacles(ledger, passes[label], grid=grids[label])
        ]
        if not reasons:
            return generation, notes
        notes = [f"makes a new store, generation {there[-1] + 1}, of all dates: {reason}" for reason in reasons[:5]]
    return there[-1] + 1 if there else 1, notes


def _generations(order: Order) -> list[int]:
    """Generations whose store is there; `clean` may have removed those before."""
    name = re.compile(rf"{re.escape(short(order.line))}-(\d+)\.icechunk")
    found = (name.fullmatch(folder) for folder in (order.root / order.kind).folders())
    return sorted(int(match[1]) for match in found if match)
