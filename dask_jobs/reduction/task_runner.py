"""Tasks sent to the cluster, and how far everything is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client, Future

PHASES = {  # fractions done: from, to
    "block": (0.0, 0.6),
    "median": (0.6, 0.75),
    "quantile": (0.75, 0.77),
    "threshold": (0.77, 0.79),
    "compose": (0.0, 0.79),
    "write": (0.79, 1.0),
    "look": (0.0, 0.3),  # figures, which have a fraction of their own
    "figure": (0.3, 1.0),
    "coherence": (0.0, 0.08),  # displacement, stage after stage
    "coherent": (0.08, 0.1),
    "invert": (0.1, 0.45),
    "ramp": (0.45, 0.5),
    "correct": (0.5, 0.6),
    "fit": (0.6, 0.65),
    "file": (0.65, 0.9),
    "drawing": (0.9, 1.0),
}

Checkpoint = Callable[[str, float], None]
"""Called with (a phase, fraction of everything done); raises where the driver may not go on."""


@dataclass(frozen=True, kw_only=True)
class TaskRunner:
    """Sends tasks to the cluster and says how far everything is.

    Attributes
    ----------
    work : what every task needs; its `place` holds the markers
    """

    client: Client
    work: Any
    checkpoint: Checkpoint

    def each(
        self, phase: str, function: Callable[..., Any], *items: Sequence[Any], of: int, later: int = 0, **more: Any
    ) -> None:
        """Run one task per item, the last of `of` but for `later` ones that follow.

        What is queued is cancelled where the checkpoint or a task raises.
        """
        from distributed import as_completed

        start, end = PHASES[phase]
        futures = self.client.map(function, *items, work=self.work, pure=False, **more) if items and items[0] else []
        try:
            for done, _ in enumerate(
                as_completed(futures, with_results=True, loop=self.client.loop), start=of - later - len(futures) + 1
            ):
                self.checkpoint(phase, start + (end - start) * done / of)
        finally:
            self.client.cancel(futures)

    def gather(self, function: Callable[..., Any], *items: Sequence[Any]) -> list[Any]:
        """Results of one task per item, in order: a few numbers each."""
        results: list[Any] = self.client.gather(self.client.map(function, *items, work=self.work, pure=False))
        return results

    def submit(self, function: Callable[..., Any], item: Any) -> Future[Any]:
        """Result of one task that stays on the cluster, to be handed to others."""
        return self.client.submit(function, item, work=self.work, pure=False)

    def done(self, folder: str) -> set[str]:
        """Markers of this folder of the work in progress."""
        return {f"{folder}/{entry.name}" for entry in (self.work.place / folder).list()}
