"""The Dask engine, seen from outside the cluster: start a driver, ask how it does, tell it to stop.

A handle says where the driver's reports lie and which scheduler it was given to, so that any process can follow it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from infra.clusters import ask_scheduler, connect, ensure_local_cluster, find_local_cluster
from infra.errors import TransientError
from infra.local_cluster import ClusterRecord, read_record
from infra.processes import machine
from infra.storage import Location, S3Options
from pipelines.backends.desk import Desk
from pipelines.backends.protocol import Backend, Capabilities, Failure, Report, State, Submission
from pipelines.cost import Estimate, Work, on_dask
from pipelines.kinds import all_kinds
from pipelines.products import ITEM

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.kinds.binding import Binding

PREFIX = "sarbatch-"
METADATA = "sarbatch"  # the scheduler's metadata: request id to handle
ENGINE_STATES = {
    "queued": State.QUEUED,
    "no-worker": State.QUEUED,
    "waiting": State.QUEUED,
    "processing": State.RUNNING,
    "long-running": State.RUNNING,
    "memory": State.PUBLISHING,
}


@dataclass(frozen=True, kw_only=True)
class _Handle:
    """`cluster` is the record of a local cluster: its address means something on its machine alone."""

    request_id: str
    scheduler: str
    desk: str
    home: str
    s3: Mapping[str, Any]
    attempt: int
    submitted: float
    cluster: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> _Handle:
        return cls(**json.loads(text))

    @classmethod
    def find(cls, text: str) -> _Handle | None:
        """The handle, None where the text is none of ours."""
        try:
            return cls.parse(text)
        except (TypeError, ValueError):
            return None


class DaskBackend:
    """Dask, on whatever scheduler the settings name; a local cluster of its own process where they name none."""

    name = "dask"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def capabilities(self) -> Capabilities:
        """Every kind that has a binding for Dask."""
        kinds = frozenset(name for name, spec in all_kinds().items() if self.name in spec.backends)
        return Capabilities(kinds=kinds, parallel=self.settings.workers, queue=1000)

    def binding(self, kind: str) -> Binding:
        """How Dask makes a kind; KeyError where it does not."""
        module: Binding = import_module(all_kinds()[kind].backends[self.name])
        return module

    def estimate(self, work: Work) -> Estimate:
        """What the configured cluster takes for an amount of work."""
        return on_dask(work, cores=self.settings.workers)

    def submit(self, operation: Submission) -> str:
        """Start the driver; a request id that the scheduler already knows starts nothing."""
        from distributed import fire_and_forget

        from pipelines.backends.driver import drive
        from pipelines.backends.first_imports import FirstImports
        from pipelines.orders import Order

        order = Order.from_json(operation.order)
        Desk(order.desk).write_order(operation.order)
        address = self.settings.scheduler or ensure_local_cluster(self.settings)
        record = None if self.settings.scheduler else read_record(self.settings.state_dir)
        handle = _Handle(
            request_id=operation.request_id,
            scheduler=address,
            desk=order.desk.url,
            home=order.home.url,
            s3=asdict(order.s3),
            attempt=operation.attempt,
            submitted=time.time(),
            cluster=asdict(record) if record and record.address == address else None,
        )
        with connect(address) as client:
            client.register_plugin(FirstImports())
            # Any process can then find the handle by the request id, also one that did not see this call return.
            text = str(client.get_metadata([METADATA, operation.request_id], default=None) or handle)
            client.set_metadata([METADATA, operation.request_id], text)
            future = client.submit(
                drive,
                dict(operation.order),
                attempt=operation.attempt,
                lease_ttl=self.settings.lease_ttl,
                block_bytes=self.settings.block_bytes,
                key=PREFIX + operation.request_id,
                pure=False,
            )
            fire_and_forget(future)
            # The scheduler must know it before this client goes: otherwise it would go with it.
            _await_known(client, PREFIX + operation.request_id)
        return text

    def poll(self, handles: Sequence[str]) -> Mapping[str, Report]:
        """State of each handle: its reports, and one listing of each scheduler for those without an end."""
        parsed = {text: _Handle.find(text) for text in handles}
        schedulers = {handle.scheduler: handle for handle in parsed.values() if handle}
        listed = {address: _listing(handle) for address, handle in schedulers.items()}
        return {
            text: _report(handle, listed[handle.scheduler], patience=self.settings.lease_ttl)
            if handle
            else _lost("this is no handle of Dask's", None, advanced=False)
            for text, handle in parsed.items()
        }

    def list(self, prefix: str) -> Mapping[str, str]:
        """Request id to handle of every driver that was given to the scheduler, also of those that have ended."""
        address = self.settings.scheduler or find_local_cluster(self.settings)
        if address is None:
            return {}
        handles: dict[str, str] = ask_scheduler(address, _handles)
        return {request_id: handle for request_id, handle in handles.items() if request_id.startswith(prefix)}

    def cancel(self, handle: str) -> None:
        """Ask the driver to stop at its next checkpoint: it publishes nothing after that."""
        parsed = _Handle.parse(handle)
        _desk(parsed).ask_to_stop(parsed.attempt)

    def logs(self, handle: str) -> str:
        """What the driver logged."""
        parsed = _Handle.parse(handle)
        return _desk(parsed).log(parsed.attempt)

    def split(self, tile: str) -> tuple[str, ...]:  # noqa: ARG002 -- the protocol's
        """Nothing: a driver cuts its work into blocks itself."""
        return ()


def _listing(handle: _Handle) -> dict[str, str] | None:
    """Task states of our drivers on a handle's scheduler; None where it cannot be reached."""
    if handle.cluster is not None:
        record = ClusterRecord(**handle.cluster)
        if record.machine != machine():
            return None
        if not record.alive:
            return {}  # nobody need wait for an answer
    try:
        states: dict[str, str] = ask_scheduler(handle.scheduler, _driver_states)
    except TransientError:
        return None
    return states


def _handles(dask_scheduler: Any) -> dict[str, str]:
    """Runs on the scheduler: request id to handle of every driver that it was given."""
    return dict(dask_scheduler.task_metadata.get(METADATA, {}))


def _driver_states(dask_scheduler: Any) -> dict[str, str]:
    """Runs on the scheduler: state of every driver it knows."""
    return {
        str(key): "long-running"
        if any(task in worker.long_running for worker in dask_scheduler.workers.values())
        else task.state
        for key, task in dask_scheduler.tasks.items()
        if str(key).startswith("sarbatch-")
    }


def _await_known(client: Any, key: str, *, patience: float = 10.0) -> None:
    deadline = time.monotonic() + patience
    while key not in client.run_on_scheduler(_driver_states):
        if time.monotonic() > deadline:
            raise TransientError("the Dask scheduler did not take the driver", "It is tried again.")
        time.sleep(0.05)


def _desk(handle: _Handle) -> Desk:
    return Desk(Location(handle.desk, S3Options(**handle.s3)))


def _report(handle: _Handle, states: Mapping[str, str] | None, *, patience: float) -> Report:
    desk = _desk(handle)
    progress = desk.progress(handle.attempt) or {}
    advanced, fraction = bool(progress.get("advanced")), progress.get("fraction")
    if Location(handle.home, S3Options(**handle.s3)).exists(ITEM):
        result = desk.result() or {}
        return Report(
            state=State.DONE, engine_state="published", progress=1.0, advanced=True, usage=result.get("usage", {})
        )
    failure = desk.failure(handle.attempt)
    if failure is not None:
        state = State.CANCELLED if failure.error_class == "cancelled" else State.FAILED
        return Report(state=state, engine_state="error", progress=fraction, advanced=advanced, failure=failure)
    if states is None:
        if time.time() - max(handle.submitted, progress.get("at", 0.0)) < patience:
            return Report(state=State.RUNNING, engine_state="unreachable", progress=fraction, advanced=advanced)
        return _lost("its scheduler is gone", fraction, advanced=advanced)
    engine_state = states.get(PREFIX + handle.request_id)
    if engine_state in ENGINE_STATES:
        return Report(
            state=ENGINE_STATES[engine_state], engine_state=engine_state, progress=fraction, advanced=advanced
        )
    return _lost("its workers died", fraction, advanced=advanced)


def _lost(why: str, fraction: float | None, *, advanced: bool) -> Report:
    failure = Failure(error_class="transient", message=f"the driver is gone: {why}", remedy="It is started again.")
    return Report(state=State.LOST, engine_state="gone", progress=fraction, advanced=advanced, failure=failure)


_: type[Backend] = DaskBackend
