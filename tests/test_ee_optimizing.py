"""Cloud-optimised copies in a process of their own: the same file, its CPU counted, ended when told to."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import rasterio
from ee_rasters import write_raster

from gee.local.rendering import optimizing
from gee.local.rendering.blocks import RenderingCancelled
from gee.local.work.metering import metered


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(optimizing, "SMALL_BYTES", 0)
    noise = np.random.default_rng(1).gamma(4.4, 1 / 4.4, (1, 600, 700)).astype(np.float32)
    return write_raster(tmp_path / "source.tif", noise)


def test_the_copy_is_the_one_that_this_process_makes(source: Path) -> None:
    there, here = source.with_name("there.tif"), source.with_name("here.tif")
    before = time.thread_time()
    with metered() as meter:
        optimizing.optimize(source, there, tile=256, resampling="average", cancelled=lambda: False)
        assert meter.seconds() > time.thread_time() - before  # the other process's CPU
    optimizing.copy(source, here, block=256, resampling="average")
    assert there.read_bytes() == here.read_bytes()
    with rasterio.open(there) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_it_ends_when_it_is_told_to_and_leaves_nothing(source: Path) -> None:
    asked = iter((False, True))
    with pytest.raises(RenderingCancelled):
        optimizing.optimize(
            source, source.with_name("t.tif"), tile=256, resampling="average", cancelled=lambda: next(asked)
        )
    assert [path.name for path in source.parent.iterdir() if path.name.startswith("t.tif.")] == []
    assert [one for one in psutil.Process().children() if "gee.local.rendering.optimizing" in one.cmdline()] == []


def test_what_cannot_be_written_is_told(source: Path) -> None:
    with pytest.raises(OSError, match=r"nowhere"):
        optimizing.optimize(
            source, source.parent / "nowhere/t.tif", tile=256, resampling="average", cancelled=lambda: False
        )
