"""What Earth Engine allows a project, with where it says so, and the pace that keeps below it.

Sources: [quota] developers.google.com/earth-engine/guides/usage; [rest] the reference of REST v1; [guide]
developers.google.com/earth-engine/guides/exporting_images; [seen] reported by users, nowhere documented.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from infra.errors import InputError

QUEUED = 3000  # tasks that may wait or run, of a project [quota, and the text of the refusal]
RUNNING = 2  # tasks that run at once, on average, unless more was granted [quota]
REQUESTS_PER_SECOND = 100.0  # of a project [quota: 6000 a minute]
INTERACTIVE = 40  # requests at once [quota]
DESCRIPTION = 100  # characters of a task's description [rest]
REQUEST_ID = 60  # characters of what makes a repeated start the same task: a-z A-Z 0-9 - [rest]
WORKLOAD_TAG = re.compile(r"[a-z0-9]([-_a-z0-9]{0,61}[a-z0-9])?")  # [rest]
PRIORITIES = range(10_000)  # the greater the earlier; 100 where none is given [rest]
FILE_BYTES = 2 * 2**30  # of pixels, in one GeoTIFF; more become several files [guide]
SHARD = 256  # pixels: sides of files are multiples of it [rest]
EXPRESSION_WARN_BYTES = 2**20  # a graph as JSON, from which the service becomes slow [seen]
EXPRESSION_BYTES = 4 * 2**20  # and from which it was refused [seen: rgee, 66]


def check_description(text: str) -> str:
    """A task's description: letters, digits, "-" and "_".

    Raises
    ------
    ValueError
        If it is another text, or longer than `DESCRIPTION`.
    """
    if not re.fullmatch(rf"[\w-]{{1,{DESCRIPTION}}}", text, re.ASCII):
        raise ValueError(f"'{text}' is no description of a task: 1 to {DESCRIPTION} letters, digits, - and _")
    return text


def check_workload_tag(tag: str) -> str:
    """A workload tag.

    Raises
    ------
    ValueError
        If it is not one.
    """
    if not WORKLOAD_TAG.fullmatch(tag):
        raise ValueError(
            f"'{tag}' is no workload tag: 1 to 63 of a-z, 0-9, - and _, the first and last a letter or digit"
        )
    return tag


def check_priority(priority: int) -> int:
    """A priority.

    Raises
    ------
    ValueError
        If it is outside `PRIORITIES`.
    """
    if priority not in PRIORITIES:
        raise ValueError(f"priorities are {PRIORITIES.start} to {PRIORITIES.stop - 1}, not {priority}")
    return priority


def check_expression(size: int) -> bool:
    """Whether a graph of `size` bytes is so large that it deserves a warning.

    Raises
    ------
    InputError
        If it is larger than the service takes.
    """
    if size > EXPRESSION_BYTES:
        raise InputError(
            f"the graph of an export has {size / 2**20:.1f} MiB, and Earth Engine takes {EXPRESSION_BYTES / 2**20:.0f}",
            "Reduce fewer passes at once: a shorter period, composites by month, or orbits of their own.",
        )
    return size > EXPRESSION_WARN_BYTES


class Pace:
    """Token bucket: lets `rate` requests a second through on average and `burst` at once; safe in threads.

    Parameters
    ----------
    now, sleep : the clock
    """

    def __init__(
        self,
        *,
        rate: float = REQUESTS_PER_SECOND / 2,  # others may be using the same project
        burst: int = INTERACTIVE // 2,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(f"a pace lets something through: not {rate} a second, {burst} at once")
        self._rate, self._burst, self._now, self._sleep = rate, burst, now, sleep
        self._lock = threading.Lock()
        self._tokens, self._at = float(burst), now()

    def wait(self) -> None:
        """Return when the next request may be sent. Threads are served in the order in which they came."""
        with self._lock:
            now = self._now()
            self._tokens = min(self._tokens + (now - self._at) * self._rate, float(self._burst)) - 1.0
            self._at = now
            pause = -self._tokens / self._rate
        if pause > 0:
            self._sleep(pause)
