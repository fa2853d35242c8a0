"""What one server works with: catalogue, exports, faults, threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Catalogue, Context, evaluate
from gee.local.faults import TIMED_OUT, Fault, Faults
from gee.local.operations.ledger import OperationLedger
from gee.local.operations.operation import Exporter, ExportRequest
from gee.local.operations.queue import OperationQueue, QueueLimits
from gee.local.operations.store import OperationStore
from gee.local.policies import Policies
from gee.local.rendering.requests import pixel_count, to_image
from gee.local.server.tokens import Tokens
from gee.local.server.usage import Usage
from gee.local.work.interruption import interruptible
from gee.local.work.threads import deep_recursion, deep_stacks, evaluators

CLERKS = 8  # threads for answers that take no computing
INTERACTIVE_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a server is started with.

    Attributes
    ----------
    catalogue : where assets come from; there are none without
    exporter : makes what exports are run by; exports are refused without
    state : folder where operations outlive the server; None forgets them
    faults : set from the start
    threads : that evaluate; as many as there are cores where None
    seconds : after which an interactive request is ended
    """

    catalogue: Catalogue | None = None
    exporter: Callable[[Context], Exporter] | None = None
    policies: Policies = field(default_factory=Policies)
    state: Path | None = None
    faults: Sequence[Fault] = ()
    limits: QueueLimits = field(default_factory=QueueLimits)
    threads: int | None = None
    seconds: float = INTERACTIVE_SECONDS


@dataclass(frozen=True, kw_only=True)
class Site:
    """One running server's parts.

    Attributes
    ----------
    evaluators : threads for what computes
    clerks : threads for what only looks up
    queue : of exports; None where there are none
    usage : CPU of interactive requests
    ending : set when what is being computed is to end
    """

    settings: Settings
    context: Context
    evaluators: ThreadPoolExecutor
    clerks: ThreadPoolExecutor
    faults: Faults
    queue: OperationQueue | None
    maps: Tokens
    thumbnails: Tokens
    usage: Usage
    ending: threading.Event

    @property
    def operations(self) -> OperationQueue:
        """The queue of exports.

        Raises
        ------
        EarthEngineError
            If the server was started without.
        """
        if self.queue is None:
            raise EarthEngineError("this local Earth Engine was started without exports.")
        return self.queue

    def value(self, body: Mapping[str, Any]) -> Any:
        """Value of the expression in a request's body.

        Raises
        ------
        EarthEngineError
            If there is none, or it cannot be evaluated.
        """
        return evaluate(_expression(body), self.context)

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Block whose computing ends when an interactive request has taken too long."""
        end = time.monotonic() + self.settings.seconds

        def check() -> None:
            if self.ending.is_set():
                raise EarthEngineError("The server is ending.", code=503)
            if time.monotonic() > end:
                raise EarthEngineError(TIMED_OUT)

        with interruptible(check):
            yield


@contextmanager
def opened(settings: Settings) -> Iterator[Site]:
    """A server's parts, and their graceful end."""
    context = Context(catalogue=settings.catalogue, policies=settings.policies)
    faults, ending = Faults(settings.faults), threading.Event()
    with (
        deep_recursion(),
        evaluators(settings.threads) as pool,
        evaluators(CLERKS) as clerks,
        _queue(settings, context, faults) as queue,
        _told(ending),
    ):
        yield Site(
            settings=settings,
            context=context,
            evaluators=pool,
            clerks=clerks,
            faults=faults,
            queue=queue,
            maps=Tokens("maps"),
            thumbnails=Tokens("thumbnails"),
            usage=Usage(),
            ending=ending,
        )


@contextmanager
def _told(ending: threading.Event) -> Iterator[None]:
    try:
        yield
    finally:
        ending.set()


@contextmanager
def _queue(settings: Settings, context: Context, faults: Faults) -> Iterator[OperationQueue | None]:
    if settings.exporter is None:
        yield None
        return

    def measure(request: ExportRequest) -> int:
        return pixel_count(to_image(evaluate(_expression(request.body), context), context))

    queue = OperationQueue(
        settings.exporter(context),
        ledger=OperationLedger(OperationStore(settings.state)),
        faults=faults,
        limits=settings.limits,
        measure=measure,
    )
    with deep_stacks():
        queue.start()
    try:
        yield queue
    finally:
        queue.close()


def _expression(body: Mapping[str, Any]) -> Mapping[str, Any]:
    expression = body.get("expression")
    if not isinstance(expression, Mapping):
        raise EarthEngineError("Invalid argument: the request has no 'expression'.")
    return expression
