"""Scenes in the form of OPERA's RTC that both engines read: as files, and as a collection of a local Earth Engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

COLLECTION = "OPERA/RTC/L2_V1/S1"


def simulate_opera_scenes(folder: Path, *, dates: int, size: int, seed: int = 0) -> None:
    """Simulated scenes of two neighbouring bursts.

    Parameters
    ----------
    size : height and width of a burst, pixels of 30 m
    """
    from dask_jobs.simulate import simulate_rtc

    simulate_rtc(folder, dates=dates, size=size, bursts=2, seed=seed)


def register_opera_scenes(folder: Path, files: Sequence[Path]) -> None:
    """Make files a collection of the local Earth Engine of a folder; they stay where they are.

    Raises
    ------
    InputError
        If a file is no raster, or its name none of OPERA's.
    """
    from gee.local.catalogue.register import register
    from gee.local.errors import EarthEngineError
    from gee.local.folders import assets_of
    from infra.errors import InputError

    try:
        register(assets_of(folder), COLLECTION, [path.resolve() for path in files], overwrite=True)
    except EarthEngineError as error:
        raise InputError(f"scenes: {error}", "Give a folder of OPERA RTC-S1 files as ASF delivers them.") from error
