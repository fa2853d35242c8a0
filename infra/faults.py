"""Faults on demand: how the tests prove that a crash at a named point loses nothing.

`SARBATCH_FAULT=point` or `point:n` kills the process (SIGKILL) when it reaches that point for the n-th time, once:
`SARBATCH_FAULT_FILE` names a file that is created just before, and no process dies of the fault while it is there.
`point:n*times` kills that many processes, one after the other; the file of each further death has its number at the end.
Without these variables nothing here does anything.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

POINTS = (
    "intent", "submit", "start", "writing", "block", "committed", "write", "last-write", "move", "before-publication",
    "after-publication",
)  # fmt: skip

_reached: Counter[tuple[str, str]] = Counter()


def reached(point: str) -> None:
    """Die here if the environment asks for it."""
    at, _, times = os.environ.get("SARBATCH_FAULT", "").partition("*")
    wanted, _, nth = at.partition(":")
    if wanted != point:
        return
    file = os.environ["SARBATCH_FAULT_FILE"]
    _reached[point, file] += 1
    if _reached[point, file] >= int(nth or 1) and any(_made(mark) for mark in _marks(file, int(times or 1))):
        os.kill(os.getpid(), signal.SIGKILL)


def _marks(file: str, times: int) -> list[Path]:
    """One file for each death; the first is the file itself."""
    return [Path(file), *(Path(f"{file}.{death}") for death in range(2, times + 1))]


def _made(mark: Path) -> bool:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
