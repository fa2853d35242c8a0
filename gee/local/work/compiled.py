"""Loops that numba compiles once per machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def compiled(loop: Any) -> Callable[..., Any]:
    """The loop, read from numba's folder if any process compiled it before.

    Asked for when it is first called: numba looks for a folder to write to, which an import must not do.
    """
    with contextlib.suppress(RuntimeError):  # no folder can be written: each process compiles its own
        loop.enable_caching()
    found: Callable[..., Any] = loop
    return found
