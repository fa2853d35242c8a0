"""NISAR GCOV: which frames and releases are used, and that pixels come from where the file says they are."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from gcov_files import (
    BASE,
    GRIDS,
    SAMPLE,
    START,
    copied,
    cut_rows,
    edited,
    gcov_name,
    grid_of,
    layer,
    on_grid,
    power,
    write_gcov,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from dask_jobs.backscatter import mosaic
from dask_jobs.passes import check_lattice, group_passes, stack_grid
from dask_jobs.readers.files import SourceFile
from dask_jobs.readers.gcov_name import GcovName, decode, maturity
from dask_jobs.readers.hdf5_pixels import GAP, LONGEST, Chunk, runs
from dask_jobs.readers.hdf5_references import read_table
from dask_jobs.readers.nisar_gcov import GcovChoice, find
from dask_jobs.readers.pixels import read_pixels
from dask_jobs.readers.ranged_file import RangedFile, place_of
from dask_jobs.scenes import Container, Found, Raster, Scene
from infra.errors import InputError, LatticeError
from infra.grid import Grid, Window
from infra.region import Region
from infra.storage import S3Options

S3 = S3Options()
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the GCOV sample is not at ../shared/data")


def found(*paths: Path, period: tuple[date, date] | None = None, region: Region | None = None, **choice: Any) -> Found:
    return find([str(p) for p in paths], choice=GcovChoice(**choice), period=period, region=region, s3=S3)


def reasons(found: Found) -> dict[str, str]:
    return {Path(row.path).name: row.reason for row in found.dropped}


def stacked(found: Found, polarization: str, *, extent: Any = "union") -> tuple[Grid, np.ndarray]:
    """All passes of what was found, dims (time, y, x), as the stack writer reads them."""
    grid = stack_grid(found.scenes, extent=extent)
    passes = group_passes(found.scenes)
    return grid, np.stack([mosaic(p, polarization, target=grid, window=grid.full, s3=S3)[0] for p in passes])


def named(**fields: Any) -> GcovName:
    name = decode(SourceFile(f"/data/{gcov_name(**fields)}", 1))
    assert name is not None
    return name


# ------------------------------------------------------------------------------------------- names and releases


def test_a_name_decodes() -> None:
    name = named(cycle=7, track=172, frame=65, mode="4005", crid="P05023", counter=2, coverage="P")
    assert (name.cycle, name.track, name.direction, name.frame) == (7, 172, "A", 65)
    assert (name.mode, name.polarizations, name.start, name.coverage) == ("4005", "DHDH", START, "P")
    assert name.scene == "NISAR_007_172_A_065_4005_DHDH_20260622T234739"
    assert name.release == "P05023_002"
    assert named(processing="UR").release == "UR_P05023_001"


@pytest.mark.parametrize(
    "name", ["x.h5", gcov_name().replace("GCOV", "GSLC"), gcov_name()[:-3] + "_QA_STATS.h5", gcov_name()[:-3] + ".tif"]
)
def test_a_foreign_name_does_not(name: str) -> None:
    assert decode(SourceFile(f"/data/{name}", 1)) is None


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"crid": "P05009"}, {"crid": "P05010"}),
        ({"crid": "P05023", "counter": 9}, {"crid": "P05024", "counter": 1}),
        ({"counter": 2}, {"counter": 10}),
        ({"crid": "X05010"}, {"crid": "P05023"}),  # as text the X comes last
        ({"processing": "UR", "crid": "P05030", "counter": 3}, {"processing": "PR", "crid": "P05023"}),
        ({"processing": "OD"}, {"processing": "PR"}),
        ({"coverage": "P"}, {"coverage": "F"}),
        ({"accuracy": "F"}, {"accuracy": "P"}),
    ],
)
def test_releases_are_ordered_by_numbers(worse: dict[str, Any], better: dict[str, Any]) -> None:
    assert named(**worse).age < named(**better).age


@pytest.mark.parametrize(
    ("crid", "folder", "doi", "expected"),
    [
        ("X05009", "", "", "beta"),
        ("X06000", "", "", "beta"),
        ("P05006", "", "", "beta"),
        ("P05023", "", "", "provisional"),
        ("P05023", "/NISAR_L2_GCOV_BETA_V1", "", "beta"),
        ("X05009", "/NISAR_L2_GCOV_PROVISIONAL_V1", "", "provisional"),
        ("P06000", "/NISAR_L2_GCOV_V1", "", "validated"),
        ("P05023", "/NISAR_L2_GCOV_BETA_V1", "10.5067/NIL2GCOV-P1", "provisional"),  # the file itself says it
        ("P06000", "", "https://doi.org/10.5067/NIL2GCOV-V1", "validated"),
        ("P05023", "", "10.5067/NIL2GCOV-B1", "beta"),
    ],
)
def test_maturity_by_doi_then_collection_then_crid(crid: str, folder: str, doi: str, expected: str) -> None:
    name = decode(SourceFile(f"s3://bucket{folder}/{gcov_name(crid=crid)}", 1))
    assert name is not None
    assert maturity(name, doi=doi) == expected


def test_the_best_release_of_each_scene_is_used(tmp_path: Path) -> None:
    write_gcov(tmp_path, crid="P05023", counter=1)
    write_gcov(tmp_path, crid="P05023", counter=2)
    write_gcov(tmp_path, crid="P05030", counter=1)
    write_gcov(tmp_path, crid="P05031", processing="UR")
    write_gcov(tmp_path, crid="X05099", counter=7)
    write_gcov(tmp_path, day=12)
    got = found(tmp_path)
    assert [s.release for s in got.scenes] == ["P05030_001", "P05023_001"]
    scene = "NISAR_006_026_A_016_2005_DHDH_20260622T234739"
    assert reasons(got) == {
        gcov_name(counter=1): f"release P05023_001 is superseded by P05030_001 of {scene}",
        gcov_name(counter=2): f"release P05023_002 is superseded by P05030_001 of {scene}",
        gcov_name(crid="P05031", processing="UR"): f"release UR_P05031_001 is superseded by P05030_001 of {scene}",
        gcov_name(crid="X05099", counter=7): f"X05099_007 is beta: the provisional release of {scene} is used",
    }


def test_maturities_are_never_mixed(tmp_path: Path) -> None:
    write_gcov(tmp_path, day=0, crid="X05010")  # only as beta
    write_gcov(tmp_path, day=12, crid="X05010")
    write_gcov(tmp_path, day=12)
    write_gcov(tmp_path, day=24, doi="10.5067/NIL2GCOV-V1")
    only = {"highest": [24], "validated": [24], "provisional": [12], "beta": [0, 12]}
    for asked, days in only.items():
        got = found(tmp_path, maturity=asked)
        assert [(s.time.date() - START.date()).days for s in got.scenes] == days, asked
        assert len(got.dropped) == 4 - len(days)
    assert (
        "X05010_001 is beta: the others are validated, and the two are never mixed" in reasons(found(tmp_path)).values()
    )
    assert "P05023_001 is provisional: the job asks for beta" in reasons(found(tmp_path, maturity="beta")).values()


def test_the_highest_maturity_counts_among_frames_that_could_be_used(tmp_path: Path) -> None:
    write_gcov(tmp_path, day=0, crid="X05010")
    write_gcov(tmp_path, day=12, grid=BASE.crop(Window(0, 10_000, 48, 40)))  # provisional, elsewhere
    write_gcov(tmp_path, day=24)  # provisional, later
    write_gcov(tmp_path, day=2, terms={"VVVV": 0.1}, pols="SVSV")  # provisional, other polarization
    here = Region.from_wkt(box(83.93, 28.43, 83.95, 28.45).wkt)
    got = found(tmp_path, period=(date(2026, 6, 1), date(2026, 7, 10)), region=here, polarizations=["HH"])
    assert [s.release for s in got.scenes] == ["X05010_001"]
    said = list(reasons(got).values())
    assert len(said) == 3
    for words in (
        "does not touch the area",
        "is after the period, which ends before 2026-07-10",
        "lacks HH (it has VV)",
    ):
        assert any(words in reason for reason in said), words


def test_where_nothing_is_inside_the_caller_may_say_so(tmp_path: Path) -> None:
    write_gcov(tmp_path)
    assert found(tmp_path, period=(date(2030, 1, 1), date(2031, 1, 1))).scenes
    assert found(tmp_path, region=Region.from_wkt(box(0, 0, 1, 1).wkt)).scenes


def test_the_same_frame_twice_is_used_once(tmp_path: Path) -> None:
    first = write_gcov(tmp_path / "a")
    copied(first, tmp_path / "b")
    got = found(tmp_path)
    assert len(got.scenes) == 1
    (row,) = got.dropped
    assert row.reason.startswith("the same frame as ")
    assert Path(row.path) != Path(next(iter(got.scenes[0].rasters.values())).url)


def test_foreign_files_are_left_out_with_a_reason(tmp_path: Path) -> None:
    path = write_gcov(tmp_path)
    (tmp_path / "other.h5").write_bytes(b"x")
    (tmp_path / path.name.replace(".h5", "_QA_STATS.h5")).write_bytes(b"x")
    (tmp_path / path.name.replace(".h5", ".png")).write_bytes(b"x")
    assert reasons(found(tmp_path)) == {"other.h5": "the name is not that of a NISAR GCOV frame"}


# ---------------------------------------------------------------------------------------------------------- scenes


def test_a_scene_says_what_the_file_says(tmp_path: Path) -> None:
    path = write_gcov(tmp_path, day=12)
    (scene,) = found(tmp_path).scenes
    assert scene.time == datetime(2026, 7, 4, 23, 47, 39, 250_000, tzinfo=UTC)
    assert scene.grid == BASE
    assert (scene.platform, scene.absolute_orbit, scene.relative_orbit) == ("NISAR", 2211, 26)
    assert (scene.pass_direction, scene.look_direction) == ("ascending", "left")
    assert scene.radiometry.quantity == "gamma0_terrain"
    assert sorted(scene.rasters) == ["HH", "HV"]
    assert scene.size == path.stat().st_size  # one file, though HH, HV and the mask are of it
    assert Scene.from_json(scene.to_json()) == scene


def test_polarizations_are_those_of_most_frames_or_those_asked_for(tmp_path: Path) -> None:
    quad = {"HHHH": 0.1, "HVHV": 0.02, "VHVH": 0.03, "VVVV": 0.2, "HHVV": np.complex64(0.1j)}
    write_gcov(tmp_path, day=0)
    write_gcov(tmp_path, day=12)
    write_gcov(tmp_path, day=24, terms=quad, pols="QPDH")
    write_gcov(tmp_path, day=36, terms={"HHHH": 0.1}, pols="SHSH")
    got = found(tmp_path)
    assert [sorted(s.rasters) for s in got.scenes] == [["HH", "HV"]] * 3
    assert list(reasons(got).values()) == ["lacks HV (it has HH)"]
    assert len(found(tmp_path, polarizations=["hh"]).scenes) == 4
    (scene,) = found(tmp_path, polarizations=["HH", "HV", "VH", "VV"]).scenes
    for polarization, value in {"HH": 0.1, "HV": 0.02, "VH": 0.03, "VV": 0.2}.items():
        _, values = stacked(Found(scenes=(scene,)), polarization)
        assert (values == np.float32(value)).all()


def test_mask_values_are_sub_swaths_and_only_0_and_255_invalid(tmp_path: Path) -> None:
    mask = np.ones(BASE.shape, "u1")
    for row, value in enumerate((0, 255, 2, 3, 5)):
        mask[row] = value
    write_gcov(tmp_path, mask=mask)
    _, (hh,) = stacked(found(tmp_path), "HH")
    assert np.isnan(hh[:2]).all()
    assert (hh[2:] == np.float32(0.1)).all()


def test_sigma_nought_is_gamma_nought_times_the_factor(tmp_path: Path) -> None:
    path = write_gcov(tmp_path)
    got = found(tmp_path, radiometry="sigma0_terrain")
    assert got.scenes[0].radiometry.quantity == "sigma0_terrain"
    _, (hh,) = stacked(got, "HH")
    np.testing.assert_allclose(hh, layer(path, "HHHH") * layer(path, "rtcGammaToSigmaFactor"), rtol=1e-6)
    _, (gamma,) = stacked(found(tmp_path), "HH")
    np.testing.assert_array_equal(gamma, layer(path, "HHHH"))


def test_frequency_b_has_its_own_grid(tmp_path: Path) -> None:
    path = write_gcov(tmp_path, terms={"HHHH": np.arange(BASE.pixels, dtype="f4").reshape(BASE.shape)})
    grid, (hh,) = stacked(found(tmp_path, frequency="B"), "HH")
    assert (grid.dx, grid.shape, grid.left, grid.top) == (80.0, (12, 10), BASE.left, BASE.top)
    np.testing.assert_array_equal(hh, layer(path, "HHHH", "B"))


def test_frames_without_the_frequency_are_left_out(tmp_path: Path) -> None:
    write_gcov(tmp_path, day=0)
    with edited(write_gcov(tmp_path, day=12)) as file:
        del file[f"{GRIDS}/frequencyB"]
    got = found(tmp_path, frequency="B")
    assert len(got.scenes) == 1
    assert list(reasons(got).values()) == ["has no frequency B (it has A)"]


def test_modes_that_share_the_bandwidth_of_the_frequency_make_one_stack(tmp_path: Path) -> None:
    write_gcov(tmp_path, day=0, mode="2005")
    write_gcov(tmp_path, day=12, mode="4005")
    assert len(found(tmp_path, frequency="B").scenes) == 2
    with pytest.raises(InputError, match="20 MHz in mode 2005"):
        found(tmp_path, frequency="A")


def test_partial_frames_are_used_where_they_have_data(tmp_path: Path) -> None:
    full = write_gcov(tmp_path, day=0)
    part = BASE.crop(Window(16, 0, 32, 40))
    write_gcov(tmp_path, day=12, grid=part, coverage="P", terms={"HHHH": 0.3, "HVHV": 0.1})
    grid, hh = stacked(found(tmp_path), "HH")
    assert grid == grid_of(full)
    assert np.isnan(hh[1, :16]).all()
    assert (hh[1, 16:] == np.float32(0.3)).all()


@needs_sample
def test_frames_of_one_pass_are_mosaicked_on_their_lattice(tmp_path: Path) -> None:
    whole = min(SAMPLE.glob("*.h5"))
    cut_rows(whole, tmp_path, slice(0, 150), frame=16)
    cut_rows(whole, tmp_path, slice(110, 256), frame=17)
    got = found(tmp_path)
    assert len(got.scenes) == 2
    assert len(group_passes(got.scenes)) == 1
    grid, (hh,) = stacked(got, "HH")
    assert grid == grid_of(whole)
    np.testing.assert_array_equal(hh, power(whole))


# ---------------------------------------------------------------------------------------------------------- lattice


@needs_sample
@pytest.mark.parametrize("extent", ["union", "intersection"])
def test_the_shifted_date_lies_where_its_coordinates_say(extent: str) -> None:
    got = found(SAMPLE)
    grid, hh = stacked(got, "HH", extent=extent)
    # shifted by +64 rows, -32 columns: the union is as much larger, the intersection as much smaller
    assert grid.shape == ((320, 288) if extent == "union" else (192, 224))
    for number, scene in enumerate(got.scenes):
        path = Path(scene.rasters["HH"].url)
        np.testing.assert_array_equal(hh[number], on_grid(power(path), grid_of(path), grid))
    classes = np.load(SAMPLE / "truth_classes.npy").astype("f4")
    here = on_grid(classes, grid_of(min(SAMPLE.glob("*.h5"))), grid)
    (shifted,) = (n for n, s in enumerate(got.scenes) if s.grid.top != got.scenes[0].grid.top)
    assert np.nanmean(hh[shifted][here == 1]) == pytest.approx(0.006, rel=0.03)  # water, 14 dB darker than all else
    assert np.nanmean(hh[shifted][here == 0]) == pytest.approx(0.16, rel=0.03)


@needs_sample
def test_a_half_pixel_is_refused_naming_both_files(tmp_path: Path) -> None:
    files = sorted(SAMPLE.glob("*P05023*.h5"))
    first, other = (copied(files[n], tmp_path) for n in (0, -1))
    shift_half_a_pixel(other)
    with pytest.raises(LatticeError) as refused:
        check_lattice(found(tmp_path).scenes)
    assert first.name in refused.value.message
    assert other.name in refused.value.message
    assert "0.500 pixel (x) and 0.500 pixel (y)" in refused.value.message


def shift_half_a_pixel(path: Path) -> None:
    with edited(path) as file:
        for axis in "xy":
            file[f"{GRIDS}/frequencyA/{axis}Coordinates"][...] += 10.0


# ------------------------------------------------------------------------------------------------------------ pixels


def raster_of(path: Path, term: str = "HHHH") -> Raster:
    return Raster(url=str(path), container=Container.HDF5, dataset=f"{GRIDS}/frequencyA/{term}")


@pytest.fixture(scope="module")
def speckled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = np.random.default_rng(7).gamma(8.0, 0.01, BASE.shape).astype("f4")
    return write_gcov(tmp_path_factory.mktemp("speckled"), terms={"HHHH": values, "HVHV": values / 4})


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_window_holds_what_h5py_reads(speckled: Path, data: st.DataObject) -> None:
    row, col = data.draw(st.integers(0, BASE.height - 1)), data.draw(st.integers(0, BASE.width - 1))
    height, width = data.draw(st.integers(1, BASE.height - row)), data.draw(st.integers(1, BASE.width - col))
    window = Window(row, col, height, width)
    for term in ("HHHH", "mask"):
        values, valid = read_pixels(raster_of(speckled, term), grid=BASE, window=window, s3=S3)
        expected = layer(speckled, term)[window.slices]
        np.testing.assert_array_equal(values, expected)
        assert values.dtype == expected.dtype
        assert valid.all()


def test_chunks_that_were_never_written_hold_the_fill_value(tmp_path: Path) -> None:
    path = write_gcov(tmp_path)
    with edited(path) as file:
        group = file[f"{GRIDS}/frequencyA"]
        del group["HHHH"]
        array = group.create_dataset("HHHH", BASE.shape, "f4", chunks=(16, 16), compression="gzip", fillvalue=np.nan)
        array[20:24, 20:24] = 0.5
    values, _ = read_pixels(raster_of(path), grid=BASE, window=BASE.full, s3=S3)
    np.testing.assert_array_equal(values, layer(path, "HHHH"))
    assert np.count_nonzero(values == 0.5) == 16


@needs_sample
@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr version 3")
@pytest.mark.parametrize("term", ["HHHH", "mask"])
def test_chunks_lie_where_virtualizarr_finds_them(term: str) -> None:
    from obspec_utils.registry import ObjectStoreRegistry
    from obstore.store import LocalStore
    from virtualizarr.parsers import HDFParser

    path = min(SAMPLE.glob("*.h5"))
    parser = HDFParser(group=f"{GRIDS}/frequencyA", drop_variables=["listOfPolarizations", "listOfCovarianceTerms"])
    with parser(f"file://{path}", ObjectStoreRegistry({"file://": LocalStore()})).to_virtual_dataset() as theirs:
        entries = theirs[term].data.manifest.dict()
    ours = read_table(RangedFile(*place_of(str(path), s3=S3)), f"{GRIDS}/frequencyA/{term}")
    assert len(entries) == ours.offsets.size
    for key, entry in entries.items():
        at = tuple(map(int, key.split(".")))
        assert (entry["offset"], entry["length"]) == (ours.offsets[at], ours.lengths[at])


def test_neighbouring_chunks_are_fetched_together() -> None:
    def lengths(*chunks: tuple[int, int]) -> list[int]:
        return [
            len(r) for r in runs([Chunk(row=0, col=n, offset=o, length=size) for n, (o, size) in enumerate(chunks)])
        ]

    assert lengths((0, 100), (100, 100), (250, 10)) == [3]
    assert lengths((0, 100), (100 + GAP, 10)) == [2]
    assert lengths((0, 100), (101 + GAP, 10)) == [1, 1]
    assert lengths((0, LONGEST), (LONGEST, 1)) == [1, 1]
    assert lengths() == []


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = write_gcov(tmp_path, terms={"HHHH": 0.1, "HVHV": 0.1})
    assert (read_pixels(raster_of(path), grid=BASE, window=BASE.full, s3=S3)[0] == np.float32(0.1)).all()
    path.unlink()
    noise = np.random.default_rng(1).random(BASE.shape).astype("f4")  # packs worse: every chunk lies elsewhere
    write_gcov(tmp_path, terms={"HHHH": noise, "HVHV": 0.1})
    np.testing.assert_array_equal(read_pixels(raster_of(path), grid=BASE, window=BASE.full, s3=S3)[0], noise)


@pytest.mark.parametrize("other", [Window(1, 0, 48, 40), Window(0, 0, 47, 40)])
def test_a_file_on_another_grid_than_planned_is_refused(tmp_path: Path, other: Window) -> None:
    path = write_gcov(tmp_path, grid=BASE.crop(other))
    with pytest.raises(InputError, match="has changed: it is not on the grid that it was planned with"):
        read_pixels(raster_of(path), grid=BASE, window=BASE.full, s3=S3)


def test_nothing_is_fetched_while_the_hdf5_library_holds_its_lock(tmp_path: Path) -> None:
    """Fetching takes as long as the network does: another thread must be able to use the library meanwhile."""
    path, other = write_gcov(tmp_path), write_gcov(tmp_path, day=12)
    place, name = place_of(str(path), s3=S3)
    free: list[bool] = []

    class Slow(type(place)):  # type: ignore[misc]  # the class of a value
        def read_unchanged(self, *args: Any, **options: Any) -> bytes | None:
            thread = threading.Thread(target=lambda: h5py.File(other).close(), daemon=True)
            thread.start()
            thread.join(5)
            free.append(not thread.is_alive())
            return super().read_unchanged(*args, **options)

    assert RangedFile(Slow(place.url, place.s3), name).answer(lambda file: f"{GRIDS}/frequencyA" in file)
    assert free
    assert all(free)


def test_a_missing_piece_is_never_taken_for_a_missing_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever catches the failure of a piece that is not here yet still gets the answer that the whole file gives."""
    monkeypatch.setattr("dask_jobs.readers.ranged_file.BLOCK", 256)
    path = write_gcov(tmp_path)

    def names(file: h5py.File) -> list[str]:
        try:
            return sorted(file[GRIDS])
        except OSError:
            return []

    assert RangedFile(*place_of(str(path), s3=S3)).answer(names) == ["frequencyA", "frequencyB"]


def test_headers_are_read_in_few_small_pieces() -> None:
    """A file's metadata lies in few places: no page of 4 MiB, and no pixel, is fetched for it."""
    if not SAMPLE.is_dir():
        pytest.skip("the GCOV sample is not at ../shared/data")
    file = RangedFile(*place_of(str(min(SAMPLE.glob("*.h5"))), s3=S3))
    read_table(file, f"{GRIDS}/frequencyA/HHHH")
    read_table(file, f"{GRIDS}/frequencyA/mask")
    assert file.fetched <= 256 * 2**10
    assert file.requests <= 4


def test_a_start_in_the_name_that_is_no_date(tmp_path: Path) -> None:
    path = write_gcov(tmp_path)
    path.rename(path.with_name(path.name.replace("20260622T234739", "20269922T234739")))
    with pytest.raises(InputError, match="20269922T234739 is no date"):
        found(tmp_path)


def test_cycles_of_one_track_are_passes_of_their_own(tmp_path: Path) -> None:
    for day in (0, 12, 24):
        write_gcov(tmp_path, day=day, start=START + timedelta(days=day))
    assert len(group_passes(found(tmp_path).scenes)) == 3
