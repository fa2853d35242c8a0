"""Key and line: what makes two products the same, and what makes one the continuation of another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SHORT = 16  # hex digits in paths and tables: 64 bits


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Everything that decides what a task's products are; nothing that decides where or how they are made.

    Attributes
    ----------
    kind, version : of the algorithm
    parameters : those in the key, defaults filled in
    line_parameters : those of them that are also in the line
    area, period, grid, radiometry : of the data; a period that rolls stands here as its rule, never as dates
    inputs : parameter to the key of the task that it names
    input_lines : the same with lines
    scenes : fingerprints (scene id, release, size, hash), sorted
    window : dates of a period that rolls, where neither scenes nor inputs tell one day's products from another's;
        in the key alone, None elsewhere
    """

    kind: str
    version: int
    parameters: Mapping[str, Any]
    line_parameters: Mapping[str, Any]
    area: Any
    period: Any
    grid: Any
    radiometry: Any
    inputs: Mapping[str, str]
    input_lines: Mapping[str, str]
    scenes: Sequence[Sequence[Any]]
    window: Any = None

    @property
    def key(self) -> str:
        """sha256 over everything, hex."""
        value = asdict(self)
        del value["line_parameters"], value["input_lines"]
        if self.window is None:
            del value["window"]
        value["scenes"] = sorted(list(scene) for scene in self.scenes)
        return _digest(value)

    @property
    def line(self) -> str:
        """sha256 over everything but the scenes, hex: a line goes on as scenes arrive."""
        value = asdict(self)
        del value["parameters"], value["inputs"], value["scenes"], value["window"]
        return _digest(value)


def short(key: str) -> str:
    """Key or line as it stands in paths and tables."""
    return key[:SHORT]


def request_id(*, nonce: str, key: str, tile: str, attempt: int) -> str:
    """Deterministic id of one attempt at one operation in one output: the same after any crash."""
    digest = hashlib.sha256(f"{nonce}/{key}/{tile}/{attempt}".encode()).hexdigest()[:12]
    return f"{short(key)}-{tile}-{attempt:04d}-{digest}"


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
