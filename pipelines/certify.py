"""A certificate of parity made: sample scenes through both engines, their products compared pixel by pixel."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from infra.clusters import stop_local_cluster
from infra.errors import EngineError, InputError, SarbatchError
from infra.grid import Grid
from infra.region import geographic_bounds
from pipelines.backends.comparison import compare_rasters
from pipelines.demo.earth_engine import local_earth_engine
from pipelines.demo.opera_scenes import COLLECTION, register_opera_scenes, simulate_opera_scenes
from pipelines.job import load_job
from pipelines.kinds.sentinel1.covers import reducer_cover
from pipelines.kinds.sentinel1.parameters import NEEDS_LOOKS, Filter, Quantity
from pipelines.kinds.sentinel1_composite.spec import KIND as COMPOSITE
from pipelines.kinds.sentinel1_composite.spec import Sentinel1Composite, measures
from pipelines.kinds.sentinel1_series.spec import KIND as SERIES
from pipelines.parity import Against, Agreement, Certificate, engine_in_use, total, write_certificate
from pipelines.plan import Plan, make_plan
from pipelines.registry import open_registry
from pipelines.run import record, tick
from pipelines.status import status

if TYPE_CHECKING:
    from infra.settings import Settings
    from pipelines.registry.rows import ProductRow

DATES, SIZE = 5, 96  # of simulated scenes: an odd number of dates for medians, and windows that meet edges
LOOKS = 4.4
STACK = "stack"  # name of the task whose scenes both read
REDUCERS = ("median", "mean", "stdDev", "p05", "p95", "count")
ENGINES = ("dask", "earth-engine")
PACKAGES = ("sarbatch", "earthengine-api", "numba", "numpy")
FILES = "OPERA_L2_RTC-S1_*.tif"
INSIDE = 8  # an eighth of the scenes' extent is left out at each side, so that the area is all inside


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One task that both engines carry out.

    Attributes
    ----------
    parameters : that are not the same in all
    covers : what all its products speak for; None where each speaks for its quantity, its reducer and the grid
    """

    name: str
    kind: str = COMPOSITE.name
    parameters: Mapping[str, Any] = field(default_factory=dict)
    covers: tuple[str, ...] | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """Parameters of the task."""
        everything: dict[str, Any] = {"quantities": list(get_args(Quantity))}
        if self.kind == COMPOSITE.name:
            everything["reducers"] = list(REDUCERS)
        return {"stack": STACK, "collection": COLLECTION, **everything, **self.parameters}

    def spoken_for(self, product: str) -> tuple[str, ...]:
        """Covers that a product of this sample is evidence of."""
        if self.covers is not None:
            return self.covers
        if self.kind != COMPOSITE.name:
            return (f"quantity {product}", "grid native")
        measure = measures(Sentinel1Composite.model_validate(self.asked))[product]
        quantity = () if measure.reducer == "count" else (f"quantity {measure.quantity}",)
        return (*quantity, reducer_cover(measure.reducer), "grid native")


def samples(*, crs: str, pixel: float) -> list[Sample]:
    """Every filter, quantity and reducer, on the scenes' own lattice and on coarser ones.

    Parameters
    ----------
    crs, pixel : of the scenes
    """
    averaged = {"grid": {"crs": crs, "resolution": 2 * pixel}}
    across = {"grid": {"crs": crs, "resolution": 2.5 * pixel}}  # a scene's pixel may lie in several of the products'
    valid = {"valid_range": {"min": -17.0, "max": -3.0, "units": "dB"}}
    grid, found = ("grid averaged",), [Sample(name="native"), Sample(name="series", kind=SERIES.name)]
    found += [
        Sample(name="averaged", parameters=averaged, covers=grid),
        Sample(name="averaged-across", parameters=across, covers=grid),
        Sample(name="series-averaged", kind=SERIES.name, parameters=averaged, covers=grid),
        Sample(name="valid-range", parameters=valid, covers=("valid_range",)),
        Sample(name="series-valid-range", kind=SERIES.name, parameters=valid, covers=("valid_range",)),
    ]
    for name in get_args(Filter):
        looks = {"looks": LOOKS} if name in NEEDS_LOOKS else {}
        speckle, word = {"speckle": {"filter": name, **looks}}, name.replace("_", "-")
        found += [
            Sample(name=word, parameters=speckle, covers=(f"filter {name}",)),
            Sample(name=f"{word}-averaged", parameters={**speckle, **averaged}, covers=(f"filter {name}",)),
            Sample(name=f"series-{word}", kind=SERIES.name, parameters=speckle, covers=(f"filter {name}",)),
        ]
    return found


def certify(
    *,
    settings: Settings,
    scenes: Path | None = None,
    keep: Path | None = None,
    chosen: Sequence[str] | None = None,
    say: Callable[[str], None],
) -> Certificate:
    """Certificate of parity against the Earth Engine in use, which is also written into the state folder.

    Parameters
    ----------
    settings : Google's Earth Engine is used where they name a project and no URL; else a local one is started
    scenes : folder of OPERA's files; simulated ones if left out
    keep : folder for scenes, jobs and products of both engines; a temporary one if left out
    chosen : names of the samples to be made; all if left out
    say : gets a line for each step

    Raises
    ------
    SarbatchError
        If an engine could not make its products, or both do not mean the same ones.
    """
    google = engine_in_use(settings) == "google" and settings.earth_engine_project is not None
    if google and scenes is None:
        raise InputError(
            "Google's Earth Engine has no simulated scenes",
            "Give --scenes, a folder of OPERA RTC-S1 files of ASF: the collection has the same.",
        )
    with ExitStack() as ends:
        folder = Path(ends.enter_context(_folder(keep)))
        place, given = _scenes(folder, scenes, say)
        own = settings.model_copy(update={"state_dir": folder / "state", "registry": None, "scheduler": None})
        ends.callback(stop_local_cluster, own)
        if not google:
            own = own.model_copy(update=ends.enter_context(_local(folder / "earth-engine", given, say)))
        work = _Work(folder=folder, scenes=place, settings=own, say=say)
        found, kinds = work.compared(chosen)
    certificate = _certificate(
        found, kinds=kinds, against="google" if google else "local-earth-engine", scenes=_words(given, scenes)
    )
    path = write_certificate(certificate, state_dir=settings.state_dir)
    say(f"wrote {path}")
    return certificate


@contextmanager
def _folder(keep: Path | None) -> Iterator[str]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield str(keep.resolve())
        return
    with tempfile.TemporaryDirectory(prefix="sarbatch-certify-") as folder:
        yield folder


def _scenes(folder: Path, scenes: Path | None, say: Callable[[str], None]) -> tuple[Path, list[Path]]:
    """Folder and files of the scenes, made where none are given."""
    if scenes is None:
        place = folder / "simulated-scenes"
        say(f"simulating {DATES} dates of two neighbouring bursts …")
        simulate_opera_scenes(place, dates=DATES, size=SIZE)
    else:
        place = scenes.resolve()
    files = sorted(place.rglob(FILES))
    if not files:
        raise InputError(f"scenes: there is no {FILES} in {place}", "Give a folder of OPERA RTC-S1 files of ASF.")
    return place, files


@contextmanager
def _local(folder: Path, files: Sequence[Path], say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Settings that lead to an Earth Engine of one's own that has the scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    register_opera_scenes(folder, files)
    with local_earth_engine(folder) as url:
        say(f"a local Earth Engine has the scenes at {url}")
        yield {
            "earth_engine_url": url,
            "earth_engine_project": "certify",
            "earth_engine_files": str(folder),
            "earth_engine_key_file": None,
        }


@dataclass(frozen=True, kw_only=True)
class _Work:
    """The same tasks carried out by each engine, and their products compared."""

    folder: Path
    scenes: Path
    settings: Settings
    say: Callable[[str], None]

    def compared(self, chosen: Sequence[str] | None) -> tuple[dict[str, list[Agreement]], set[str]]:
        """Cover to the agreements of all products that speak for it, and the kinds that were looked at."""
        first = make_plan(load_job(self._job("look", tasks={}, area=None)), settings=self.settings)
        document = first.tasks[0].order.document
        grid = Grid(**document["grid"])
        wanted = [one for one in samples(crs=grid.crs, pixel=grid.dx) if chosen is None or one.name in chosen]
        period = {"start": document["start"], "end": document["end"]}
        plans = {engine: self._plan(engine, wanted, grid, period) for engine in ENGINES}
        _same_keys(*plans.values())
        products = {engine: self._made(engine, plan) for engine, plan in plans.items()}
        self.say("comparing …")
        found: dict[str, list[Agreement]] = {}
        for one in wanted:
            for label, agreement in self._agreements(one, products):
                for cover in one.spoken_for(label):
                    found.setdefault(cover, []).append(agreement)
        return found, {one.kind for one in wanted}

    def _job(self, name: str, *, tasks: Mapping[str, Any], area: Any, period: Any = None) -> Path:
        job = {
            "name": f"certify-{name}",
            **({"area": area} if area else {}),
            **({"period": period} if period else {}),
            "output": f"./{name}",
            "tasks": {
                STACK: {
                    "kind": "backscatter-stack",
                    "source": {"format": "opera-rtc", "path": str(self.scenes)},
                },
                **tasks,
            },
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(job, indent=1), encoding="utf-8")  # YAML holds JSON
        return path

    def _plan(self, engine: str, wanted: Sequence[Sample], grid: Grid, period: Mapping[str, str]) -> Plan:
        tasks = {one.name: {"kind": one.kind, "backend": engine, **one.asked} for one in wanted}
        job = self._job(engine, tasks=tasks, area={"bbox": list(_inside(grid))}, period=dict(period))
        return make_plan(load_job(job), settings=self.settings)

    def _made(self, engine: str, plan: Plan) -> dict[tuple[str, ...], ProductRow]:
        """Rasters of a plan that is carried out here and now."""
        self.say(f"{engine} carries out {len(plan.tasks) - 1} tasks …")
        with open_registry(self.settings) as registry:
            run = record(plan, registry)
            while run.state == "running":
                tick(registry, self.settings, runs=[run])
                time.sleep(self.settings.poll_interval)
                run = registry.find_run(run.id)
            if run.state != "done":
                failed = [task for task in status(registry, [run])["runs"][0]["tasks"] if task["error"]]
                said = "; ".join(f"{task['task']}: {task['error']['message']}" for task in failed)
                raise SarbatchError(f"{engine} did not make its products: {said or run.state}", "")
            rows = [row for row in registry.products(run.id) if row.task != STACK and row.role == "raster"]
        return {(row.task, row.name, *(str(label) for label in (row.date, row.period, row.orbit))): row for row in rows}

    def _agreements(
        self, one: Sample, products: Mapping[str, Mapping[tuple[str, ...], ProductRow]]
    ) -> Iterator[tuple[str, Agreement]]:
        """Name of each product of a sample with how far it agrees."""
        first, second = (products[engine] for engine in ENGINES)
        names = sorted(name for name in first.keys() | second.keys() if name[0] == one.name)
        for name in names:
            if name in first and name in second:
                yield name[1], compare_rasters(first[name].href, second[name].href, s3=self.settings.s3)
            else:
                yield name[1], Agreement(pixels=1, masks=False)  # made by one engine alone


def _same_keys(first: Plan, second: Plan) -> None:
    for one, other in zip(first.tasks, second.tasks, strict=True):
        if one.order.key != other.order.key:
            raise EngineError(
                f"{one.task}: both engines would make different products: their keys differ",
                "The files must be the scenes that the collection has, in the same release.",
            )


def _inside(grid: Grid) -> tuple[float, float, float, float]:
    west, south, east, north = geographic_bounds(grid)
    across, along = (east - west) / INSIDE, (north - south) / INSIDE
    return west + across, south + along, east - across, north - along


def _words(files: Sequence[Path], scenes: Path | None) -> str:
    what = "simulated" if scenes is None else f"of {scenes.name}"
    return f"{len(files)} files {what}"


def _certificate(
    found: Mapping[str, Sequence[Agreement]], *, kinds: Collection[str], against: Against, scenes: str
) -> Certificate:
    return Certificate(
        algorithms={kind.name: kind.version for kind in (COMPOSITE, SERIES) if kind.name in kinds},
        made=datetime.now(UTC).replace(microsecond=0),
        against=against,
        versions={name: metadata.version(name) for name in PACKAGES},
        scenes=scenes,
        covers={name: total(found[name]) for name in sorted(found)},
    )
