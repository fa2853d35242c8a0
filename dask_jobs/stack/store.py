"""The store of a stack: one Icechunk repository, a group per orbit, a tag per published key.

Reading needs nothing but this module; `dask_jobs.stack.append` writes. Every reader sees whole commits only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask_jobs.stack.ledger import ATTRIBUTE, Ledger, utc
from infra.errors import (
    CredentialsError,
    EngineError,
    InputError,
    LeaseLostError,
    OutputError,
    SarbatchError,
    StateError,
    TransientError,
)
from infra.s3 import s3_error

if TYPE_CHECKING:
    import icechunk
    import xarray as xr

    from dask_jobs.stack.schema import Layout
    from infra.storage import Location

MAIN = "main"
REFS_PER_MANIFEST = 10_000  # references to objects; an append rewrites the last manifest of an array, never all of them


def read_ledger(store: Location, *, tag: str | None = None, group: str = "") -> Ledger | None:
    """What a tag or the newest commit holds, without reading pixels; None where there is no such store or group."""
    import zarr

    repository = open_repository(store)
    if repository is None:
        return None
    session = _session(store, repository, tag=tag)
    with icechunk_errors(store):
        try:
            text = zarr.open_group(session.store, path=group, mode="r").attrs.get(ATTRIBUTE)
        except FileNotFoundError:
            return None
    return Ledger.from_text(str(text)) if text is not None else None


def open_stack(store: Location, *, tag: str | None = None, group: str = "") -> xr.Dataset:
    """Stack as a lazy dataset, dask chunks as in the store.

    Parameters
    ----------
    tag : of a published key; None for the newest commit
    group : orbit label; "" where the stack has one orbit

    Returns
    -------
    variables named after polarizations : dims (time, y, x), float32, linear power, NaN where there is no data
    masked_fraction : dims (time,), float32, of the pixels that the scenes cover
    time : datetime64, UTC; y, x : pixel centres, CRS units; spatial_ref : CRS, as rioxarray reads it

    Raises
    ------
    InputError
        If there is no such store, tag or group.
    """
    import xarray as xr

    session = readonly_session(store, tag=tag)
    with icechunk_errors(store):
        try:
            data: xr.Dataset = xr.open_zarr(
                session.store, group=group or None, consolidated=False, chunks={}, decode_coords="all"
            )
        except FileNotFoundError:
            raise InputError(
                f"{store.url} has no stack of orbit {group!r}",
                f"It has: {', '.join(groups(store, tag=tag)) or 'none'}.",
            ) from None
    data.attrs.pop(ATTRIBUTE, None)  # for the writer; results must not inherit it
    return data


def groups(store: Location, *, tag: str | None = None) -> tuple[str, ...]:
    """Labels of the stacks in the store, sorted; "" is the one that lies at its root. Empty where there is no store."""
    import zarr

    repository = open_repository(store)
    if repository is None:
        return ()
    session = _session(store, repository, tag=tag)
    with icechunk_errors(store):
        try:
            root = zarr.open_group(session.store, mode="r")
        except FileNotFoundError:
            return ()
        found = [name for name, member in root.groups() if ATTRIBUTE in member.attrs]
        return tuple(sorted([""] * (ATTRIBUTE in root.attrs) + found))


def publish_tag(store: Location, tag: str) -> bool:
    """Name the newest commit `tag`, for good: True if this call did, False if it has that name already.

    Raises
    ------
    StateError
        If there is no store, or the tag names another commit.
    """
    import icechunk

    repository = open_repository(store)
    if repository is None:
        raise StateError(f"{store.url} holds no stack, so {tag!r} cannot be published", "Run the task again.")
    with icechunk_errors(store):
        tip = repository.lookup_branch(MAIN)
        if tag not in repository.list_tags():
            try:
                repository.create_tag(tag, tip)
            except icechunk.IcechunkError as error:
                if "already exists" not in str(error):  # made since it was listed: compare, as below
                    raise
            else:
                return True
        named = repository.lookup_tag(tag)
    if named != tip:
        raise StateError(
            f"{store.url}: tag {tag!r} names commit {named}, the newest is {tip}",
            "A key is published once; what was appended since needs a key of its own.",
        )
    return False


def has_tag(store: Location, tag: str) -> bool:
    """Whether `tag` is published; False where there is no store."""
    repository = open_repository(store)
    if repository is None:
        return False
    with icechunk_errors(store):
        return tag in repository.list_tags()


def snapshot_id(store: Location, *, tag: str | None = None) -> str:
    """Icechunk's identifier of the commit that `tag` names, or of the newest: provenance of what is read from it."""
    return readonly_session(store, tag=tag).snapshot_id


def collect_garbage(store: Location, older_than: datetime) -> int:
    """Remove objects that no commit refers to, made before `older_than` (UTC); bytes freed.

    `older_than` must be before the start of any write that is under way: its pixels are not referred to yet.
    """
    repository = open_repository(store)
    if repository is None:
        return 0
    with icechunk_errors(store):
        return int(repository.garbage_collect(utc(older_than)).bytes_deleted)


def open_repository(store: Location) -> icechunk.Repository | None:
    """Repository for reading; None where there is none."""
    import icechunk

    if not store.is_s3 and not Path(store.url).is_dir():
        return None  # looking for it would make the folder
    with icechunk_errors(store):
        storage = _storage(store)
        return icechunk.Repository.open(storage) if icechunk.Repository.exists(storage) else None


def writable_repository(store: Location, *, layout: Layout) -> icechunk.Repository:
    """Repository for appending, made if absent; its manifests are cut along the steps, so that appends stay cheap."""
    import icechunk

    steps = max(1, REFS_PER_MANIFEST // layout.objects_per_step)
    along: dict[Any, int] = {icechunk.ManifestSplitDimCondition.DimensionName(layout.dimension): steps}
    splitting = icechunk.ManifestSplittingConfig.from_dict({icechunk.ManifestSplitCondition.AnyArray(): along})
    config = icechunk.RepositoryConfig(manifest=icechunk.ManifestConfig(splitting=splitting))
    with icechunk_errors(store):
        return icechunk.Repository.open_or_create(_storage(store), config=config)


def readonly_session(store: Location, *, tag: str | None = None) -> icechunk.Session:
    """Picklable session of one commit.

    Raises
    ------
    InputError
        If there is no such store or tag.
    """
    repository = open_repository(store)
    if repository is None:
        raise InputError(f"{store.url} holds no stack", "Make it first, or name another.")
    return _session(store, repository, tag=tag)


def _session(store: Location, repository: icechunk.Repository, *, tag: str | None) -> icechunk.Session:
    with icechunk_errors(store):
        if tag is None:
            return repository.readonly_session(MAIN)
        if tag not in repository.list_tags():
            raise InputError(f"{store.url} has no published stack {tag!r}", "Run the stack's task, or name another.")
        return repository.readonly_session(tag=tag)


def _storage(store: Location) -> icechunk.Storage:
    import icechunk

    # It logs to standard output, where tables and JSON go; and of commits in folders it warns every time: the lease
    # sees to these
    icechunk.set_logs_filter("error")
    return store.icechunk_storage()


@contextmanager
def icechunk_errors(store: Location) -> Iterator[None]:
    """Icechunk's errors as ours, by what whoever catches them does.

    Raises
    ------
    LeaseLostError
        If another writer committed in between.
    CredentialsError, TransientError, OutputError, EngineError
        If the storage refuses, is not there, is read-only or full; else.
    """
    import icechunk

    try:
        yield
    except icechunk.ConflictError as error:
        raise LeaseLostError(
            f"{store.url}: another driver has committed to this stack ({error})", "Nothing of this block was written."
        ) from error
    except icechunk.IcechunkError as error:
        raise _meaning(store, str(error)) from error


def _meaning(store: Location, said: str) -> SarbatchError:
    reason = said.rsplit("`->", 1)[-1].strip() or said.strip()
    lower = said.lower()
    if store.is_s3 and "nosuchbucket" in lower:
        return s3_error(store.url, "NoSuchBucket", s3=store.s3, writing=True)
    if any(word in lower for word in ("accessdenied", "forbidden", "expiredtoken", "invalidaccesskey", "credential")):
        return CredentialsError(f"{store.url}: the storage refuses the keys ({reason})", "Check the AWS_* keys.")
    if any(word in lower for word in ("os error", "read-only", "permission denied", "no space")) and not store.is_s3:
        return OutputError(f"{store.url} cannot be used: {reason}", "Give a folder that can be written.")
    if any(word in lower for word in ("dispatch failure", "timeout", "timed out", "slowdown", "connection")):
        return TransientError(f"{store.url}: the storage does not answer ({reason})", "Try again in a moment.")
    return EngineError(f"{store.url}: {reason}", "Check the store; a new one is made where this one is removed.")
