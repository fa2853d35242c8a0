"""Exports of forty tiles on bad days: whatever goes wrong, every tile is there once in the end, and nothing was paid twice.

Each seed draws faults of the local Earth Engine and what somebody does meanwhile (cancels tasks by hand, runs a second
process). The steps, the registry, the backend and the client are the real ones; what puts the tiles together is not.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import ee
import pytest
from bad_days import PATIENCE, SIDE, TILES, check, day, process
from tile_exports import LocalEngine, local_engine

from gee.local.faults import KINDS
from pipelines.backends.protocol import State
from pipelines.registry.registry import Registry
from pipelines.run import retry

ON = {
    **dict.fromkeys(
        ("too-many-requests", "unavailable", "internal", "drop", "lost-answer", "latency"),
        ("image.export", "operations.list", "operations.*", "*"),
    ),
    **dict.fromkeys(("queue-full", "memory", "time-out"), ("image.export",)),
    **dict.fromkeys(("slow", "stuck", "fails", "flaky", "late-cancel"), ("*",)),
    "restricted": ("*",),
}
MESSAGES = ("Internal error.", "User memory limit exceeded.", "Quota exceeded.", "Computation timed out.")
QUICK, ALL = range(3), range(100)
SOAK = pytest.mark.soak


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalEngine]:
    with local_engine(tmp_path / "engine") as engine:
        yield engine


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.retry.FIRST_WAIT", 0.0)
    monkeypatch.setattr("pipelines.retry.WAITS", {})


def drawn(random: Random, *, key: str) -> list[dict[str, Any]]:
    """Three to six faults that come to an end."""
    kinds = random.sample(sorted(ON), random.randint(3, 6))
    if "stuck" in kinds and "late-cancel" in kinds:
        kinds.remove("late-cancel")  # what hangs and cannot be cancelled hangs for ever
    return [_fault(random, kind, key=key) for kind in kinds]


def _fault(random: Random, kind: str, *, key: str) -> dict[str, Any]:
    fault: dict[str, Any] = {
        "kind": kind,
        "on": random.choice(ON[kind]),
        "probability": random.choice([0.1, 0.3, 1.0]),
        "count": random.randint(1, 8),
        "skip": random.randint(0, 20),
        "seed": random.randint(0, 10**6),
        "seconds": random.uniform(0.0, 0.1),
    }
    if kind in ("memory", "time-out"):
        fault |= {"pixels": 64 * 64}
    if kind == "late-cancel":
        fault |= {"probability": 1.0, "skip": 0}
    if kind == "fails":
        fault |= {"message": random.choice(MESSAGES), "seconds": 0.0}
        if "memory" in fault["message"] or "timed" in fault["message"]:
            fault |= {"on": f"{key[:16]}-*-w{SIDE}-*"}  # what is too large can be smaller
    return fault


def live(seed: int, engine: LocalEngine, folder: Path) -> None:
    """One seed's run, from its first step to its end."""
    random = Random(seed)
    one = day(engine, folder, name=f"seed {seed}", random=random)
    ee.data.setMaxRetries(random.choice([0, 0, 1, 5]))
    one.steppers = random.choice([1, 1, 2])
    one.meddles = random.choice([1e-9, 1e-9, 0.02])
    faults = drawn(random, key=one.order.key)
    if any(fault["kind"] == "late-cancel" for fault in faults):
        one.meddles = 0.3  # there must be something to come too late for, and somebody who does
        faults.append({"kind": "slow", "seconds": 0.2, "count": 15})
    engine.set_faults(*faults)
    try:
        one.start()
        assert one.finish() == "done"
        check(one, complete=True)
        assert one.order.home.exists("item.json")
    finally:
        engine.set_faults()


@pytest.mark.filterwarnings("ignore:Your project has exceeded")
@pytest.mark.parametrize("seed", QUICK)
def test_every_tile_is_exported_once_whatever_goes_wrong(seed: int, server: LocalEngine, tmp_path: Path) -> None:
    live(seed, server, tmp_path)


@SOAK
@pytest.mark.filterwarnings("ignore:Your project has exceeded")
@pytest.mark.parametrize("seed", ALL)
def test_every_tile_is_exported_once_a_hundred_times(seed: int, server: LocalEngine, tmp_path: Path) -> None:
    live(seed, server, tmp_path)


def test_a_hundred_seeds_draw_every_fault_but_the_one_that_ends_a_run() -> None:
    kinds = {fault["kind"] for seed in ALL for fault in drawn(Random(seed), key="0" * 64)}
    assert kinds == set(KINDS) - {"forbidden"}


def test_a_login_that_is_refused_stops_and_says_so_until_somebody_tries_again(
    server: LocalEngine, tmp_path: Path
) -> None:
    one = day(server, tmp_path, name="forbidden")
    server.set_faults({"kind": "forbidden", "on": "image.export", "count": 3, "skip": 5})
    one.start()
    assert one.finish() == "failed"
    check(one, complete=False)
    errors = [row.error or {} for row in one.rows() if row.believed == State.FAILED]
    assert len(errors) == 3
    assert {error["class"] for error in errors} == {"credentials"}
    assert all("authenticate" in error["remedy"] for error in errors)
    with Registry.open(one.settings.registry_url) as registry:
        retry(registry, "r1")
    assert one.finish() == "done"
    check(one, complete=True)


# A process that dies


@pytest.mark.parametrize(
    "fault", ["submit:7", pytest.param("intent:1", marks=SOAK), pytest.param("submit:40", marks=SOAK)]
)
def test_what_a_process_had_sent_when_it_died_is_adopted(
    fault: str, server: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = day(server, tmp_path, name=f"killed at {fault}")
    one.start()
    mark = tmp_path / "fault"
    with process(one, SARBATCH_FAULT=fault, SARBATCH_FAULT_FILE=str(mark)) as dies:
        assert dies.wait(PATIENCE) == -signal.SIGKILL
    assert mark.exists()
    unheard = {record["name"] for record in one.records()}
    assert len(unheard) == {"intent:1": 0, "submit:7": 7, "submit:40": 40}[fault]
    assert not any(row.handle for row in one.rows())
    # The service has forgotten the request ids: it would start everything anew
    monkeypatch.setattr("gee.exports.request_key", lambda description: f"later-{hash(description) & 0xFFFF}")
    assert one.finish() == "done"
    check(one, complete=True)
    assert unheard <= {json.loads(str(row.handle))["operation"] for row in one.rows()}


# A budget


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([], marks=SOAK),
        [{"kind": "fails", "seconds": 0.0, "message": "Internal error.", "count": 6, "skip": 2}],
        [{"kind": "memory", "on": "image.export", "pixels": 64 * 64, "count": 3, "skip": 2}],
        pytest.param([{"kind": "lost-answer", "on": "image.export", "count": 5}], marks=SOAK),
    ],
    ids=["none", "fails", "memory", "lost-answer"],
)
def test_a_budget_is_never_exceeded(
    faults: list[dict[str, Any]], server: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each attempt at an export takes one EECU-second, told or not: the service tells of none that failed
    monkeypatch.setattr("gee.local.work.metering.Meter.seconds", lambda self: 1.0)
    budget = 25.0
    one = day(server, tmp_path, name=f"budget {faults}")
    one.order = replace(one.order, budget={"eecu_hours": budget / 3600})
    server.set_faults(*faults)
    one.start(eecu_hours=len(TILES) / 3600)
    assert one.finish() == "failed"
    server.set_faults()
    check(one, complete=False)
    paid = sum(record["usage"] for record in one.records())
    assert budget - 2.0 <= paid <= budget
    classes = Counter((row.error or {}).get("class") for row in one.rows() if row.believed == State.FAILED)
    assert classes["budget"] >= 1
    assert not one.order.home.exists("item.json")
