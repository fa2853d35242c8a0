"""The files that the page hands out: products and nothing else, wherever they lie; and the pictures that it makes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dashboards import RUN, Browser, add_product, add_run
from geotiffs import write_tif
from PIL import Image

from infra.errors import InputError
from infra.s3 import ENVIRONMENT
from infra.settings import Settings
from infra.storage import Location
from pipelines.backends.preview import SIDE, preview
from pipelines.registry.registry import Registry

PNG = b"\x89PNG\r\n\x1a\n of somebody"
DAYS = "days since 1970-01-01"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry.open(f"sqlite:///{tmp_path / 'registry.sqlite'}") as opened:
        yield opened


@pytest.fixture
def output(tmp_path: Path, registry: Registry) -> Path:
    """Output of a run that is in the registry."""
    folder = tmp_path / "out put é"
    folder.mkdir()
    add_run(registry, output=folder)
    return folder


@pytest.fixture
def page(registry: Registry, tmp_path: Path) -> Browser:
    return Browser(registry, Settings(state_dir=tmp_path))


# ------------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize(
    ("media_type", "role", "shown"),
    [
        ("image/png", "figure", "inline"),
        ("video/mp4", "figure", "inline"),
        ("image/gif; profile=film", "figure", "inline"),
        ("text/html", "report", "inline"),
        ("image/svg+xml", "figure", "inline"),
        ("text/csv", "table", "attachment"),
        ("application/javascript", "file", "attachment"),
        ("application/xhtml+xml", "report", "attachment"),
    ],
)
def test_a_product_is_shown_or_saved_by_its_type(
    page: Browser, registry: Registry, output: Path, media_type: str, role: str, shown: str
) -> None:
    path = output / "a b.bin"
    path.write_bytes(PNG)
    answer = page.get(add_product(registry, path, media_type=media_type, role=role))
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-disposition"].startswith(shown)
    policy = answer.headers["content-security-policy"]
    if media_type in {"text/html", "image/svg+xml"}:
        assert policy.startswith("sandbox;")
        assert "script" not in policy
    else:
        assert "script-src 'self'" in policy
    assert ("octet-stream" in answer.headers["content-type"]) == (shown == "attachment")


def test_pictures_films_and_reports_are_on_the_page(page: Browser, registry: Registry, output: Path) -> None:
    places = {
        name: add_product(registry, output / name, name=name, role=role, media_type=media_type)
        for name, role, media_type in (
            ("mean.png", "figure", "image/png"),
            ("film.mp4", "figure", "video/mp4"),
            ("report.html", "report", "text/html"),
            ("stack", "store", "application/vnd.icechunk"),
            ("mean.tif", "raster", "image/tiff; application=geotiff; profile=cloud-optimized"),
        )
    }
    text = page.get(f"/runs/{RUN}").text
    assert f'<img class="frame" loading="lazy" src="{places["mean.png"]}"' in text
    assert f'src="{places["film.mp4"]}"' in text
    assert f'<li><a href="{places["report.html"]}">' in text
    assert f'hx-get="{places["mean.tif"]}/figure"' in text
    assert places["stack"] not in text  # a folder of many files: only where it lies is shown
    assert str(output / "stack") in text
    assert page.get(places["stack"]).status_code == 404


def test_no_path_leads_to_a_file(page: Browser, registry: Registry, output: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("do not tell")
    (output / "thing.png").write_bytes(PNG)
    address = add_product(registry, output / "thing.png")
    base = address.rpartition("/")[0]
    tricks = (
        f"{base}/..%2f..%2fsecret.txt",
        f"{base}/{str(secret).replace('/', '%2f')}",
        f"{base}/../../../secret.txt",
        f"{address}/../../secret.txt",
        f"{address}%00",
        f"{address[:-1]}",
        "/static/..%2f..%2fpages.py",
        "/static/../pages.py",
        "/static/%2e%2e/pages.py",
        f"/runs/..%2f{RUN}/products/{address.rpartition('/')[2]}",
    )
    for trick in tricks:
        answer = page.get(trick)
        assert answer.status_code == 404, trick
        assert "do not tell" not in answer.text
    assert page.get(address).content == PNG


def test_what_a_registry_says_lies_outside_the_output_is_not_handed_out(
    page: Browser, registry: Registry, output: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("do not tell")
    link = output / "link.png"
    link.symlink_to(secret)
    hrefs = [secret, link, output / ".." / "secret.txt", f"{output}-beside/a.png", "s3://bucket/key", "/vsicurl/x"]
    for number, href in enumerate(hrefs):
        address = add_product(registry, href, name=f"n{number}")
        assert page.get(address).status_code == 404, href
    raster = add_product(registry, secret, name="raster", role="raster", media_type="image/tiff")
    assert page.get(f"{raster}/preview.png").status_code == 404


def test_a_file_that_was_removed_and_one_of_another_run_are_not_there(
    page: Browser, registry: Registry, output: Path
) -> None:
    address = add_product(registry, output / "gone.png")
    answer = page.get(address)
    assert (answer.status_code, "was removed" in answer.text) == (404, True)
    add_run(registry, run="20250101-000000-aaaa", output=output)
    assert page.get(address.replace(RUN, "20250101-000000-aaaa")).status_code == 404


# ------------------------------------------------------------------------------------------------ S3


def test_products_on_s3_are_handed_out_and_drawn(
    registry: Registry, s3_bucket: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(state_dir=tmp_path, s3_endpoint=s3_bucket.s3.endpoint)
    page = Browser(registry, settings)
    add_run(registry, output=s3_bucket.url)
    s3_bucket.write("kind/a.png", PNG)
    s3_bucket.upload(write_tif(tmp_path / "a.tif", np.arange(80.0, dtype="float32").reshape(8, 10)), "kind/a.tif")
    figure = add_product(registry, s3_bucket.href("kind/a.png"))
    raster = add_product(registry, s3_bucket.href("kind/a.tif"), name="cov", role="raster", media_type="image/tiff")
    assert page.get(figure).content == PNG
    drawn = Image.open(io.BytesIO(page.get(f"{raster}/preview.png").content))
    assert drawn.size == (10, 8)
    gone = add_product(registry, s3_bucket.href("kind/b.png"), name="b")
    assert page.get(gone).status_code == 404
    beside = add_product(registry, s3_bucket.url + "-beside/a.png", name="c")
    assert page.get(beside).status_code == 404


# ------------------------------------------------------------------------------------------------ pictures


def drawn(path: Path, *, name: str = "cov", units: str = "1") -> np.ndarray:
    """Pixels of a raster's picture, dims (y, x, channel)."""
    return np.asarray(Image.open(io.BytesIO(preview(str(path), name=name, units=units, s3=ENVIRONMENT).png)))


def test_a_picture_has_the_pixels_where_they_are_and_holes_where_none_are(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 60 * 40, dtype="float32").reshape(60, 40)
    values[10:20, 5:15] = np.nan
    rgba = drawn(write_tif(tmp_path / "a.tif", values), name="mean")
    assert rgba.shape == (60, 40, 4)
    assert np.array_equal(rgba[..., 3] == 0, np.isnan(values))
    there = ~np.isnan(values)
    low, high = np.percentile(values[there], (2, 98))
    assert np.array_equal(rgba[..., 0], rgba[..., 2])  # grey
    expected = np.round(255 * np.clip((values[there] - low) / (high - low), 0, 1))
    assert np.abs(rgba[..., 0][there].astype(float) - expected).max() <= 1


def test_the_ends_of_the_colours_are_the_2nd_and_98th_percentile(tmp_path: Path) -> None:
    values = np.concatenate([np.full(98, 5.0), [-1e9, 1e9]]).astype("float32").reshape(10, 10)
    values[0] = np.arange(10)
    made = preview(str(write_tif(tmp_path / "a.tif", values)), name="std", units="1", s3=ENVIRONMENT)
    assert (made.low, made.high) == pytest.approx(tuple(np.percentile(values.astype(float), (2, 98))))
    assert made.colours == "viridis"
    assert preview(str(tmp_path / "a.tif"), name="x", units="dB", s3=ENVIRONMENT).colours == "grey"


def test_the_colours_are_those_of_viridis(tmp_path: Path) -> None:
    from matplotlib import colormaps

    values = np.arange(256, dtype="float32").reshape(16, 16)
    low, high = np.percentile(values, (2, 98))
    expected = 255 * colormaps["viridis"](np.clip((values - low) / (high - low), 0, 1))
    assert np.abs(drawn(write_tif(tmp_path / "a.tif", values)) - expected).max() < 6


@pytest.mark.parametrize("shape", [(3000, 700), (700, 3000), (1, 2000), (512, 512), (513, 513)])
def test_a_picture_is_never_larger_than_512_pixels(tmp_path: Path, shape: tuple[int, int]) -> None:
    values = np.broadcast_to(np.arange(shape[1], dtype="float32"), shape)
    rgba = drawn(write_tif(tmp_path / "a.tif", values))
    height, width = rgba.shape[:2]
    assert max(height, width) <= SIDE
    assert abs(height / width - shape[0] / shape[1]) <= 2 * max(1, shape[0] / shape[1]) / min(height, width)


def test_whole_numbers_with_a_value_for_no_data(tmp_path: Path) -> None:
    values = np.array([[-1, 19000], [19010, 19020]], "int32")
    made = preview(str(write_tif(tmp_path / "a.tif", values, nodata=-1)), name="min_date", units=DAYS, s3=ENVIRONMENT)
    assert made.low is not None
    assert made.low > 19000 - 1
    assert np.asarray(Image.open(io.BytesIO(made.png)))[0, 0, 3] == 0


def test_a_picture_in_its_own_colours_stays_so(tmp_path: Path) -> None:
    bands = np.random.default_rng(0).integers(1, 255, (3, 20, 30), dtype="uint8")
    rgba = drawn(write_tif(tmp_path / "rgb.tif", bands, photometric="RGB"))
    assert np.array_equal(rgba[..., :3], np.moveaxis(bands, 0, -1))


def test_a_picture_with_a_colour_table_has_its_colours(tmp_path: Path) -> None:
    import rasterio

    classes = np.array([[0, 1], [2, 1]], "uint8")
    path = write_tif(tmp_path / "classes.tif", classes, nodata=0, photometric="palette")
    table = {1: (10, 20, 30, 255), 2: (200, 100, 50, 255)}
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, table)
    rgba = drawn(path)
    assert [tuple(rgba[y, x]) for y, x in ((0, 1), (1, 0), (0, 0))] == [table[1], table[2], (0, 0, 0, 0)]


def test_one_value_everywhere_is_a_picture_too(tmp_path: Path) -> None:
    assert len(np.unique(drawn(write_tif(tmp_path / "a.tif", np.full((9, 9), 3, "int32"))))) <= 4


WRONG: dict[str, tuple[Any, str]] = {
    "no data": (np.full((5, 5), np.nan, "float32"), "has no data"),
    "no raster": (b"this is no GeoTIFF", "cannot be read"),
    "not there": (None, "cannot be read"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_drawn_says_why(tmp_path: Path, case: str) -> None:
    content, says = WRONG[case]
    path = tmp_path / "a.tif"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write_tif(path, content)
    with pytest.raises(InputError, match=says):
        drawn(path)


def test_a_file_that_names_another_one_is_not_followed(tmp_path: Path) -> None:
    import rasterio

    write_tif(tmp_path / "secret.tif", np.arange(16, dtype="uint8").reshape(4, 4))
    path = tmp_path / "a.tif"
    path.write_text(
        "<VRTDataset rasterXSize='4' rasterYSize='4'><GeoTransform>5, 2, 0, 5, 0, -2</GeoTransform><VRTRasterBand dataType='Byte' band='1'><SimpleSource>"
        f"<SourceFilename>{tmp_path}/secret.tif</SourceFilename><SourceBand>1</SourceBand>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with rasterio.open(path) as file:  # GDAL itself does
        assert file.read(1).max() == 15
    with pytest.raises(InputError, match="cannot be read"):
        drawn(path)


def test_the_page_shows_the_picture_with_its_values_or_says_why_not(
    page: Browser, registry: Registry, output: Path
) -> None:
    values = np.array([[18993, 18995], [19000, 19020]], "int32")
    path = write_tif(output / "d.tif", values, nodata=-1)
    address = add_product(
        registry, path, name="min_date", role="raster", media_type="image/tiff", units=DAYS, polarization="VV"
    )
    text = page.get(f"{address}/figure").text
    assert f'src="{address}/preview.png" width="2" height="2"' in text
    assert "min_date VV" in text
    assert "2022-01-01" in text  # the lower end: 18993 is 2022-01-01
    assert page.get(f"{address}/preview.png").headers["content-type"] == "image/png"
    broken = output / "e.tif"
    broken.write_bytes(b"broken")
    address = add_product(registry, broken, name="e", role="raster", media_type="image/tiff")
    assert "no picture" in page.get(f"{address}/figure").text
    assert page.get(f"{address}/preview.png").status_code == 404
