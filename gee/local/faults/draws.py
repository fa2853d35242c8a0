"""Faults that are set, and when each happens: as often as asked for, and the same again with the same seed."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Sequence
from dataclasses import asdict
from random import Random
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.faults.kinds import OUT_OF_MEMORY, TIMED_OUT, Fault


class Faults:
    """Faults that are set, each with its draws; safe in threads."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._set: list[_Drawn] = []
        self.replace(faults)

    def replace(self, faults: Sequence[Fault]) -> None:
        """Set these alone; all counts and draws begin anew."""
        with self._lock:
            self._set = [_Drawn(fault) for fault in faults]

    def to_json(self) -> list[dict[str, Any]]:
        """Those that are set, and how often each has happened."""
        with self._lock:
            return [asdict(one.fault) | {"happened": one.happened} for one in self._set]

    def draw(self, kind: str, on: str, *, pixels: int | None = None) -> Fault | None:
        """A fault of a kind that happens now.

        Parameters
        ----------
        pixels : that are asked for, of kinds that depend on it
        """
        with self._lock:
            for one in self._set:
                sized = pixels is None or pixels > one.fault.pixels
                if one.fault.kind == kind and fnmatch.fnmatchcase(on, one.fault.on) and sized and one.happens():
                    return one.fault
        return None

    def has(self, *kinds: str) -> bool:
        """Whether a fault of one of these kinds is set."""
        with self._lock:
            return any(one.fault.kind in kinds for one in self._set)

    def check_size(self, on: str, pixels: int) -> None:
        """Return, or raise what a real service says where too much is asked for at once."""
        for kind, text in (("memory", OUT_OF_MEMORY), ("time-out", TIMED_OUT)):
            if self.draw(kind, on, pixels=pixels):
                raise EarthEngineError(text)


class _Drawn:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.happened = 0
        self._chances = 0
        self._random = Random(fault.seed)  # noqa: S311 -- repeatable draws, no secret

    def happens(self) -> bool:
        self._chances += 1
        if self._chances <= self.fault.skip or (self.fault.count is not None and self.happened >= self.fault.count):
            return False
        if self._random.random() >= self.fault.probability:
            return False
        self.happened += 1
        return True
