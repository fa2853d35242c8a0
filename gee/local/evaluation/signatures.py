"""What each algorithm takes and gives, as the installed client's own list says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from gee.local.errors import EarthEngineError


@dataclass(frozen=True)
class Argument:
    """One argument: `type` as the list writes it, `default` where it is optional."""

    name: str
    type: str
    optional: bool
    default: Any


@dataclass(frozen=True)
class Signature:
    """Arguments in order, and what the algorithm returns."""

    name: str
    arguments: tuple[Argument, ...]
    returns: str


def algorithms_json() -> bytes:
    """The list in the form in which the service serves it: a file of the installed client.

    Raises
    ------
    EarthEngineError
        If earthengine-api is not installed or has no such file.
    """
    try:
        return (resources.files("ee") / "tests" / "algorithms.json").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise EarthEngineError(
            "the list of algorithms comes with earthengine-api: pip install 'sarbatch[earth-engine]'", code=500
        ) from error


@cache
def signatures() -> Mapping[str, Signature]:
    """Every algorithm of the list by name."""
    rows = json.loads(algorithms_json())["algorithms"]
    return {row["name"].removeprefix("algorithms/"): _signature(row) for row in rows}


def _signature(row: Mapping[str, Any]) -> Signature:
    return Signature(
        name=row["name"].removeprefix("algorithms/"),
        arguments=tuple(
            Argument(
                name=one["argumentName"],
                type=one["type"],
                optional=bool(one.get("optional")),
                default=one.get("defaultValue"),
            )
            for one in row.get("arguments", ())
        ),
        returns=row["returnType"],
    )
