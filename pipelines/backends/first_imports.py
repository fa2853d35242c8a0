"""What every worker imports before it gets work; imported itself only where a cluster is at hand."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

from distributed import Worker, WorkerPlugin

MODULES = ("obstore", "icechunk", "zarr", "xarray", "rasterio", "pandas", "numba")


class FirstImports(WorkerPlugin):  # type: ignore[misc] # distributed publishes no types
    """Imports what drivers and their tasks use, once and in one thread.

    Several drivers begin in threads of one worker at once, and modules that import each other (icechunk's do) then
    fail for the thread that comes second: "partially initialized module".
    """

    name = "sarbatch-first-imports"
    idempotent = True

    def setup(self, worker: Worker) -> None:  # noqa: ARG002 -- Dask's signature
        """Import; a worker that lacks a module is told so by the task that needs it."""
        for module in MODULES:
            with suppress(ImportError):
                import_module(module)
