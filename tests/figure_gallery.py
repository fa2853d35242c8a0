"""Every figure for stacks of unlucky shapes: `python tests/figure_gallery.py FOLDER` draws them all, to be looked at.

No cluster: the workers' own functions are called here, on a real stack store and real rasters.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import icechunk
import numpy as np
import pandas as pd
import rasterio
import zarr

from dask_jobs.figures.draw_figure import FILMS, PNG, SHEETS, FigureTask, Studio
from dask_jobs.figures.film_files import Format, write_film
from dask_jobs.figures.footprints import outlines_of
from dask_jobs.figures.histogram import CovLimits
from dask_jobs.figures.quicklook import Gallery, merged_looks, stretch_of, take_look
from dask_jobs.figures.style import Sheet, save_png, styled
from dask_jobs.write import Layer, write_cog
from infra.grid import Grid
from infra.region import Region
from infra.storage import Location

BURST = Path(__file__).parents[1] / "../shared/data/opera-rtc-s1/T137-292320-IW1"
PLACE = {"crs": "EPSG:32611", "left": 160_000.0, "top": 3_816_000.0, "dx": 30.0, "dy": 30.0}
POLARIZATION = "VV"


@dataclass(frozen=True)
class Scenes:
    """A stack of one polarization: `power` has dims (time, y, x), NaN no data."""

    power: np.ndarray
    times: tuple[datetime, ...]
    grid: Grid
    zones: int = 1


def speckle(dates: int, height: int, width: int, **place: object) -> Scenes:
    """Ground that brightens from west to east, with 4 looks, a season, and no data along the west."""
    random = np.random.default_rng(dates * height + width)
    season = 0.06 * (1.3 + np.sin(np.arange(dates)))[:, np.newaxis, np.newaxis]
    power = random.gamma(4, 0.25, (dates, height, width)) * season * np.linspace(0.2, 2, width)
    power[:, :, : width // 10] = np.nan
    times = tuple(datetime(2022, 1, 5, 1, 58, tzinfo=UTC) + timedelta(days=12 * day) for day in range(dates))
    grid = Grid(**{**PLACE, **place, "height": height, "width": width})  # type: ignore[arg-type] # keywords by name
    return Scenes(power.astype("float32"), times, grid)


def masked(scenes: Scenes, *dates: int) -> Scenes:
    """The same without data on some dates, on all if none is named."""
    power = scenes.power.copy()
    power[list(dates) if dates else slice(None)] = np.nan
    return replace(scenes, power=power)


def real_burst() -> Scenes:
    """21 dates of a burst over Santa Barbara."""
    files = sorted(BURST.glob("*_VV.tif"))
    stamps = [re.findall(r"_(\d{8}T\d{6})Z_", file.name)[0] for file in files]
    times = tuple(datetime.strptime(stamp, "%Y%m%dT%H%M%S").replace(tzinfo=UTC) for stamp in stamps)
    with rasterio.open(files[0]) as first:
        step, height, width = first.transform.a, first.height, first.width
        grid = Grid(crs="EPSG:32611", left=first.bounds.left, top=first.bounds.top, dx=step, dy=step, height=height, width=width)  # fmt: skip
    return Scenes(np.stack([rasterio.open(file).read(1) for file in files]), times, grid)


def unlucky() -> dict[str, Scenes]:
    """Stacks whose figures go wrong first."""
    return {
        "wide": speckle(3, 120, 2000),
        "tall": speckle(3, 2000, 120),
        "one-date": speckle(1, 90, 110),
        "all-masked": masked(speckle(3, 90, 110)),
        "zones": replace(masked(speckle(21, 90, 110), 5), zones=12),
        "degrees": speckle(4, 150, 260, crs="EPSG:4326", left=-119.9, top=60.5, dx=0.0005, dy=0.0005),
        "few-pixels": speckle(2, 3, 4),
    }


def studio_of(scenes: Scenes, folder: Path) -> Studio:
    """What the figures of a stack are drawn from, made in `folder` by the code that makes it in a job."""
    store, parts = Location(str(folder / "stack.icechunk")), Location(str(folder / "parts"))
    gallery = Gallery(
        store=store,
        session=_stored(store, scenes),
        group="",
        grid=scenes.grid,
        chunk=64,
        steps=len(scenes.times),
        place=parts / "work/figures-1",
    )
    for step in range(len(scenes.times)):
        take_look((step, POLARIZATION), work=gallery)
    _write_rasters(scenes, folder / "parts")
    _series(scenes).to_parquet(folder / "parts/time_series.parquet")
    left, bottom, right, top = scenes.grid.bounds
    part = Grid(**{**scenes.grid.to_json(), "height": max(1, scenes.grid.height // 2)})
    ring = outlines_of([part])[0].ring
    assert left < right
    assert bottom < top
    return Studio(
        gallery=gallery,
        times=scenes.times,
        parts=parts,
        rasters={(POLARIZATION, name): f"{name}.tif" for name in ("mean", "cov", "count")},
        table="time_series.parquet",
        stretch={POLARIZATION: stretch_of([merged_looks(POLARIZATION, work=gallery)])},
        limits={
            POLARIZATION: CovLimits(
                threshold=0.61,
                threshold_words="quantile 0.95",
                upper=1.4,
                floor=0.5,
                floor_words="4 looks, given",
            )
        },
        quantity="γ⁰",
        about="gamma0_terrain, orbit 137 ascending",
        area=Region(wkt=f"POLYGON (({', '.join(f'{lon} {lat}' for lon, lat in ring)}))", masks=True),
        outlines=outlines_of([scenes.grid] * len(scenes.times)),
        frames_per_second=2.0,
    )


def sheets(studio: Studio) -> Iterator[tuple[str, Sheet]]:
    """Every static figure; the last date stands for all dates. To be taken within `styled()`."""
    for name, draw in SHEETS.items():
        step = len(studio.times) - 1 if name in {"image", "histogram"} else None
        polarization = None if name == "footprints" else POLARIZATION
        yield name, draw(FigureTask(name, polarization, step, ((PNG, "figure.png"),)), studio)


def films(studio: Studio, folder: Path) -> dict[str, dict[Format, Path]]:
    """Every film in both formats."""
    made: dict[str, dict[Format, Path]] = {}
    for name, draw in FILMS.items():
        made[name] = {"gif": folder / f"{name}.gif", "mp4": folder / f"{name}.mp4"}
        frames = draw(FigureTask(name, POLARIZATION, None, ()), studio)
        write_film(frames, made[name], frames_per_second=studio.frames_per_second)
    return made


def _stored(store: Location, scenes: Scenes) -> icechunk.Session:
    repository = icechunk.Repository.create(store.icechunk_storage())
    session = repository.writable_session("main")
    array = zarr.open_group(session.store, mode="w").create_array(
        POLARIZATION, shape=scenes.power.shape, chunks=(1, 64, 64), dtype="float32", fill_value=float("nan")
    )
    array[:] = scenes.power
    return repository.readonly_session(snapshot_id=session.commit("pixels"))


def _write_rasters(scenes: Scenes, folder: Path) -> None:
    power = np.ma.masked_invalid(scenes.power.astype(float))
    mean, std = power.mean(axis=0), power.std(axis=0)
    count = power.count(axis=0)
    cov = np.where(count >= 2, (std / mean).filled(np.nan), np.nan)
    for name, values in (("mean", mean.filled(np.nan)), ("cov", cov), ("count", count)):
        whole = name == "count"
        layer = Layer(dtype="int32", description=name, units="1", overview="nearest") if whole else Layer(
            dtype="float32", description=name, units="1", overview="power", nodata=float("nan"))  # fmt: skip
        write_cog(
            folder / f"{name}.tif",
            grid=scenes.grid,
            layer=layer,
            read=lambda window, values=values: values[window.slices],  # type: ignore[misc] # bound here
        )


def _series(scenes: Scenes) -> pd.DataFrame:
    """Rows as `dask_jobs.statistics.time_series` gives them; zones are strips of the area."""
    rows = []
    strips = np.array_split(np.arange(scenes.grid.width), max(1, scenes.zones - 1))
    names = ["area", *(f"a zone with a long name, number {n}" for n in range(1, scenes.zones))]
    for time, power in zip(scenes.times, scenes.power, strict=True):
        for number, name in enumerate(names):
            part = power if number == 0 else power[:, strips[number - 1]]
            values = part[np.isfinite(part)].astype(float)
            mean = values.mean() if values.size else np.nan
            error = values.std() / np.sqrt(values.size) if values.size else np.nan
            rows.append((f"{time:%Y-%m-%d}", POLARIZATION, name, mean, error, values.size / part.size))
    table = pd.DataFrame(
        rows, columns=["date", "polarization", "zone", "mean_power", "standard_error", "valid_fraction"]
    )
    with np.errstate(divide="ignore"):
        table["mean_db"] = 10 * np.log10(table["mean_power"])
    table["smoothed_db"] = table.groupby("zone")["mean_db"].transform(lambda db: db.rolling(3, center=True).mean())
    return table


def main(folder: Path) -> None:
    """Draw everything into `folder`, one folder per stack."""
    scenes = {**unlucky(), **({"real": real_burst()} if BURST.is_dir() else {})}
    for name, one in scenes.items():
        place = folder / name
        place.mkdir(parents=True)
        studio = studio_of(one, place)
        with styled():
            for figure, sheet in sheets(studio):
                save_png(sheet, place / f"{figure}.png")
            films(studio, place)
        sys.stdout.write(json.dumps({name: str(place)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
