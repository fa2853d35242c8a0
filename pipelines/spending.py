"""What a task may still spend in Earth Engine: pure arithmetic on what its operations have used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.backends.protocol import State
from pipelines.orders import WHOLE
from pipelines.registry.rows import OperationRow
from pipelines.standing import SENT

USED = "eecu_seconds"  # of an operation's usage
UNTOLD = frozenset({State.FAILED, State.CANCELLED, State.LOST})  # ends that need not say what was used


@dataclass(frozen=True, kw_only=True)
class Spending:
    """EECU-seconds of one task.

    Attributes
    ----------
    allowed : None where the job sets no budget
    spent : by all attempts at all tiles; those that ended and did not say what they used are reckoned as `each`
    each : what an operation is reckoned to use: the estimate, or the most that one has used if that is more
    reserved : for operations under way, less what they have used so far
    measured : whether an operation has ended and said what it used
    under_way : operations that the engine has
    """

    allowed: float | None
    spent: float
    each: float
    reserved: float
    measured: bool
    under_way: int

    @property
    def room(self) -> int:
        """Operations that may be begun now; the first alone, as nobody knows what one uses before one has ended."""
        if self.allowed is None:
            return 1_000_000
        left = self.allowed - self.spent - self.reserved
        if left <= 0 or left < self.each:
            return 0
        if not self.measured:
            return 0 if self.under_way else 1
        return int(left // self.each) if self.each > 0 else 1_000_000

    @property
    def exceeded(self) -> bool:
        """Whether what is under way has to be stopped."""
        return self.allowed is not None and self.spent >= self.allowed

    @property
    def exhausted(self) -> bool:
        """Whether nothing more can be begun, now or when what is under way has ended."""
        return self.allowed is not None and self.room == 0 and self.under_way == 0

    def said(self) -> dict[str, str]:
        """The failure of what is not begun any more, as `Failure.to_json`."""
        return {
            "class": "budget",
            "message": f"budget: {hours(self.spent)} of {hours(self.allowed or 0.0)} EECU-hours are spent, "
            f"and an export takes about {hours(self.each)}",
            "remedy": "Raise budget.eecu_hours and run the job again: what is made is kept.",
        }


def hours(seconds: float) -> str:
    """EECU-seconds in hours, three digits."""
    return f"{seconds / 3600:.3g}"


def spending(
    rows: Iterable[OperationRow], *, budget: Mapping[str, float], estimate: Mapping[str, Any], tiles: int
) -> Spending:
    """What a task has spent and may spend.

    Parameters
    ----------
    rows : every attempt at every tile of the task
    budget : of the order, "eecu_hours" if there is one
    estimate : of the task, as `plan --json` shows it
    tiles : operations that the estimate is for
    """
    allowed = budget.get("eecu_hours")
    exports = [row for row in rows if row.tile != WHOLE]
    used = {row.id: float(row.usage.get(USED, 0.0)) for row in exports}
    ended = [used[row.id] for row in exports if row.believed not in SENT | {State.WAITING} and row.handle is not None]
    reckoned = 3600.0 * float(estimate.get("eecu_hours") or 0.0) / max(tiles, 1)
    each = max([reckoned, *ended])
    under_way = [row for row in exports if row.believed in SENT]
    # Earth Engine does not tell what an export used that failed or was cancelled, and reckons it all the same
    untold = [row for row in exports if row.believed in UNTOLD and row.handle is not None and USED not in row.usage]
    return Spending(
        allowed=None if allowed is None else 3600.0 * allowed,
        spent=sum(used.values()) + each * len(untold),
        each=each,
        reserved=sum(max(0.0, each - used[row.id]) for row in under_way),
        measured=any(ended),
        under_way=len(under_way),
    )
