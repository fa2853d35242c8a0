"""NISAR GCOV on a real S3 server: the pixels of the files on disk, for a fraction of their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from counted_s3 import CountedServer, counted_s3
from gcov_files import BASE, GRIDS, SAMPLE, edited, layer, on_grid, power, write_gcov
from nisar_costs import BUCKET, compare, upload

from dask_jobs.backscatter import mosaic
from dask_jobs.passes import group_passes, stack_grid
from dask_jobs.readers.hdf5_headers import read_gcov_headers
from dask_jobs.readers.hdf5_references import reference_cache
from dask_jobs.readers.nisar_gcov import GcovChoice, find
from dask_jobs.readers.pixels import read_pixels
from dask_jobs.scenes import Container, Found, Raster
from infra.errors import CredentialsError, EngineError, InputError
from infra.grid import Grid, Window
from infra.storage import Location, S3Options

needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the GCOV sample is not at ../shared/data")
HH = f"{GRIDS}/frequencyA/HHHH"


@pytest.fixture(scope="module")
def server() -> Iterator[CountedServer]:
    with counted_s3() as made:
        yield made


@pytest.fixture(scope="module")
def client(server: CountedServer) -> Any:
    return upload(server.endpoint)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test-secret")


def stacked(found: Found, s3: S3Options, polarization: str) -> tuple[Grid, np.ndarray]:
    grid = stack_grid(found.scenes, extent="union")
    passes = group_passes(found.scenes)
    return grid, np.stack([mosaic(p, polarization, target=grid, window=grid.full, s3=s3)[0] for p in passes])


@needs_sample
def test_pixels_from_s3_are_those_of_the_files(server: CountedServer, client: Any) -> None:
    s3 = S3Options(endpoint=server.endpoint)
    there = find(f"s3://{BUCKET}", choice=GcovChoice(), s3=s3)
    here = find(str(SAMPLE), choice=GcovChoice(), s3=s3)
    assert [(s.id, s.release, s.time, s.grid, s.size) for s in there.scenes] == [
        (s.id, s.release, s.time, s.grid, s.size) for s in here.scenes
    ]
    for polarization, term in (("HH", "HHHH"), ("HV", "HVHV")):
        grid, values = stacked(there, s3, polarization)
        for number, scene in enumerate(here.scenes):
            expected = on_grid(power(Path(scene.rasters[polarization].url), term), scene.grid, grid)
            np.testing.assert_array_equal(values[number], expected)


@needs_sample
def test_an_area_costs_a_fifth_of_the_notebooks_bytes_at_most(server: CountedServer, client: Any) -> None:
    everything, pixels, notebook, _ = compare(server, client, side=32)
    for cost in (everything, pixels):
        np.testing.assert_array_equal(cost.values, notebook.values)
        assert cost.bytes <= notebook.bytes / 5, cost.way
    assert np.isfinite(notebook.values).any()


@needs_sample
def test_only_the_chunks_of_the_window_are_fetched(server: CountedServer, client: Any) -> None:
    """Once the places are known: one request, the bytes of one chunk; and none again for what is remembered."""
    s3 = S3Options(endpoint=server.endpoint)
    path = min(SAMPLE.glob("*P05023*.h5"))
    raster = Raster(url=f"s3://{BUCKET}/{path.name}", container=Container.HDF5, dataset=HH)
    grid = Grid(**{**BASE.to_json(), "height": 256, "width": 256})
    reference_cache.cache_clear()
    read_pixels(raster, grid=grid, window=Window(0, 0, 1, 1), s3=s3)
    with h5py.File(path) as file:
        chunk = file[HH].id.get_chunk_info_by_coord((64, 64))
    with server.counting() as sent:
        values, _ = read_pixels(raster, grid=grid, window=Window(70, 70, 50, 50), s3=s3)
    assert (sent.requests, sent.bytes) == (1, chunk.size)
    np.testing.assert_array_equal(values, layer(path, "HHHH")[70:120, 70:120])


def uploaded(path: Path, bucket: Location) -> Raster:
    bucket.upload(path, path.name)
    return Raster(url=bucket.href(path.name), container=Container.HDF5, dataset=HH)


def test_an_object_that_was_replaced_is_read_anew(s3_bucket: Location, tmp_path: Path) -> None:
    path = write_gcov(tmp_path)
    raster = uploaded(path, s3_bucket)
    read_pixels(raster, grid=BASE, window=BASE.full, s3=s3_bucket.s3)
    noise = np.random.default_rng(1).random(BASE.shape).astype("f4")  # packs worse: every chunk lies elsewhere
    path.unlink()
    uploaded(write_gcov(tmp_path, terms={"HHHH": noise, "HVHV": 0.1}), s3_bucket)
    np.testing.assert_array_equal(read_pixels(raster, grid=BASE, window=BASE.full, s3=s3_bucket.s3)[0], noise)


def test_an_object_that_vanished_is_said_to_be_gone(s3_bucket: Location, tmp_path: Path) -> None:
    path = write_gcov(tmp_path)
    raster = uploaded(path, s3_bucket)
    read_pixels(raster, grid=BASE, window=Window(0, 0, 1, 1), s3=s3_bucket.s3)
    s3_bucket.delete([path.name])
    with pytest.raises(InputError, match="is not there"):
        read_pixels(raster, grid=BASE, window=BASE.full, s3=s3_bucket.s3)


def test_a_cut_object_is_refused(s3_bucket: Location, tmp_path: Path) -> None:
    path = write_gcov(tmp_path)
    path.write_bytes(path.read_bytes()[:-4096])
    raster = uploaded(path, s3_bucket)
    with pytest.raises(InputError, match="is truncated: it should have"):
        read_gcov_headers([raster.url], frequency="A", s3=s3_bucket.s3)


def test_damaged_chunks_are_an_error_not_zeros(s3_bucket: Location, tmp_path: Path) -> None:
    path = write_gcov(tmp_path)
    with edited(path) as file:
        info = file[HH].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[info.byte_offset : info.byte_offset + info.size] = bytes(info.size)
    path.write_bytes(data)
    with pytest.raises(InputError, match="pixels cannot be unpacked"):
        read_pixels(uploaded(path, s3_bucket), grid=BASE, window=BASE.full, s3=s3_bucket.s3)


def test_missing_keys_and_dead_servers_keep_their_class(
    s3_bucket: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = uploaded(write_gcov(tmp_path), s3_bucket).url
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:9"):
        read_gcov_headers([url], frequency="A", s3=S3Options(endpoint="http://127.0.0.1:9"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(CredentialsError, match="AWS_ACCESS_KEY_ID is not set"):
        read_gcov_headers([url], frequency="A", s3=s3_bucket.s3)
