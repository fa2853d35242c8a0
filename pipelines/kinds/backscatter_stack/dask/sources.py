"""What the reader of each source format finds, for a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.region import Region
from infra.storage import Location, S3Options
from pipelines.kinds.backscatter_stack.sources import GeoTiff, Hyp3Rtc, NisarGcov, OperaRtc, ZarrStore
from pipelines.kinds.binding import Request

if TYPE_CHECKING:
    from dask_jobs.scenes import Found
    from pipelines.kinds.backscatter_stack.spec import BackscatterStack


@dataclass(frozen=True, kw_only=True)
class Search:
    """What every reader is asked.

    Attributes
    ----------
    paths : absolute paths, globs and s3:// URLs
    polarizations : that every scene must have, None for those that there are
    cache : file that remembers fingerprints of unchanged local files
    period, region : of the job. What is outside is left out after the reader; one whose choice depends on what is inside, or that
        spares itself files by it, may look.
    """

    paths: list[str]
    polarizations: list[str] | None
    s3: S3Options
    cache: Path
    period: tuple[datetime, datetime] | None
    region: Region | None


def source_s3(parameters: BackscatterStack, default: S3Options) -> S3Options:
    """How the source's bucket is reached: as the settings say, or otherwise where the source says so."""
    own = parameters.source.s3
    return own.options(default) if own else default


def source_paths(parameters: BackscatterStack) -> list[str]:
    """Places of the source, as the job names them."""
    given = parameters.source.path
    return [given] if isinstance(given, str) else list(given)


def found_scenes(parameters: BackscatterStack, request: Request) -> Found:
    """Scenes that the source's reader found within area and period, and what was left out."""
    from dask_jobs.passes import drop_outside, filter_period
    from dask_jobs.readers.sentinel1_orbits import check_times_of_one_orbit

    source = parameters.source
    s3 = source_s3(parameters, request.output.s3)
    search = Search(
        paths=[Location.parse(path, base=request.folder, s3=s3).url for path in source_paths(parameters)],
        polarizations=parameters.polarizations,
        s3=s3,
        cache=Path(request.settings.state_dir) / "fingerprints.json",
        period=request.period,
        region=request.region,
    )
    found = READERS[type(source)](source, search)
    if request.period is not None:
        found = filter_period(found, start=request.period[0], end=request.period[1])
    found = drop_outside(found, request.region)
    if isinstance(source, Hyp3Rtc | ZarrStore) and parameters.orbits != "mixed":
        check_times_of_one_orbit(found.scenes)
    return found


def _opera(source: OperaRtc, search: Search) -> Found:
    from dask_jobs.readers import opera

    del source
    return opera.find(search.paths, polarizations=search.polarizations, s3=search.s3, cache=search.cache)


def _hyp3(source: Hyp3Rtc, search: Search) -> Found:
    from dask_jobs.readers import hyp3_rtc

    del source
    return hyp3_rtc.find(
        search.paths,
        polarizations=search.polarizations,
        period=search.period,
        region=search.region,
        s3=search.s3,
        cache=search.cache,
    )


def _nisar(source: NisarGcov, search: Search) -> Found:
    from dask_jobs.readers import nisar_gcov

    return nisar_gcov.find(
        search.paths,
        choice=nisar_gcov.GcovChoice(
            frequency=source.frequency,
            polarizations=search.polarizations,
            maturity=source.maturity,
            radiometry=source.radiometry,
        ),
        period=search.period,
        region=search.region,
        s3=search.s3,
        cache=search.cache,
    )


def _zarr(source: ZarrStore, search: Search) -> Found:
    from dask_jobs.readers import zarr_store
    from dask_jobs.readers.file_names import FileNames
    from dask_jobs.scenes import Scale

    return zarr_store.find(
        search.paths,
        layout=source.layout,
        values=zarr_store.StoreValues(
            scale=Scale(source.scale) if source.scale else None,
            calibration_db=source.calibration_db,
            nodata=source.nodata,
            quantity=source.radiometry,
            crs=source.crs,
            variables={str(band): name for band, name in source.variables.items()} if source.variables else None,
            date_format=source.date_format,
        ),
        names=FileNames(pattern=source.pattern, date_format=source.date_format) if source.pattern else None,
        polarizations=search.polarizations,
        within=(search.period, search.region),
        s3=search.s3,
        cache=search.cache,
    )


def _geotiffs(source: GeoTiff, search: Search) -> Found:
    from dask_jobs.readers import geotiff
    from dask_jobs.readers.file_names import FileNames
    from dask_jobs.scenes import Radiometry, Scale

    return geotiff.find(
        search.paths,
        names=FileNames(pattern=source.pattern, date_format=source.date_format),
        values=geotiff.PixelValues(
            scale=Scale(source.scale),
            calibration_db=source.calibration_db,
            nodata=source.nodata,
            radiometry=Radiometry(quantity=source.radiometry),
        ),
        polarizations=[source.polarization] if source.polarization else search.polarizations,
        s3=search.s3,
        cache=search.cache,
    )


READERS: dict[type[Any], Callable[[Any, Search], Found]] = {
    OperaRtc: _opera,
    Hyp3Rtc: _hyp3,
    NisarGcov: _nisar,
    ZarrStore: _zarr,
    GeoTiff: _geotiffs,
}
