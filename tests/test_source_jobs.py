"""Whole jobs on HyP3 products and Zarr stores, on disk and on S3, against what NumPy makes of the same truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
import rasterio
from hyp3_products import SHAPE, Product, pack
from hyp3_products import write as write_product
from jobs import machine, run_job, sarbatch_json, write_job
from zarr_stores import opensarlab
from zarr_stores import power as zarr_power

from infra.settings import Settings
from pipelines import Run, open_product

BUCKET, PUBLIC = "sources", "public-sources"
KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # rioxarray's way with affine
]
FIRST = Product(absolute_orbit=52000)
PRODUCTS = (  # one orbit, three scales, extents that wander; the second of the first date has a worse orbit
    FIRST,
    FIRST.but(orbit="R", id="0001"),
    FIRST.but(start="20240117T015913", id="C9FE", letters="gauned", absolute_orbit=52175, row=-2, col=3),
    FIRST.but(start="20240129T015912", id="6648", letters="gduned", absolute_orbit=52350, row=4, col=-5),
)
DATES = (PRODUCTS[0], PRODUCTS[2], PRODUCTS[3])


def source(kind: str, path: Path | str, **more: Any) -> dict[str, Any]:
    more, task = {k: v for k, v in more.items() if k != "task"}, more.get("task", {})
    return {"kind": "backscatter-stack", "source": {"format": kind, "path": str(path), **more}, **task}


@pytest.fixture(scope="module")
def settings(s3_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with machine(tmp_path_factory.mktemp("state"), SARBATCH_S3_ENDPOINT=s3_server, **KEYS) as made:
        yield made


@pytest.fixture(scope="module")
def run(settings: Settings, s3_server: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One job: HyP3 on disk (folders and zips mixed), HyP3 zips on S3, OpenSARlab's store on disk and, public, on S3."""
    folder = tmp_path_factory.mktemp("job")
    client = boto3.client(
        "s3", endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    for bucket in (BUCKET, PUBLIC):
        client.create_bucket(Bucket=bucket)
    for number, product in enumerate(PRODUCTS):
        place = write_product(product, folder / "hyp3")
        client.upload_file(str(pack(place)), BUCKET, f"zips/{product.name}.zip")
        if number % 2:
            pack(place, remove=True)
        else:
            place.with_name(f"{product.name}.zip").unlink()
    opensarlab(folder / "bangladesh")
    for path in (p for p in (folder / "bangladesh").rglob("*") if p.is_file()):
        name = f"bangladesh/{path.relative_to(folder / 'bangladesh')}"
        client.upload_file(str(path), PUBLIC, name, ExtraArgs={"ACL": "public-read"})
    mask = {"mask": {"layover": True, "shadow": True}, "chunk": 64}
    tasks = {
        "disk": source("hyp3-rtc", "hyp3", task=mask | {"export": {"zarr": True}}),
        "zips": source("hyp3-rtc", f"s3://{BUCKET}/zips", task=mask),
        "groups": source("zarr", "bangladesh", layout="groups"),
        "public": source(
            "zarr", f"s3://{PUBLIC}/bangladesh", layout="groups", s3={"anonymous": True, "endpoint": s3_server}
        ),
    }
    return run_job(write_job(folder, tasks), settings)


def stack(run: Run, task: str, settings: Settings) -> Any:
    return open_product(run, task=task, name="stack", settings=settings).compute(scheduler="synchronous")


def hyp3_truth(band: str) -> np.ndarray:
    """Each date's power at its place on the union of all extents, without layover (bit 4) and shadow (bit 16)."""
    top, left = min(p.row for p in DATES), min(p.col for p in DATES)
    height = max(p.row for p in DATES) + SHAPE[0] - top
    width = max(p.col for p in DATES) + SHAPE[1] - left
    made = np.full((len(DATES), height, width), np.nan)
    for number, product in enumerate(DATES):
        values = np.where((product.ls_map() & 4) | (product.ls_map() & 16), np.nan, product.power(band))
        made[number, product.row - top :, product.col - left :][: SHAPE[0], : SHAPE[1]] = values
    return made


@pytest.mark.parametrize("task", ["disk", "zips"])
def test_hyp3_products_become_the_power_that_they_hold(run: Run, settings: Settings, task: str) -> None:
    made = stack(run, task, settings)
    assert made.sizes == {"time": 3, "y": SHAPE[0] + 6, "x": SHAPE[1] + 8}
    for band in ("VV", "VH"):
        np.testing.assert_allclose(made[band].to_numpy(), hyp3_truth(band), rtol=1e-6, equal_nan=True)
        hidden = np.isnan(made[band].to_numpy()).sum() - np.isnan(np.stack([p.power(band) for p in DATES])).sum()
        assert hidden > 3 * 24  # 24 of the 32 values have one of the two bits; the rest is outside
    assert made.attrs["radiometry"] == "gamma0_terrain"
    assert made.attrs["relative_orbit"] == 128


def test_hyp3_on_disk_is_what_rasterio_reads(run: Run, settings: Settings) -> None:
    """The oracle by another way: the files themselves, placed by their own transforms."""
    made = stack(run, "disk", settings)
    (path,) = Path(run.output).parent.glob(f"hyp3/{FIRST.name}/*_VV.tif")
    with rasterio.open(path) as file:
        values, corner = file.read(1), (file.transform.c, file.transform.f)
    row, col = round((made.y.values[0] + 15 - corner[1]) / 30), round((corner[0] - made.x.values[0] + 15) / 30)
    part = made["VV"].to_numpy()[0, row : row + SHAPE[0], col : col + SHAPE[1]]
    seen = np.isfinite(part)
    assert seen.sum() > 300
    np.testing.assert_array_equal(part[seen], values[seen])


@pytest.mark.parametrize("task", ["groups", "public"])
def test_opensarlab_groups_become_the_power_that_they_hold(run: Run, settings: Settings, task: str) -> None:
    made = stack(run, task, settings)
    for band in ("VV", "VH"):
        expected = np.full((3, 46, 54), np.nan, "float32")
        for number in range(3):
            place = (slice(3 * number, 3 * number + 40), slice(4 - 2 * number, 54 - 2 * number))
            expected[(number, *place)] = zarr_power(number, band)
        np.testing.assert_array_equal(made[band].to_numpy(), expected)


def test_a_plain_copy_reads_back_to_the_same_stack(run: Run, settings: Settings, tmp_path: Path) -> None:
    (row,) = [r for r in sarbatch_json("products", run.id)["products"] if r["name"] == "stack_zarr"]
    again = run_job(write_job(tmp_path, {"stack": source("zarr", row["href"], layout="array")}, name="again"), settings)
    first, second = stack(run, "disk", settings), stack(again, "stack", settings)
    for band in ("VV", "VH"):
        np.testing.assert_array_equal(second[band].to_numpy(), first[band].to_numpy())
    for name in ("time", "y", "x"):
        np.testing.assert_array_equal(second[name].to_numpy(), first[name].to_numpy())
    for name in ("radiometry", "speckle_filtered", "water_masked", "relative_orbit", "pass_direction"):
        assert second.attrs[name] == first.attrs[name]


def test_the_plan_lists_what_is_used_and_what_is_not(run: Run, settings: Settings) -> None:
    job = Path(run.output).parent / "job.yaml"
    plan = {task["task"]: task for task in sarbatch_json("plan", str(job))["tasks"]}
    assert all(task["state"] == "done" for task in plan.values())
    for name in ("disk", "zips"):
        assert plan[name]["inputs"]["used"] == [f"S1A_IW_{p.start}Z" for p in DATES]
        reasons = {row["reason"] for row in plan[name]["inputs"]["dropped"]}
        assert reasons == {
            f"its orbit is restituted: replaced by the precise one of {FIRST.name}, of the same acquisition"
        }
