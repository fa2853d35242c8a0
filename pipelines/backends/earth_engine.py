"""The Earth Engine engine: a tile is a batch export, and what puts the tiles together is a driver on Dask.

An export's description is its request id, so that one listing of the project tells of everything that was ever sent. Its
handle names the operation; any process can follow it.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, cast

from gee.limits import Pace
from gee.tiles import Tile
from infra.errors import TransientError
from pipelines.backends.dask import DaskBackend
from pipelines.backends.protocol import Backend, Capabilities, Failure, Report, State, Submission
from pipelines.cost import Estimate, Work, on_earth_engine
from pipelines.keys import SHORT, short
from pipelines.kinds import all_kinds
from pipelines.orders import WHOLE, Order

if TYPE_CHECKING:
    from gee.destinations import Destination
    from gee.operations import Operation
    from infra.settings import Settings
    from pipelines.kinds.binding import Binding, TiledBinding

ENGINE = "earth-engine"
REQUEST_ID = re.compile(r"[0-9a-f]{16}-[\w-]+-\d{4}-[0-9a-f]{12}", re.ASCII)  # as `pipelines.keys.request_id`
STATES = {
    "PENDING": State.QUEUED,
    "RUNNING": State.RUNNING,
    "CANCELLING": State.CANCELLING,
    "SUCCEEDED": State.DONE,
    "CANCELLED": State.CANCELLED,
    "FAILED": State.FAILED,
}
UNLISTED_SECONDS = 120.0  # in which a listing need not know yet what was just started
PRIORITY = 100

logger = logging.getLogger("sarbatch.earth-engine")


@dataclass(frozen=True, kw_only=True)
class _Handle:
    """`created` is the operation's own time."""

    operation: str
    created: str
    engine: str = ENGINE

    def __str__(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of(cls, operation: Operation) -> _Handle:
        return cls(operation=operation.name, created=operation.created)

    @classmethod
    def find(cls, text: str) -> _Handle | None:
        """The handle of an export, None where the text is none."""
        try:
            handle = cls(**json.loads(text))
        except (TypeError, ValueError):
            return None
        return handle if handle.engine == ENGINE else None

    @property
    def age(self) -> float:
        """Seconds since it was started, as far as the clocks agree."""
        try:
            return time.time() - datetime.fromisoformat(self.created).timestamp()
        except ValueError:
            return float("inf")


class EarthEngineBackend:
    """Earth Engine, whichever the settings name, and beside it Dask for what follows the exports."""

    name = ENGINE

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._dask = DaskBackend(settings)
        self._lock = threading.Lock()
        self._pace = Pace()
        self._adopted: dict[str, str] | None = None  # request id to handle, as it was before this process sent anything
        self._prepared: set[Destination] = set()

    def capabilities(self) -> Capabilities:
        """Every kind that has a binding for Earth Engine."""
        kinds = frozenset(name for name, spec in all_kinds().items() if self.name in spec.backends)
        return Capabilities(
            kinds=kinds, parallel=self.settings.earth_engine_tasks, queue=self.settings.earth_engine_queue
        )

    def binding(self, kind: str) -> Binding:
        """How Earth Engine makes a kind; KeyError where it does not."""
        module: Binding = import_module(all_kinds()[kind].backends[self.name])
        return module

    def estimate(self, work: Work) -> Estimate:
        """What Earth Engine takes for an amount of work."""
        return on_earth_engine(work, tasks=self.settings.earth_engine_tasks)

    def submit(self, operation: Submission) -> str:
        """Start the export of a tile, or the driver that puts tiles together.

        What the service was given under the same request id before is followed and not started again: it forgets request
        ids after a while, so the first submission of a process looks at what is there.
        """
        if operation.tile == WHOLE:
            return self._dask.submit(operation)
        from gee import exports

        self._connect()
        known = self._known_before(operation.request_id)
        if known is not None:
            return known
        order = Order.from_json(operation.order)
        export = cast("TiledBinding", self.binding(order.kind)).export(order, operation.tile)
        self._prepare(export.destination)
        self._pace.wait()
        started = exports.start(
            export,
            description=operation.request_id,
            workload_tag=f"sarbatch-{short(order.key)}",
            priority=_priority(order),
        )
        return str(_Handle.of(started))

    def poll(self, handles: Sequence[str]) -> Mapping[str, Report]:
        """State of each handle: one listing for all exports, and what Dask says of the others."""
        parsed = {text: _Handle.find(text) for text in handles}
        exported = {text: handle for text, handle in parsed.items() if handle}
        others = [text for text, handle in parsed.items() if handle is None]
        reports: dict[str, Report] = dict(self._dask.poll(others)) if others else {}
        if exported:
            listed = self._listed()
            reports |= {text: _report(handle, listed.get(handle.operation)) for text, handle in exported.items()}
        return {text: reports[text] for text in handles}

    def list(self, prefix: str) -> Mapping[str, str]:
        """Request id to handle of every export that the service remembers, and of every driver that Dask does."""
        tile = prefix[SHORT + 1 :]  # its beginning, where the prefix is long enough
        driver = WHOLE.startswith(tile[: len(WHOLE)])
        found: dict[str, str] = {}
        if not driver or not tile:
            found |= {name: text for name, text in _by_request(self._listed()).items() if name.startswith(prefix)}
        if driver:
            found |= self._dask.list(prefix)
        return found

    def cancel(self, handle: str) -> None:
        """Ask that an export or a driver stops; one that has ended stays as it is."""
        export = _Handle.find(handle)
        if export is None:
            self._dask.cancel(handle)
            return
        from gee import operations

        self._connect()
        self._pace.wait()
        operations.cancel(export.operation)

    def logs(self, handle: str) -> str:
        """What the service says of an export, or what a driver logged."""
        export = _Handle.find(handle)
        if export is None:
            return self._dask.logs(handle)
        from gee import operations

        self._connect()
        self._pace.wait()
        found = operations.find(export.operation)
        return f"{export.operation}: Earth Engine no longer knows it\n" if found is None else _story(found)

    def split(self, tile: str) -> tuple[str, ...]:
        """Tiles of half the size, on the same grid; none of what is no tile or too small."""
        if tile == WHOLE:
            return ()
        return tuple(one.name for one in Tile.parse(tile).split())

    def _connect(self) -> None:
        """Make the client ready for any call; costs nothing but the first time."""
        from gee.session import connection_of, initialize

        initialize(connection_of(self.settings))

    def _listed(self) -> dict[str, Operation]:
        from gee import operations

        self._connect()
        self._pace.wait()
        return operations.listed()

    def _known_before(self, request_id: str) -> str | None:
        """Handle of what the service was given under a request id before this process sent anything."""
        with self._lock:
            known = self._adopted
        if known is None:
            known = _by_request(self._listed())
            with self._lock:
                self._adopted = known
        found = known.get(request_id)
        if found is not None:
            logger.info("%s was sent before: its operation is followed", request_id)
        return found

    def _prepare(self, destination: Destination) -> None:
        from gee import exports

        if destination not in self._prepared:
            exports.prepare(destination)
            self._prepared.add(destination)


def _priority(order: Order) -> int:
    return int((order.parameters.get("export") or {}).get("priority", PRIORITY))


def _by_request(listed: Mapping[str, Operation]) -> dict[str, str]:
    """Request id to handle of a listing, newest first: of two with one request id the older one counts."""
    return {one.description: str(_Handle.of(one)) for one in listed.values() if REQUEST_ID.fullmatch(one.description)}


def _report(handle: _Handle, operation: Operation | None) -> Report:
    if operation is None:
        return _unlisted(handle)
    state = STATES.get(operation.state, State.RUNNING)
    error = operation.failure
    usage = {"wall_seconds": operation.wall_seconds} if operation.wall_seconds else {}
    # Of what failed the service does not tell what it used: then nothing is said, unless it never ran
    if operation.eecu_seconds or operation.started is None:
        usage["eecu_seconds"] = operation.eecu_seconds
    return Report(
        state=state,
        engine_state=operation.state,
        progress=1.0 if state == State.DONE else operation.progress,
        usage=usage,
        failure=Failure(error_class=error.error_class, message=error.message, remedy=error.remedy) if error else None,
    )


def _unlisted(handle: _Handle) -> Report:
    if handle.age < UNLISTED_SECONDS:
        return Report(state=State.QUEUED, engine_state="not yet listed")
    error = TransientError("Earth Engine does not know the export (any more)", "It is started again.")
    failure = Failure(error_class=error.error_class, message=error.message, remedy=error.remedy)
    return Report(state=State.LOST, engine_state="unknown", failure=failure)


def _story(operation: Operation) -> str:
    """What the service says of an operation, in lines."""
    ran = f"started {operation.started or 'not yet'}, ended {operation.ended or 'not yet'}"
    used = f"{operation.eecu_seconds:g} EECU-seconds" if operation.eecu_seconds else "EECU-seconds not told"
    lines = [
        f"{operation.name}: {operation.state}, attempt {operation.attempt}, {operation.progress:.0%}",
        f"description {operation.description}, priority {operation.priority}",
        f"created {operation.created}, {ran}, {used}",
        *(f"destination {uri}" for uri in operation.uris),
        *([f"error {operation.code}: {operation.message}"] if operation.message else []),
    ]
    return "\n".join(lines) + "\n"


_: type[Backend] = EarthEngineBackend
