"""Writing a stack: scenes of many passes on one grid, appended block by block, each block in one commit.

Workers read and write pixels; the process that calls `append_passes` sees change sets and counts only. A block is
whole or absent: whoever dies in between leaves chunks that no commit names, which `collect_garbage` removes.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dask_jobs.scenes import Pass
from dask_jobs.stack.chunks import write_step
from dask_jobs.stack.ledger import ATTRIBUTE, Ledger, Step, continuation, obstacles
from dask_jobs.stack.pieces import Piece, batches_of, blocks_of, pieces_of
from dask_jobs.stack.schema import Layout, array_of, make_arrays, resize_time, seconds, write_columns, write_frame
from dask_jobs.stack.store import MAIN, icechunk_errors, read_ledger, writable_repository
from infra.errors import InputError, LeaseLostError, StateError
from infra.grid import Grid, Window
from infra.region import Region
from infra.storage import Location, S3Options

if TYPE_CHECKING:
    import icechunk
    from distributed import Client

    from dask_jobs.reprojection import Resampling

BLOCK_BYTES = 2**30  # pixels per commit: what a death can cost at most

Read = Callable[[Pass, str, Window], tuple[np.ndarray, int, int]]
"""Pixels of (pass, polarization, window): float32 (height, width), NaN no data; masked pixels; covered pixels."""

Checkpoint = Callable[[str, float], None]
"""Called with ("writing" | "block" | "committed", fraction done); raises where the driver may not go on."""


@dataclass(frozen=True, kw_only=True)
class MosaicReader:
    """Reads pixels of a pass on `target`: what `append_passes` sends to workers.

    Attributes
    ----------
    hide : names of what the masks mark as no data ("layover", "shadow", …)
    region : whose outside becomes no data, where it masks
    resampling : how scenes of other lattices are brought to the target's; None: there are none
    """

    target: Grid
    hide: frozenset[str] = frozenset()
    region: Region | None = None
    s3: S3Options = field(default_factory=S3Options)
    resampling: Resampling | None = None

    def __call__(self, pass_: Pass, polarization: str, window: Window) -> tuple[np.ndarray, int, int]:
        """Pixels, masked pixels, covered pixels of a window of the target."""
        from dask_jobs.backscatter import masked_and_covered, mosaic
        from dask_jobs.reprojection import reproject_mosaic

        inside = None
        if self.region is not None and self.region.masks:
            inside = self.region.inside(self.target.crop(window))
        place: dict[str, Any] = {
            "target": self.target,
            "window": window,
            "hide": self.hide,
            "inside": inside,
            "s3": self.s3,
        }
        if self.resampling is None:
            return mosaic(pass_, polarization, **place)
        power, covered = reproject_mosaic(pass_, polarization, resampling=self.resampling, **place)
        return power, *masked_and_covered(power, covered)


class BatchResult(NamedTuple):
    """What a task sends back: a pickled change set, bytes of pixels written, and pixels by time step."""

    changes: bytes
    size: int
    masked: Counter[int]
    covered: Counter[int]


def append_passes(
    store: Location,
    layout: Layout,
    passes: Sequence[Pass],
    *,
    group: str = "",
    read: Read,
    client: Client,
    block_bytes: int = BLOCK_BYTES,
    checkpoint: Checkpoint = lambda _phase, _fraction: None,
) -> None:
    """Bring a stack to hold exactly `passes`, going on where its ledger ends; makes store and group where absent.

    Parameters
    ----------
    passes : all that the stack shall hold, in order of time (or, where the layout says so, of arrival)
    read : picklable; called on workers with windows of whole objects that a scene of the pass touches
    block_bytes : pixels that one commit adds at most (one time step at least)
    checkpoint : called after every task ("writing"), before every commit ("block") and after it ("committed"); what
        it raises stops the writing, and nothing of the block under way is committed

    Raises
    ------
    StateError
        If the store holds something else than the beginning of `passes` on this layout.
    InputError
        If there is no pass, or passes are not in order of time.
    LatticeError
        If scenes are of another lattice and the layout does not say `resampled`.
    LeaseLostError
        If somebody else committed to the store meanwhile.
    """
    start = _begin(store, layout, passes, group=group)
    pieces = [
        pieces_of(
            passes[step],
            step=step,
            grid=layout.grid,
            polarizations=layout.polarizations,
            side=layout.object_side,
            resampled=layout.resampled,
        )
        for step in range(start, len(passes))
    ]
    sizes = [sum(piece.size for piece in step) for step in pieces]
    total, before = max(1, sum(sizes)), 0
    for block in blocks_of(sizes, block_bytes=block_bytes):
        writing = _Block(store, layout, group, passes, range(start + block.start, start + block.stop))
        done = BatchResult(b"", 0, Counter(), Counter())
        session, room = writing.open()
        work = [piece for step in block for piece in pieces[step]]
        task = partial(write_batch, store=store, room=room, group=group, read=read)
        with closing(_results(task, work, passes, client=client)) as results:
            for written in results:
                done = writing.merge(session, written, done=done)
                checkpoint("writing", (before + done.size) / total)
        before += done.size
        writing.complete(session, done)
        checkpoint("block", before / total)
        writing.commit(session)
        checkpoint("committed", before / total)


def write_batch(
    pieces: Sequence[Piece], passes: Mapping[int, Pass], *, store: Location, room: bytes, group: str, read: Read
) -> BatchResult:
    """On a worker: read and write pieces one after the other; `passes` holds those of their steps."""
    import zarr

    fork = pickle.loads(room)  # noqa: S301 -- the driver made it
    with icechunk_errors(store):
        root = zarr.open_group(fork.store, path=group, mode="r+")
        arrays = {name: array_of(root, name) for name in {piece.polarization for piece in pieces}}
    masked: Counter[int] = Counter()
    covered: Counter[int] = Counter()
    for piece in pieces:
        values, hidden, seen = read(passes[piece.step], piece.polarization, piece.window)
        with icechunk_errors(store):
            write_step(arrays[piece.polarization], piece.step, piece.window, values)
        masked[piece.step] += hidden
        covered[piece.step] += seen
    return BatchResult(pickle.dumps(fork), sum(piece.size for piece in pieces), masked, covered)


@dataclass(frozen=True)
class _Block:
    """Time steps that become visible together, and the session that they are gathered in."""

    store: Location
    layout: Layout
    group: str
    passes: Sequence[Pass]
    steps: range

    def open(self) -> tuple[icechunk.Session, bytes]:
        """A session at the newest commit, and a pickled fork of it with room for the block: what tasks write to."""
        import zarr

        with icechunk_errors(self.store):
            repository = writable_repository(self.store, layout=self.layout)
            session = repository.writable_session(MAIN)
            # A session with changes cannot be forked: the room is made in a fork, which every task gets a copy of.
            fork = session.fork()
            root = zarr.open_group(fork.store, mode="a")
            group = root.require_group(self.group) if self.group else root
            held = group.attrs.get(ATTRIBUTE)
            if (len(Ledger.from_text(str(held)).steps) if held is not None else 0) != self.steps.start:
                raise LeaseLostError(f"{self.store.url}: another driver has committed to this stack")
            if held is None:
                make_arrays(group, self.layout)
            resize_time(group, self.layout, steps=self.steps.stop)
            room = pickle.dumps(fork)
            session.merge(fork)
        return session, room

    def merge(self, session: icechunk.Session, written: BatchResult, *, done: BatchResult) -> BatchResult:
        """Take over a task's changes; the block's sums."""
        with icechunk_errors(self.store):
            session.merge(pickle.loads(written.changes))  # noqa: S301 -- our own worker made it
        return BatchResult(b"", done.size + written.size, done.masked + written.masked, done.covered + written.covered)

    def complete(self, session: icechunk.Session, done: BatchResult) -> None:
        """Write coordinates and ledger beside the pixels."""
        import zarr

        steps = {step: self.passes[step] for step in self.steps}
        with icechunk_errors(self.store):
            group = zarr.open_group(session.store, path=self.group, mode="r+")
            if self.steps.start == 0 and "y" not in group:
                write_frame(group, grid=self.layout.grid, attrs=self.layout.attrs)
            write_columns(group, self.layout, steps, masked=done.masked, covered=done.covered)
            group.attrs[ATTRIBUTE] = ledger_of(self.layout, self.passes[: self.steps.stop]).to_text()

    def commit(self, session: icechunk.Session) -> None:
        """Make the block visible."""
        days = f"{self.passes[self.steps.start].time:%Y-%m-%d} to {self.passes[self.steps.stop - 1].time:%Y-%m-%d}"
        with icechunk_errors(self.store):
            session.commit(f"{self.group or 'stack'}: {days}", metadata={"group": self.group, "steps": self.steps.stop})


def _results(
    task: Callable[..., BatchResult], pieces: Sequence[Piece], passes: Sequence[Pass], *, client: Client
) -> Generator[BatchResult]:
    """Results of the tasks, as they end; what is still queued is cancelled where nobody wants it any more."""
    from distributed import as_completed

    batches = batches_of(pieces)
    futures = client.map(
        task,
        batches,
        [{piece.step: passes[piece.step] for piece in batch} for batch in batches],
        pure=False,
    )
    try:
        for _, written in as_completed(futures, with_results=True):
            yield written
    finally:
        client.cancel(futures)


def _begin(store: Location, layout: Layout, passes: Sequence[Pass], *, group: str) -> int:
    """Index of the first pass to write."""
    if not passes:
        raise InputError("a stack needs at least one scene", "Check the source, the area and the period.")
    for before, after in pairwise(passes if layout.in_order else ()):
        if seconds(after.time) < seconds(before.time):
            raise InputError(
                f"passes are not in order of time: {after.time:%Y-%m-%d %H:%M:%S} follows {before.time:%Y-%m-%d %H:%M:%S}",
                "Sort them.",
            )
    ledger = read_ledger(store, group=group)
    if ledger is None:
        return 0
    why = obstacles(ledger, passes, grid=layout.grid)
    start = continuation(ledger, passes, grid=layout.grid)
    same = (ledger.polarizations, ledger.chunk) == (layout.polarizations, layout.chunk)
    if start is None or not same:
        raise StateError(
            f"{store.url} cannot be appended to: {'; '.join(why) or 'it has other polarizations or chunks'}",
            "Make a new store.",
        )
    return start


def ledger_of(layout: Layout, passes: Sequence[Pass]) -> Ledger:
    """What a store of this layout says that it holds, once it holds exactly `passes`."""
    return Ledger(
        grid=layout.grid,
        polarizations=layout.polarizations,
        chunk=layout.chunk,
        steps=tuple(Step.of(pass_) for pass_ in passes),
    )
