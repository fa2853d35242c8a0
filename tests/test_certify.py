"""Both engines for real: a certificate made of what they did, and one job under three words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from command_line import Sarbatch, sarbatch
from jobs import machine, opera, plan_job, run_job, write_job
from sentinel1_jobs import OPERA, area_of, composite, earth_engine, machine_with, register_opera

from dask_jobs.simulate import Truth, simulate_rtc
from infra.settings import Settings
from pipelines import certify as making
from pipelines.backends.comparison import compare_rasters
from pipelines.certify import certify
from pipelines.kinds.sentinel1.covers import covers
from pipelines.kinds.sentinel1_composite.spec import Sentinel1Composite
from pipelines.parity import certificate_path, read_certificate, standing
from pipelines.plan import TaskPlan
from pipelines.registry import open_registry

__all__ = ["sarbatch"]  # fixture
pytestmark = pytest.mark.slow
TASK = {
    "stack": "stack", "collection": OPERA, "quantities": ["ratio_db", "vv"], "reducers": ["median", "p95", "count"],
    "speckle": {"filter": "refined_lee"}, "unfiltered": True,
}  # fmt: skip
YEAR = {"start": "2024-01-01", "end": "2025-01-01"}


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """Scenes of three dates and two bursts."""
    return simulate_rtc(tmp_path_factory.mktemp("scenes"), dates=3, size=64, bursts=2)


def brighter(files: Sequence[Path], folder: Path) -> list[Path]:
    """Copies of scenes whose VV is a ten-thousandth brighter."""
    folder.mkdir()
    copies = []
    for path in files:
        with rasterio.open(path) as source:
            profile, tags, values = source.profile, source.tags(), source.read(1)
        with rasterio.open(folder / path.name, "w", **profile) as copy:
            copy.update_tags(**tags)
            copy.write(values * np.float32(1.0001) if path.stem.endswith("_VV") else values, 1)
        copies.append(folder / path.name)
    return copies


def test_a_certificate_says_what_differs(
    truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sarbatch: Sarbatch
) -> None:
    """Earth Engine is given a VV that is 1e-4 brighter: VV and the ratio differ by that, VH and the count do not."""
    register = making.register_opera_scenes
    monkeypatch.setattr(
        making, "register_opera_scenes", lambda folder, files: register(folder, brighter(files, tmp_path / "brighter"))
    )
    chosen = [one for one in making.samples(crs="EPSG:32631", pixel=30.0) if one.name == "native"]
    monkeypatch.setattr(making, "samples", lambda **_: chosen)
    with machine(tmp_path / "state") as settings:
        said = sarbatch("certify", "--scenes", truth.folder, "--keep", tmp_path / "keep", "--json")
    assert said.code == 1
    value = json.loads(said.out)
    certified = {name for name, found in value["covers"].items() if found["certified"]}
    assert certified == {"quantity vh", "quantity vh_db", "reducer count"}
    apart = value["covers"]["quantity vv"]
    assert 1e-4 < apart["largest_relative_difference"] < 2e-4  # of a small spread, float32 adds some
    assert apart["share_of_differing_pixels"] > 0.9
    assert apart["masks_identical"]
    assert value["against"] == "local-earth-engine"
    assert set(value["versions"]) == {"sarbatch", "earthengine-api", "numba", "numpy"}
    kept = read_certificate(certificate_path(settings.state_dir, "local-earth-engine"))
    assert kept is not None
    assert kept.to_json() == value
    asked = {"kind": "sentinel1-composite", "version": 1, "against": "local-earth-engine"}
    assert standing(settings.state_dir, covers=["quantity vh"], **asked).valid
    assert not standing(settings.state_dir, covers=["quantity vh", "quantity ratio"], **asked).valid
    assert {path.name for path in (tmp_path / "keep").iterdir()} >= {"dask.yaml", "earth-engine.yaml", "dask"}


@pytest.fixture(scope="module")
def certified(truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A machine with a local Earth Engine that has the scenes, and with a certificate against it."""
    folder, state = tmp_path_factory.mktemp("earth-engine"), tmp_path_factory.mktemp("state")
    register_opera(folder, sorted(truth.folder.glob("*.tif")))
    with earth_engine(folder) as place, machine_with(place, state) as settings:
        made = certify(
            settings=settings,
            scenes=truth.folder,
            chosen=["native", "refined-lee", "valid-range", "series"],
            say=lambda line: None,
        )
        assert made.certified == set(made.covers)
        assert set(made.algorithms) == {"sentinel1-composite", "sentinel1-series"}
        assert set(covers(Sentinel1Composite.model_validate(TASK), crs=())) <= made.certified
        yield settings


@pytest.fixture(scope="module")
def made(
    certified: Settings, truth: Truth, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[TaskPlan, dict[Any, str]]]:
    """Word to the plan of the composite, and label to file of what was made under it."""
    folder = tmp_path_factory.mktemp("jobs")
    found = {}
    for word in ("earth-engine", "dask", "auto"):
        job = write_job(
            folder,
            {"stack": opera(truth.folder), "composite": composite(**TASK, backend=word)},
            area=area_of(truth.grid, margin=8),
            period=YEAR,
            output=f"./{word}",
        )
        plan = plan_job(job, certified).tasks[1]
        run = run_job(job, certified)
        with open_registry(certified) as registry:
            rows = [row for row in registry.products(run.id) if row.task == "composite"]
        found[word] = plan, {(row.name, row.role, row.date, row.period, row.orbit): row.href for row in rows}
    return found


def test_three_words_make_the_same_products(made: dict[str, tuple[TaskPlan, dict[Any, str]]]) -> None:
    names = {word: set(products) for word, (_, products) in made.items()}
    assert names["dask"] == names["earth-engine"] == names["auto"]
    assert {name for name, *_ in names["dask"]} >= {"ratio_db_median", "ratio_db_median_unfiltered", "vv_p95", "count"}
    assert len({plan.order.key for plan, _ in made.values()}) == 1
    from infra.s3 import S3Options

    for label, href in made["dask"][1].items():
        for word in ("earth-engine", "auto"):
            agreement = compare_rasters(href, made[word][1][label], s3=S3Options())
            assert agreement.certified, (word, label, agreement)
            assert agreement.pixels > 1000


def test_three_words_have_three_true_explanations(made: dict[str, tuple[TaskPlan, dict[Any, str]]]) -> None:
    plans = {word: plan for word, (plan, _) in made.items()}
    assert len({plan.reason for plan in plans.values()}) == 3
    for word in ("dask", "earth-engine"):
        assert plans[word].backend == word
        assert plans[word].reason.startswith(f"the job asks for {word}")
    auto = plans["auto"]
    walls = {one.backend: one.wall for one in auto.candidates}
    assert all(one.able for one in auto.candidates)
    assert auto.backend == min(walls, key=lambda name: (walls[name], name != "dask"))
    assert auto.reason.startswith("it makes this in about")
    assert ("both make the same" in auto.reason) == (auto.backend != "dask")
