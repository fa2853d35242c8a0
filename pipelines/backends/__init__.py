"""The engines behind one protocol, imported only when one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.backends.protocol import Backend


def load_backend(name: str, settings: Settings) -> Backend:
    """Engine by its name in the job file.

    Raises
    ------
    KeyError
        If there is no such engine.
    """
    if name == "dask":
        from pipelines.backends.dask import DaskBackend

        return DaskBackend(settings)
    if name == "earth-engine":
        from pipelines.backends.earth_engine import EarthEngineBackend

        return EarthEngineBackend(settings)
    raise KeyError(name)
