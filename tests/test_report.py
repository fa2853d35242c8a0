"""The report: what it says is what was made, it needs no network, and no text of a job can break it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from geotiffs import write_tif
from jobs import machine, run_job, sarbatch_json, statistics, write_job
from test_reprojection import ZONE_11, geotiffs, speckle

from infra.settings import Settings
from pipelines.report.document import File, Picture, Report, Table
from pipelines.report.page import render

HOSTILE = "<script>alert('x')</script>&\"' ${7*70401} {{ 7*70401 }}"
pytestmark = pytest.mark.filterwarnings(
    "ignore:Use `@` matmul:PendingDeprecationWarning"
)  # rioxarray's way with affine


class Page(HTMLParser):
    """What a page asks for, says and is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if data.strip() and self.rows:
            self.rows[-1].append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def report(**more: object) -> Report:
    plain: dict[str, object] = {
        "job": "job", "task": "task", "kind": "stack-statistics", "summary": "what it is", "key": "0" * 64,
        "created": datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "facts": [("period", "2024")],
    }  # fmt: skip
    return Report(**{**plain, **more})  # type: ignore[arg-type] # fields by name


def test_no_text_of_a_job_becomes_markup() -> None:
    page = Page(
        render(
            report(
                job=HOSTILE,
                task=HOSTILE,
                facts=[(HOSTILE, HOSTILE)],
                pictures=[Picture(caption=HOSTILE, alt=HOSTILE, media_type="image/png", content=b"x")],
                tables=[Table(caption=HOSTILE, columns=["date", HOSTILE], rows=[[HOSTILE, HOSTILE]])],
                used=[HOSTILE],
                dropped=[(HOSTILE, HOSTILE)],
                files=[File(name=HOSTILE, what="", label="", units="", path=HOSTILE, size=1, media_type="image/tiff")],
                parameters=HOSTILE,
            )
        )
    )
    assert "script" not in page.tags
    assert page.text.count("alert('x')") >= 12
    assert "492807" not in page.text
    assert not [address for address in page.addresses if address.startswith("javascript")]


def test_what_is_not_there_has_no_heading() -> None:
    page = Page(render(report()))
    assert "Pictures" not in page.text
    assert "Tables" not in page.text
    assert "Nothing was left out." in page.text


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, list[dict[str, object]]]]:
    """A run on three scenes with a hole, one file of another kind beside them, and everything that a report shows."""
    folder = tmp_path_factory.mktemp("report")
    with machine(folder / "state") as settings:
        for day in range(3):
            power = speckle(ZONE_11, day)[:60, :70]
            power[:20, :20] = float("nan")
            write_tif(folder / f"scenes/s_VV_2024010{day + 1}.tif", power, nodata=float("nan"))
        write_tif(folder / "scenes/other.tif", power)
        tasks = {
            "stack": geotiffs("scenes"),
            "statistics": statistics(
                report=True,
                threshold={"quantile": 0.9},
                figures={"animation": [], "animation_means": ["gif"], "dates": ["2024-01-02"], "footprints": True},
            ),
        }
        run = run_job(write_job(folder, tasks, name="beautiful"), settings)
        yield settings, sarbatch_json("products", run.id)["products"]


def text_of(products: list[dict[str, object]]) -> tuple[str, Path]:
    [row] = [row for row in products if row["role"] == "report"]
    path = Path(str(row["href"]))
    assert (row["name"], row["media_type"], row["bytes"]) == ("report", "text/html", path.stat().st_size)
    return path.read_text(encoding="utf-8"), path.parent


def test_every_file_of_the_task_is_named_and_there(made: tuple[Settings, list[dict[str, object]]]) -> None:
    text, folder = text_of(made[1])
    page = Page(text)
    beside = {str(row["href"]) for row in made[1] if row["task"] == "statistics" and row["role"] != "report"}
    named = {str(folder / address) for address in page.addresses if not re.match(r"data:|#", address)}
    assert named == beside
    assert all(Path(path).is_file() for path in named)


def test_every_picture_is_inside(made: tuple[Settings, list[dict[str, object]]]) -> None:
    text, _ = text_of(made[1])
    inside = [address for address in Page(text).addresses if address.startswith("data:")]
    figures = [row for row in made[1] if row["role"] == "figure"]
    assert len(inside) == len(figures) >= 8
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert "@import" not in text
    assert "url(" not in text


def test_it_says_what_was_used_and_left_out(made: tuple[Settings, list[dict[str, object]]]) -> None:
    page = Page(text_of(made[1])[0])
    assert "3 scenes used" in page.text
    assert "1 file left out" in page.text
    [row] = [row for row in page.rows if row and row[0].endswith("other.tif")]
    assert "does not match" in row[1]
    for fact in ("beautiful: statistics", "EPSG:32611", "30 x 30, 70 x 60", "speckle floor", "quantile 0.9"):
        assert fact in page.text


def test_its_table_is_the_table(made: tuple[Settings, list[dict[str, object]]]) -> None:
    page = Page(text_of(made[1])[0])
    [path] = [str(row["href"]) for row in made[1] if row["name"] == "time_series" and row["media_type"] == "text/csv"]
    frame = pd.read_csv(path)
    shown = [row for row in page.rows if row and row[0].startswith("2024-01-")]
    assert [row[0][:10] for row in shown] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    for row, mean in zip(shown, frame["mean_db"], strict=True):
        assert float(row[3]) == pytest.approx(mean, abs=0.01)


def test_what_it_says_about_python_works(made: tuple[Settings, list[dict[str, object]]]) -> None:
    """The snippets are run as they stand."""
    text, folder = text_of(made[1])
    code = [
        re.sub(r"&#34;|&quot;", '"', block)
        for block in re.findall(r"<pre>(from pipelines.*?|import .*?)</pre>", text, re.DOTALL)
    ]
    assert len(code) == 5
    for block in code:
        local = re.sub(r'(open_rasterio|read_parquet)\("', rf'\1("{folder}/', block)
        found: dict[str, object] = {}
        exec(local, found)  # our own page
        [value] = [found[name] for name in ("raster", "table", "stack") if name in found]
        assert len(value) > 0  # type: ignore[arg-type] # arrays and tables have a length
