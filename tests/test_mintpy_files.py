"""MintPy's files: attributes as MintPy wrote them for the same interferograms, values by h5py, equal bytes, bounded memory."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from mintpy_sample import (
    GRID,
    SAMPLE,
    analysis,
    day,
    first_pair,
    mintpy_arrays,
    mintpy_attributes,
    write_sample,
)

from dask_jobs.interferograms import Interferogram, Sensing
from dask_jobs.mintpy import files
from dask_jobs.mintpy.attributes import Analysis, common_attributes, file_attributes
from dask_jobs.mintpy.files import strips, write_pairs, write_raster_file, write_timeseries
from dask_jobs.mintpy.kinds import FILES, file_kind
from dask_jobs.sbas.pairs import Pairs
from infra.errors import InputError
from infra.grid import Grid, Window

needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of interferograms is not at ../shared/data")
STACK = "ifgramStack.h5"
NAMES = (*(name for name in FILES if name != STACK), "timeseries.h5", "timeseries_tropHgt.h5")
SERIES = ("timeseries_tropHgt_demErr.h5", "timeseriesResidual.h5", "timeseriesResidual_ramp.h5")
EXCEPTIONS = {  # file to attributes that are not as MintPy has them
    "avgSpatialCoh.h5": {"MODIFICATION_TIME"},  # equal content, equal bytes
    "avgPhaseVelocity.h5": {"MODIFICATION_TIME", "UNIT"},  # MintPy writes no unit; ours is m/year
}
DATES = (date(2024, 1, 3), date(2024, 1, 15), date(2024, 1, 27))


@needs_sample
@pytest.mark.parametrize("name", [STACK, *NAMES, *SERIES])
def test_attributes_are_those_that_mintpy_wrote(name: str) -> None:
    theirs = {key: text for key, text in mintpy_attributes()[name].items() if key != "__datasets__"}
    ours = file_attributes(name, analysis(mintpy_arrays(), file=name))
    assert {k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k)} == EXCEPTIONS.get(name, set())


@needs_sample
def test_every_file_of_the_sample_is_in_the_table() -> None:
    assert set(mintpy_attributes()) == {STACK, *NAMES, *SERIES}


@needs_sample
@pytest.mark.parametrize("name", [*NAMES, *SERIES])
def test_values_come_back_as_mintpy_has_them(name: str, tmp_path: Path) -> None:
    arrays = mintpy_arrays()
    with h5py.File(write_sample(tmp_path, name, arrays)) as file:
        layout = {key: [str(data.dtype), list(data.shape)] for key, data in file.items()}
        assert layout == mintpy_attributes()[name]["__datasets__"]
        assert dict(file.attrs) == file_attributes(name, analysis(arrays, file=name))
        for key, data in file.items():
            np.testing.assert_array_equal(data[()], arrays[f"{name.removesuffix('.h5')}/{key}"])


@needs_sample
def test_units_of_a_fit_stand_at_its_datasets(tmp_path: Path) -> None:
    with h5py.File(write_sample(tmp_path, "velocity.h5", mintpy_arrays())) as file:
        units = {key: data.attrs["UNIT"] for key, data in file.items()}
    assert units == dict.fromkeys(("intercept", "interceptStd", "residue"), "m") | dict.fromkeys(
        ("velocity", "velocityStd"), "m/year"
    )


@needs_sample
def test_geometry_is_packed_as_mintpy_packs_it(tmp_path: Path) -> None:
    with h5py.File(write_sample(tmp_path, "geometryGeo.h5", mintpy_arrays())) as file:
        assert {data.compression for data in file.values()} == {"lzf"}


@needs_sample
def test_a_burst_ends_when_its_name_does_not_say() -> None:
    bursts = "S1_136231_IW2_20200604T022315_VV_7C85-BURST, S1_136230_IW2_20200604T022312_VV_7C85-BURST"
    sensing = replace(first_pair().sensing, reference_granule=bursts, swaths="2", relative_orbit=None)
    made = common_attributes(sensing, grid=GRID, reference=datetime(2020, 6, 4, tzinfo=UTC))
    assert made["startUTC"] == "2020-06-04 02:23:12.000000"
    assert made["beam_swath"] == "2"
    assert {"stopUTC", "relative_orbit"}.isdisjoint(made)


def sensing(**other: object) -> Sensing:
    made = Sensing(
        processor="gamma",
        platform="S1A",
        mode="IW",
        swaths="123",
        polarization="VV",
        pass_direction="ascending",
        relative_orbit=13,
        absolute_orbit=20035,
        reference_granule="",
        secondary_granule="",
        range_looks=20,
        azimuth_looks=4,
        earth_radius=6_371_229.7,
        spacecraft_height=699_570.5,
        slant_range_near=846_000.0,
        heading=-12.64,
        centre_seconds=49_380.0,
        unwrapping="mcf",
    )
    return replace(made, **other)  # type: ignore[arg-type]


def small_grid(height: int = 6, width: int = 5, *, crs: str = "EPSG:32611") -> Grid:
    return Grid(crs=crs, left=100.0, top=1000.0, dx=40.0, dy=80.0, height=height, width=width)


def small_analysis(grid: Grid, **other: object) -> Analysis:
    first = Interferogram(
        id="a",
        release="a",
        product="a",
        reference=datetime(2024, 1, 3, 5, 6, 7, tzinfo=UTC),
        secondary=datetime(2024, 1, 15, tzinfo=UTC),
        grid=grid,
        rasters={},
        geometry={},
        perpendicular_baseline=-1.5,
        sensing=sensing(**other),
    )
    return Analysis(first=first, grid=grid, dates=DATES, reference_pixel=(2, 1), reference_date=DATES[1])


def corners(made: dict[str, str]) -> list[tuple[float, float]]:
    return [(float(made[f"LAT_REF{n}"]), float(made[f"LON_REF{n}"])) for n in (1, 2, 3, 4)]


def test_the_first_line_and_the_near_range_are_where_the_satellite_was() -> None:
    # 6 rows of 80 m below 1000, 5 columns of 40 m from 100. Northward: it starts in the south, and stands in the west
    north = common_attributes(sensing(), grid=small_grid(), reference=datetime(2024, 1, 3, tzinfo=UTC))
    assert corners(north) == [(520, 100), (520, 300), (1000, 100), (1000, 300)]
    south = common_attributes(
        sensing(pass_direction=None, heading=-167.4), grid=small_grid(), reference=datetime(2024, 1, 3, tzinfo=UTC)
    )
    assert (south["ORBIT_DIRECTION"], south["HEADING"]) == ("DESCENDING", "-167.4")
    assert corners(south) == [(1000, 300), (1000, 100), (520, 300), (520, 100)]


@pytest.mark.parametrize("heading", [347.36, -12.64, 12.0])
def test_a_heading_to_the_north_is_ascending_and_written_negative(heading: float) -> None:
    made = common_attributes(
        sensing(pass_direction=None, heading=heading), grid=small_grid(), reference=datetime(2024, 1, 3, tzinfo=UTC)
    )
    assert made["ORBIT_DIRECTION"] == "ASCENDING"
    assert float(made["HEADING"]) < 0
    assert math.isclose((float(made["HEADING"]) - heading) % 360, 0, abs_tol=1e-9) or math.isclose(
        (float(made["HEADING"]) - heading) % 360, 360
    )


@pytest.mark.parametrize(
    ("crs", "zone", "unit"),
    [
        ("EPSG:32611", "11N", "meters"),
        ("EPSG:32760", "60S", "meters"),
        ("EPSG:4326", None, "degrees"),
        ("EPSG:3031", None, "meters"),
    ],
)
def test_a_grid_says_its_zone_and_unit(crs: str, zone: str | None, unit: str) -> None:
    made = common_attributes(sensing(), grid=small_grid(crs=crs), reference=datetime(2024, 1, 3, tzinfo=UTC))
    assert made["EPSG"] == crs.removeprefix("EPSG:")
    assert made.get("UTM_ZONE") == zone
    assert (made["X_UNIT"], made["Y_UNIT"]) == (unit, unit)
    assert (made["X_FIRST"], made["Y_FIRST"], made["X_STEP"], made["Y_STEP"]) == ("100.0", "1000.0", "40.0", "-80.0")


def test_a_crs_without_code_is_refused() -> None:
    wkt = "+proj=laea +lat_0=12 +lon_0=3.5 +ellps=WGS84"
    with pytest.raises(InputError, match="EPSG"):
        common_attributes(sensing(), grid=small_grid(crs=wkt), reference=datetime(2024, 1, 3, tzinfo=UTC))


def test_the_reference_point_is_a_pixels_centre_and_dates_are_those_of_the_series() -> None:
    made = file_attributes("velocity.h5", small_analysis(small_grid()))
    assert (made["REF_Y"], made["REF_X"], made["REF_LAT"], made["REF_LON"]) == ("2", "1", "800.0", "160.0")
    assert (made["START_DATE"], made["END_DATE"], made["REF_DATE"]) == ("20240103", "20240127", "20240115")
    assert made["startUTC"] == "2024-01-03 05:06:07.000000"  # no granule: the start of sensing
    assert made["DATE12"] == "20240103_20240127"
    assert file_attributes("temporalCoherence.h5", small_analysis(small_grid()))["DATE12"] == "240103-240115"


def test_a_series_name_says_which_options_it_carries() -> None:
    options = {"topographicResidual.polyOrder": "2", "troposphericDelay.polyOrder": "1", "deramp": "linear"}
    case = replace(small_analysis(small_grid()), options=options)

    def carried(name: str) -> set[str]:
        return {key.removeprefix("mintpy.") for key in file_attributes(name, case) if key.startswith("mintpy.")}

    assert carried("timeseries.h5") == set()
    assert carried("timeseries_demErr.h5") == {"topographicResidual.polyOrder"}
    assert carried("timeseries_tropHgt.h5") == {"troposphericDelay.polyOrder"}
    assert carried("timeseries_tropHgt_ramp_demErr.h5") == set(options)


@pytest.mark.parametrize("name", ["velocities.h5", "timeseries.tif", "mytimeseries.h5"])
def test_an_unknown_file_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="no file"):
        file_kind(name)


@pytest.mark.parametrize(
    ("term", "unit"),
    [
        ("acceleration", "m/year^2"),
        ("annualAmplitude", "m"),
        ("semiAnnualPhase", "radian"),
        ("period0.25YAmplitude", "m"),
        ("step20180310Std", "m"),
        ("log20180310Tau60D", "m"),
        ("velocityPost20180310", "m/year"),
    ],
)
def test_further_terms_of_a_fit_have_units(term: str, unit: str) -> None:
    assert file_kind("velocity.h5").dataset(term).unit == unit
    with pytest.raises(InputError, match="no dataset"):
        file_kind("demErr.h5").dataset(term)


def write_series(path: Path, values: np.ndarray, *, read: Callable[[Window], np.ndarray] | None = None) -> None:
    write_timeseries(
        path,
        kind=file_kind("timeseries.h5"),
        attributes=file_attributes("timeseries.h5", small_analysis(small_grid(*values.shape[1:]))),
        dates=DATES,
        baselines=np.array([0.0, 10.0, -5.0]),
        read=read or (lambda window: values[(slice(None), *window.slices)]),
    )


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (129, 5), (200, 130)])
@pytest.mark.parametrize("strip", [1, 3 * 4 * 5 * 70, 2**20])
def test_strips_give_the_whole_series(
    shape: tuple[int, int], strip: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "STRIP_BYTES", strip)
    values = np.random.default_rng(1).normal(size=(3, *shape))
    values[1, 0, 0] = np.nan
    write_series(tmp_path / "timeseries.h5", values)
    with h5py.File(tmp_path / "timeseries.h5") as file:
        np.testing.assert_array_equal(file["timeseries"][()], np.nan_to_num(values).astype(np.float32))
        assert [day(text) for text in file["date"]] == list(DATES)
        np.testing.assert_array_equal(file["bperp"], np.float32([0, 10, -5]))


@pytest.mark.parametrize("size", [(10, 7), (1000, 30), (5, 2**20)])
def test_strips_cover_every_row_once_and_keep_to_their_bytes(size: tuple[int, int]) -> None:
    made = list(strips(*size, pixel_bytes=400))
    assert [row for w in made for row in range(w.row, w.row + w.height)] == list(range(size[0]))
    assert all(w.width == size[1] and (w.height == 1 or w.height * w.width * 400 <= files.STRIP_BYTES) for w in made)


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(3, 80, 9))
    for name in "ab":
        (tmp_path / name).mkdir()
        write_series(tmp_path / name / "timeseries.h5", values)
    assert (tmp_path / "a/timeseries.h5").read_bytes() == (tmp_path / "b/timeseries.h5").read_bytes()


def test_a_wrong_shape_is_no_silent_stretch(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shape"):
        write_series(tmp_path / "timeseries.h5", np.zeros((3, 4, 4)), read=lambda window: np.zeros((4, 4)))


def test_memory_is_that_of_a_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STRIP_BYTES", 2**20)
    shape = 3, 2048, 1024  # 24 MB
    tracemalloc.start()
    write_series(
        tmp_path / "timeseries.h5",
        np.broadcast_to(np.float32(1), shape),
        read=lambda window: np.ones((3, window.height, window.width), dtype=np.float32),
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * 2**20


def test_a_stack_of_pairs(tmp_path: Path) -> None:
    grid = small_grid(70, 6)
    pairs = Pairs(
        reference=(DATES[0], DATES[0], DATES[1]),
        secondary=(DATES[1], DATES[2], DATES[2]),
        perpendicular_baseline=(1.0, 2.0, 3.0),
    )
    phase = np.random.default_rng(3).normal(size=(3, *grid.shape)).astype(np.float32)
    phase[2, 5, 5] = np.nan
    labels = np.arange(phase.size).reshape(phase.shape) % 7
    changed = datetime(2024, 2, 1, tzinfo=UTC)
    write_pairs(
        tmp_path / STACK,
        kind=file_kind(STACK),
        attributes=file_attributes(STACK, small_analysis(grid)),
        pairs=pairs,
        read={
            "unwrapPhase": lambda pair, window: phase[(pair, *window.slices)],
            "connectComponent": lambda pair, window: labels[(pair, *window.slices)],
        },
        keep=np.array([True, False, True]),
        modified=changed,
    )
    with h5py.File(tmp_path / STACK, "r+") as file:
        np.testing.assert_array_equal(file["unwrapPhase"], np.nan_to_num(phase))
        np.testing.assert_array_equal(file["connectComponent"], labels)
        assert file["connectComponent"].dtype == np.int16
        assert file["date"][1].tolist() == [b"20240103", b"20240127"]
        assert file["dropIfgram"][()].tolist() == [True, False, True]  # True is kept
        assert float(file["unwrapPhase"].attrs["MODIFICATION_TIME"]) == changed.timestamp()
        for name in file:
            file[name].resize(4, axis=0)  # that is how MintPy appends


def test_rasters_keep_no_data_where_the_file_does(tmp_path: Path) -> None:
    grid = small_grid()
    values = np.arange(30, dtype=np.float64).reshape(grid.shape)
    values[0, 0] = np.nan

    def write(name: str, dataset: str) -> np.ndarray:
        attributes = file_attributes(name, small_analysis(grid))
        read = {dataset: lambda window: values[window.slices]}
        write_raster_file(tmp_path / name, kind=file_kind(name), attributes=attributes, read=read)
        with h5py.File(tmp_path / name) as file:
            return np.asarray(file[dataset][()])

    np.testing.assert_array_equal(write("velocity.h5", "velocity"), np.nan_to_num(values))
    np.testing.assert_array_equal(write("numTriNonzeroIntAmbiguity.h5", "mask"), values)
    np.testing.assert_array_equal(write("geometryGeo.h5", "incidenceAngle"), values)
    mask = write("maskTempCoh.h5", "mask")
    assert mask.dtype == bool
    assert not mask[0, 0]
    with pytest.raises(InputError, match="speed"):
        write("velocity.h5", "speed")
