"""A task of many operations: its tiles first, then what puts them together; split where too large, stopped by its budget.

The engine is the fake of `fakes.py`, the registry is real.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes import FakeBackend, add_fake_run

from infra.settings import Settings
from infra.storage import Location
from pipelines.backends.protocol import State
from pipelines.cli.follow import _print_status
from pipelines.registry.registry import Registry
from pipelines.run import cancel, retry
from pipelines.status import status
from pipelines.step import Stepper

TILES = ("a", "b", "c")


class House:
    """A registry, an output, an engine, and one task of tiles."""

    def __init__(self, folder: Path, registry: Registry, settings: Settings) -> None:
        self.registry, self.settings = registry, settings
        self.engine = FakeBackend(folder / "engine.sqlite")
        self.output = Location.parse(str(folder / "out"))

    def add(self, *tiles: str, eecu_hours: float | None = None) -> None:
        add_fake_run(self.registry, self.output, {"composite": ()}, tiles=tiles, eecu_hours=eecu_hours)

    def finish(self, steps: int = 40) -> str:
        for _ in range(steps):
            past = datetime.now(UTC) - timedelta(seconds=1)
            for row in self.registry.operations():
                if row.not_before and row.not_before > past:
                    self.registry.change(row, event="hurried", not_before=past)
            self.step()
            if (state := self.registry.find_run("r1").state) != "running":
                return state
        return "running"

    def step(self) -> None:
        row = self.registry.find_run("r1")
        Stepper(registry=self.registry, run=row, settings=self.settings, engines={"fake": self.engine}).step()

    def beliefs(self) -> dict[str, str]:
        return {row.tile: str(row.believed) for row in self.registry.operations(run="r1")}

    def shown(self) -> dict[str, object]:
        shown: dict[str, object] = status(self.registry, [self.registry.find_run("r1")])["runs"][0]["tasks"][0]
        return shown

    def published(self) -> bool:
        return any(entry.name.endswith("item.json") for entry in self.output.list())


@pytest.fixture
def house(tmp_path: Path, registry_url: str) -> Iterator[House]:
    settings = Settings(state_dir=tmp_path / "state", registry=registry_url)
    with Registry.open(settings.registry_url) as registry:
        yield House(tmp_path, registry, settings)


def test_what_puts_tiles_together_waits_for_all_of_them(house: House) -> None:
    house.add(*TILES)
    house.engine.script("composite/b", polls=6)
    for _ in range(6):
        house.step()
        assert house.beliefs()["whole"] == "waiting"
        assert not house.published()
    assert house.finish() == "done"
    assert house.published()
    assert set(house.engine.submissions().values()) == {1}
    assert len(house.engine.operations()) == 4


def test_a_tile_too_large_is_replaced_by_smaller_ones_as_often_as_needed(house: House) -> None:
    house.add(*TILES)
    house.engine.script("composite/b", fail="resource")
    house.engine.script("composite/bl", fail="resource")
    assert house.finish() == "done"
    assert house.beliefs() == {
        **dict.fromkeys(("a", "c", "br", "bll", "blr", "whole"), "done"),
        **dict.fromkeys(("b", "bl"), "failed"),
    }
    made = Counter(request.split("-")[1] for request in house.engine.submissions())
    assert set(made.values()) == {1}  # never the same again
    shown = house.shown()
    assert (shown["state"], shown["error"], shown["progress"]) == ("done", None, 1.0)


def test_a_tile_that_cannot_be_smaller_fails_its_task_and_leaves_the_others(house: House) -> None:
    house.add("a", "tiny")
    house.engine.script("composite/tiny", fail="resource")
    assert house.finish() == "failed"
    assert house.beliefs() == {"a": "done", "tiny": "failed", "whole": "cancelled"}
    assert house.shown()["error"] == {
        "class": "resource",
        "message": "failed: resource",
        "remedy": "The script says so.",
    }
    assert retry(house.registry, "r1") == 2
    assert house.finish() == "done"
    assert len([r for r in house.engine.operations() if r["state"] == "done"]) == 3  # a is not made again


def test_a_split_that_two_processes_see_happens_once(house: House) -> None:
    house.add("b")
    house.engine.script("composite/b", fail="resource")
    steppers = [
        Stepper(
            registry=house.registry,
            run=house.registry.find_run("r1"),
            settings=house.settings,
            engines={"fake": house.engine},
        )
        for _ in range(2)
    ]
    for _ in range(3):
        steppers[0].poll()
        for stepper in steppers:
            stepper._read()
        for stepper in steppers:  # both saw the failure before either acted
            stepper._settle()
            stepper._submit()
    assert Counter(row.tile for row in house.registry.operations(run="r1")) == {"b": 1, "bl": 1, "br": 1, "whole": 1}
    assert house.finish() == "done"


def test_a_budget_is_never_exceeded_and_says_so(house: House) -> None:
    """Each export takes 100 EECU-seconds: of ten, a budget of 0.1 hours has room for three."""
    house.add(*"abcdefghij", eecu_hours=0.1)
    house.engine.script("composite", times=20, eecu=100.0)
    assert house.finish() == "failed"
    done = [tile for tile, state in house.beliefs().items() if state == "done"]
    assert len(done) == 3
    shown = house.shown()
    assert shown["error"] == {
        "class": "budget",
        "message": "budget: 0.0833 of 0.1 EECU-hours are spent, and an export takes about 0.0278",
        "remedy": "Raise budget.eecu_hours and run the job again: what is made is kept.",
    }
    assert shown["actual"]["eecu_seconds"] == 300.0  # type: ignore[index]
    assert not house.published()


def test_a_budget_that_suffices_is_not_in_the_way(house: House) -> None:
    house.add(*"abcdefghij", eecu_hours=0.3)
    house.engine.script("composite", times=20, eecu=100.0)
    assert house.finish() == "done"


def test_with_a_budget_the_first_export_goes_alone(house: House) -> None:
    house.add(*"abcd", eecu_hours=1.0)
    house.engine.script("composite", times=20, eecu=100.0)
    house.step()
    assert Counter(house.beliefs().values()) == {"queued": 1, "waiting": 4}


def test_what_failed_attempts_used_counts(house: House) -> None:
    house.add(*"abc", eecu_hours=0.06)  # 216 EECU-seconds
    house.engine.script("composite/a", times=2, eecu=80.0, fail="transient")
    house.engine.script("composite", times=9, eecu=80.0)
    assert house.finish() == "failed"
    spent = sum(row.usage.get("eecu_seconds", 0.0) for row in house.registry.operations(run="r1"))
    assert spent <= 216.0


def test_cancelling_stops_every_tile(house: House) -> None:
    house.add(*TILES)
    house.engine.script("composite", times=9, polls=50)
    house.step()
    assert cancel(house.registry, "r1") == 4
    assert house.finish() == "cancelled"
    assert set(house.beliefs().values()) == {str(State.CANCELLED)}
    assert retry(house.registry, "r1") == 4
    assert house.finish() == "running" or house.published()


def test_the_table_of_a_run_shows_what_its_tiles_have_used_so_far(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    house.add(*TILES)
    house.engine.script("composite", times=9, eecu=90.0)
    house.engine.script("composite/b", polls=50)
    for _ in range(4):
        house.step()
    _print_status(status(house.registry, [house.registry.find_run("r1")]))
    assert "270 EECU-s" in capsys.readouterr().out


def test_a_tile_that_is_not_even_taken_is_split_too(house: House) -> None:
    house.add("a", "b")
    house.engine.script("composite/b", refuse="resource")
    assert house.finish() == "done"
    assert house.beliefs() == {"a": "done", "b": "failed", "bl": "done", "br": "done", "whole": "done"}


def test_a_step_hands_over_for_so_long_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.submitting.HANDING_OVER", 0.0)
    house.add(*(f"tile{number:03d}" for number in range(120)))
    house.step()
    assert Counter(house.beliefs().values()) == {"queued": 50, "waiting": 71}
    assert house.finish() == "done"
