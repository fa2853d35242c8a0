"""Ending a computation from outside: what evaluates and what gives pixels looks whether it should go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_check: ContextVar[Callable[[], None] | None] = ContextVar("interruption", default=None)


@contextmanager
def interruptible(check: Callable[[], None]) -> Iterator[None]:
    """Block in which `check` is called at every node and every band's pixels; what it raises ends the computation."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def go_on() -> None:
    """Return, or raise what ends this computation."""
    check = _check.get()
    if check is not None:
        check()
