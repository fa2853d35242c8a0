"""Velocity for Google Earth: every pixel where it belongs, colours that mean what the bar says, equal bytes, little memory."""

from __future__ import annotations

import io
import math
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Transformer

from dask_jobs.kmz import COLOURS, LONGEST, write_kmz
from infra.errors import InputError
from infra.grid import Grid

KML = {"k": "http://www.opengis.net/kml/2.2"}
CENTRE = 500_000.0, 3_780_000.0
REFERENCE = 500_040.0, 3_779_960.0


def grid(height: int, width: int, *, crs: str = "EPSG:32611", left: float = 480_000.0) -> Grid:
    return Grid(crs=crs, left=left, top=CENTRE[1], dx=80.0, dy=80.0, height=height, width=width)


def write_raster(path: Path, values: np.ndarray, *, where: Grid, nodata: float | None = math.nan) -> Path:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=where.height,
        width=where.width,
        count=1,
        dtype="float32",
        crs=where.crs or None,
        transform=where.affine,
        nodata=nodata,
    ) as file:
        file.write(values.astype(np.float32), 1)
    return path


@dataclass
class Opened:
    """A KMZ file, read back by other means than it was written."""

    document: ET.Element
    picture: Image.Image
    bar: Image.Image

    @classmethod
    def of(cls, path: Path) -> Opened:
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist()[0] == "doc.kml"
            document = ET.fromstring(archive.read("doc.kml"))
            icons = {
                kind: Image.open(io.BytesIO(archive.read(document.findtext(f".//k:{kind}/k:Icon/k:href", "", KML))))
                for kind in ("GroundOverlay", "ScreenOverlay")
            }
        return cls(document=document, picture=icons["GroundOverlay"], bar=icons["ScreenOverlay"])

    def text(self, path: str) -> str:
        return self.document.findtext(f".//k:{path.replace('/', '/k:')}", "", KML)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        west, south, east, north = (
            float(self.text(f"LatLonBox/{side}")) for side in ("west", "south", "east", "north")
        )
        return west, south, east, north

    def centres(self) -> tuple[np.ndarray, np.ndarray]:
        """Longitude and latitude of every pixel."""
        west, south, east, north = self.box
        x = west + (np.arange(self.picture.width) + 0.5) * (east - west) / self.picture.width
        y = north - (np.arange(self.picture.height) + 0.5) * (north - south) / self.picture.height
        longitude, latitude = np.meshgrid(x, y)
        return longitude, latitude

    def levels(self) -> np.ndarray:
        """Share of each pixel's colour in the colour map, 0 to 1, NaN where it is transparent: by the colours alone."""
        rgba = np.asarray(self.picture.convert("RGBA"))
        table = np.rint(255 * mpl.colormaps[COLOURS](np.linspace(0, 1, 255))[:, :3]).astype(int)
        place = {tuple(rgb): n / 254 for n, rgb in enumerate(table.tolist())}
        levels = np.array([place.get(tuple(p[:3]), math.nan) for p in rgba.reshape(-1, 4).tolist()])
        return np.where(rgba[..., 3] == 255, levels.reshape(rgba.shape[:2]), math.nan)


def plane(where: Grid) -> np.ndarray:
    """-0.05 to 0.05 m/year, from corner to corner."""
    y, x = np.meshgrid(np.linspace(0, 1, where.height), np.linspace(0, 1, where.width), indexing="ij")
    return 0.05 * (y + x - 1)


@pytest.mark.parametrize(
    ("crs", "left"), [("EPSG:32611", 480_000.0), ("EPSG:32611", 250_000.0), ("EPSG:32660", 778_000.0)]
)
def test_every_pixel_lies_where_it_belongs(crs: str, left: float, tmp_path: Path) -> None:
    """Also in the outermost zone, beyond 180 degrees of longitude."""
    where = grid(70, 90, crs=crs, left=left)
    values = plane(where)
    values[20:35, 40:60] = np.nan
    write_kmz(
        tmp_path / "v.kmz",
        raster=write_raster(tmp_path / "v.tif", values, where=where),
        reference=REFERENCE,
        title="v",
        limits=(-0.05, 0.05),
    )
    made = Opened.of(tmp_path / "v.kmz")
    longitude, latitude = made.centres()
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(longitude, latitude)
    row, col = (where.top - y) / where.dy - 0.5, (x - where.left) / where.dx - 0.5
    inner = (row > 0) & (row < where.height - 1) & (col > 0) & (col < where.width - 1)
    assert 0.9 * where.pixels < inner.sum() < 1.1 * where.pixels  # about the raster's own pixels
    hole = (row > 20.5) & (row < 33.5) & (col > 40.5) & (col < 58.5)
    far = inner & ((row < 18.5) | (row > 35.5) | (col < 38.5) | (col > 60.5))
    levels = made.levels()
    assert np.isnan(levels[hole]).all()
    assert np.isfinite(levels[far]).all()
    expected = (row / (where.height - 1) + col / (where.width - 1)) / 2
    step = 0.5 / 69 / 2 + 0.5 / 89 / 2 + 0.5 / 254  # half a pixel, half a colour
    assert np.nanmax(np.abs(levels - expected)[far]) < 1.3 * step  # GDAL's own error is an eighth of a pixel
    assert np.isnan(levels[(row < -1) | (row > where.height) | (col < -1) | (col > where.width)]).all()


def test_limits_are_symmetric_and_leave_out_few_pixels(tmp_path: Path) -> None:
    where = grid(100, 100)
    values = np.random.default_rng(5).normal(0.002, 0.01, where.shape)
    values[0, 0] = 7.0  # one wild pixel
    raster = write_raster(tmp_path / "v.tif", values, where=where)
    write_kmz(tmp_path / "v.kmz", raster=raster, reference=REFERENCE, title="v")
    low, high = np.percentile(values, (0.5, 99.5))
    assert 2.5 < 100 * max(-low, high) < 3.0  # cm/year; the next number that reads well is 3
    assert "from \u22123 to +3 cm/year" in Opened.of(tmp_path / "v.kmz").text("Document/description")


@pytest.mark.parametrize("value", [0.0, math.nan])
def test_a_raster_without_motion_or_data_has_limits_too(value: float, tmp_path: Path) -> None:
    where = grid(20, 20)
    raster = write_raster(tmp_path / "v.tif", np.full(where.shape, value), where=where)
    write_kmz(tmp_path / "v.kmz", raster=raster, reference=REFERENCE, title="v")
    made = Opened.of(tmp_path / "v.kmz")
    assert "from \u22120.1 to +0.1 cm/year" in made.text("Document/description")
    levels = made.levels()
    assert set(np.unique(levels[np.isfinite(levels)])) == ({0.5} if value == 0 else set())  # zero is the middle colour


def test_a_value_for_no_data_is_transparent(tmp_path: Path) -> None:
    where = grid(20, 20)
    values = np.full(where.shape, 0.01)
    values[:10] = -9999
    raster = write_raster(tmp_path / "v.tif", values, where=where, nodata=-9999)
    write_kmz(tmp_path / "v.kmz", raster=raster, reference=REFERENCE, title="v")
    levels = Opened.of(tmp_path / "v.kmz").levels()
    assert np.isnan(levels[:9]).all()
    np.testing.assert_array_equal(levels[12:18, 2:18], 1.0)


def test_a_large_raster_is_averaged(tmp_path: Path) -> None:
    where = grid(8, 2 * LONGEST + 600)
    values = np.where(np.arange(where.width) % 2, 0.08, -0.04) * np.ones(where.shape)  # mean 0.02
    raster = write_raster(tmp_path / "v.tif", values, where=where)
    write_kmz(tmp_path / "v.kmz", raster=raster, reference=REFERENCE, title="v", limits=(-0.1, 0.1))
    made = Opened.of(tmp_path / "v.kmz")
    assert made.picture.width == LONGEST
    velocity = 0.2 * made.levels() - 0.1
    assert abs(np.nanmean(velocity) - 0.02) < 0.001
    assert np.nanstd(velocity) < 0.02  # of single pixels it is 0.06


def test_the_document_names_place_sign_and_dates(tmp_path: Path) -> None:
    where = grid(20, 500)
    raster = write_raster(tmp_path / "v.tif", plane(where), where=where)
    about = ["2018-01-06 to 2018-12-20 <29 dates>", "track 13 & ascending"]
    write_kmz(tmp_path / "v.kmz", raster=raster, reference=REFERENCE, title="Motion <A & B>", about=about)
    made = Opened.of(tmp_path / "v.kmz")
    assert made.text("Document/name") == "Motion <A & B>"
    said = made.text("Document/description")
    assert "2018-01-06 to 2018-12-20 &lt;29 dates&gt;<br/>track 13 &amp; ascending<br/>" in said
    assert "Positive: the ground moves toward the satellite" in said
    longitude, latitude = map(float, made.text("Point/coordinates").split(",")[:2])
    place = Transformer.from_crs("EPSG:32611", "EPSG:4326", always_xy=True).transform(*REFERENCE)
    assert (longitude, latitude) == pytest.approx(place, abs=1e-8)
    west, south, east, north = made.box
    assert west < longitude < east
    assert south < latitude < north
    size = made.document.find(".//k:ScreenOverlay/k:size", KML)
    assert size is not None
    assert (int(size.attrib["x"]), int(size.attrib["y"])) == made.bar.size
    assert made.picture.mode == "P"  # a byte a pixel


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    where = grid(30, 30)
    raster = write_raster(tmp_path / "v.tif", plane(where), where=where)
    for name in ("a.kmz", "b.kmz"):
        write_kmz(tmp_path / name, raster=raster, reference=REFERENCE, title="v")
    assert (tmp_path / "a.kmz").read_bytes() == (tmp_path / "b.kmz").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.kmz", "b.kmz", "v.tif"]  # no scratch file stays


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    where = grid(10, 10)
    raster = write_raster(tmp_path / "v.tif", plane(where), where=where)
    for limits in ((0.1, -0.1), (0.0, 0.0), (math.nan, 1.0)):
        with pytest.raises(InputError, match="limits"):
            write_kmz(tmp_path / "v.kmz", raster=raster, reference=REFERENCE, title="v", limits=limits)
    with pytest.raises(InputError, match=r"none\.tif cannot be read"):
        write_kmz(tmp_path / "v.kmz", raster=tmp_path / "none.tif", reference=REFERENCE, title="v")
    nowhere = write_raster(tmp_path / "n.tif", plane(where), where=grid(10, 10, crs=""))
    with pytest.raises(InputError, match="no CRS"):
        write_kmz(tmp_path / "v.kmz", raster=nowhere, reference=REFERENCE, title="v")
    assert not (tmp_path / "v.kmz").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_memory_is_small(tmp_path: Path) -> None:
    """A map of 4000 x 4000 pixels in less than 300 MB; the libraries alone take half of it."""
    where = grid(4000, 4000)
    raster = write_raster(tmp_path / "v.tif", plane(where), where=where)
    program = f"""
from pathlib import Path
from dask_jobs.kmz import write_kmz
write_kmz(Path({str(tmp_path / "v.kmz")!r}), raster=Path({str(raster)!r}), reference={REFERENCE}, title="v")
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) / 1024 < 300
