"""Which process, on which machine: identities that survive a reused process id and are not fooled by containers."""

from __future__ import annotations

import socket
import uuid
from pathlib import Path

STATE, START_TICKS = 0, 19  # of /proc/<pid>/stat after the command's closing bracket: fields 3 and 22 of proc(5)


def machine() -> str:
    """Identity of this machine since its start, as far as process ids mean the same thing.

    Containers may share a host name, and a process id names another process in each: so it is the kernel's boot
    and its space of process ids where there is /proc, else host name and network address.
    """
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if boot.exists() and space.exists():
        return f"{boot.read_text().strip()}/{space.stat().st_ino}"
    return f"{socket.gethostname()}/{uuid.getnode():x}"


def start_time(pid: int) -> str | None:
    """When a process started, to be compared only; None if it is dead, or a zombie that waits to be collected."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return _start_time_without_proc(pid)
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[STATE] in "ZX" else fields[START_TICKS]


def is_alive(pid: int, started: str) -> bool:
    """Whether the process that had this id and `start_time` still runs on this machine."""
    return start_time(pid) == started


def _start_time_without_proc(pid: int) -> str | None:
    import psutil  # type: ignore[import-untyped] # publishes no types

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None
