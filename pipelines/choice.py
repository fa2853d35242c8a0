"""Which engine makes a task, why, and what would change that: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.errors import JobError
from pipelines.cost import Estimate

ENGINES = ("dask", "earth-engine")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One engine, whether it can make the task, why (not), and what it would cost."""

    backend: str
    able: bool
    why: str
    estimate: Estimate | None = None

    def to_json(self) -> dict[str, Any]:
        """As `plan --json` shows it."""
        return {
            "backend": self.backend,
            "able": self.able,
            "why": self.why,
            "estimate": self.estimate.to_json() if self.estimate else None,
        }


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The engine of a task, the reason, and what would change it."""

    backend: str
    reason: str
    would_change: tuple[str, ...]


def choose(candidates: Sequence[Candidate], *, wanted: str) -> Choice:
    """Engine for a task.

    Parameters
    ----------
    candidates : every engine, able or not
    wanted : "auto", or the engine that the job names

    Raises
    ------
    JobError
        If the job names an engine that cannot make the task, or none can.
    """
    able = {candidate.backend: candidate for candidate in candidates if candidate.able}
    others = tuple(f"{c.backend} cannot: {c.why}" for c in candidates if not c.able)
    if wanted != "auto":
        if wanted not in able:
            why = next((c.why for c in candidates if c.backend == wanted), "it is not installed")
            raise JobError(
                f"backend: {wanted} cannot make this task: {why}",
                f"Write backend: auto{''.join(f', or backend: {name}' for name in able)}.",
            )
        return Choice(
            backend=wanted, reason=f"the job asks for {wanted}", would_change=("backend: auto lets sarbatch decide",)
        )
    if not able:
        raise JobError(
            f"no engine can make this task: {'; '.join(others)}",
            "`sarbatch doctor` says what is missing.",
        )
    best = min(able.values(), key=lambda c: c.estimate.wall_seconds if c.estimate else 0.0)
    if len(able) == 1 and others:
        changes = tuple(f"a version of this kind for {c.backend}" for c in candidates if not c.able)
        return Choice(backend=best.backend, reason=f"it alone can make this: {'; '.join(others)}", would_change=changes)
    others = tuple(f"{c.backend}, if it took less than {best.backend}" for c in able.values() if c is not best)
    return Choice(backend=best.backend, reason=best.why, would_change=others)
