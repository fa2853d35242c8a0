"""Rebuild a lost registry from what the outputs say."""

from __future__ import annotations

from json import loads
from typing import TYPE_CHECKING

from infra.errors import InputError

if TYPE_CHECKING:
    from infra.storage import Location
    from pipelines.registry.registry import Registry

RUNS = ".sarbatch/runs"


def adopt(registry: Registry, output: Location) -> list[str]:
    """Ids of the runs of an output that the registry did not know and now does.

    Each run's own record lies with the output, written after every change; a step afterwards asks the engines for what
    has happened since.

    Raises
    ------
    InputError
        If the output holds no run.
    """
    entries = [entry for entry in output.list(RUNS) if entry.name.endswith(".json")]
    if not entries:
        raise InputError(
            f"{output.url} holds no run of sarbatch", "Give the output of a job (its `output:`), or its job file."
        )
    return [
        entry.name.rpartition("/")[2].removesuffix(".json")
        for entry in entries
        if registry.import_run(loads(output.read(entry.name)))
    ]
