"""What the module that binds a kind to an engine must offer: look at the inputs, and make the products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from infra.region import Region
from infra.storage import Location
from pipelines.cost import Work
from pipelines.orders import Order, Product

if TYPE_CHECKING:
    from datetime import datetime

    from distributed import Client

    from infra.settings import Settings
    from pipelines.kinds.model import Parameters


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a survey.

    Attributes
    ----------
    region, period : of the job, None where it has none
    folder : where relative paths of the job start
    inputs : parameter to what was found for the task that it names
    """

    task: str
    parameters: Parameters
    region: Region | None
    period: tuple[datetime, datetime] | None
    folder: Path
    output: Location
    settings: Settings
    inputs: Mapping[str, Survey] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a look at a task's inputs found, before any pixel is read.

    Attributes
    ----------
    grid, radiometry, scenes : parts of the key (`pipelines.keys.Identity`)
    extra : further parts of the key that are no parameter (the content of a file that the job names)
    used, dropped : for `plan`: ids, and {path, reason}
    document : for the order
    work : what is to be done if nothing of it is there yet
    summary : what a task that takes this one's products needs to know
    tiles : names of the operations that make it before they are put together (`pipelines.orders.Order.tiles`)
    takes_inputs : whether the products of the tasks that it names must be there before it begins
    source : the product that it is made of ("OPERA/RTC/L2_V1/S1"), for the choice between engines; None where there is none
    covers : what a certificate of parity must name for a move between engines: words as "filter refined_lee"
    remote : whether the files that the task itself names lie in a bucket, and come over a network
    """

    grid: Mapping[str, Any] | None = None
    radiometry: Any = None
    scenes: Sequence[Sequence[Any]] = ()
    extra: Any = None
    used: Sequence[str] = ()
    dropped: Sequence[Mapping[str, str]] = ()
    document: Mapping[str, Any] = field(default_factory=dict)
    work: Work = field(default_factory=Work)
    summary: Mapping[str, Any] = field(default_factory=dict)
    tiles: Sequence[str] = ()
    takes_inputs: bool = True
    source: str | None = None
    covers: Sequence[str] = ()
    remote: bool = False


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """How a line goes on: what is there already, in words, and what is left to do."""

    notes: Sequence[str]
    work: Work


class Driver(Protocol):
    """What a binding's `make` may ask of the process that runs it.

    `checkpoint(point, fraction)` reports progress and raises where the driver may not go on (lease lost, cancelled). Points:
    "start"; "writing", after a piece of work; "block", before a commit or tag; "committed" or "write", after a commit
    or file that the next attempt finds and goes on from.

    Attributes
    ----------
    client : of the cluster
    parts : products in the making
    block_bytes : pixels to work on at most until what was made is kept
    """

    client: Client
    parts: Location
    block_bytes: int

    def checkpoint(self, point: str, fraction: float) -> None:
        """Report progress (0 to 1) at a named point; raises `infra.errors.Stopped` where the driver may not go on."""
        ...


class Binding(Protocol):
    """A kind on an engine; implemented by modules, `pipelines.kinds.NAME.dask`."""

    def survey(self, request: Request) -> Survey:
        """Look at the inputs: headers, never pixels. Raises `infra.errors.UserError` for what the user can mend."""
        ...

    def continuation(self, order: Order, survey: Survey) -> Continuation:
        """What of this line is there already; only called where the line has been published or begun before."""
        ...

    def open_store(self, store: Location, *, media_type: str, key: str, group: str) -> Any:
        """Lazy dataset of a product of role "store"; only kinds that make stores have it."""
        ...

    def make(self, order: Order, driver: Driver) -> list[Product]:
        """Make the products, in `driver.parts` or in a store of the line; goes on from what an earlier attempt left."""
        ...


class TiledBinding(Binding, Protocol):
    """A kind on an engine that makes it of tiles, each an export; implemented by `pipelines.kinds.NAME.earth_engine`.

    `make` then puts the tiles together, on a cluster, once all are there.
    """

    def export(self, order: Order, tile: str) -> Any:
        """What the engine is to export for a tile (`gee.exports.Export`); builds a graph, asks nothing."""
        ...
