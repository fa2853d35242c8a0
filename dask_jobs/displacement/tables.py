"""Tables of a displacement: its network, its dates, and the series at points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from dask_jobs.displacement.displace import Displaced
from dask_jobs.write import CSV_TYPE, PARQUET_TYPE, write_table
from dask_jobs.written import Written

if TYPE_CHECKING:
    import pandas as pd

    from infra.storage import Location

NETWORK = {
    "reference": ("", "earlier date"),
    "secondary": ("", "later date"),
    "temporal_baseline": ("d", "days between the two"),
    "perpendicular_baseline": ("m", "perpendicular baseline"),
    "mean_coherence": ("1", "mean coherence on land; empty where nobody looked"),
    "used": ("", "whether it is inverted"),
    "reason": ("", "why not"),
}
DATES = {
    "date": ("", "date"),
    "perpendicular_baseline": ("m", "relative to the first date"),
    "rms": ("m", "root mean square of the residual without a quadratic ramp"),
    "noisy": ("", "whether the RMS is above 3 x 1.4826 x the median RMS"),
    "fitted": ("", "whether the time function is fitted to it"),
    "reference": ("", "whether it is the date of no displacement"),
}
POINTS = {
    "point": ("", "name"),
    "row": ("", "row of the stack"),
    "column": ("", "column of the stack"),
    "date": ("", "date"),
    "displacement": ("m", "along the line of sight, positive toward the satellite, relative to the reference date"),
    "model": ("m", "time function"),
    "fitted": ("", "whether the time function is fitted to the date"),
    "temporal_coherence": ("1", "of the pixel"),
}

Point = tuple[str, int, int]
"""Name, row and column of a place."""


def network_table(made: Displaced) -> pd.DataFrame:
    """A row for each pair of the stack; columns as in `NETWORK`."""
    import pandas as pd

    pairs, reasons = made.work.pairs, dict(made.network.dropped)
    return pd.DataFrame(
        {
            "reference": [day.isoformat() for day in pairs.reference],
            "secondary": [day.isoformat() for day in pairs.secondary],
            "temporal_baseline": [
                (late - early).days for early, late in zip(pairs.reference, pairs.secondary, strict=True)
            ],
            "perpendicular_baseline": pairs.perpendicular_baseline,
            "mean_coherence": made.coherence,
            "used": [number not in reasons for number in range(len(pairs))],
            "reason": [reasons.get(number, "") for number in range(len(pairs))],
        }
    )


def date_table(made: Displaced) -> pd.DataFrame:
    """A row for each date; columns as in `DATES`."""
    import pandas as pd

    days, dates = made.network.pairs.dates, made.dates
    return pd.DataFrame(
        {
            "date": [day.isoformat() for day in days],
            "perpendicular_baseline": made.network.baselines,
            "rms": np.full(len(days), np.nan) if dates.rms is None else dates.rms,
            "noisy": dates.noisy,
            "fitted": dates.used,
            "reference": np.arange(len(days)) == dates.reference,
        }
    )


def point_table(made: Displaced, points: Sequence[Point]) -> pd.DataFrame:
    """A row for each point and date; columns as in `POINTS`."""
    import pandas as pd

    days, recipe = made.network.pairs.dates, made.work.recipe
    function = recipe.time_function.at(days, used=made.dates.used, reference=made.dates.reference)
    frames = []
    for name, row, col in points:
        series = made.work.arrays.pixel(recipe.stages[-1], row, col).astype(np.float64)
        zero = series[made.dates.reference]
        model = function.design @ (function.estimator @ np.where(made.dates.used, series, 0.0))
        frames.append(
            pd.DataFrame(
                {
                    "point": name,
                    "row": row,
                    "column": col,
                    "date": [day.isoformat() for day in days],
                    "displacement": series - zero,
                    "model": model - zero,
                    "fitted": made.dates.used,
                    "temporal_coherence": float(made.work.arrays.pixel("temporal_coherence", row, col)[0]),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def write_tables(made: Displaced, points: Sequence[Point], *, parts: Location) -> list[Written]:
    """Write every table in both formats."""
    tables = [("network", network_table(made), NETWORK), ("dates", date_table(made), DATES)]
    if points:
        tables.append(("point_series", point_table(made, points), POINTS))
    return [row for name, frame, columns in tables for row in _write(name, frame, columns, parts=parts)]


def _write(name: str, frame: pd.DataFrame, columns: Mapping[str, tuple[str, str]], *, parts: Location) -> list[Written]:
    with TemporaryDirectory(prefix="table-") as folder:
        files = {CSV_TYPE: Path(folder) / f"{name}.csv", PARQUET_TYPE: Path(folder) / f"{name}.parquet"}
        write_table(frame, csv=files[CSV_TYPE], parquet=files[PARQUET_TYPE], columns=columns)
        written = []
        for media, path in files.items():
            parts.upload(path, path.name)
            written.append(Written(name=name, path=path.name, media_type=media, role="table", size=path.stat().st_size))
    return written
