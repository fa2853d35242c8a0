"""Interferograms in a bucket to displacement in a bucket: the same values as from folder to folder, on a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import h5py
import insar_products
import kills
import numpy as np
import pytest
from jobs import displacement, insar, machine, run_job, write_job

from dask_jobs.simulate_insar import simulate_insar
from infra.settings import Settings
from infra.storage import Location
from pipelines import Run
from pipelines.products import products_of

pytestmark = pytest.mark.slow
BUCKET = "sarbatch-interferograms"
KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}


@pytest.fixture(scope="module")
def client(s3_server: str) -> Any:
    made = boto3.client(
        "s3", endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    made.create_bucket(Bucket=BUCKET)
    return made


@pytest.fixture(scope="module")
def settings(s3_server: str, client: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Endpoint and keys stand in the environment; the cluster is born with them."""
    with machine(tmp_path_factory.mktemp("state"), SARBATCH_S3_ENDPOINT=s3_server, **KEYS) as made:
        yield made


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interferograms, the last of which are zips as ASF delivers them."""
    folder = tmp_path_factory.mktemp("products") / "simulated-insar"
    simulate_insar(folder, dates=5, size=(70, 96), connections=2, seed=4)
    places = sorted(place for place in folder.iterdir() if place.is_dir())
    for place in places[-2:]:
        insar_products.pack(place, remove=True)
    return folder


def job(folder: Path, source: str, output: str) -> Path:
    tasks = {
        "stack": insar(source, chunk=64),
        "displacement": displacement(
            troposphere="height-correlation", points=[{"name": "here", "row": 20, "column": 20}]
        ),
    }
    return write_job(folder, tasks, output=output)


def values(output: Location, local: Path) -> dict[tuple[str, ...], Any]:
    """What every product of an output holds, by way of a copy on the disk."""
    for entry in output.list(""):
        if not entry.name.startswith(".sarbatch/"):
            path = local / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            output.download(entry.name, path)
    found: dict[tuple[str, ...], Any] = {}
    copy = Location(str(local))
    for kind in ("insar-stack", "displacement"):
        for item in (copy / kind).list(""):
            if item.name.endswith("item.json"):
                home = copy / kind / item.name.rpartition("/")[0]
                found |= kills.values_of_item(home.read_json("item.json"), home, kind)
    return found


@pytest.fixture(scope="module")
def remote(settings: Settings, client: Any, products: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run with everything in a bucket."""
    for file in sorted(products.rglob("*")):
        if file.is_file():
            client.upload_file(str(file), BUCKET, f"products/{file.relative_to(products)}")
    return run_job(job(tmp_path_factory.mktemp("remote"), f"s3://{BUCKET}/products", f"s3://{BUCKET}/out"), settings)


def test_from_bucket_to_bucket_the_values_are_equal(
    settings: Settings, remote: Run, products: Path, tmp_path: Path
) -> None:
    local = run_job(job(tmp_path / "local", str(products), "./products"), settings)
    assert remote.output == f"s3://{BUCKET}/out"
    there = values(Location(f"s3://{BUCKET}/out", settings.s3), tmp_path / "copy")
    here = values(Location(local.output), tmp_path / "copy-of-local")
    assert any(label[1] == "mintpy_timeseries" for label in there)
    kills.assert_equal(there, here)


def test_hdf5_from_a_bucket_opens(settings: Settings, remote: Run, tmp_path: Path) -> None:
    home = Location(f"{remote.output}/displacement", settings.s3)
    (item,) = [entry.name for entry in home.list("") if entry.name.endswith("item.json")]
    product = next(one for one in products_of(home.read_json(item)) if one.name == "mintpy_velocity")
    home.download(f"{item.rpartition('/')[0]}/{product.path}", tmp_path / "velocity.h5")
    with h5py.File(tmp_path / "velocity.h5") as file:
        assert np.isfinite(file["velocity"][:]).all()
        assert file.attrs["FILE_TYPE"] == "velocity"
