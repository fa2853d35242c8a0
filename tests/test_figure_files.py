"""Files of figures: films that decode to what was drawn, equal bytes for equal stacks, errors instead of empty pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from figure_gallery import POLARIZATION, films, masked, sheets, speckle, studio_of
from matplotlib.colors import to_rgb
from PIL import Image, ImageSequence

from dask_jobs.figures.draw_figure import PNG, FigureTask, Studio, draw_figure
from dask_jobs.figures.quicklook import read_raster, take_look
from dask_jobs.figures.style import NO_DATA, save_png, styled
from infra.errors import InputError, SarbatchError
from infra.storage import Location

FILMED = {"short": masked(speckle(4, 30, 40), 2), "one-date": speckle(1, 20, 60)}
FEW = speckle(2, 9, 12)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return studio_of(FEW, tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = {}
    for name, scenes in FILMED.items():
        folder = tmp_path_factory.mktemp(name)
        with styled():
            found[name] = films(studio_of(scenes, folder), folder)
    return found


@pytest.mark.parametrize("film", ["animation", "animation_means"])
@pytest.mark.parametrize("name", ["short", "one-date"])
def test_a_film_has_a_frame_for_each_date_in_both_formats(shot: dict[str, Any], name: str, film: str) -> None:
    dates = len(FILMED[name].times)
    with Image.open(shot[name][film]["gif"]) as gif:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
        assert gif.info["duration"] == 500
        assert gif.info["loop"] == 0
    video = cv2.VideoCapture(str(shot[name][film]["mp4"]))
    assert video.get(cv2.CAP_PROP_FPS) == 2
    assert b"vp09" in shot[name][film]["mp4"].read_bytes()  # what browsers play
    decoded = []
    while (read := video.read())[0]:
        decoded.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    assert len(frames) == len(decoded) == dates
    assert decoded[0].shape == frames[0].shape
    assert all(size % 2 == 0 for size in frames[0].shape[:2])
    for one, other in zip(frames, decoded, strict=True):
        assert np.abs(one.astype(int) - other).mean() < 12  # a codec that loses a little, not another picture


def test_frames_differ_where_dates_do_and_nothing_flickers(shot: dict[str, Any]) -> None:
    with Image.open(shot["short"]["animation"]["gif"]) as gif:
        frames = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)])
    height, width = frames.shape[1:3]
    title = frames[:, : height // 20, : width // 2]
    assert len({image.tobytes() for image in title}) == len(frames)  # the date is in the title
    bar = frames[:, height // 10 : height // 2, -width // 8 :]
    assert len({image.tobytes() for image in bar}) == 1  # one stretch, one palette
    sand = np.all(frames == np.round(np.array(to_rgb(NO_DATA)) * 255), axis=3).mean(axis=(1, 2))
    assert sand[2] > 3 * sand[1] > 0  # the date without data
    assert tuple(frames[0, -1, -1]) == (255, 255, 255)


def test_equal_stacks_make_equal_files(studio: Studio, tmp_path: Path) -> None:
    for attempt in ("first", "second"):
        (tmp_path / attempt).mkdir()
        with styled():
            for figure, sheet in sheets(studio):
                save_png(sheet, tmp_path / attempt / f"{figure}.png")
            films(studio, tmp_path / attempt)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name
    assert b"Software" not in (tmp_path / "first/map_mean.png").read_bytes()
    assert b"atplotlib" not in (tmp_path / "first/map_mean.png").read_bytes()


def test_a_figure_that_cannot_be_drawn_is_an_error_that_names_it(tmp_path: Path) -> None:
    studio = studio_of(speckle(1, 8, 8), tmp_path)
    task = FigureTask("time_series", POLARIZATION, None, ((PNG, "figures/series.png"),))
    studio.parts.write("time_series.parquet", b"half of a table")
    with pytest.raises(SarbatchError, match="the figure time_series VV could not be drawn") as error:
        draw_figure(task, work=studio)
    assert "figures: none" in error.value.remedy
    assert not studio.parts.exists("figures/series.png")
    assert not studio.place.exists(task.marker)
    with pytest.raises(InputError, match=r"not-there\.tif"):
        read_raster(studio.parts, "not-there.tif")


def test_a_marker_stands_for_a_figure_that_is_there(studio: Studio) -> None:
    task = FigureTask("map_mean", POLARIZATION, None, ((PNG, "figures/map.png"),))
    draw_figure(task, work=studio)
    assert studio.place.exists(task.marker)
    with Image.open(studio.parts.href("figures/map.png")) as image:
        assert image.size[0] > 400


def test_a_look_is_the_same_whoever_takes_it_again(studio: Studio) -> None:
    gallery = studio.gallery
    names = ("look/VV/000001.npz", "picture/VV/000001.npz")
    before = [np.load(gallery.place.href(name)) for name in names]
    take_look((1, POLARIZATION), work=gallery)
    for name, old in zip(names, before, strict=True):
        new = np.load(gallery.place.href(name))
        for key in old.files:
            np.testing.assert_array_equal(new[key], old[key])


def test_rasters_are_read_from_s3_as_from_a_folder(studio: Studio, s3_bucket: Location) -> None:
    path = studio.rasters[POLARIZATION, "cov"]
    s3_bucket.upload(Path(studio.parts.href(path)), "cov.tif")
    here, counted = read_raster(studio.parts, path, bins=(0.0, 5.0, 0.002))
    there, same = read_raster(s3_bucket, "cov.tif", bins=(0.0, 5.0, 0.002))
    np.testing.assert_array_equal(here.values, there.values)
    assert counted is not None
    assert same is not None
    np.testing.assert_array_equal(counted.counts, same.counts)
    assert counted.total == int(np.isfinite(FEW.power[0]).sum())
