"""The driver: what runs on the cluster to make one key, from lease to publication. It gathers no pixels."""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from infra import faults
from infra.errors import CancelledError, ResourceError, SarbatchError, TransientError
from infra.leases import Lease
from infra.storage import Location
from pipelines.backends.desk import Desk
from pipelines.backends.protocol import Failure
from pipelines.keys import short
from pipelines.kinds import all_kinds
from pipelines.orders import Order, Product
from pipelines.products import is_elsewhere, is_published, publish, software_versions

if TYPE_CHECKING:
    from distributed import Client

    from pipelines.kinds.binding import Binding

SHORT_LOG = 20_000  # letters: written anew with every line
LOG_EVERY = 5.0  # seconds between log files that are longer
REPORT_EVERY = 0.5  # seconds between progress files, so that a thousand blocks are not a thousand objects
COMMITTING = frozenset({"block", "last-write", "before-publication"})  # what follows cannot be taken back
KEPT = frozenset({"committed", "write"})  # what came before is not lost if the driver dies now

logger = logging.getLogger("sarbatch.driver")


def drive(order: Mapping[str, Any], *, attempt: int, lease_ttl: float, block_bytes: int) -> None:
    """Make and publish one order; returns when it is published or has failed, and says which on the desk.

    May be called any number of times for one attempt (Dask starts a task again whose worker died): it goes on from
    what is there. Never raises, so that Dask never repeats it by itself for an error of ours.
    """
    wanted = Order.from_json(order)
    desk = Desk(wanted.desk)
    if is_published(wanted):
        desk.parts.delete_all()  # a driver that died right after publication left them
        return
    if desk.failure(attempt) is not None:
        return
    with _logged(desk, attempt):
        try:
            _make(wanted, desk, attempt=attempt, lease_ttl=lease_ttl, block_bytes=block_bytes)
        except Exception as error:  # the border of the cluster: every failure becomes a report, none is lost
            logger.exception("%s %s failed", wanted.task, short(wanted.key))
            desk.write_failure(attempt, as_failure(error))


def as_failure(error: BaseException) -> Failure:
    """Failure with the class that decides about a retry."""
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    if isinstance(error, KilledWorker):
        error = ResourceError(
            f"workers died while they worked on {error.task}",
            "Most often memory: give workers more (SARBATCH_MEMORY_LIMIT), or make chunks smaller.",
        )
    if isinstance(error, CommClosedError | ConnectionError):
        error = TransientError(f"the cluster's connections broke: {error}", "It is tried again.")
    if isinstance(error, SarbatchError):
        return Failure(error_class=error.error_class, message=error.message, remedy=error.remedy)
    if isinstance(error, MemoryError):
        return Failure(
            error_class="resource", message="out of memory", remedy="Give workers more memory (SARBATCH_MEMORY_LIMIT)."
        )
    return Failure(
        error_class="internal",
        message=f"{type(error).__name__}: {error}",
        remedy="`sarbatch logs` shows the traceback; it is a fault of sarbatch, please report it.",
    )


def _make(order: Order, desk: Desk, *, attempt: int, lease_ttl: float, block_bytes: int) -> None:
    started = time.time()
    owner = f"{socket.gethostname()}:{os.getpid()}:{short(order.key)}:{attempt}"
    lease = Lease.take(order.root / ".sarbatch", short(order.line), owner=owner, ttl=lease_ttl)
    with lease.kept(), _own_client() as client:
        logger.info("%s %s: attempt %d, fence %d", order.task, short(order.key), attempt, lease.fence)
        desk.write_attempt(attempt, owner=owner, fence=lease.fence, started=started)
        driver = DaskDriver(
            client=client,
            parts=desk.parts,
            block_bytes=block_bytes,
            desk=desk,
            attempt=attempt,
            lease=lease,
            # Dask starts an attempt again whose worker died: what it has kept before, it has kept
            _advanced=bool((desk.progress(attempt) or {}).get("advanced")),
        )
        cpu = _cpu_seconds(client)
        binding: Binding = import_module(all_kinds()[order.kind].backends[order.backend])
        products = binding.make(order, driver)
        driver.checkpoint("last-write", 1.0)
        for product in products:
            _move(order, product)
        usage = _usage(client, order, products, started=started, cpu=cpu)
        desk.write_result(attempt=attempt, usage=usage, ended=time.time())
        driver.checkpoint("before-publication", 1.0)
        publish(order, products, versions=software_versions())
        faults.reached("after-publication")
        desk.parts.delete_all()
        logger.info("%s %s: published %d products", order.task, short(order.key), len(products))
    lease.release()


@contextmanager
def _own_client() -> Iterator[Client]:
    """A client of this worker's cluster, for a task that hands out others; they may have its thread meanwhile.

    Dask's `worker_client` fails at times: see `infra.greeting`.
    """
    from distributed import get_worker, secede

    from infra.greeting import GreetedClient

    with GreetedClient(get_worker().scheduler.address, set_as_default=False) as client, client.as_current():
        secede()
        yield client


@dataclass
class DaskDriver:
    """What a binding may ask of this process (`pipelines.kinds.binding.Driver`)."""

    client: Client
    parts: Location
    block_bytes: int
    desk: Desk
    attempt: int
    lease: Lease
    _advanced: bool = False
    _last: float = field(default=0.0, init=False)

    def checkpoint(self, point: str, fraction: float) -> None:
        """Report progress; raises where this driver may not go on."""
        faults.reached(point)
        news = point in KEPT and not self._advanced  # said at once: the driver may die the next moment
        self._advanced = self._advanced or news
        now = time.monotonic()
        if now - self._last < REPORT_EVERY and point not in COMMITTING and not news:
            return  # to check the lease is to list a folder: pieces of work come faster than that is worth
        self._last = now
        self._may_go_on()
        logger.info("%s %.0f %%", point, 100 * fraction)
        self.desk.write_progress(
            self.attempt, point=point, fraction=round(fraction, 4), advanced=self._advanced, at=time.time()
        )

    def _may_go_on(self) -> None:
        self.lease.check()
        if self.desk.asked_to_stop(self.attempt):
            raise CancelledError("cancelled", "`sarbatch retry` starts it again from where it stopped.")


def _move(order: Order, product: Product) -> None:
    """Move a product to where readers look; one that lies elsewhere already (a line's store, an asset) stays.

    What is at the target already was put there by an attempt that died before it could publish: it is the same.
    """
    if product.path.startswith("..") or is_elsewhere(product):
        return
    source, target = f".sarbatch/{short(order.key)}/parts", f"{order.kind}/{short(order.key)}"
    names = [product.path]
    if product.role == "store":
        names = [entry.name for entry in order.desk.list(f"parts/{product.path}")]
        names = [name.removeprefix("parts/") for name in names]
    for name in names:
        if not (product.role != "store" and order.home.exists(name) and not order.desk.exists(f"parts/{name}")):
            order.root.rename(f"{source}/{name}", f"{target}/{name}")
            faults.reached("move")


def _cpu_seconds(client: Client) -> dict[str, float]:
    seconds: dict[str, float] = client.run(time.process_time, on_error="ignore")
    return seconds


def _usage(
    client: Client, order: Order, products: list[Product], *, started: float, cpu: Mapping[str, float]
) -> dict[str, float]:
    """What this attempt took.

    CPU time is that of every worker while the driver ran: a restarted worker's is lost, another driver's counts. Bytes
    written are those of the products, and of what was added to a line's store since the attempt began.
    """
    now = _cpu_seconds(client)
    core_seconds = sum(max(0.0, seconds - cpu.get(worker, 0.0)) for worker, seconds in now.items())
    return {
        "wall_seconds": round(time.time() - started, 3),
        "core_hours": round(core_seconds / 3600, 6),
        "bytes_written": float(sum(product.size or 0 for product in products) + _added(order, products, since=started)),
    }


def _added(order: Order, products: list[Product], *, since: float) -> int:
    """Bytes that were added to the stores of a line."""
    stores = {product.path.removeprefix("../") for product in products if product.path.startswith("../")}
    kind = order.root / order.kind
    return sum(
        entry.size for store in stores for entry in kind.list(store) if entry.modified.timestamp() >= since - 1.0
    )


@contextmanager
def _logged(desk: Desk, attempt: int) -> Iterator[None]:
    """What the driver logs, kept on the desk: while it runs, and if it fails or is killed."""
    handler = _DeskHandler(desk, attempt)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.flush()


class _DeskHandler(logging.Handler):
    """Writes the log of an attempt anew with each line, a long one every few seconds: objects cannot grow."""

    def __init__(self, desk: Desk, attempt: int) -> None:
        super().__init__()
        self._desk, self._attempt = desk, attempt
        self._text = desk.log(attempt)  # of the same attempt, before Dask started it again
        self._written = -math.inf

    def emit(self, record: logging.LogRecord) -> None:
        self._text += self.format(record) + "\n"
        if len(self._text) < SHORT_LOG or time.monotonic() - self._written >= LOG_EVERY:
            self.flush()

    def flush(self) -> None:
        self._desk.write_log(self._attempt, self._text)
        self._written = time.monotonic()
