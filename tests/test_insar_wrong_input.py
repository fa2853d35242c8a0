"""Wrong input of the displacement kinds: each case is told with value and remedy, before work starts where that is possible."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import insar_products
import pytest
import rasterio
from jobs import displacement, insar, machine, plan_job, run_plan, write_job

from dask_jobs.simulate_insar import simulate_insar
from infra.errors import UserError
from infra.settings import Settings
from pipelines import make_plan
from pipelines.registry import open_registry

DATES = 6


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with machine(tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("products") / "simulated-insar"
    simulate_insar(folder, dates=DATES, size=(64, 64), connections=2)
    return folder


def job(folder: Path, scenes: Path, *, stack: dict[str, Any] | None = None, **more: Any) -> Path:
    tasks = {"stack": insar(scenes, **(stack or {})), "displacement": displacement(**more)}
    return write_job(folder, tasks)


JOB_FAULTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a typo": ({"reverence": "auto"}, ("unknown key 'reverence'", "did you mean 'reference'?")),
    "a typo inside": ({"network": {"min_coherance": 0.7}}, ("min_coherance", "min_coherence")),
    "no such weight": ({"weight": "variance"}, ("weight", "var")),
    "a reference of one number": ({"reference": {"row": 3}}, ("column",)),
    "a latitude": ({"reference": {"lat": 100, "lon": 0}}, ("lat", "90")),
    "a pair the wrong way": (
        {"network": {"exclude_pairs": [["2022-02-01", "2022-01-01"]]}},
        ("earlier date comes first",),
    ),
    "a period of nothing": ({"time_function": {"periods": [0]}}, ("periods", "greater than 0")),
    "cells that cross blocks": ({"height_correlation": {"looks": 7}}, ("7 does not divide 64",)),
    "two points of one name": ({"points": [{"name": "a", "row": 1, "column": 1}] * 2}, ("two points are called 'a'",)),
    "a point nowhere": ({"points": [{"name": "a", "lat": 1}]}, ("give `lat` and `lon`, or `row` and `column`",)),
    "dates in no order": (
        {"network": {"start_date": "2022-03-01", "end_date": "2022-02-01"}},
        ("start_date 2022-03-01 is not before end_date 2022-02-01",),
    ),
}
PLAN_FAULTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a reference outside": ({"reference": {"row": 64, "column": 0}}, ("row 64, column 0 is outside", "64 rows")),
    "a reference elsewhere": ({"reference": {"lat": 50.0, "lon": 10.0}}, ("latitude 50, longitude 10 is outside",)),
    "a point outside": ({"points": [{"name": "far", "row": 0, "column": 99}]}, ("points: far", "is outside")),
    "no such date": ({"reference_date": "2022-01-06"}, ("2022-01-06 is no date", "the nearest are 2022-01-05")),
    "no such date to leave out": ({"exclude_dates": ["2021-01-06"]}, ("exclude_dates: 2021-01-06 is no date",)),
    "no such pair": (
        {"network": {"exclude_pairs": [["2022-01-05", "2022-03-06"]]}},
        ("no interferogram of 2022-01-05 and 2022-03-06",),
    ),
    "no such number": ({"network": {"exclude_numbers": [9]}}, ("there is no pair 9", "0 to 8")),
    "a network in pieces": (
        {
            "network": {
                "exclude_pairs": [
                    ["2022-01-29", "2022-02-10"],
                    ["2022-01-29", "2022-02-22"],
                    ["2022-01-17", "2022-02-10"],
                ]
            }
        },
        (
            "2 groups of dates",
            "2022-01-05 to 2022-01-29 (3 dates)",
            "2022-02-10 to 2022-03-06 (3 dates)",
            "2022-01-29 with 2022-02-10",
        ),
    ),
    "no network at all": ({"network": {"max_temporal_baseline": 6}}, ("no pairs",)),
    "too few dates for the height model": (
        {"dem_error": {"poly_order": 4, "periods": [1.0]}},
        ("dem_error: needs 8 dates, and 6 are left of 6",),
    ),
    "too few dates for the function": ({"time_function": {"polynomial": 4, "periods": [1.0]}}, ("needs 7 dates",)),
    "components that are not there": ({"mask": {"observation": "components"}}, ("connected components",)),
}


@pytest.mark.parametrize("case", JOB_FAULTS)
def test_what_is_wrong_with_the_job_is_told(settings: Settings, products: Path, tmp_path: Path, case: str) -> None:
    more, says = JOB_FAULTS[case]
    path = job(tmp_path, products, **more)
    with pytest.raises(UserError) as caught:
        plan_job(path, settings)
    for words in says:
        assert words in str(caught.value)
    assert not (tmp_path / "products").exists()


@pytest.mark.parametrize("case", PLAN_FAULTS)
def test_what_does_not_fit_the_stack_is_told_by_the_plan(
    settings: Settings, products: Path, tmp_path: Path, case: str
) -> None:
    more, says = PLAN_FAULTS[case]
    path = job(tmp_path, products, **more)
    with pytest.raises(UserError, match=r"tasks\.displacement") as caught:
        plan_job(path, settings)
    for words in says:
        assert words in str(caught.value)
    assert caught.value.remedy


def truncated(scenes: Path) -> None:
    phase = sorted(scenes.glob("*/*_unw_phase.tif"))[2]
    phase.write_bytes(phase.read_bytes()[: phase.stat().st_size // 2])


def without_geometry(scenes: Path) -> None:
    for layer in ("dem", "lv_theta", "lv_phi"):
        for file in scenes.glob(f"*/*_{layer}.tif"):
            file.unlink()


def of_another_track(scenes: Path) -> None:
    other = insar_products.Product()
    insar_products.write(other, scenes)


def without_a_key(scenes: Path) -> None:
    text = sorted(scenes.glob("*/*.txt"))[0]
    text.write_text("\n".join(line for line in text.read_text().splitlines() if not line.startswith("Baseline")))


def empty(scenes: Path) -> None:
    shutil.rmtree(scenes)
    scenes.mkdir()


SOURCE_FAULTS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "a truncated phase": (truncated, ("_unw_phase.tif",)),
    "no geometry": (without_geometry, ("include DEM", "lv_theta")),
    "two tracks": (of_another_track, ("relative orbit",)),
    "metadata without a key": (without_a_key, ("Baseline", ".txt")),
    "nothing there": (empty, ("no HyP3 interferogram",)),
}


@pytest.mark.parametrize("case", SOURCE_FAULTS)
def test_what_is_wrong_with_the_products_is_told_by_the_plan(
    settings: Settings, products: Path, tmp_path: Path, case: str
) -> None:
    spoil, says = SOURCE_FAULTS[case]
    scenes = tmp_path / "simulated-insar"
    shutil.copytree(products, scenes)
    spoil(scenes)
    with pytest.raises(UserError, match=r"tasks\.stack") as caught:
        plan_job(job(tmp_path, scenes), settings)
    for words in says:
        assert words in str(caught.value)


def test_extents_that_do_not_fall_between_pixels_are_told(settings: Settings, products: Path, tmp_path: Path) -> None:
    path = job(tmp_path, products, stack={"extent": [180_010.0, 396_000.0, 184_000.0, 399_000.0]})
    with pytest.raises(UserError, match="do not fall between pixels"):
        plan_job(path, settings)


RUN_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "a reference in the water": ({"reference": "water"}, "has no phase in"),
    "nobody is that coherent": ({"min_coherence": 0.9999}, "no pixel on land has a mean coherence of 0.9999"),
    "nothing is reliable": (
        {"mask": {"temporal_coherence": 1.0}, "weight": "coh"},
        "reaches a temporal coherence of 1",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", RUN_FAULTS)
def test_what_only_pixels_can_tell_fails_the_task(
    settings: Settings, products: Path, tmp_path: Path, case: str
) -> None:
    more, says = RUN_FAULTS[case]
    if more.get("reference") == "water":
        mask = next(products.glob("*/*_water_mask.tif"))
        with rasterio.open(mask) as file:
            rows, columns = (file.read(1) == 0).nonzero()
        more = {"reference": {"row": int(rows[0]), "column": int(columns[0])}}
    path = job(tmp_path, products, mintpy=False, kmz=False, **more)
    run = run_plan(plan_job(path, settings), settings=settings)
    assert run.state == "failed"
    with open_registry(settings) as registry:
        said = [row for row in registry.operations(run=run.id) if row.task == "displacement"]
    error = said[-1].error
    assert error is not None
    assert error["class"] == "user"
    assert says in error["message"]
    assert error["remedy"]
    assert len(said) == 1  # never tried again


def test_a_stack_of_another_kind_is_told(settings: Settings, products: Path, tmp_path: Path) -> None:
    tasks = {"stack": {"kind": "backscatter-stack", "source": {"format": "opera-rtc", "path": str(products)}}}
    path = write_job(tmp_path, {**tasks, "displacement": displacement()})
    with pytest.raises(UserError, match="insar-stack"):
        make_plan(__import__("pipelines").load_job(path), settings=settings)
