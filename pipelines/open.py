"""Open any product as an xarray object (a table as a DataFrame), wherever it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.errors import StateError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from infra.settings import Settings
    from pipelines.run import Run

OPENABLE = frozenset({"store", "raster", "table"})


def open_product(
    run: Run | str | None = None,
    *,
    task: str | None = None,
    name: str | None = None,
    settings: Settings | None = None,
    **labels: str | None,
) -> xr.Dataset | xr.DataArray | pd.DataFrame:
    """Product of a run.

    Parameters
    ----------
    run : as `run_plan` gave it, or its id; the newest if left out
    task, name : as in `sarbatch products`
    labels : polarization, date, period, orbit, zone, media_type: as many as it takes to name one product

    Returns
    -------
    product : Dataset, dims (time, y, x), lazy, for a stack; DataArray, dims (y, x), lazy, for a raster; DataFrame for a
        table

    Raises
    ------
    StateError
        If no product or several fit.
    """
    if settings is None:
        from infra.settings import load_settings

        settings = load_settings()
    row = _one(_rows(run, settings), {"task": task, "name": name, **labels})
    from pipelines.backends.opening import opened

    return opened(row, settings)


def _rows(run: Run | str | None, settings: Settings) -> list[Any]:
    from pipelines.registry import open_registry

    with open_registry(settings) as registry:
        if run is None:
            newest = registry.newest_run()
            if newest is None:
                raise StateError("there is no run yet", "`sarbatch run JOB` makes one.")
            return registry.products(newest.id)
        return registry.products(registry.find_run(run if isinstance(run, str) else run.id).id)


def _one(rows: list[Any], wanted: dict[str, str | None]) -> Any:
    asked = {name: value for name, value in wanted.items() if value is not None}
    fitting = [row for row in rows if all(getattr(row, name) == value for name, value in asked.items())]
    if len(fitting) > 1:  # a figure may be called like the table that it shows
        fitting = [row for row in fitting if row.role in OPENABLE] or fitting
    if len(fitting) > 1 and {row.role for row in fitting} == {"table"}:
        fitting = [row for row in fitting if row.media_type != "text/csv"]
    if len(fitting) != 1:
        some = ", ".join(
            " ".join(filter(None, (r.task, r.name, r.polarization, r.date))) for r in (fitting or rows)[:8]
        )
        what = "no product fits" if not fitting else f"{len(fitting)} products fit"
        raise StateError(f"{what} {asked}", f"There are: {some}{'…' if len(fitting or rows) > 8 else ''}.")
    return fitting[0]
