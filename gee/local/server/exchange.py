"""Requests as handlers see them, and answers: JSON in Earth Engine's form, or bytes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.operations.operation import check_tag
from gee.local.server.fields import pick

LONG = 21  # characters: more are beyond 64 bits in any case
JSON_TYPE = "application/json; charset=UTF-8"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request.

    Attributes
    ----------
    method : id of the method (`gee.local.server.methods`)
    names : parameters in the path
    query : parameters after the question mark
    body : JSON of the body; empty where there is none
    root : URL of the server, with the path's prefix
    begun : when it came, on the monotonic clock
    """

    method: str
    names: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    root: str = ""
    begun: float = field(default_factory=time.monotonic)

    def age(self) -> float:
        """Seconds since it came."""
        return time.monotonic() - self.begun

    @property
    def project(self) -> str:
        """Resource name of the project, `projects/ID`."""
        name = next(iter(self.names.values()))
        return "/".join(name.split("/")[:2])

    @property
    def tag(self) -> str:
        """Workload tag, "" where there is none.

        Raises
        ------
        EarthEngineError
            If it is not one.
        """
        return check_tag(self.query.get("workloadTag") or self.body.get("workloadTag"))

    def page_size(self, *, most: int, default: int) -> int:
        """How many things one page holds."""
        text = self.query.get("pageSize", "")
        if not text:
            return default
        if not text.isascii() or not text.removeprefix("-").isdigit():
            raise EarthEngineError(f"Invalid value at 'page_size' (TYPE_INT32), \"{text[:40]}\"")
        size = int(text[:12])
        if size < 0:
            raise EarthEngineError(f"Page size must not be negative: {size}.")
        return min(size or default, most)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Bytes with a type."""

    content: bytes
    type: str = "application/octet-stream"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def parse(content: bytes) -> dict[str, Any]:
    """JSON object of a request's body; nothing is an empty one.

    Raises
    ------
    EarthEngineError
        If it is not JSON, or not an object.
    """
    if not content.strip():
        return {}
    try:
        body = json.loads(content, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise EarthEngineError(f"Invalid JSON payload received. {str(error)[:200]}") from error
    if not isinstance(body, dict):
        raise EarthEngineError("Invalid JSON payload received. Unexpected type: the root must be an object.")
    return body


def _whole(text: str) -> int | float:
    """Number without fraction: beyond 64 bits it is a float, as every number of JSON is to Earth Engine."""
    return int(text) if len(text) < LONG and -(2**63) <= int(text) < 2**63 else _finite(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is no number that can be used")
    return number


def to_json(value: Any, query: Mapping[str, str], *, status: int = 200) -> Answer:
    """Answer in JSON as `fields` and `prettyPrint` ask for it.

    Raises
    ------
    EarthEngineError
        If the value has no JSON form, or `fields` cannot be read.
    """
    if query.get("fields") and status == 200:
        value = pick(value, query["fields"])
    pretty = query.get("prettyPrint", "true").lower() not in ("false", "0")
    try:
        text = json.dumps(
            value, indent=2 if pretty else None, separators=None if pretty else (",", ":"), allow_nan=False
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise EarthEngineError(f"The result has no JSON form: {str(error)[:200]}.") from error
    return Answer(content=text.encode(), type=JSON_TYPE, status=status)


def refused(error: EarthEngineError) -> Answer:
    """An error in Earth Engine's form."""
    return Answer(content=json.dumps(error.to_json(), indent=2).encode(), type=JSON_TYPE, status=error.code)
