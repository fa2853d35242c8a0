"""A run: a plan that is being carried out, by a steward that outlives whoever started it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from infra.errors import StateError
from pipelines.backends.protocol import State
from pipelines.keys import request_id
from pipelines.orders import WHOLE, Order
from pipelines.plan import Plan, TaskPlan, refuse
from pipelines.products import published, to_json
from pipelines.registry import open_registry
from pipelines.registry.rows import OperationRow, RunRow, TaskRow
from pipelines.standing import Standing, is_replaced
from pipelines.step import note_run, product_row, stepper
from pipelines.stepping import nonce

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.registry.registry import Registry

LOOK_EVERY = 0.3  # seconds between looks at the registry while following


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as it stands in the registry."""

    id: str
    job: str
    output: str
    state: str


def run_plan(
    plan: Plan,
    *,
    settings: Settings | None = None,
    detach: bool = False,
    follow: Callable[[Registry, str], None] | None = None,
) -> Run:
    """Carry out a plan; returns when the run has ended, or at once with `detach`.

    Parameters
    ----------
    plan : as `make_plan` gave it
    follow : called again and again with the registry and the run's id while it runs, to show progress

    Returns
    -------
    run : its state is "done", "failed" or "cancelled", or "running" with `detach`

    Raises
    ------
    OutputError
        If the output cannot be written or is too small; nothing was started.
    """
    if settings is None:
        from infra.settings import load_settings

        settings = load_settings()
    refuse(plan)
    with open_registry(settings) as registry:
        plan.output.check_writable()
        run = record(plan, registry)
        if run.state == "running":
            from pipelines.steward import ensure_steward

            for row in registry.runs():  # the run that this one replaces has to be stopped
                if (row.job, row.output, row.state) == (run.job, run.output, "running"):
                    ensure_steward(registry, row.id, settings)
            if not detach:
                await_end(registry, run.id, settings=settings, follow=follow)
        ended = registry.find_run(run.id)
        return Run(id=ended.id, job=ended.job, output=ended.output, state=ended.state)


def record(plan: Plan, registry: Registry) -> RunRow:
    """Run of a plan in the registry: the newest unfinished one that makes the same keys, else a new one.

    An unfinished run of the same job and output that makes other keys is cancelled: the job file has changed since.
    """
    unfinished = registry.newest_run(job=plan.job, output=plan.output.url, unfinished=True)
    if unfinished is not None:
        if [(task.name, task.key, task.backend) for task in registry.tasks(unfinished.id)] == [
            (task.task, task.order.key, task.backend) for task in plan.tasks
        ]:
            return unfinished
        cancel(registry, unfinished.id)
    run = RunRow(id=_new_id(), job=plan.job, output=plan.output.url, job_text=plan.job_text, document=plan.to_json())
    word = nonce(plan.output)
    tasks = [_task_row(run.id, position, task) for position, task in enumerate(plan.tasks)]
    operations = [row for task in plan.tasks for row in first_operations(run.id, task, word=word, registry=registry)]
    registry.add_run(run, tasks, operations)
    for task in plan.tasks:
        if task.state == "done":
            rows = [to_json(task.order, product, run=run.id) for product in published(task.order)]
            registry.add_products(run.id, task.task, [product_row(row) for row in rows])
    if all(task.state == "done" for task in plan.tasks):
        registry.end_run(run.id, "done")
    note_run(registry, run.id, plan.tasks[0].order)
    return registry.find_run(run.id)


def await_end(
    registry: Registry, run: str, *, settings: Settings, follow: Callable[[Registry, str], None] | None = None
) -> None:
    """Wait until a run has ended; a steward that died is replaced."""
    from pipelines.steward import ensure_steward

    while registry.find_run(run).state == "running":
        if follow is not None:
            follow(registry, run)
        ensure_steward(registry, run, settings)
        time.sleep(LOOK_EVERY)
    if follow is not None:
        follow(registry, run)


def tick(registry: Registry, settings: Settings, *, runs: Sequence[RunRow] | None = None) -> list[Run]:
    """One step of every unfinished run that no steward holds; the runs as they are after it."""
    from pipelines.steward import held

    after = []
    for row in runs if runs is not None else [row for row in registry.runs() if row.state == "running"]:
        with held(registry, row.id) as mine:
            if mine:
                stepper(registry, row, settings).step()
        now = registry.find_run(row.id)
        after.append(Run(id=now.id, job=now.job, output=now.output, state=now.state))
    return after


def cancel(registry: Registry, run: str, *, task: str | None = None) -> int:
    """Want every unfinished operation of a run (of one task) to stop; how many. The next steps see to it."""
    count = 0
    for operation in _operations(registry, run, task):
        row: OperationRow | None = operation
        while row is not None and not row.believed.final and row.wanted != "cancel":
            if registry.change(row, event="cancel wanted", wanted="cancel") is not None:
                count += 1
                break
            row = registry.operation(row.id)
    return count


def retry(registry: Registry, run: str, *, task: str | None = None) -> int:
    """Give every failed or cancelled operation of a run (of one task) a new attempt; how many. Opens the run again.

    What was not started because of it is tried again too. An operation that was sent to its engine without an answer is
    sent again under the same request id: the engine may have it.
    """
    standing = Standing(registry.tasks(run), registry.operations(run=run))
    _check_task(registry, run, task)
    wanted = set(standing.tasks) if task is None else {task, *standing.dependents(task)}
    rows = [row for row in standing.latest() if row.task in wanted and row.believed in {State.FAILED, State.CANCELLED}]
    words: dict[str, str] = {}
    count = 0
    for row in rows:
        if row.believed == State.FAILED and row.handle is None and row.started is not None:
            again = registry.change(
                row,
                event="retry: asked for",
                wanted="run",
                believed=State.SUBMITTING,
                error=None,
                not_before=None,
                ended=None,
            )
        else:
            root = Order.from_json(standing.tasks[row.task].document).root
            word = words[root.url] = words.get(root.url) or nonce(root)
            new_id = request_id(nonce=word, key=row.key, tile=row.tile, attempt=row.attempt + 1)
            again = registry.add_attempt(row, request_id=new_id, event="retry: asked for")
        count += again is not None
    if count:
        registry.set_run_state(run, "running")
    return count


def _operations(registry: Registry, run: str, task: str | None) -> list[OperationRow]:
    _check_task(registry, run, task)
    return registry.operations(run=run, task=task)


def _check_task(registry: Registry, run: str, task: str | None) -> None:
    if task is not None and task not in {row.name for row in registry.tasks(run)}:
        names = ", ".join(row.name for row in registry.tasks(run))
        raise StateError(f"run {run} has no task '{task}'", f"Its tasks: {names}.")


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def _task_row(run: str, position: int, task: TaskPlan) -> TaskRow:
    return TaskRow(
        run=run,
        name=task.task,
        position=position,
        kind=task.order.kind,
        key=task.order.key,
        line=task.order.line,
        backend=task.backend,
        reason=task.reason,
        needs=task.needs,
        estimate=task.estimate.to_json(),
        document=task.order.to_json(),
    )


def first_operations(run: str, task: TaskPlan, *, word: str, registry: Registry) -> list[OperationRow]:
    """Operations of a task as a run begins: all done if its key is, else the attempts that go on from what is there."""
    from pipelines.backends.desk import Desk

    order, done = task.order, task.state == "done"
    known = _earlier(registry, order.key, word) if order.tiles and not done else {}
    attempts = dict(_begun(order.tiles, known)) | {WHOLE: Desk(order.desk).next_attempt()}
    return [
        OperationRow(
            run=run,
            task=task.task,
            key=order.key,
            tile=tile,
            attempt=attempt,
            request_id=request_id(nonce=word, key=order.key, tile=tile, attempt=attempt),
            believed=State.DONE if done else State.WAITING,
            engine_state="published" if done else "",
            progress=1.0 if done else None,
        )
        for tile, attempt in attempts.items()
    ]


def _earlier(registry: Registry, key: str, word: str) -> dict[str, OperationRow]:
    """Newest attempt at each tile of a key that any run of the same output knows: `word` is the output's."""
    newest: dict[str, OperationRow] = {}
    for row in registry.operations(key=key):
        ours = row.request_id == request_id(nonce=word, key=key, tile=row.tile, attempt=row.attempt)
        if ours and (row.tile not in newest or row.attempt >= newest[row.tile].attempt):
            newest[row.tile] = row
    return newest


def _begun(tiles: Iterable[str], known: Mapping[str, OperationRow]) -> Iterator[tuple[str, int]]:
    """Tile and attempt to begin with: the same again where the engine may still have it, the next where it failed.

    A tile that was too large once is not tried again: the smaller ones that took its place are.
    """
    for tile in tiles:
        row = known.get(tile)
        if row is None:
            yield tile, 1
        elif is_replaced(row):
            yield from _begun(str((row.error or {})["split"]).split(), known)
        else:
            failed = row.believed in {State.FAILED, State.CANCELLED, State.LOST} and row.handle is not None
            yield tile, row.attempt + failed
