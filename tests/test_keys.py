"""Keys and lines: equal for equal products, however they are asked for; different for everything that makes a difference."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import opera, statistics, write_job

from dask_jobs.simulate import simulate_rtc
from infra.settings import Settings
from pipelines import load_job, make_plan
from pipelines.keys import Identity, request_id, short
from pipelines.kinds import all_kinds

GOLDEN = Identity(
    kind="backscatter-stack",
    version=1,
    parameters={"mask": {"layover": True}, "extent": "union", "export": {"zarr": False}},
    line_parameters={"mask": {"layover": True}, "extent": "union"},
    area={"wkt": "POLYGON ((0 0, 1 0, 1 1, 0 0))", "masks": True},
    period=["2024-01-01T00:00:00+00:00", "2025-01-01T00:00:00+00:00"],
    grid={"crs": "EPSG:32611", "left": 500000.0, "dx": 30.0},
    radiometry={"backscatter": "gamma0_terrain", "speckle_filtered": False},
    inputs={"stack": "ab" * 32},
    input_lines={"stack": "cd" * 32},
    scenes=[["scene-1", "1", 1234, "a1b2"], ["scene-2", "1", 1235, "c3d4"]],
)
IN_LINE = {
    "kind": "stack-statistics",
    "version": 2,
    "area": None,
    "period": None,
    "grid": {"crs": "EPSG:32612", "left": 500000.0, "dx": 30.0},
    "radiometry": {"backscatter": "sigma0_ellipsoid", "speckle_filtered": False},
}
Keys = dict[str, tuple[str, str]]


# The digest itself


def test_the_keys_of_a_fixed_identity_never_change() -> None:
    """A change here makes every product that anybody has ever made new: raise the kinds' versions instead."""
    assert GOLDEN.key == "154339ef6f5bf0d05c413ff596f6d197da9cd2a1bb1a3adff8b71b20752691de"
    assert GOLDEN.line == "34889ebd7a9629b1474c8312f558a7429feb5533681fe217b9623b71c7bf6474"
    assert short(GOLDEN.key) == "154339ef6f5bf0d0"
    assert (
        request_id(nonce="word", key=GOLDEN.key, tile="whole", attempt=1) == "154339ef6f5bf0d0-whole-0001-b1912dea9b82"
    )


@pytest.mark.parametrize("name", IN_LINE)
def test_what_a_line_is_made_of_changes_key_and_line(name: str) -> None:
    other = replace(GOLDEN, **{name: IN_LINE[name]})
    assert other.key != GOLDEN.key
    assert other.line != GOLDEN.line


@pytest.mark.parametrize("position", range(4))
def test_any_part_of_a_fingerprint_changes_the_key_and_not_the_line(position: int) -> None:
    scenes = [list(scene) for scene in GOLDEN.scenes]
    scenes[0][position] = 99 if position == 2 else "other"
    other = replace(GOLDEN, scenes=scenes)
    assert other.key != GOLDEN.key
    assert other.line == GOLDEN.line


def test_inputs_change_the_key_by_their_keys_and_the_line_by_their_lines() -> None:
    other_key = replace(GOLDEN, inputs={"stack": "ef" * 32})
    other_line = replace(GOLDEN, input_lines={"stack": "ef" * 32})
    assert (other_key.key != GOLDEN.key, other_key.line != GOLDEN.line) == (True, False)
    assert (other_line.key != GOLDEN.key, other_line.line != GOLDEN.line) == (False, True)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
scenes = st.lists(st.tuples(st.text(max_size=5), st.just("1"), st.integers(0, 99), st.text(max_size=5)), max_size=6)


@given(parameters=st.dictionaries(st.text(max_size=5), values, max_size=5), scenes=scenes, seed=st.integers())
def test_order_means_nothing(parameters: dict[str, Any], scenes: list[tuple[Any, ...]], seed: int) -> None:
    there = replace(GOLDEN, parameters=parameters, scenes=scenes)
    shuffled = list(scenes)
    random.Random(seed).shuffle(shuffled)
    again = replace(GOLDEN, parameters=_reversed(parameters), scenes=[list(scene) for scene in shuffled])
    assert (again.key, again.line) == (there.key, there.line)


@given(one=values, other=values)
def test_equal_keys_are_equal_values(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (replace(GOLDEN, parameters={"p": one}).key == replace(GOLDEN, parameters={"p": other}).key) == same


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("kl"), st.integers(1, 3)), min_size=2, max_size=2))
def test_request_ids_are_as_different_as_what_they_stand_for(two: list[tuple[str, str, int]]) -> None:
    ids = {request_id(nonce=nonce, key=key * 64, tile="whole", attempt=attempt) for nonce, key, attempt in two}
    assert len(ids) == len(set(two))


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        _ = replace(GOLDEN, parameters={"p": float("nan")}).key


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


# Whole jobs, planned on simulated scenes


@pytest.fixture(scope="module")
def scenes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "scenes"
    simulate_rtc(folder, dates=3, size=32)
    return folder


@pytest.fixture
def keys(tmp_path: Path, scenes_folder: Path) -> Callable[..., Keys]:
    """Key and line of each kind in a job of a stack and its statistics; the arguments say what is different."""
    settings = Settings(state_dir=tmp_path / "state")

    def keys_of(
        *,
        folder: str = "job",
        path: Path = scenes_folder,
        stack: Mapping[str, Any] | None = None,
        statistic: Mapping[str, Any] | None = None,
        names: tuple[str, str] = ("stack", "statistics"),
        **top: Any,
    ) -> Keys:
        tasks = {names[0]: opera(path, **(stack or {})), names[1]: statistics(names[0], **(statistic or {}))}
        plan = make_plan(load_job(write_job(tmp_path / folder, tasks, **top)), settings=settings)
        return {task.order.kind: (task.order.key, task.order.line) for task in plan.tasks}

    return keys_of


STACK, STATISTICS = "backscatter-stack", "stack-statistics"
AREA = {"wkt": "POLYGON ((0.123 2.695, 0.13 2.695, 0.13 2.71, 0.123 2.695))"}  # within the simulated scenes

SAME = {
    "another folder, job name and output": {"folder": "elsewhere", "name": "other", "output": "./there"},
    "another file name for the job": {"file": "other.yaml"},
    "other task names": {"names": ("a", "b")},
    "the chunk": {"stack": {"chunk": 64}},
    "the backend by name": {"stack": {"backend": "dask"}, "statistic": {"backend": "dask"}},
    "a budget and a deadline": {"stack": {"budget": {"core_hours": 5}, "deadline": "PT1H"}},
    "defaults written": {
        "stack": {
            "extent": "union",
            "orbits": "single",
            "mask": {"water": False, "shadow": False, "layover": False},
            "export": {"zarr": False, "geotiff": "none"},
        },
        "statistic": {"percentiles": [95, 50, 5], "min_count": 2, "zone_name": "name"},
    },
    "numbers of another spelling": {"statistic": {"percentiles": [5.0, 50.0, 95.0], "min_count": 2}},
}


@pytest.mark.parametrize("change", SAME)
def test_what_makes_no_difference_leaves_keys_alone(keys: Callable[..., Keys], change: str) -> None:
    assert keys(**SAME[change]) == keys()


def test_a_copy_of_the_scenes_with_other_times_has_the_same_keys(
    keys: Callable[..., Keys], scenes_folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy of scenes"
    shutil.copytree(scenes_folder, copy)
    for file in copy.rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
    assert keys(path=copy) == keys()
    assert keys(path=os.path.relpath(copy, tmp_path / "job")) == keys()


DIFFERENT: dict[str, tuple[dict[str, Any], bool]] = {  # what is asked for, and whether the stack's line is another one
    "polarizations": ({"stack": {"polarizations": ["VV"]}}, True),
    "mask": ({"stack": {"mask": {"layover": True}}}, True),
    "extent": ({"stack": {"extent": "intersection"}}, True),
    "orbits": ({"stack": {"orbits": "mixed"}}, True),
    "export": ({"stack": {"export": {"zarr": True}}}, False),
    "period": ({"period": {"start": "2024-01-01", "end": "2030-01-01"}}, True),
    "area": ({"area": AREA}, True),
}


@pytest.mark.parametrize("change", DIFFERENT)
def test_what_makes_a_difference_changes_the_keys_of_a_task_and_of_those_after_it(
    keys: Callable[..., Keys], change: str
) -> None:
    asked, other_line = DIFFERENT[change]
    before, after = keys(), keys(**asked)
    for kind in (STACK, STATISTICS):
        assert after[kind][0] != before[kind][0]
        assert (after[kind][1] != before[kind][1]) == other_line


def test_area_and_period_tell_apart_what_only_they_tell_apart(keys: Callable[..., Keys]) -> None:
    asked = [
        {"area": AREA},
        {"area": {"wkt": AREA["wkt"].replace("0.13 2.71,", "0.13 2.7,")}},
        {"area": {"bbox": [0.123, 2.695, 0.13, 2.71]}},
        {"period": {"start": "2024-01-01", "end": "2030-01-01"}},
        {"period": {"start": "2024-01-02", "end": "2030-01-01"}},
        {"period": {"start": "2024-01-01", "end": "2030-01-02"}},
    ]
    assert len({keys(**top)[STACK][0] for top in asked}) == len(asked)


def test_one_area_and_period_in_other_words_is_the_same(keys: Callable[..., Keys], tmp_path: Path) -> None:
    ring = [[0.123, 2.695], [0.13, 2.695], [0.13, 2.71], [0.123, 2.695]]
    file = tmp_path / "area.geojson"
    file.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    spaced = {"wkt": "polygon((0.1230 2.695,0.13 2.69500, 0.130 2.71,0.123 2.695))"}
    assert keys(area=AREA) == keys(area=spaced) == keys(area={"file": str(file)})
    bare, timed = (
        {"start": "2024-01-01", "end": "2030-01-01"},
        {"start": "2024-01-01T00:00:00Z", "end": "2030-01-01T02:00:00+02:00"},
    )
    assert keys(period=bare) == keys(period=timed)


def test_parameters_of_the_statistics_leave_the_stack_alone(keys: Callable[..., Keys]) -> None:
    before, after = keys(), keys(statistic={"percentiles": [10]})
    assert after[STACK] == before[STACK]
    assert after[STATISTICS][0] != before[STATISTICS][0]


def test_another_scene_continues_the_line_with_another_key(
    keys: Callable[..., Keys], scenes_folder: Path, tmp_path: Path
) -> None:
    fewer = tmp_path / "fewer"
    shutil.copytree(scenes_folder, fewer)
    last = max(_date(file.name) for file in fewer.rglob("*.tif"))
    for file in fewer.rglob(f"*_{last}_*.tif"):
        file.unlink()
    before, after = keys(path=fewer), keys()
    for kind in (STACK, STATISTICS):
        assert after[kind][0] != before[kind][0]
        assert after[kind][1] == before[kind][1]


def _date(name: str) -> str:
    """Sensing date in the name of an OPERA file: its fifth part."""
    return name.split("_")[4]


def test_other_pixels_under_the_same_names_change_the_key(
    keys: Callable[..., Keys], scenes_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    simulate_rtc(other, dates=3, size=32, seed=1)
    assert sorted(p.name for p in other.glob("*/*.tif")) == sorted(p.name for p in scenes_folder.glob("*/*.tif"))
    assert keys(path=other)[STACK][0] != keys()[STACK][0]
    assert keys(path=other)[STACK][1] == keys()[STACK][1]


def test_the_version_of_an_algorithm_changes_its_keys_and_lines(
    keys: Callable[..., Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys()
    kinds = all_kinds()
    monkeypatch.setitem(kinds, STATISTICS, replace(kinds[STATISTICS], version=kinds[STATISTICS].version + 1))
    after = keys()
    assert after[STACK] == before[STACK]
    assert after[STATISTICS][0] != before[STATISTICS][0]
    assert after[STATISTICS][1] != before[STATISTICS][1]


def test_the_content_of_a_zones_file_counts_and_not_its_name(keys: Callable[..., Keys], tmp_path: Path) -> None:
    def zones(name: str, east: float) -> dict[str, str]:
        ring = [[0.123, 2.695], [east, 2.695], [east, 2.71], [0.123, 2.695]]
        feature = {
            "type": "Feature",
            "properties": {"name": "field"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        (tmp_path / name).write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
        return {"zones": str(tmp_path / name)}

    one, same, other = (
        keys(statistic=zones(*z)) for z in (("a.geojson", 0.13), ("b.geojson", 0.13), ("c.geojson", 0.129))
    )
    assert one == same
    assert len({k[STATISTICS][0] for k in (keys(), one, other)}) == 3
    assert one[STACK] == other[STACK]
