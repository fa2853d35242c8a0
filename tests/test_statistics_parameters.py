"""The parameters of `stack-statistics`: wrong ones are told in words, each is in the key, and a whole job of all of them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from command_line import STATISTICS, Sarbatch, opera_scenes, place, sarbatch, stack, write_job
from jobs import SCENES, machine, opera, run_job, sarbatch_json, statistics
from jobs import write_job as write_whole_job
from oracles import EPOCH, opera_cube
from scipy import stats

from infra.settings import Settings
from pipelines import load_job, make_plan

__all__ = ["place", "sarbatch"]  # fixtures

BURST = (SCENES / "opera-rtc-s1/T137-292320-IW1").resolve()
FIVE = tuple(f"{day}T015859Z" for day in (20211119, 20211201, 20211213, 20211225, 20220106))


@dataclass(frozen=True, kw_only=True)
class Case:
    """Wrong parameters, parts of what is said, and of the remedy; `plan` is the first command that can know of dates."""

    given: dict[str, Any]
    says: tuple[str, ...]
    remedy: str = "sarbatch init stack-statistics"
    first: str = "validate"


CASES = {
    "quantile above 1": Case(
        given={"threshold": {"quantile": 1.5}}, says=("tasks.statistics.threshold.quantile", "less than 1", "1.5")
    ),
    "quantile of a percent": Case(
        given={"threshold": {"quantile": 95}}, says=("threshold.quantile", "less than 1", "95")
    ),
    "quantile and value": Case(
        given={"threshold": {"quantile": 0.9, "value": 0.3}},
        says=("tasks.statistics.threshold", "both a quantile (0.9) and a value (0.3)"),
    ),
    "neither quantile nor value": Case(
        given={"threshold": {"upper": 1.5}}, says=("tasks.statistics.threshold", "neither a quantile nor a value")
    ),
    "upper below value": Case(
        given={"threshold": {"value": 0.5, "upper": 0.2}}, says=("upper (0.2) must be greater than value (0.5)",)
    ),
    "threshold that is a number": Case(
        given={"threshold": 0.95}, says=("tasks.statistics.threshold", "must be a mapping")
    ),
    "key of the threshold": Case(given={"threshold": {"quantil": 0.9}}, says=("'quantil'", "did you mean 'quantile'")),
    "no looks": Case(given={"looks": 0}, says=("tasks.statistics.looks", "greater than 0", "0")),
    "negative looks": Case(given={"looks": -4.4}, says=("tasks.statistics.looks", "greater than 0", "-4.4")),
    "degree above 3": Case(
        given={"smoothing": {"degree": 4}}, says=("tasks.statistics.smoothing.degree", "3 or less", "4")
    ),
    "window of no days": Case(
        given={"smoothing": {"window": 0}}, says=("tasks.statistics.smoothing.window", "greater than 0")
    ),
    "window as a duration": Case(
        given={"smoothing": {"window": "90d"}}, says=("tasks.statistics.smoothing.window", "must be a number", "90d")
    ),
    "period of no days": Case(
        given={"harmonic": {"period": 0}}, says=("tasks.statistics.harmonic.period", "greater than 0")
    ),
    "trend that is no yes or no": Case(
        given={"trend": "theil-sen"}, says=("tasks.statistics.trend", "must be true or false", "theil-sen")
    ),
    "window shorter than the dates are apart": Case(
        given={"smoothing": {"window": 10}},
        says=("smoothing", "no window of 10 days", "3 dates", "12 days apart"),
        remedy="Lengthen `smoothing.window`",
        first="plan",
    ),
    "cycle that the dates do not cover": Case(
        given={"harmonic": {}},
        says=("harmonic", "5 dates", "365.25 days"),
        remedy="harmonic.period",
        first="plan",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_parameters_are_told_before_anything_is_done(name: str, place: Path, sarbatch: Sarbatch) -> None:
    case = CASES[name]
    opera_scenes(place / "scenes", sensings=FIVE)
    write_job(place, tasks={"stack": stack(), "statistics": {**STATISTICS, **case.given}})
    for command in ("validate", "plan", "run"):
        said = sarbatch(command, "job.yaml")
        if command == "validate" and case.first == "plan":
            assert said.code == 0, said
            continue
        assert said.code == 2, said
        message, _, remedy = said.err.partition("  → ")
        assert "job.yaml" in message
        for part in case.says:
            assert part in message
        assert case.remedy in remedy
    assert not (place / "products").exists()


@pytest.mark.parametrize("wanted", [{"harmonic": {}}, {"trend": True}])
def test_too_few_dates_are_told(wanted: dict[str, Any], place: Path, sarbatch: Sarbatch) -> None:
    opera_scenes(place / "scenes")
    write_job(place, tasks={"stack": stack(), "statistics": {**STATISTICS, **wanted}})
    said = sarbatch("plan", "job.yaml")
    assert said.code == 2
    assert f"{next(iter(wanted))}: needs 4 dates, and the stack has 2" in said.err


def key_of(folder: Path, **given: Any) -> str:
    write_job(folder, tasks={"stack": stack(), "statistics": {**STATISTICS, **given}})
    return make_plan(load_job(folder / "job.yaml")).tasks[1].order.key


def test_each_parameter_is_in_the_key_and_defaults_are_filled_in(place: Path) -> None:
    opera_scenes(place / "scenes", sensings=FIVE)
    different: list[dict[str, Any]] = [
        {},
        {"looks": 4.4},
        {"threshold": {"quantile": 0.95}},
        {"threshold": {"quantile": 0.9}},
        {"threshold": {"value": 0.95}},
        {"threshold": {"quantile": 0.95, "upper": 2}},
        {"smoothing": None},
        {"smoothing": {"window": 60}},
        {"smoothing": {"degree": 1}},
        {"harmonic": {"period": 30}},
        {"harmonic": {"period": 40}},
        {"trend": True},
    ]
    assert len({key_of(place, **given) for given in different}) == len(different)
    for same in ({"smoothing": {"window": 90.0, "degree": 2}}, {"trend": False}, {"threshold": None}):
        assert key_of(place, **same) == key_of(place)


def test_the_default_curve_asks_nothing_of_a_short_stack(place: Path, sarbatch: Sarbatch) -> None:
    opera_scenes(place / "scenes")
    write_job(place)
    assert sarbatch("plan", "job.yaml").code == 0


# ---------------------------------------------------------------------------------------------- a whole job


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with machine(tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.mark.slow
@pytest.mark.skipif(not BURST.is_dir(), reason="the real OPERA scenes are not at ../shared/data")
def test_a_whole_job_of_a_real_burst_with_everything_asked_for(settings: Settings, tmp_path: Path) -> None:
    """Its dates lie between October and January: they tell a cycle of 60 days, and none of a year."""
    given = {
        "threshold": {"quantile": 0.9, "upper": 1.0},
        "looks": 4.4,
        "harmonic": {"period": 60},
        "trend": True,
        "smoothing": {"window": 90, "degree": 2},
    }
    job = write_whole_job(tmp_path, {"stack": opera(BURST), "statistics": statistics(**given)})
    run = run_job(job, settings)
    rows = [row for row in sarbatch_json("products", run.id)["products"] if row["task"] == "statistics"]
    units = {(row["name"], row["units"]) for row in rows if row["role"] == "raster"}
    assert units >= {
        ("cov_mask", "1"),
        ("cov_thresholded", "1"),
        ("harmonic_amplitude", "1"),
        ("harmonic_phase", "d"),
        ("trend", "dB/year"),
        ("trend_p", "1"),
    }
    (summary,) = [json.loads(Path(row["href"]).read_text()) for row in rows if row["name"] == "cov_summary"]
    cube = opera_cube(BURST)
    days = np.array([(time - EPOCH).total_seconds() / 86400 for time in cube.times])
    for name, power in cube.power.items():
        made = {
            row["name"]: raster(row["href"]) for row in rows if row["polarization"] == name and row["role"] == "raster"
        }
        cov = made["cov"].astype(np.float64)
        bound = np.nanquantile(cov, 0.9)
        kept = (cov >= bound) & (cov <= 1.0)
        np.testing.assert_array_equal(made["cov_mask"], np.where(np.isnan(cov), 255, kept))
        np.testing.assert_array_equal(made["cov_thresholded"], np.where(kept, made["cov"], np.nan))
        assert summary["polarizations"][name]["threshold"]["value"] == bound
        assert summary["polarizations"][name]["speckle_floor"] == pytest.approx(4.4**-0.5)
        for row, col in np.random.default_rng(0).integers(0, 100, (60, 2)):
            against_scipy(power[:, row, col].astype(np.float64), days, {k: v[row, col] for k, v in made.items()})


def raster(href: str) -> np.ndarray:
    with rasterio.open(href) as file:
        return file.read(1)


def against_scipy(series: np.ndarray, days: np.ndarray, made: dict[str, Any]) -> None:
    use = np.isfinite(series)
    if use.sum() < 4:
        assert np.isnan([made["trend"], made["trend_p"], made["harmonic_amplitude"]]).all()
        return
    years, decibel = days[use] / 365.25, 10 * np.log10(series[use])
    assert made["trend"] == pytest.approx(stats.theilslopes(decibel, years)[0], rel=1e-4, abs=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tau = stats.kendalltau(years, decibel, method="asymptotic")
    # scipy's without correction for continuity: one pair of 210
    assert made["trend_p"] == pytest.approx(tau.pvalue, abs=0.03)
    angle = 2 * np.pi * days[use] / 60
    columns = np.column_stack([np.ones(angle.size), np.cos(angle), np.sin(angle)])
    _, a, b = np.linalg.lstsq(columns, series[use])[0]
    assert made["harmonic_amplitude"] == pytest.approx(np.hypot(a, b), rel=1e-4)
    off = abs(made["harmonic_phase"] - np.arctan2(b, a) / (2 * np.pi) * 60) % 60
    assert min(off, 60 - off) < 1e-3
