"""Threads that evaluate: as many as there are cores, with stacks for graphs as deep as the evaluator allows."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

STACK_BYTES = 512 * 2**20  # of address space: memory is taken as it is touched
FRAMES = (
    100_000  # the evaluator refuses graphs before; a node takes fewer than 10 frames, a band's pixels fewer than 10
)

_starting = threading.Lock()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def deep_stacks() -> Iterator[None]:
    """Block in which started threads have large stacks."""
    with _starting:
        before = threading.stack_size(STACK_BYTES)
        try:
            yield
        finally:
            threading.stack_size(before)


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Block in which Python allows as many frames as the large stacks hold."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def evaluators(count: int | None = None) -> ThreadPoolExecutor:
    """Pool whose threads are there already, with large stacks."""
    count = count or cores()
    pool = ThreadPoolExecutor(count, thread_name_prefix="evaluate")
    together = threading.Barrier(count)
    with deep_stacks():
        for started in [pool.submit(together.wait) for _ in range(count)]:
            started.result()
    return pool
