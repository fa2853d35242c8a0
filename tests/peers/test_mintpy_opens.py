"""Our files in MintPy's own tools, run as separate programs: each ends well and gives the numbers that were written."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from mintpy_sample import GRID, SAMPLE, analysis, day, mintpy_arrays, write_sample

from dask_jobs.mintpy.attributes import file_attributes
from dask_jobs.mintpy.files import write_pairs
from dask_jobs.mintpy.kinds import FILES, file_kind
from dask_jobs.sbas.pairs import Pairs
from infra.grid import Window

PEER = os.environ.get("PEER_MINTPY", "")
STACK, SERIES = "ifgramStack.h5", "timeseries_tropHgt_demErr.h5"
NAMES = (*(name for name in FILES if name != STACK), "timeseries.h5", SERIES)
LAYERS = {"unwrapPhase": "unw_phase", "coherence": "corr"}
SECONDS = 300
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not PEER, reason="PEER_MINTPY does not name the bin folder of a MintPy"),
    pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample of interferograms is not at ../shared/data"),
]


@dataclass(frozen=True)
class Peer:
    """MintPy's tools, and a folder with our files in which they run."""

    folder: Path
    arrays: dict[str, np.ndarray]

    def run(self, tool: str, *arguments: str) -> str:
        """What a tool printed; it must end well."""
        programs = Path(PEER)
        environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "MPLBACKEND": "Agg",
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [programs / "python", programs / tool, *arguments],
            cwd=self.folder,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{tool} {arguments}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def made(self, name: str) -> Path:
        """A file that a tool made, with something in it."""
        path = self.folder / name
        assert path.stat().st_size > 1000
        return path


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    folder, arrays = tmp_path_factory.mktemp("mintpy"), mintpy_arrays()
    for name in NAMES:
        write_sample(folder, name, arrays)
    days = arrays["ifgramStack/date"]
    write_pairs(
        folder / STACK,
        kind=file_kind(STACK),
        attributes=file_attributes(STACK, analysis(arrays)),
        pairs=Pairs(
            reference=tuple(day(text) for text in days[:, 0]),
            secondary=tuple(day(text) for text in days[:, 1]),
            perpendicular_baseline=tuple(map(float, arrays["ifgramStack/bperp"])),
        ),
        read={name: product_reader(layer, days=days) for name, layer in LAYERS.items()},
    )
    return Peer(folder=folder, arrays=arrays)


def product_reader(layer: str, *, days: np.ndarray) -> Callable[[int, Window], np.ndarray]:
    def read(pair: int, window: Window) -> np.ndarray:
        first, second = (text.decode() for text in days[pair])
        (path,) = SAMPLE.glob(f"products/S1AA_{first}T*_{second}T*/*_{layer}_clip.tif")
        with rasterio.open(path) as file:
            values: np.ndarray = file.read(1)[window.slices]
        return values

    return read


@pytest.mark.parametrize("name", [STACK, *NAMES])
def test_info_reads_every_file(name: str, peer: Peer) -> None:
    said = peer.run("info.py", name)
    assert file_kind(name).type in said
    with h5py.File(peer.folder / name) as file:
        assert all(dataset in said for dataset in file)


def test_info_lists_the_dates(peer: Peer) -> None:
    said = peer.run("info.py", SERIES, "--date").split()
    assert said[-30:] == [text.decode() for text in peer.arrays["timeseries/date"]]


@pytest.mark.parametrize("name", NAMES)
def test_view_draws_every_file(name: str, peer: Peer) -> None:
    peer.run("view.py", name, "--nodisplay", "-o", f"view_{name}.png")
    peer.made(f"view_{name}.png")


@pytest.mark.parametrize(
    ("name", "dataset", "values", "scale", "unit"),
    [
        ("velocity.h5", "velocity", "velocity/velocity", 100, "cm/year"),
        ("velocity.h5", "intercept", "velocity/intercept", 100, "cm"),
        ("velocity.h5", "velocityStd", "velocity/velocityStd", 100, "cm/year"),
        ("temporalCoherence.h5", "temporalCoherence", "temporalCoherence/temporalCoherence", 1, "1"),
        ("demErr.h5", "dem", "demErr/dem", 1, "m"),
    ],
)
def test_view_knows_units_and_no_data(
    name: str, dataset: str, values: str, scale: float, unit: str, peer: Peer
) -> None:
    said = peer.run("view.py", name, dataset, "-m", "no", "--nodisplay", "-o", f"view_{dataset}.png")
    (line,) = [line for line in said.splitlines() if line.startswith("data    range")]
    low, high = (float(part.split(")")[0]) for part in line.split("np.float32(")[1:])
    data = peer.arrays[values][peer.arrays[values] != 0] * scale
    assert (low, high) == pytest.approx((data.min(), data.max()), rel=1e-5)
    assert line.split()[-1] == unit


def test_view_draws_one_interferogram(peer: Peer) -> None:
    said = peer.run("view.py", STACK, "unwrapPhase-20180106_20180118", "--nodisplay", "-o", "pair.png")
    assert "radian" in said
    peer.made("pair.png")


def test_tsview_reads_a_pixels_series(peer: Peer) -> None:
    peer.run("tsview.py", SERIES, "--yx", "60", "60", "--nodisplay", "--save", "-o", "pixel", "--zf")
    lines = (peer.folder / "pixel_ts.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    written = peer.arrays[f"{SERIES.removesuffix('.h5')}/timeseries"][:, 60, 60].astype(np.float64)
    assert [row[0] for row in rows] == [text.decode() for text in peer.arrays["timeseries/date"]]
    np.testing.assert_allclose([float(row[1]) for row in rows], 100 * (written - written[0]), atol=1e-3)  # cm
    peer.made("pixel_ts.pdf")


@pytest.mark.parametrize(
    ("name", "arguments", "values"),
    [
        ("velocity.h5", ("-d", "velocity"), "velocity/velocity"),
        ("timeseries.h5", ("-d", "20181220"), "timeseries/timeseries"),
        ("temporalCoherence.h5", (), "temporalCoherence/temporalCoherence"),
    ],
)
def test_save_gdal_gives_the_raster_where_it_lies(
    name: str, arguments: tuple[str, ...], values: str, peer: Peer
) -> None:
    peer.run("save_gdal.py", name, *arguments, "-o", f"{name}.tif")
    array = peer.arrays[values]
    with rasterio.open(peer.folder / f"{name}.tif") as file:
        np.testing.assert_array_equal(file.read(1), array[-1] if array.ndim == 3 else array)
        assert file.crs.to_epsg() == 32611
        assert file.transform == GRID.affine


def test_save_kmz_makes_a_layer(peer: Peer) -> None:
    peer.run("save_kmz.py", "velocity.h5", "velocity", "-o", "theirs.kmz", "--dpi", "100")
    with zipfile.ZipFile(peer.made("theirs.kmz")) as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) >= 2


def test_timeseries2velocity_fits_what_mintpy_fitted(peer: Peer) -> None:
    excluded = [str(text) for text in peer.arrays["exclude_date"]]
    peer.run("timeseries2velocity.py", SERIES, "-o", "fitted.h5", "--ex", *excluded)
    with h5py.File(peer.folder / "fitted.h5") as file:
        for dataset, tolerance in (("velocity", 1e-7), ("velocityStd", 1e-7), ("intercept", 1e-6)):  # m/year, m
            theirs = peer.arrays[f"velocity/{dataset}"]
            np.testing.assert_allclose(file[dataset][()], theirs, rtol=0, atol=tolerance)
