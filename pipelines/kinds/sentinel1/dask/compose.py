"""Passes of a stack made rasters, group by group of the stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from infra.errors import InputError, StateError
from infra.grid import Grid
from infra.storage import Location
from pipelines.keys import short
from pipelines.kinds.binding import Driver
from pipelines.kinds.model import KindSpec
from pipelines.kinds.sentinel1.filtering import filter_arguments
from pipelines.kinds.sentinel1.parameters import Sentinel1
from pipelines.kinds.sentinel1.parts import Part, Pass, beside
from pipelines.orders import Order, Product
from pipelines.products import href, published

if TYPE_CHECKING:
    from dask_jobs.composites.composition import Composition
    from dask_jobs.composites.measures import Measure

POINTS = {"compose": "committed"}  # a block that is composed is found by the next attempt


def make_rasters(
    order: Order, driver: Driver, *, kind: KindSpec, parameters: Sentinel1, measures: Sequence[Measure]
) -> list[Product]:
    """Products of an order, made of its stack; goes on from what an earlier attempt has finished.

    Raises
    ------
    StateError
        If the stack is not published.
    """
    from dask_jobs.composites.compose_stack import compose_stack

    every = [Part.from_json(value) for value in order.document["parts"]]
    groups = list(dict.fromkeys(_group(part) for part in every))
    driver.checkpoint("start", 0.0)
    products: list[Product] = []
    for number, group in enumerate(groups):
        parts = [part for part in every if _group(part) == group]
        written = compose_stack(
            _composition(order, parameters, parts, measures=measures, group=group),
            parts=driver.parts,
            client=driver.client,
            checkpoint=_checkpoint(driver, number, len(groups)),
            block_bytes=driver.block_bytes,
        )
        products += [Product(**asdict(row), units=kind.product(row.name).units) for row in written]
    return products


def check_groups(parts: Sequence[Part]) -> None:
    """Refuse parts whose passes a stack keeps in several groups.

    Raises
    ------
    InputError
        Naming the groups.
    """
    for part in parts:
        _group(part)


def _group(part: Part) -> str:
    """Group of the stack that a part's passes are in."""
    groups = sorted({one.group for one in part.passes})
    if len(groups) > 1:
        raise InputError(
            f"composite: passes of the orbits {', '.join(groups)} are put together, and the stack keeps each orbit apart",
            "Say `orbits: mixed` in the stack, or `composite: {per_orbit: true}` here.",
        )
    return groups[0]


def _composition(
    order: Order, parameters: Sentinel1, parts: Sequence[Part], *, measures: Sequence[Measure], group: str
) -> Composition:
    from dask_jobs.composites.composition import Composition
    from dask_jobs.composites.composition import Part as Steps
    from dask_jobs.speckle.choice import Speckle

    stack = order.inputs["stack"]
    stores = [one for one in published(stack) if one.name == "stack" and one.group == group]
    if not stores:
        raise StateError(f"stack {short(stack.key)} is not published", "Run the job again: it is made first.")
    own = Grid(**order.document["groups"][group])
    arguments = filter_arguments(parameters, spacing=own.dx, crs=own.crs)
    return Composition(
        store=Location(href(stack.home, stores[0]), order.s3),
        tag=short(stack.key),
        group=group,
        parts=tuple(
            Steps(
                steps=tuple(one.index for one in part.passes),
                period=part.period,
                date=part.date,
                orbit=part.orbit,
                platform=part.platform,
            )
            for part in parts
        ),
        measures=tuple(measures),
        polarizations=parameters.needed,
        speckle=Speckle(**arguments) if arguments else None,
        companions=_companions(parts),
        valid_range=parameters.valid_range.power if parameters.valid_range else (None, None),
        grid=Grid(**order.document["grid"]),
        region=order.region,
        names_group=False,  # no two parts have the same labels, whatever groups they are of
    )


def _companions(parts: Sequence[Part]) -> tuple[tuple[int, ...], ...]:
    """Steps that a filter over time looks at together: those of one orbit, of a part or of a whole series."""
    found: dict[tuple[int, ...], None] = {}
    for part in parts:
        orbits: dict[str, list[Pass]] = {}
        for one in beside(part, parts):
            orbits.setdefault(one.orbit, []).append(one)
        found |= {tuple(sorted(one.index for one in members)): None for members in orbits.values()}
    return tuple(found)


def _checkpoint(driver: Driver, index: int, total: int) -> Callable[[str, float], None]:
    """Progress over all groups."""
    return lambda point, fraction: driver.checkpoint(POINTS.get(point, point), (index + fraction) / total)
