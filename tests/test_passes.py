"""Scenes into passes, orbits and grids."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_jobs import passes
from dask_jobs.readers import opera
from dask_jobs.scenes import Dropped, Found, Radiometry, Raster, Scene
from infra.errors import InputError, LatticeError
from infra.grid import Grid
from infra.region import Region
from infra.storage import S3Options

DATA = Path(__file__).parents[1] / "../shared/data/opera-rtc-s1"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the reference data are not beside the project")
NOON = datetime(2021, 11, 19, 12, tzinfo=UTC)


def grid(row: int = 0, col: int = 0, *, height: int = 10, width: int = 10, crs: str = "EPSG:32611") -> Grid:
    return Grid(crs=crs, left=300_000 + 30 * col, top=3_800_000 - 30 * row, dx=30, dy=30, height=height, width=width)


def scene(name: str = "a", *, after: timedelta = timedelta(), place: Grid | None = None, **more: object) -> Scene:
    known: dict = {"platform": "S1A", "relative_orbit": 137} | more
    url = f"/data/{name}_{after}.tif"
    return Scene(id=name, release="", time=NOON + after, grid=place or grid(), rasters={"VV": Raster(url=url)}, **known)


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def box(left: float, bottom: float, right: float, top: float) -> Region:
    """Region around these UTM coordinates, its box a little bent as every box in degrees is."""
    from pyproj import Transformer
    from shapely.geometry import box as rectangle

    back = Transformer.from_crs("EPSG:32611", "EPSG:4326", always_xy=True)
    return Region(wkt=rectangle(*back.transform_bounds(left, bottom, right, top)).wkt, masks=False)


def grouped(*scenes: Scene) -> list[list[str]]:
    return [[s.id for s in p.scenes] for p in passes.group_passes(scenes)]


# ---------------------------------------------------------------------------------------------- passes


@needs_data
def test_real_bursts_make_one_pass_a_day() -> None:
    found = opera.find(DATA, polarizations=["VV"], s3=S3Options())
    made = passes.group_passes(found.scenes)
    assert [len(p.scenes) for p in made] == [6] * 21
    assert all(len({s.time.date() for s in p.scenes}) == 1 for p in made)
    assert all(p.time == min(s.time for s in p.scenes) for p in made)
    assert [s.id for s in made[0].scenes] == sorted(s.id for s in made[0].scenes)
    assert list(passes.by_orbit(found.scenes)) == ["T137"]
    passes.check_lattice(found.scenes)
    passes.check_one_radiometry(found.scenes)
    passes.check_orbits(found.scenes, policy="single")


def test_a_pass_without_absolute_orbit_lasts_half_an_hour_from_its_first_scene() -> None:
    places = [grid(10 * i) for i in range(4)]
    times = [0, 20, 30, 31]
    assert grouped(*(scene(f"s{t}", after=minutes(t), place=p) for t, p in zip(times, places, strict=True))) == [
        ["s0", "s20", "s30"],
        ["s31"],
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"platform": "S1B"},
        {"relative_orbit": 64},
        {"relative_orbit": None},
        {"absolute_orbit": 2},
        {"absolute_orbit": 1, "pass_direction": "descending"},
        {"absolute_orbit": 1, "look_direction": "left"},
    ],
)
def test_what_differs_is_another_pass(other: dict) -> None:
    one = scene(
        "a", absolute_orbit=1 if "absolute_orbit" in other else None, pass_direction="ascending", look_direction="right"
    )
    two = scene("b", after=minutes(1), place=grid(10), **other)
    assert grouped(one, two) == [["a"], ["b"]]


def test_one_absolute_orbit_is_one_pass_however_long() -> None:
    assert grouped(scene("a", absolute_orbit=1), scene("b", after=minutes(45), place=grid(10), absolute_orbit=1)) == [
        ["a", "b"]
    ]


def test_a_pass_sees_a_piece_of_ground_once() -> None:
    assert grouped(scene("a"), scene("b", after=minutes(5))) == [["a"], ["b"]]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 3), st.sampled_from(["S1A", "S1B"])), max_size=12))
def test_every_scene_is_in_one_pass_and_passes_are_in_order(items: list[tuple[int, int, str]]) -> None:
    scenes = [scene(f"s{n}", after=minutes(t), place=grid(10 * row), platform=p) for n, (t, row, p) in enumerate(items)]
    made = passes.group_passes(scenes)
    assert sorted(s.id for p in made for s in p.scenes) == sorted(s.id for s in scenes)
    assert [p.time for p in made] == sorted(p.time for p in made)
    assert passes.group_passes(reversed(scenes)) == made
    for p in made:
        assert len({s.platform for s in p.scenes}) == 1
        assert max(s.time for s in p.scenes) - p.time <= minutes(30)
        assert len({s.grid for s in p.scenes}) == len(p.scenes)


# ---------------------------------------------------------------------------------------------- filters


def test_the_period_ends_exclusively() -> None:
    days = [scene(f"s{n}", after=timedelta(days=n)) for n in range(4)]  # 19 to 22 November, noon
    before = Found(scenes=tuple(days), dropped=(Dropped(path="x", reason="y"),))
    found = passes.filter_period(before, start=date(2021, 11, 20), end=date(2021, 11, 22))
    assert [s.id for s in found.scenes] == ["s1", "s2"]
    assert found.dropped[0] == before.dropped[0]
    assert [d.reason for d in found.dropped[1:]] == [
        "2021-11-19 is before the period, which starts on 2021-11-20",
        "2021-11-22 is after the period, which ends before 2021-11-22",
    ]
    exact = passes.filter_period(before, start=NOON, end=(NOON + timedelta(days=1)).replace(tzinfo=None))
    assert [s.id for s in exact.scenes] == ["s0"]
    assert passes.filter_period(before).scenes == before.scenes
    with pytest.raises(
        InputError,
        match="no scene from 2030-01-01 until before the end; the scenes are of 2021-11-19 to 2021-11-22",
    ):
        passes.filter_period(before, start=date(2030, 1, 1))


def test_orbits_are_chosen_by_number_and_pass() -> None:
    found = Found(
        scenes=(scene("a", pass_direction="ascending"), scene("b", relative_orbit=64, pass_direction="descending"))
    )
    assert [s.id for s in passes.filter_orbits(found, relative_orbits=[137]).scenes] == ["a"]
    left = passes.filter_orbits(found, pass_direction="descending")
    assert [s.id for s in left.scenes] == ["b"]
    assert [d.reason for d in left.dropped] == ["pass ascending is not asked for"]
    with pytest.raises(InputError, match="there are A137, D064"):
        passes.filter_orbits(found, relative_orbits=[1])


def test_scenes_outside_the_area_are_dropped() -> None:
    region = box(300_100, 3_799_800, 300_200, 3_799_900)
    found = Found(
        scenes=(scene("here"), scene("there", place=grid(100)), scene("antipode", place=grid(crs="EPSG:32745")))
    )
    left = passes.drop_outside(found, region)
    assert [s.id for s in left.scenes] == ["here"]
    assert [d.reason for d in left.dropped] == ["there does not touch the area", "antipode does not touch the area"]
    assert passes.drop_outside(found, None) is found


def test_an_area_where_the_scenes_projection_ends_is_outside() -> None:
    region = Region(wkt="POLYGON((-3 0, -2 0, -2 1, -3 1, -3 0))", masks=False)  # 90 degrees from the zone's meridian
    assert region.projected("EPSG:32745").bounds[0] == float("inf")
    with pytest.raises(InputError, match="holds no pixel"):
        passes.drop_outside(Found(scenes=(scene(place=grid(crs="EPSG:32745")),)), region)


def test_an_area_that_no_scene_covers_is_told_with_both_extents() -> None:
    region = Region(wkt="POLYGON((10 50, 11 50, 11 51, 10 51, 10 50))", masks=False)
    with pytest.raises(
        InputError, match=r"\[10\.0000, 50\.0000, 11\.0000, 51\.0000\] holds no pixel .* cover \[-119\.1\d+, 34\.3"
    ):
        passes.drop_outside(Found(scenes=(scene(), scene("b", place=grid(20)))), region)


# ---------------------------------------------------------------------------------------------- checks


def test_mixed_radiometry_is_refused() -> None:
    other = replace(scene("b"), radiometry=Radiometry(quantity="gamma0_terrain", speckle_filtered=True))
    with pytest.raises(InputError, match=r"/data/b.* is gamma0_terrain \(speckle-filtered, .*/data/a"):
        passes.check_one_radiometry([scene("a"), other])


def test_another_lattice_is_refused_naming_both_files() -> None:
    off = replace(grid(), left=300_015.0)
    with pytest.raises(LatticeError, match=r"/data/b.*/data/a.*0\.500 pixel"):
        passes.check_lattice([scene("a"), scene("c", place=grid(7, -3)), scene("b", place=off)])
    with pytest.raises(LatticeError, match="CRS EPSG:32612"):
        passes.check_lattice([scene("a"), scene("b", place=grid(crs="EPSG:32612"))])


def test_two_orbits_are_refused_unless_said() -> None:
    mixed = [scene("a", pass_direction="ascending"), scene("b", relative_orbit=64), scene("c")]
    with pytest.raises(InputError, match=r"2 orbits: A137 \(2 scenes\), T064 \(1 scenes\)"):
        passes.check_orbits(mixed, policy="single")
    passes.check_orbits(mixed, policy="separate")
    passes.check_orbits(mixed, policy="mixed")
    both_looks = [scene("a", look_direction="right"), scene("b", look_direction="left")]
    with pytest.raises(InputError, match=r"T137 .*, T137-left"):
        passes.check_orbits(both_looks, policy="single")


def test_orbit_labels() -> None:
    one = {"pass_direction": "ascending"}
    scenes = [
        scene("a", **one),
        scene("b", relative_orbit=7, pass_direction="descending"),
        scene("c", relative_orbit=None),
        scene("d"),
    ]
    labels = passes.by_orbit(scenes)
    assert {label: [s.id for s in members] for label, members in labels.items()} == {
        "": ["c"],
        "A137": ["a", "d"],
        "D007": ["b"],
    }


# ---------------------------------------------------------------------------------------------- grids


def test_union_intersection_and_area() -> None:
    day = timedelta(days=1)
    scenes = [scene("a"), scene("b", after=day, place=grid(3, -4)), scene("c", after=2 * day, place=grid(5, 2))]
    assert passes.stack_grid(scenes, extent="union") == grid(0, -4, height=15, width=16)
    assert passes.stack_grid(scenes, extent="intersection") == grid(5, 2, height=5, width=4)
    # pixel centres of rows 6..7 and columns 3..5 lie inside; the box bends by less than a metre
    region = box(300_000 + 3.3 * 30, 3_800_000 - 7.7 * 30, 300_000 + 5.7 * 30, 3_800_000 - 6.3 * 30)
    for extent in ("union", "intersection", "area"):
        assert passes.stack_grid(scenes, extent=extent, region=region) == grid(6, 3, height=2, width=3)
    wide = box(300_000 - 9.7 * 30, 3_800_000 - 19.7 * 30, 300_000 + 1.7 * 30, 3_800_000 + 8.7 * 30)
    assert passes.stack_grid(scenes, extent="area", region=wide) == grid(-9, -10, height=29, width=12)
    assert passes.stack_grid(scenes, extent="union", region=wide) == grid(0, -4, height=15, width=6)


def test_intersection_is_of_passes_and_not_of_neighbours() -> None:
    day = timedelta(days=1)
    scenes = [scene(f"{i}{j}", after=i * day + minutes(j), place=grid(8 * j, i)) for i in range(2) for j in range(3)]
    assert passes.stack_grid(scenes, extent="intersection") == grid(0, 1, height=26, width=9)


def test_grids_that_cannot_be_are_refused() -> None:
    apart = [scene("a"), scene("b", after=timedelta(days=1), place=grid(10))]
    with pytest.raises(InputError, match=r"no pixel is common to all passes: that of 2021-11-20 covers \[-119"):
        passes.stack_grid(apart, extent="intersection")
    with pytest.raises(InputError, match="area needs an area"):
        passes.stack_grid(apart, extent="area")
    with pytest.raises(LatticeError):
        passes.stack_grid([scene("a"), scene("b", place=replace(grid(), dx=20.0))], extent="union")
    with pytest.raises(InputError, match="holds no pixel of the scenes"):
        passes.stack_grid(apart, extent="union", region=box(400_000, 3_700_000, 400_900, 3_700_900))
