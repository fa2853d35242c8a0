"""Faults on demand: what a real service does on bad days, as often as is asked for, and the same again with the same seed."""

from gee.local.faults.draws import Faults
from gee.local.faults.kinds import (
    KINDS,
    OUT_OF_MEMORY,
    QUEUE_FULL,
    REFUSALS,
    RESTRICTED,
    SIZED,
    TIMED_OUT,
    Fault,
)
from gee.local.faults.reading import fault_of, fault_of_text

__all__ = [
    "KINDS",
    "OUT_OF_MEMORY",
    "QUEUE_FULL",
    "REFUSALS",
    "RESTRICTED",
    "SIZED",
    "TIMED_OUT",
    "Fault",
    "Faults",
    "fault_of",
    "fault_of_text",
]
