"""Figures as products of a job: listed, published, the same after a death while they are drawn, refused where a date is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kills
import numpy as np
import pytest
from jobs import machine, opera, plan_job, run_job, sarbatch_json, statistics, write_job
from PIL import Image, ImageSequence

from dask_jobs.simulate import simulate_rtc
from infra.errors import InputError
from infra.settings import Settings
from pipelines import open_product

pytestmark = pytest.mark.slow

DATES = 4
CHOICE = {"dates": ["2024-01-15"], "animation": ["gif", "mp4"], "animation_means": ["mp4"], "frames_per_second": 4}


@dataclass(frozen=True)
class Drawn:
    """A machine, scenes, and a job with figures that was done on it."""

    settings: Settings
    scenes: Path
    run: str
    output: Path


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drawn]:
    folder = tmp_path_factory.mktemp("figures")
    simulate_rtc(folder / "simulated-scenes", dates=DATES, size=64, bursts=1)
    with machine(folder / "state", **kills.SMALL) as settings:
        run = run_job(job(folder / "whole", folder / "simulated-scenes"), settings)
        yield Drawn(settings, folder / "simulated-scenes", run.id, folder / "whole/products")


def job(folder: Path, scenes: Path, **figures: Any) -> Path:
    stack = opera(scenes, polarizations=["VV"], chunk=64)
    return write_job(folder, {"stack": stack, "statistics": statistics(figures={**CHOICE, **figures})})


def test_every_figure_is_listed_once_with_its_labels_and_can_be_opened(drawn: Drawn) -> None:
    rows = sarbatch_json("products", drawn.run)["products"]
    figures = [row for row in rows if row["role"] == "figure"]
    day = "2024-01-15T05:30:00+00:00"
    listed = {(row["name"], row["media_type"], row["polarization"], row["date"]) for row in figures}
    png = ("map_mean", "map_cov", "map_count", "cov_histogram", "time_series")
    assert len(figures) == len(listed)
    assert listed == {
        *((name, "image/png", "VV", None) for name in png),
        *((name, "image/png", "VV", day) for name in ("image", "histogram")),
        ("footprints", "image/png", None, None),
        ("animation", "image/gif", "VV", None),
        ("animation", "video/mp4", "VV", None),
        ("animation_means", "video/mp4", "VV", None),
    }
    for row in figures:
        assert Path(row["href"]).stat().st_size == row["bytes"] > 5000
        if row["media_type"] == "image/png":
            with Image.open(row["href"]) as image:
                assert min(image.size) > 300
    film = next(row["href"] for row in figures if row["media_type"] == "image/gif")
    with Image.open(film) as gif:
        assert len(list(ImageSequence.Iterator(gif))) == DATES
        assert gif.info["duration"] == 250
    item = json.loads(next(drawn.output.glob("stack-statistics/*/item.json")).read_text())
    assert len(item["assets"]) == len([row for row in rows if row["task"] == "statistics"])
    assert not list(drawn.output.glob(".sarbatch/*/parts"))


def test_a_figure_may_be_called_like_the_table_that_it_shows(drawn: Drawn) -> None:
    table: Any = open_product(drawn.run, name="time_series", settings=drawn.settings)
    assert list(table["date"].unique()) == ["2024-01-03", "2024-01-15", "2024-01-27", "2024-02-08"]


def test_the_driver_may_die_while_it_draws(drawn: Drawn, tmp_path: Path) -> None:
    expected = kills.values_of(drawn.settings, drawn.run)
    path = job(tmp_path, drawn.scenes)
    kills.with_stack_of(tmp_path, drawn.output)
    run = kills.record_job(path, drawn.settings)
    rasters = 12
    with kills.armed(drawn.settings, f"write:{rasters + 3}", tmp_path / "died"):
        kills.tick_until_end(drawn.settings, run)
    assert (tmp_path / "died").exists()
    assert kills.state_of(drawn.settings, run) == "done"
    kills.assert_equal(kills.values_of(drawn.settings, run), expected)


def test_figures_alone_make_a_new_key_of_the_same_line(drawn: Drawn, tmp_path: Path) -> None:
    whole, other = (plan_job(job(tmp_path / name, drawn.scenes, **more), drawn.settings).tasks[1]
                    for name, more in (("one", {}), ("two", {"maps": False})))  # fmt: skip
    assert whole.order.key != other.order.key
    assert whole.order.line == other.order.line
    assert whole.estimate.core_hours > other.estimate.core_hours > 0


def test_a_date_that_is_not_there_is_said_before_anything_runs(drawn: Drawn, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"figures.dates: 2024-01-16 is not in the stack \(4 dates\)") as error:
        plan_job(job(tmp_path, drawn.scenes, dates=["2024-01-15", "2024-01-16"]), drawn.settings)
    assert "2024-01-15" in error.value.message.partition("nearest")[2]


def test_the_stretch_that_a_job_gives_is_the_one_that_is_drawn(drawn: Drawn, tmp_path: Path) -> None:
    more = {"stretch_db": [-40, -39], "dates": "none", "animation": [], "animation_means": [], "footprints": False}
    run = run_job(job(tmp_path, drawn.scenes, cov_histogram=False, time_series=False, **more), drawn.settings)
    rows = [row for row in sarbatch_json("products", run.id)["products"] if row["role"] == "figure"]
    assert {row["name"] for row in rows} == {"map_mean", "map_cov", "map_count"}
    white = next(row["href"] for row in rows if row["name"] == "map_mean")
    black = next(drawn.output.glob("stack-statistics/*/figures/VV_map_mean.png"))
    for path, wanted in ((white, True), (black, False)):
        with Image.open(path) as image:  # forest at -7.5 dB is far above that stretch
            centre = np.asarray(image.convert("L"))[image.height // 3 : image.height // 2, 300:500]
        assert bool(np.median(centre) == 255) is wanted
