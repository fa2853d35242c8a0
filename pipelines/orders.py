"""The order: everything an engine needs to make one task, as plain values that any process can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from infra.region import Region
from infra.storage import Location, S3Options
from pipelines.keys import short

WHOLE = "whole"  # the operation that makes a task, or puts its tiles together and publishes it


@dataclass(frozen=True, kw_only=True)
class Order:
    """One task to be made.

    Attributes
    ----------
    job, task : names, for people; not part of what is made
    kind, key, line : what is made
    output : folder or s3:// URL of the job
    s3 : how that S3 is reached (no secret)
    parameters : of the kind, as in the job file with defaults
    region : the job's area, None where the input defines it
    inputs : parameter to the order of the task that it names
    document : what the kind's survey found and its driver needs (scenes, grid…)
    backend : engine that makes it; like what follows, no part of the key
    tiles : operations that an engine makes the task of, before one that puts them together; none where it is one operation
    budget : what the task may cost, "eecu_hours" or "core_hours"
    """

    job: str
    task: str
    kind: str
    key: str
    line: str
    output: str
    s3: S3Options
    parameters: Mapping[str, Any]
    region: Region | None
    inputs: Mapping[str, Order] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    backend: str = "dask"
    tiles: tuple[str, ...] = ()
    budget: Mapping[str, float] = field(default_factory=dict)

    @property
    def root(self) -> Location:
        """The job's output."""
        return Location(self.output, self.s3)

    @property
    def home(self) -> Location:
        """Where this key's products lie."""
        return self.root / self.kind / short(self.key)

    @property
    def desk(self) -> Location:
        """Where this key's work in progress lies: reports and parts."""
        return self.root / ".sarbatch" / short(self.key)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` restores the order."""
        return {
            **{name: getattr(self, name) for name in ("job", "task", "kind", "key", "line", "output", "backend")},
            "s3": asdict(self.s3),
            "parameters": dict(self.parameters),
            "region": asdict(self.region) if self.region else None,
            "inputs": {name: order.to_json() for name, order in self.inputs.items()},
            "document": dict(self.document),
            "tiles": list(self.tiles),
            "budget": dict(self.budget),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Order:
        """Order from what `to_json` gave."""
        return cls(
            **{
                **value,
                "s3": S3Options(**value["s3"]),
                "region": Region(**value["region"]) if value["region"] else None,
                "inputs": {name: cls.from_json(order) for name, order in value["inputs"].items()},
                "tiles": tuple(value.get("tiles", ())),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Product:
    """One product of a key.

    Attributes
    ----------
    name, role : as the kind's table declares them
    path : below the key's home; a URL where it lies elsewhere in the output (a line's store)
    labels : polarization, date, period, orbit, zone: absent ones are None
    group : of a store, "" for its root
    size : bytes, None for a store
    """

    name: str
    role: str
    path: str
    media_type: str
    units: str
    size: int | None = None
    polarization: str | None = None
    date: str | None = None
    period: str | None = None
    orbit: str | None = None
    zone: str | None = None
    group: str = ""
    created: datetime | None = None
