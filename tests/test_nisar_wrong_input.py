"""NISAR GCOV files that are wrong: every one is refused before pixels are read, with words that name the file and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from gcov_files import BASE, GRIDS, IDENTIFICATION, PARAMETERS, edited, gcov_name, write_gcov

from dask_jobs.backscatter import read_power
from dask_jobs.passes import check_lattice
from dask_jobs.readers.nisar_gcov import GcovChoice, find
from dask_jobs.scenes import Container, Raster
from infra.errors import InputError, LatticeError
from infra.grid import Grid, Window
from infra.storage import S3Options

S3 = S3Options()
A = f"{GRIDS}/frequencyA"
NAME = gcov_name()


@dataclass(frozen=True, kw_only=True)
class Case:
    """A folder made wrong, what is asked of it, and what must be said."""

    arrange: Callable[[Path], object]
    says: str
    remedy: str
    choice: dict[str, Any] = field(default_factory=dict)


def shortened(to: int) -> Callable[[Path], None]:
    """The first `to` bytes, or all but the last `-to`."""

    def arrange(folder: Path) -> None:
        path = write_gcov(folder)
        path.write_bytes(path.read_bytes()[:to])

    return arrange


def instead(content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / NAME).write_bytes(content) and None


def changed(change: Callable[[h5py.File], object], **name: Any) -> Callable[[Path], None]:
    def arrange(folder: Path) -> None:
        with edited(write_gcov(folder, **name)) as file:
            change(file)

    return arrange


def replaced(path: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[path]
        if value is not None:
            file[path] = value

    return change


def of_gslc(file: h5py.File) -> None:
    file.move("science/LSAR/GCOV", "science/LSAR/GSLC")


def of_another_library(folder: Path) -> None:
    with h5py.File(folder / NAME, "w") as file:
        file["table"] = np.arange(3)


def bent(file: h5py.File) -> None:
    file[f"{A}/xCoordinates"][20:] += 5.0


def south_up(file: h5py.File) -> None:
    for name in ("yCoordinates", "yCoordinateSpacing"):
        file[f"{A}/{name}"][...] = -file[f"{A}/{name}"][()]


def mirrored(file: h5py.File) -> None:
    for name in ("xCoordinates", "xCoordinateSpacing"):
        file[f"{A}/{name}"][...] = -file[f"{A}/{name}"][()]


def elsewhere(code: int) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[f"{A}/projection"][...] = code
        file[f"{A}/projection"].attrs["epsg_code"] = code

    return change


def smaller_mask(file: h5py.File) -> None:
    replaced(f"{A}/mask", np.ones((4, 5), "u1"))(file)


def two(**second: Any) -> Callable[[Path], None]:
    def arrange(folder: Path) -> None:
        write_gcov(folder)
        write_gcov(folder, day=12, **second)

    return arrange


CROSS = {"HHHV": np.complex64(0.01 + 0.02j)}
FILE = "{folder}/" + NAME
AGAIN = "Download or copy the file again, or take it out of `path`."
OUT = "Take the file out of `path`."
CASES = {
    "truncated by one byte": Case(
        arrange=shortened(-1), says=FILE + " is truncated: it should have {size} bytes, and has {less}", remedy=AGAIN
    ),
    "truncated in the middle": Case(arrange=shortened(10_000), says="{size} bytes, and has 10000", remedy=AGAIN),
    "truncated in the metadata": Case(arrange=shortened(500), says="{size} bytes, and has 500", remedy=AGAIN),
    "truncated in the superblock": Case(arrange=shortened(40), says=FILE + " is damaged: ", remedy=AGAIN),
    "empty": Case(arrange=instead(b""), says=FILE + " is truncated: it is empty", remedy=AGAIN),
    "no HDF5": Case(arrange=instead(b"<html>Log in</html>" * 99), says=FILE + " is no HDF5 file", remedy=AGAIN),
    "HDF5 of something else": Case(
        arrange=of_another_library,
        says=FILE + " is no NISAR GCOV product of L band: it has no group /science/LSAR/GCOV/grids",
        remedy="Take it out of `path`.",
    ),
    "another product under a GCOV name": Case(
        arrange=changed(of_gslc),
        says=FILE + " is no NISAR GCOV product of L band: it holds GSLC",
        remedy="Take it out of `path`.",
    ),
    "name of another product": Case(
        arrange=lambda folder: (folder / NAME.replace("GCOV", "GSLC")).write_bytes(b"x"),
        says="path: no NISAR GCOV frame in {folder}",
        remedy="Expected are files named like NISAR_L2_PR_GCOV_006_026_A_016_2005_DHDH_A_",
    ),
    "name that does not decode": Case(
        arrange=lambda folder: write_gcov(folder).rename(folder / "nepal.h5"),
        says="path: no NISAR GCOV frame in {folder}",
        remedy="Expected are files named like",
    ),
    "empty folder": Case(
        arrange=lambda folder: None,
        says="path: no NISAR GCOV frame in {folder}",
        remedy="Expected are files named like",
    ),
    "name of another frame": Case(
        arrange=lambda folder: write_gcov(folder, frame=17).rename(folder / NAME),
        says=FILE + ": the name says track 26 frame 16, the file track 26 frame 17",
        remedy="Restore the file's original name, or take it out of `path`.",
    ),
    "no frequency B": Case(
        arrange=changed(lambda file: file.__delitem__(f"{GRIDS}/frequencyB")),
        choice={"frequency": "B"},
        says="frequency: no frame has frequency B; there is A",
        remedy="Ask for a frequency that is there, or give frames of another mode.",
    ),
    "no frequency A": Case(
        arrange=changed(lambda file: file.__delitem__(A), mode="0005", pols="NADV"),
        says="frequency: no frame has frequency A; there is B",
        remedy="Ask for a frequency that is there, or give frames of another mode.",
    ),
    "polarization that is not there": Case(
        arrange=write_gcov,
        choice={"polarizations": ["HH", "VV"]},
        says="polarizations: no frame has HH, VV; there are HH, HV",
        remedy="Ask for polarizations that are there.",
    ),
    "complex terms only": Case(
        arrange=lambda folder: write_gcov(folder, terms=CROSS),
        says="path: no frame has a power (HHHH, HVHV, VHVH or VVVV), only the terms HHHV",
        remedy="Give frames whose polarizations are linear.",
    ),
    "maturity that is not there": Case(
        arrange=two(crid="X05010"),
        choice={"maturity": "validated"},
        says="maturity: no frame is validated; there are beta (1 of 2 files), provisional (1 of 2 files)",
        remedy="Ask for one that is there, or for highest.",
    ),
    "two modes": Case(
        arrange=two(mode="4005", grid=Grid(**{**BASE.to_json(), "dx": 10.0, "dy": 10.0})),
        says="path: frames of different bandwidths in frequency A: 20 MHz in mode 2005 (1 files, as NISAR_L2_PR_GCOV_006_",
        remedy="Name those of one mode: path: FOLDER/*_2005_*.h5",
    ),
    "sigma nought without the factor": Case(
        arrange=changed(lambda file: file.__delitem__(f"{A}/rtcGammaToSigmaFactor")),
        choice={"radiometry": "sigma0_terrain"},
        says="radiometry: " + FILE + " has no rtcGammaToSigmaFactor: sigma nought cannot be had from it",
        remedy="Say radiometry: gamma0_terrain, or take the file out of `path`.",
    ),
    "beta nought": Case(
        arrange=changed(replaced(f"{PARAMETERS}/rtc/outputBackscatterNormalizationConvention", np.bytes_(b"beta0"))),
        says=FILE + " holds beta0, not gamma0 (outputBackscatterNormalizationConvention)",
        remedy="Take frames with radiometric terrain correction, as ASF delivers them.",
    ),
    "backscatter of an unknown kind": Case(
        arrange=changed(replaced(f"{PARAMETERS}/rtc/outputBackscatterNormalizationConvention", None)),
        says=FILE + " does not say what its backscatter is",
        remedy="Take it out of `path`.",
    ),
    "coordinates with a jump": Case(
        arrange=changed(bent),
        says=FILE + ": xCoordinateSpacing is 20, the xCoordinates are 20.1282 apart",
        remedy="Take the file out of `path`: one of the two is wrong.",
    ),
    "coordinates that are not equally spaced": Case(
        arrange=changed(lambda file: file[f"{A}/xCoordinates"].__setitem__(20, 200_415.0)),
        says=FILE + ": xCoordinates are not equally spaced: number 20 is 0.250 pixel off",
        remedy="Reproject the file to a regular grid, or take it out of `path`.",
    ),
    "coordinates that are no numbers": Case(
        arrange=changed(lambda file: file[f"{A}/yCoordinates"].__setitem__(slice(None), np.nan)),
        says=FILE + ": yCoordinate",
        remedy="`path`",
    ),
    "south up": Case(
        arrange=changed(south_up),
        says=FILE + " is not north-up: pixels of 20 (east) and -20 (south)",
        remedy="gdalwarp IN OUT writes north-up.",
    ),
    "mirrored": Case(
        arrange=changed(mirrored),
        says=FILE + " is not north-up: pixels of -20 (east) and 20 (south)",
        remedy="gdalwarp IN OUT writes north-up.",
    ),
    "EPSG code that there is not": Case(
        arrange=changed(elsewhere(99_999)),
        says=FILE + " has no CRS that is known: 'EPSG:99999' is no coordinate reference system",
        remedy=OUT,
    ),
    "no projection": Case(
        arrange=changed(replaced(f"{A}/projection", None)),
        says=FILE + ": /science/LSAR/GCOV/grids/frequencyA has no projection",
        remedy="Download the file again, or take it out of `path`.",
    ),
    "two projections": Case(
        arrange=changed(lambda file: file[f"{A}/projection"].attrs.__setitem__("epsg_code", 32644)),
        says=FILE + ": projection names [32644, 32645] EPSG codes instead of one",
        remedy=OUT,
    ),
    "mask of another size": Case(
        arrange=changed(smaller_mask),
        says=FILE + ": science/LSAR/GCOV/grids/frequencyA/mask has 4 x 5 pixels, its coordinates 48 x 40",
        remedy="Download the file again, or take it out of `path`.",
    ),
    "no start": Case(
        arrange=changed(replaced(f"{IDENTIFICATION}/zeroDopplerStartTime", np.bytes_(b"yesterday"))),
        says=FILE + ": zeroDopplerStartTime is no time: 'yesterday'",
        remedy=OUT,
    ),
    "no track": Case(
        arrange=changed(replaced(f"{IDENTIFICATION}/trackNumber", None)),
        says=FILE + ": trackNumber is no number: ''",
        remedy=OUT,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_files_are_refused_in_words(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    size = write_gcov(tmp_path / "whole").stat().st_size
    folder = tmp_path / "frames"
    folder.mkdir()
    case.arrange(folder)
    with pytest.raises(InputError) as refused:
        find(str(folder), choice=GcovChoice(**case.choice), s3=S3)
    assert case.says.format(folder=folder, size=size, less=size - 1) in refused.value.message
    assert case.remedy in refused.value.remedy


def test_spacings_that_differ_are_refused_naming_both_files(tmp_path: Path) -> None:
    first = write_gcov(tmp_path)
    other = write_gcov(tmp_path, day=12, grid=Grid(**{**BASE.to_json(), "dx": 10.0, "dy": 10.0}))
    with pytest.raises(LatticeError) as refused:
        check_lattice(find(str(tmp_path), choice=GcovChoice(), s3=S3).scenes)
    assert first.name in refused.value.message
    assert other.name in refused.value.message
    assert "pixels of 10 x 10 instead of 20 x 20" in refused.value.message


def packed(file: h5py.File, **how: Any) -> None:
    del file[f"{A}/HHHH"]
    file.create_dataset(f"{A}/HHHH", data=np.ones(BASE.shape, "f4"), **how)


def one_chunk_raw(file: h5py.File) -> None:
    file[f"{A}/HHHH"].id.write_direct_chunk((0, 0), np.ones((16, 16), "f4").tobytes(), filter_mask=3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda file: packed(file, chunks=(16, 16), compression="lzf"),
            "HHHH is packed with lzf, which is not known here",
        ),
        (packed, "HHHH is not stored in chunks"),
        (
            one_chunk_raw,
            "the chunk of science/LSAR/GCOV/grids/frequencyA/HHHH at (0, 0) is not packed as the others are",
        ),
        (lambda file: file.__delitem__(f"{A}/HHHH"), "has no array science/LSAR/GCOV/grids/frequencyA/HHHH"),
    ],
)
def test_pixels_packed_otherwise_are_refused_not_misread(tmp_path: Path, change: Any, says: str) -> None:
    path = write_gcov(tmp_path)
    with edited(path) as file:
        change(file)
    raster = Raster(url=str(path), container=Container.HDF5, dataset=f"{A}/HHHH")
    with pytest.raises(InputError) as refused:
        read_power(raster, grid=BASE, target=BASE, window=Window(0, 0, 16, 16), s3=S3)
    assert says in refused.value.message
    assert refused.value.remedy
