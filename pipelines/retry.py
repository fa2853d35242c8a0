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
    """An attempt that ended without a product.

    Attributes
    ----------
    error_class : as in `infra.errors`
    advanced : whether something of it is kept
    by_user : whether the user cancelled it, or asked for another one after it was given up
    """

    error_class: str
    advanced: bool
    by_user: bool = False


def verdict(attempts: Sequence[Ended], *, most: int) -> Verdict:
    """What to do after the last of `attempts`, given that `most` in a row may end without progress.

    transient, quota, stopped (another driver holds the lease): again, later each time. An attempt that got further
    than those before it starts the count anew: a driver may die any number of times as long as something is kept. So
    does the user who asks for another attempt.
    user, credentials, engine, internal, cancelled: never. resource: never unchanged; whoever asks has split the tile before, if it could be.
    """
    last = attempts[-1]
    if last.error_class not in PATIENT:
        return _never(last.error_class)
    barren = 0
    for position, attempt in enumerate(reversed(attempts)):
        if attempt.advanced or (position and attempt.by_user):
            break
        barren += 1
    # Waiting for another driver's lease is no fault of this operation: it may take as long as that driver does.
    if barren >= most and last.error_class != "stopped":
        return Verdict(again=False, wait=0.0, why=f"{barren} attempts in a row made no progress")
    if last.advanced:
        return Verdict(again=True, wait=0.0, why="it got further: tried again")
    return Verdict(again=True, wait=_wait(last.error_class, barren), why="tried again later")


def resend(error_class: str, *, sent: int, most: int) -> Verdict:
    """What to do after an engine did not take an operation, or its answer was lost, for the `sent`-th time.

    It is sent again under the same request id: for all we know the engine has it. A full queue is no fault of the
    operation, and empties when it does; `transient` may happen `most` times in a row; any other error is the last.
    """
    if error_class == "quota":
        return Verdict(
            again=True, wait=_wait(error_class, sent), why="the engine takes no more for now: sent again later"
        )
    if error_class != "transient":
        return _never(error_class)
    if sent >= most:
        return Verdict(again=False, wait=0.0, why=f"sent {sent} times in vain")
    return Verdict(again=True, wait=_wait(error_class, sent), why="no answer: sent again later")


def _never(error_class: str) -> Verdict:
    return Verdict(again=False, wait=0.0, why=f"an error of class {error_class} is not retried")


def _wait(error_class: str, times: int) -> float:
    """Seconds, twice as many each time."""
    return min(LONGEST_WAIT, WAITS.get(error_class, FIRST_WAIT) * 2.0 ** min(max(0, times - 1), 32))
