"""What to do with an operation that failed, by the class of its failure: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FIRST_WAIT = 2.0  # seconds
LONGEST_WAIT = 600.0  # seconds
WAITS = {"quota": 30.0}  # seconds; a full queue empties slowly
PATIENT = frozenset({"transient", "quota", "stopped"})


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether to try again, after how many seconds, and why (for the record)."""

    again: bool
    wait: float
    why: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    """An attempt that ended without a product."""

    error_class: str
    advanced: bool


def verdict(attempts: Sequence[Ended], *, most: int) -> Verdict:
    """What to do after the last of `attempts`, given that `most` in a row may end without progress.

    transient, quota, stopped (another driver holds the lease): again, later each time. An attempt that got further
    than those before it starts the count anew: a driver may die any number of times as long as something is kept.
    user, credentials, engine, internal, cancelled: never. resource: never unchanged; no kind can be split yet, so not at all.
    """
    last = attempts[-1]
    if last.error_class not in PATIENT:
        return Verdict(again=False, wait=0.0, why=f"an error of class {last.error_class} is not retried")
    barren = 0
    for attempt in reversed(attempts):
        if attempt.advanced:
            break
        barren += 1
    # Waiting for another driver's lease is no fault of this operation: it may take as long as that driver does.
    if barren >= most and last.error_class != "stopped":
        return Verdict(again=False, wait=0.0, why=f"{barren} attempts in a row made no progress")
    first = WAITS.get(last.error_class, FIRST_WAIT)
    wait = 0.0 if last.advanced else min(LONGEST_WAIT, first * 2 ** max(0, barren - 1))
    return Verdict(again=True, wait=wait, why="it got further: tried again" if last.advanced else "tried again later")
