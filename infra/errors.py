"""The errors of sarbatch, grouped by what whoever catches them does.

::

    SarbatchError                       exit  class
    ├── UserError (ValueError)           2    user         mend the job or its files; never retried
    │   ├── JobError                                       the job file
    │   ├── InputError                                     a file or scene that the job names
    │   │   └── LatticeError                               grids that do not share a lattice
    │   ├── OutputError (OSError)                          the output: read-only, full, not reachable
    │   └── StateError                                     the registry or a run that is not what it should be
    ├── EngineError (RuntimeError)       3    engine       network, credentials, engine
    │   ├── TransientError                    transient    back off, then retry
    │   ├── QuotaError                        quota        back off longer, then retry
    │   └── CredentialsError (PermissionError) credentials stop, and say which
    ├── ResourceError (MemoryError)      1    resource     memory or time-out: split, never retry unchanged
    └── Stopped                          1    stopped      a driver that may not go on; nothing is wrong with the task
        ├── LeaseLostError                                 another driver holds the fence
        ├── LeaseHeldError                                 another driver is still alive
        └── CancelledError                                 the user asked for it

Every message says what, which value, and what to do: the last part is `remedy`, shown on a line of its own.
All of them survive pickling, which Dask needs.
"""

from __future__ import annotations

from typing import Self


class SarbatchError(Exception):
    """Anything sarbatch says to its user. `message` is one sentence, `remedy` says what to do."""

    exit_code = 1
    error_class = "internal"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        # Dask pickles an error with the whole chain that led to it. Where one link cannot be unpickled (GDAL's cannot),
        # a bare Exception arrives instead of ours, of no class that decides about a retry: the chain stays behind.
        self.__cause__ = self.__context__ = None
        return type(self), (self.message, self.remedy)


class UserError(SarbatchError, ValueError):
    """What the user can mend in the job or its files."""

    exit_code = 2
    error_class = "user"


class JobError(UserError):
    """The job file is wrong."""


class InputError(UserError):
    """A file or scene that the job names is wrong or not there."""


class LatticeError(InputError):
    """Two grids do not share CRS, spacing and lattice."""


class OutputError(UserError, OSError):
    """The output cannot be written."""

    __str__ = SarbatchError.__str__


class StateError(UserError):
    """The registry, or a run in it, is not what the command needs."""


class EngineError(SarbatchError, RuntimeError):
    """Network, credentials or engine."""

    exit_code = 3
    error_class = "engine"


class TransientError(EngineError):
    """It may work in a moment."""

    error_class = "transient"


class QuotaError(EngineError):
    """The engine refuses more for now."""

    error_class = "quota"


class CredentialsError(EngineError, PermissionError):
    """Credentials are missing, wrong or expired; the message says which."""

    error_class = "credentials"
    __str__ = SarbatchError.__str__


class ResourceError(SarbatchError, MemoryError):
    """Memory or time ran out: smaller pieces may work, the same again will not."""

    error_class = "resource"


class Stopped(SarbatchError):  # noqa: N818 -- not an error of the task: the driver may not go on
    """A driver may not go on."""

    error_class = "stopped"


class LeaseLostError(Stopped):
    """Another driver has taken the fence."""


class LeaseHeldError(Stopped):
    """Another driver is alive and holds the lease."""


class CancelledError(Stopped):
    """The user cancelled the task."""

    error_class = "cancelled"
