"""What an engine must be able to do, and the values that cross that seam.

Handles are strings and every value is plain, so any process can take over from any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pipelines.cost import Estimate, Work
    from pipelines.kinds.binding import Binding


class State(StrEnum):
    """What is believed of an operation, and of the task that it belongs to."""

    WAITING = "waiting"
    SUBMITTING = "submitting"
    QUEUED = "queued"
    RUNNING = "running"
    PUBLISHING = "publishing"
    DONE = "done"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def final(self) -> bool:
        """Whether nothing more happens to an operation in this state by itself."""
        return self in FINAL


FINAL = frozenset({State.DONE, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One operation to be started.

    Attributes
    ----------
    request_id : deterministic (key + tile + attempt + the output's nonce): the same is never started twice
    key, tile, attempt : what it makes; `tile` is "whole" where the task is one operation
    order : everything the engine needs, as plain values (`pipelines.orders.Order.to_json`)
    """

    request_id: str
    key: str
    tile: str
    attempt: int
    order: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why an operation failed: `error_class` decides whether it is retried (`infra.errors`)."""

    error_class: str
    message: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """As `status --json` shows it."""
        return {"class": self.error_class, "message": self.message, "remedy": self.remedy}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an engine says of one operation now.

    Attributes
    ----------
    state : what to believe
    engine_state : the engine's own word
    progress : 0 to 1, None where unknown
    advanced : whether the operation got further than the attempts before it
    usage : e.g. {"core_seconds": 12.0, "eecu_seconds": 3.0, "wall_seconds": 8.1, "bytes_read": 1, "bytes_written": 1}
    failure : where state is failed or lost
    """

    state: State
    engine_state: str
    progress: float | None = None
    advanced: bool = False
    usage: Mapping[str, float] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What an engine can do, for the planner.

    Attributes
    ----------
    kinds : task kinds it can make
    parallel : operations it runs at once
    queue : operations it accepts before it refuses
    """

    kinds: frozenset[str]
    parallel: int
    queue: int


class Backend(Protocol):
    """An engine: Dask, Earth Engine, or the fake that crashes on demand.

    Every method may raise `infra.errors.EngineError`; none retries by itself. `submit` with a request id that the
    engine already knows returns the same handle and starts nothing.
    """

    name: str

    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        ...

    def binding(self, kind: str) -> Binding:
        """How this engine makes a kind; KeyError where it does not."""
        ...

    def estimate(self, work: Work) -> Estimate:
        """What this engine takes for an amount of work."""
        ...

    def submit(self, operation: Submission) -> str:
        """Start one operation; its handle."""
        ...

    def poll(self, handles: Sequence[str]) -> Mapping[str, Report]:
        """State of each handle, by one listing of the engine; unknown handles are reported lost."""
        ...

    def list(self, prefix: str) -> Mapping[str, str]:
        """Request id to handle, of every operation whose request id starts with `prefix`."""
        ...

    def cancel(self, handle: str) -> None:
        """Ask that an operation stops; `poll` says when it has."""
        ...

    def logs(self, handle: str) -> str:
        """What the operation wrote while it ran."""
        ...

    def split(self, tile: str) -> tuple[str, ...]:
        """Smaller tiles that together make this one, on the same grid; none where it cannot be smaller."""
        ...
