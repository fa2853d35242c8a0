"""Kernels that numba compiles once per machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def compiled(kernel: Any) -> Callable[..., Any]:
    """The kernel, read from numba's folder if any process compiled it before: every new worker would begin with it.

    Asked for when a kernel is first called: numba looks for a folder to write to, which an import must not do.
    """
    with contextlib.suppress(RuntimeError):  # no folder can be written: each process compiles its own, as without this
        kernel.enable_caching()
    found: Callable[..., Any] = kernel
    return found
