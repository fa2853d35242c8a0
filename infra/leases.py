"""Leases with fencing numbers: of all drivers of one store, one may commit, and one that was paused finds out.

A lease `name` is the folder `leases/<name>/` of a Location::

    000001.json      who took it: created once, never overwritten; the highest number holds
    000001.beat      rewritten by the holder while it lives
    000001.released  the holder has let go

Time is the store's own: ages are differences of two times that the same disk or server gave, so clocks of different
machines need not agree. The holder trusts its own elapsed time since it began its last heartbeat, which is never
younger than what others see.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infra.errors import LeaseHeldError, LeaseLostError, SarbatchError
from infra.processes import is_alive, machine, start_time
from infra.storage import Location

BEATS_PER_TTL = 4  # a holder may miss three heartbeats in a row
S3_TIME_STEP = 1.0  # seconds: S3 gives times in whole seconds


@dataclass
class Lease:
    """A lease that this process has taken.

    Attributes
    ----------
    place : the lease's folder
    fence : its number; a higher one means that another driver has taken over
    ttl : seconds after the last heartbeat until others may take over
    """

    place: Location
    fence: int
    ttl: float
    _beaten: float
    _released: bool = False
    _failure: SarbatchError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def take(cls, location: Location, name: str, *, owner: str, ttl: float) -> Lease:
        """The lease `name` of a Location, taken over from a holder that released it, died or fell silent.

        Parameters
        ----------
        owner : who asks, for messages
        ttl : seconds, > 0; others wait this long for a heartbeat before they take over

        Raises
        ------
        LeaseHeldError
            If another holder is alive, or was quicker.
        """
        place = location / f"leases/{name}"
        found = _Found.look(place)
        if found.fence and not found.released:
            _raise_if_alive(place, name, found)
        fence, began = found.fence + 1, _elapsed()
        record = {
            "owner": owner,
            "ttl": ttl,
            "host": socket.gethostname(),
            "machine": machine(),
            "pid": os.getpid(),
            "process_started": start_time(os.getpid()),
            "token": secrets.token_hex(8),
        }
        if not _create_record(place, _name(fence, "json"), record):
            holder = place.read_json(_name(fence, "json"))
            raise LeaseHeldError(f"lease {name!r} was just taken by {_who(holder)}", "Wait until it has ended.")
        return cls(place=place, fence=fence, ttl=ttl, _beaten=began)

    def renew(self) -> None:
        """Tell others that this holder lives.

        Raises
        ------
        LeaseLostError
            If the last heartbeat is too old: others may have taken over already.
        """
        with self._lock:
            self._raise_if_late()
            began = _elapsed()
            self.place.write(_name(self.fence, "beat"), b"")
            self._beaten = began

    def check(self) -> None:
        """Pass if this process may still commit; call it right before it does.

        Raises
        ------
        LeaseLostError
            If another driver holds a higher fence, or this process was paused for longer than `ttl`.
        """
        self._raise_if_late()
        highest = _Found.look(self.place).fence
        if highest > self.fence:
            holder = _who(self.place.read_json(_name(highest, "json")))
            raise LeaseLostError(f"fence {self.fence} was taken over by fence {highest}: {holder}", "It goes on there.")
        self._raise_if_late()  # the listing itself may have taken long

    def release(self) -> None:
        """Let go, so that others need not wait; nothing if that was done before."""
        if not self._released:
            self._released = True
            self.place.write(_name(self.fence, "released"), b"")

    @contextmanager
    def kept(self) -> Iterator[Lease]:
        """Heartbeats from a thread while the block runs; released after it, whatever happens in it."""
        stop = threading.Event()
        thread = threading.Thread(target=self._beat, args=(stop,), name=f"lease-{self.fence}", daemon=True)
        thread.start()
        try:
            yield self
        except BaseException as error:
            _stop(stop, thread)
            try:
                self.release()
            except SarbatchError as unreleased:  # the block's own error is the one to be told
                error.add_note(f"the lease was not released: {unreleased}")
            raise
        _stop(stop, thread)
        self.release()

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(self.ttl / BEATS_PER_TTL):
            try:
                self.renew()
                self._failure = None
            except LeaseLostError:
                return  # `check` says so to whoever wants to commit
            except SarbatchError as error:
                self._failure = error  # tried again until the lease is too old: `check` then names this as the cause

    def _raise_if_late(self) -> None:
        if self._released:
            raise LeaseLostError(f"fence {self.fence} was released", "Take the lease again.")
        age = _elapsed() - self._beaten
        if age >= self.ttl:
            raise LeaseLostError(
                f"no heartbeat for {age:.1f} s where {self.ttl:g} s are allowed: paused, or the output not reachable",
                "Run again: it goes on from the last commit.",
            ) from self._failure


@dataclass(frozen=True)
class _Found:
    """What the lease's folder says: highest fence (0: none), whether released, time of its last sign of life."""

    fence: int = 0
    released: bool = False
    seen: datetime | None = None

    @classmethod
    def look(cls, place: Location) -> _Found:
        entries = {e.name: e for e in place.list()}
        fences = [int(name.partition(".")[0]) for name in entries if name.endswith(".json")]
        if not fences:
            return cls()
        highest = max(fences)
        signs = [entries[n].modified for n in (_name(highest, "json"), _name(highest, "beat")) if n in entries]
        return cls(highest, _name(highest, "released") in entries, max(signs))


def _raise_if_alive(place: Location, name: str, found: _Found) -> None:
    holder = place.read_json(_name(found.fence, "json"))
    if holder["machine"] == machine() and not is_alive(holder["pid"], holder["process_started"]):
        return
    assert found.seen is not None  # noqa: S101 -- a fence has a time; for the type checker
    age = (_store_time(place) - found.seen).total_seconds()
    if age > holder["ttl"] + (S3_TIME_STEP if place.is_s3 else 0.0):
        return
    raise LeaseHeldError(
        f"lease {name!r} is held by {_who(holder)}, last seen {max(age, 0):.0f} s ago",
        f"Wait until it has ended, or cancel it; a holder that died is replaced after {holder['ttl']:g} s.",
    )


def _store_time(place: Location) -> datetime:
    """Now, by the clock that dates the objects."""
    name = f"clock-{secrets.token_hex(8)}"
    place.write(name, b"")
    now = place.stat(name)
    place.delete([name])
    if now is None:
        raise LeaseHeldError(f"{place.href(name)} vanished while it was looked at", "Run again.")
    return now.modified


def _create_record(place: Location, name: str, record: dict[str, Any]) -> bool:
    if place.create(name, json.dumps(record).encode()):
        return True
    # A request sent again after a lost answer is refused because of itself
    return bool(place.read_json(name)["token"] == record["token"])


def _stop(stop: threading.Event, thread: threading.Thread) -> None:
    stop.set()
    thread.join()


def _name(fence: int, suffix: str) -> str:
    return f"{fence:06d}.{suffix}"


def _who(record: dict[str, Any]) -> str:
    return f"{record['owner']} (process {record['pid']} on {record['host']})"


def _elapsed() -> float:
    """Seconds that go on while the machine sleeps, which Linux's monotonic clock does not."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
