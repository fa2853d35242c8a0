"""CPU that a computation takes, in its own thread and in those that it has work done in."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Meter:
    """Counts the CPU of the thread that made it from then on, and of what `helping` blocks add."""

    def __init__(self) -> None:
        self._own, self._begun = threading.get_ident(), time.thread_time()
        self._lock, self._helped = threading.Lock(), 0.0

    def seconds(self) -> float:
        """CPU until now; ask in the thread that made the meter."""
        with self._lock:
            return time.thread_time() - self._begun + self._helped

    def add(self, seconds: float) -> None:
        """Count CPU of the thread that calls, unless that is counted already."""
        if threading.get_ident() != self._own:
            self.add_elsewhere(seconds)

    def add_elsewhere(self, seconds: float) -> None:
        """Count CPU that no thread of this process took."""
        with self._lock:
            self._helped += seconds


_meter: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metered() -> Iterator[Meter]:
    """Block whose CPU is counted; threads that run in a copy of its context count theirs in `helping` blocks."""
    meter = Meter()
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)


@contextmanager
def helping() -> Iterator[None]:
    """Block in a thread that works for a metered one."""
    begun = time.thread_time()
    try:
        yield
    finally:
        meter = _meter.get()
        if meter is not None:
            meter.add(time.thread_time() - begun)


def count(seconds: float) -> None:
    """Count CPU that another process took for this computation."""
    meter = _meter.get()
    if meter is not None:
        meter.add_elsewhere(seconds)
