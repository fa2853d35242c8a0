"""The small files by which a driver on a cluster reports, and by which it is told to stop.

They lie in `<output>/.sarbatch/<key>/`, so that any process that can reach the output can read them, and nothing is lost
with the process that submitted the driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.storage import Location
from pipelines.backends.protocol import Failure

ENDED = ("error", "cancel")  # files that say so of an attempt


@dataclass(frozen=True)
class Desk:
    """Reports of one key; `location` is its folder below `.sarbatch`."""

    location: Location

    @property
    def parts(self) -> Location:
        """Products in the making."""
        return self.location / "parts"

    def write_order(self, order: Mapping[str, Any]) -> None:
        """What is to be made; written before anything is submitted."""
        self.location.write_json("order.json", dict(order))

    def write_attempt(self, attempt: int, **facts: Any) -> None:
        """Who works on it."""
        self.location.write_json(f"attempt-{attempt:04d}.json", facts)

    def write_progress(self, attempt: int, **facts: Any) -> None:
        """How far it has come: `fraction`, `point`, and `advanced` once something of it is kept."""
        self.location.write_json(f"progress-{attempt:04d}.json", facts)

    def progress(self, attempt: int) -> dict[str, Any] | None:
        """Last progress of an attempt, None before its first."""
        return self._read(f"progress-{attempt:04d}.json")

    def write_failure(self, attempt: int, failure: Failure) -> None:
        """Why the attempt ended without a product."""
        self.location.write_json(f"error-{attempt:04d}.json", failure.to_json())

    def failure(self, attempt: int) -> Failure | None:
        """Why the attempt failed, None if it has not."""
        value = self._read(f"error-{attempt:04d}.json")
        return Failure(error_class=value["class"], message=value["message"], remedy=value["remedy"]) if value else None

    def write_log(self, attempt: int, text: str) -> None:
        """What the driver logged so far."""
        self.location.write(f"log-{attempt:04d}.txt", text.encode())

    def log(self, attempt: int) -> str:
        """What the driver logged; empty before its first line."""
        try:
            return self.location.read(f"log-{attempt:04d}.txt").decode()
        except FileNotFoundError:
            return ""

    def write_result(self, **facts: Any) -> None:
        """What it took; written just before publication, which the STAC item alone proclaims."""
        self.location.write_json("result.json", facts)

    def result(self) -> dict[str, Any] | None:
        """What it took."""
        return self._read("result.json")

    def ask_to_stop(self, attempt: int) -> None:
        """Tell the driver of this attempt to stop at its next checkpoint."""
        self.location.create(f"cancel-{attempt:04d}", b"")

    def asked_to_stop(self, attempt: int) -> bool:
        """Whether this attempt was told to stop."""
        return self.location.exists(f"cancel-{attempt:04d}")

    def next_attempt(self) -> int:
        """Number of the attempt to make next: the last one if it may still be going on, else the one after it.

        One that was told to stop has ended, though it may have died before it could say so.
        """
        names = [entry.name.partition(".")[0].partition("-") for entry in self.location.list() if "/" not in entry.name]
        numbers = {word: [int(number) for name, _, number in names if name == word] for word in ("attempt", *ENDED)}
        ended = max((number for word in ENDED for number in numbers[word]), default=0)
        return max([*numbers["attempt"], ended + 1])

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            value: dict[str, Any] = self.location.read_json(name)
        except FileNotFoundError:
            return None
        return value
