"""The stores of a line: where they lie, what they hold, and in which one a set of scenes can go on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from infra.storage import Location
from pipelines.keys import short
from pipelines.orders import Order

if TYPE_CHECKING:
    from dask_jobs.stack.ledger import Ledger


def line_store(order: Order, generation: int) -> Location:
    """Where the store of a generation of the order's line lies."""
    return order.root / order.kind / f"{short(order.line)}-{generation}.icechunk"


def held_ledger(store: Location, label: str = "") -> Ledger | None:
    """What a group of a store holds; None where there is no such thing yet."""
    from dask_jobs.stack.store import read_ledger

    return read_ledger(store, group=label)


def line_generation(order: Order, obstacles: Callable[[Location], Sequence[str]]) -> tuple[int, list[str]]:
    """First generation of the line's store that these scenes can go on in, and why those that are there cannot.

    Parameters
    ----------
    obstacles : why a store cannot go on, one sentence each; none where it can
    """
    notes: list[str] = []
    there = _generations(order)
    for generation in there:
        reasons = obstacles(line_store(order, generation))
        if not reasons:
            return generation, notes
        notes = [f"makes a new store, generation {there[-1] + 1}, of all dates: {reason}" for reason in reasons[:5]]
    return there[-1] + 1 if there else 1, notes


def _generations(order: Order) -> list[int]:
    """Generations whose store is there; `clean` may have removed those before."""
    name = re.compile(rf"{re.escape(short(order.line))}-(\d+)\.icechunk")
    found = (name.fullmatch(folder) for folder in (order.root / order.kind).folders())
    return sorted(int(match[1]) for match in found if match)
