"""Zip archives: read in place, their tricks refused in words, nothing written; on S3 by few ranged reads."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import boto3
import numpy as np
import pytest
import rasterio.shutil
from geotiffs import write_tif
from hyp3_products import SHAPE, Product, pack, write
from recording_server import recording_server

from dask_jobs.backscatter import read_power
from dask_jobs.readers import hyp3_rtc
from dask_jobs.readers.archives import list_archives, read_text
from dask_jobs.readers.files import SourceFile
from infra.errors import InputError
from infra.fingerprints import fingerprint
from infra.grid import Window
from infra.storage import Location, S3Options

NONE = S3Options()
PRODUCT = Product(absolute_orbit=52000)
MEMBER = f"{PRODUCT.name}/{PRODUCT.name}_VV.tif"
DIRECTORY_ENTRY = b"PK\x01\x02"
Spoil = Callable[[Path], None]


def members(path: Path) -> list[SourceFile]:
    return list_archives([SourceFile(str(path), path.stat().st_size)], s3=NONE)[str(path)]


def named(*names: str) -> Spoil:
    """Add members of these names."""

    def spoil(path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            for name in names:
                info = zipfile.ZipInfo("x")
                info.filename = name  # as it stands: the constructor would mend it
                archive.writestr(info, b"x")

    return spoil


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(MEMBER, b"another")


def link(path: Path) -> None:
    info = zipfile.ZipInfo(f"{PRODUCT.name}/{PRODUCT.name}_VH.TIF")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, b"/etc/passwd")


def patched(offset: int, form: str, value: int) -> Spoil:
    """Change a field of the directory's first entry that is a file."""

    def spoil(path: Path) -> None:
        data = bytearray(path.read_bytes())
        first = data.index(DIRECTORY_ENTRY)
        entry = data.index(DIRECTORY_ENTRY, first + 4)  # the first is the folder's
        struct.pack_into(form, data, entry + offset, value)
        path.write_bytes(data)

    return spoil


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def text(path: Path) -> None:
    path.write_text("<html>404 not found</html>")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def damaged(path: Path) -> None:
    """A flipped bit in the middle of the first image's packed bytes."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(MEMBER)
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len(MEMBER) + info.compress_size // 2] ^= 0x10
    path.write_bytes(data)


def overlapping(path: Path) -> None:
    """Two names for one stretch of bytes: the trick of archives that unpack to much more than they are."""
    data = path.read_bytes()
    first = data.index(DIRECTORY_ENTRY)
    entries = [m.start() for m in re.finditer(re.escape(DIRECTORY_ENTRY), data[first:])]
    one, other = first + entries[1], first + entries[2]
    spoiled = bytearray(data)
    spoiled[other + 42 : other + 46] = data[one + 42 : one + 46]
    path.write_bytes(spoiled)


CASES: dict[str, tuple[Spoil, str, str]] = {
    "a name above the folder": (named("../../evil.tif"), "'../../evil.tif' in it leads out of the archive", "from ASF"),
    "a name from the root": (named("/etc/evil.tif"), "'/etc/evil.tif' in it leads out of the archive", "from ASF"),
    "a name on a drive": (named("C:/evil.tif"), "'C:/evil.tif' in it leads out of the archive", "from ASF"),
    "a backslash": (named("..\\evil.tif"), r"'..\\\\evil.tif' in it leads out of the archive", "from ASF"),
    "a hidden step up": (named("a/../../evil.tif"), "'a/../../evil.tif' in it leads out of the archive", "from ASF"),
    "a name twice": (twice, "stands in it twice", "from ASF"),
    "a link": (link, "_VH.TIF' in it is a link", "from ASF"),
    "encrypted": (patched(8, "<H", 1), "in it is encrypted", "Unpack it"),
    "an unknown method": (patched(10, "<H", 12), "is packed by method 12, not stored or deflated", "Unpack it"),
    "a bomb by its own word": (patched(24, "<I", 3_000_000_000), "claims to unpack from", "from ASF"),
    "a small lie": (patched(24, "<I", 9_000_000), "claims to unpack from", "from ASF"),
    "overlapping files": (overlapping, "overlap", "from ASF"),
    "cut short": (cut, "is no zip archive, or truncated: it has no directory at its end", "Download the archive again"),
    "a web page": (text, "is no zip archive, or truncated", "Download the archive again"),
    "empty": (empty, "is no zip archive, or truncated", "Download the archive again"),
    "a flipped bit": (damaged, "_VV.tif is damaged: ", "Download the archive again"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_an_archive_is_told(tmp_path: Path, case: str) -> None:
    spoil, says, remedy = CASES[case]
    path = pack(write(PRODUCT, tmp_path / "source"), remove=True)
    spoil(path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=says.replace("(", r"\(")) as caught:
        hyp3_rtc.find(tmp_path, s3=NONE)
    assert path.name in caught.value.message
    assert remedy in caught.value.remedy
    assert sorted(tmp_path.rglob("*")) == before  # nothing was unpacked anywhere


def test_a_tiff_that_hides_more_than_its_pixels_is_refused(tmp_path: Path) -> None:
    """40 MB of zeros behind a small image: the archive's numbers are honest, and the header says what is needed."""
    place = write(PRODUCT, tmp_path)
    with (place / f"{PRODUCT.name}_VV.tif").open("ab") as file:
        file.write(np.random.default_rng(1).bytes(50_000))
        file.write(bytes(40_000_000))
    pack(place, remove=True)
    with pytest.raises(InputError, match=r"_VV.tif unpacks to 40\d{6} bytes, where its pixels take 1920"):
        hyp3_rtc.find(tmp_path, s3=NONE)


def test_archives_in_archives_are_left_alone(tmp_path: Path) -> None:
    inner = pack(write(PRODUCT, tmp_path / "inner"), remove=True)
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, inner.name)
    inner.unlink()
    assert [file.name for file in members(outer)] == [inner.name]
    with pytest.raises(InputError, match="no HyP3 RTC product"):
        hyp3_rtc.find(tmp_path, s3=NONE)


def test_what_an_archive_holds(tmp_path: Path) -> None:
    place = write(PRODUCT, tmp_path)
    sizes = {file.name: file.stat().st_size for file in place.iterdir()}
    readme = (place / f"{PRODUCT.name}.README.md.txt").read_text()
    path = pack(place, remove=True)
    found = members(path)
    assert {file.name: file.size for file in found} == sizes  # unpacked bytes, no folder among them
    assert all(file.url == f"{path}!/{PRODUCT.name}/{file.name}" for file in found)
    (page,) = (file for file in found if "README" in file.name)
    assert read_text(page, s3=NONE) == readme


@pytest.mark.parametrize("folder", ["my zips é", "a{b}c", "x}y", "per%20cent", "semi;colon", "a.zip"])
def test_folders_of_any_name(tmp_path: Path, folder: str) -> None:
    pack(write(PRODUCT, tmp_path / folder), remove=True)
    scene = hyp3_rtc.find(tmp_path / folder, s3=NONE).scenes[0]
    got = read_power(scene.rasters["VV"], grid=scene.grid, target=scene.grid, window=scene.grid.full, s3=NONE)
    np.testing.assert_array_equal(got, PRODUCT.power("VV").astype("float32"))


def test_a_member_is_the_file_it_was(tmp_path: Path) -> None:
    place = write(PRODUCT, tmp_path)
    file = place / f"{PRODUCT.name}_VV.tif"
    alone = fingerprint(str(file), s3=NONE, cache=None)
    path, cache = pack(place), tmp_path / "cache.json"
    assert fingerprint(f"{path}!/{MEMBER}", s3=NONE, cache=cache) == alone
    write_tif(file, PRODUCT.stored("VV") * 2)
    pack(place)
    changed = fingerprint(f"{path}!/{MEMBER}", s3=NONE, cache=cache)
    assert changed != alone
    assert changed == fingerprint(str(file), s3=NONE, cache=None)


def test_on_s3_the_directory_is_read_by_ranges(
    s3_bucket: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write(PRODUCT, tmp_path)
    noise = np.random.default_rng(1).random((600, 600)).astype("float32")
    write_tif(place / f"{PRODUCT.name}_dem.tif", noise)  # what a stack never reads
    path = pack(place)
    s3_bucket.upload(path, f"in/{path.name}")
    asked: list[int] = []
    plain = Location.read_range

    def counted(self: Location, name: str, *, start: int, length: int) -> bytes:
        asked.append(length)
        return plain(self, name, start=start, length=length)

    monkeypatch.setattr(Location, "read_range", counted)
    url = s3_bucket.href(f"in/{path.name}")
    (found,) = list_archives([SourceFile(url, path.stat().st_size)], s3=s3_bucket.s3).values()
    assert {file.name: file.size for file in found} == {file.name: file.size for file in members(path)}
    assert path.stat().st_size > 1_000_000
    assert asked == [64 * 1024]  # the archive's end, once
    scene = hyp3_rtc.find(s3_bucket.href("in"), s3=s3_bucket.s3).scenes[0]
    assert (scene.relative_orbit, scene.size) == (128, path.stat().st_size)
    got = read_power(scene.rasters["VV"], grid=scene.grid, target=scene.grid, window=scene.grid.full, s3=s3_bucket.s3)
    np.testing.assert_array_equal(got, PRODUCT.power("VV").astype("float32"))
    assert got.shape == SHAPE
    assert scene.fingerprint == hyp3_rtc.find(s3_bucket.href("in"), s3=s3_bucket.s3).scenes[0].fingerprint


def test_on_s3_what_is_cut_is_told(s3_bucket: Location, tmp_path: Path) -> None:
    path = pack(write(PRODUCT, tmp_path))
    cut(path)
    s3_bucket.upload(path, f"in/{path.name}")
    with pytest.raises(InputError, match="it has no directory at its end"):
        hyp3_rtc.find(s3_bucket.href("in"), s3=s3_bucket.s3)


def test_on_s3_a_plan_reads_little_of_a_large_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As HyP3 delivers: a COG, its overviews first, in a deflated zip; and the bucket is public."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    product, side = PRODUCT.but(kind="SV"), 2200
    values = np.random.default_rng(1).gamma(4.0, 0.025, (side, side)).astype("float32")
    place = tmp_path / product.name
    plain = write_tif(tmp_path / "plain.tif", values)
    place.mkdir()
    rasterio.shutil.copy(plain, place / f"{product.name}_VV.tif", driver="COG", compress="deflate")
    path = pack(place)
    with recording_server() as (endpoint, seen):
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
        client.create_bucket(Bucket="public-zips")
        client.upload_file(str(path), "public-zips", path.name, ExtraArgs={"ACL": "public-read"})
        seen.clear()
        s3 = S3Options(endpoint=endpoint, anonymous=True)
        scene = hyp3_rtc.find("s3://public-zips", s3=s3).scenes[0]
        assert path.stat().st_size > 15_000_000
        assert sum(asked.size for asked in seen) < 2_500_000
        window = Window(100, 100, 50, 60)
        got = read_power(scene.rasters["VV"], grid=scene.grid, target=scene.grid, window=window, s3=s3)
        assert not any(asked.signed for asked in seen)
    np.testing.assert_array_equal(got, values[window.slices])
