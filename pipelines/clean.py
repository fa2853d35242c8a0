"""Remove what no product needs: superseded keys, and what crashes left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.keys import SHORT
from pipelines.products import ITEM, products_of

if TYPE_CHECKING:
    from infra.storage import Location

SAFE_AGE = timedelta(days=1)  # no write that is going on is older: drivers commit at least every few minutes


@dataclass(frozen=True, kw_only=True)
class Removal:
    """Something that can go: a path below the output, why, and its bytes."""

    path: str
    why: str
    size: int


def removable(output: Location, *, now: datetime | None = None, age: timedelta = SAFE_AGE) -> list[Removal]:
    """What no product needs.

    Keys that a newer key of their line has superseded and no job's newest run asked for, stores that no key names any
    more, and work in progress that nobody has touched for `age`.
    """
    moment = now or datetime.now(UTC)
    keys = _published(output)
    newest = {row["line"]: row["key"] for row in sorted(keys, key=lambda row: row["created"])}
    kept = {*newest.values(), *_asked_for(output)}
    rows = [
        Removal(
            path=row["folder"], why=f"superseded by {newest[row['line']][:SHORT]}", size=_size(output, row["folder"])
        )
        for row in keys
        if row["key"] not in kept
    ]
    rows += _stores(output, {store for row in keys if row["key"] in kept for store in row["stores"]}, moment - age)
    rows += _work(output, {row["key"][:SHORT] for row in keys}, moment - age)
    return rows


def remove(output: Location, rows: list[Removal]) -> None:
    """Remove it: of a key the item first, so that no reader sees half of it."""
    for row in rows:
        place = output / row.path
        place.delete([ITEM])
        place.delete_all()


def _published(output: Location) -> list[dict[str, Any]]:
    keys = []
    for entry in output.list(""):
        parts = entry.name.split("/")
        if len(parts) == 3 and parts[2] == ITEM and parts[0] != ".sarbatch":
            item = output.read_json(entry.name)
            properties = item["properties"]
            stores = {
                f"{parts[0]}/{product.path.removeprefix('../')}"
                for product in products_of(item)
                if product.path.startswith("../")
            }
            keys.append(
                {
                    "key": properties["sarbatch:key"],
                    "line": properties["sarbatch:line"],
                    "created": properties["created"],
                    "folder": f"{parts[0]}/{parts[1]}",
                    "stores": stores,
                }
            )
    return keys


def _asked_for(output: Location) -> set[str]:
    """Keys of each job's newest run that was done, and of those begun since: two tasks or jobs may share a line."""
    notes = [output.read_json(entry.name) for entry in output.list(".sarbatch/runs") if entry.name.endswith(".json")]
    wanted: dict[str, set[str]] = {}
    for note in sorted(notes, key=lambda note: str(note["run"]["started"])):
        keys = {str(task["key"]) for task in note["tasks"]}
        job, done = str(note["run"]["job"]), note["run"]["state"] == "done"
        wanted[job] = keys if done else wanted.get(job, set()) | keys
    return set().union(*wanted.values())


def _stores(output: Location, needed: set[str], before: datetime) -> list[Removal]:
    """Stores of a line that no kept key lies in, untouched since `before`."""
    newest: dict[str, datetime] = {}
    sizes: dict[str, int] = {}
    for entry in output.list(""):
        parts = entry.name.split("/")
        if len(parts) > 2 and parts[1].endswith(".icechunk"):
            store = "/".join(parts[:2])
            newest[store] = max(newest.get(store, entry.modified), entry.modified)
            sizes[store] = sizes.get(store, 0) + entry.size
    return [
        Removal(path=store, why="no published key lies in it", size=sizes[store])
        for store, touched in newest.items()
        if store not in needed and touched < before
    ]


def _work(output: Location, published: set[str], before: datetime) -> list[Removal]:
    """Parts of keys that are published, and of those that nobody has touched since `before`."""
    newest: dict[str, datetime] = {}
    sizes: dict[str, int] = {}
    for entry in output.list(".sarbatch"):
        parts = entry.name.split("/")
        if len(parts) > 3 and parts[2] == "parts":
            newest[parts[1]] = max(newest.get(parts[1], entry.modified), entry.modified)
            sizes[parts[1]] = sizes.get(parts[1], 0) + entry.size
    return [
        Removal(path=f".sarbatch/{key}/parts", why="work in progress that nobody goes on with", size=sizes[key])
        for key, touched in newest.items()
        if touched < before or (key in published and touched < before)
    ]


def _size(output: Location, folder: str) -> int:
    return sum(entry.size for entry in output.list(folder))
