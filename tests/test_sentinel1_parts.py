"""Passes of Sentinel-1: which are asked for, what they are put together to, and the names that never collide."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from infra.errors import InputError
from infra.grid import Grid, union
from infra.region import Region
from pipelines.kinds.sentinel1.dask.compose import check_groups
from pipelines.kinds.sentinel1.filtering import filter_arguments
from pipelines.kinds.sentinel1.output_grid import area_grid, asked_lattice, one_lattice, utm_lattice
from pipelines.kinds.sentinel1.parameters import OutputGrid, Speckle
from pipelines.kinds.sentinel1.parts import (
    Part,
    Pass,
    Selection,
    beside,
    composite_parts,
    select_passes,
    series_parts,
    with_directions,
)
from pipelines.kinds.sentinel1.stack_passes import chosen_passes, stack_output
from pipelines.kinds.sentinel1_composite.spec import Sentinel1Composite

START = datetime(2022, 4, 29, 18, tzinfo=UTC)


def at(days: float, *, orbit: int = 131, platform: str = "S1A", direction: str | None = "ascending") -> Pass:
    return Pass(
        time=START + timedelta(days=days), platform=platform, relative_orbit=orbit, direction=direction, scenes=("s",)
    )


EVERY = (
    at(0), at(6, platform="S1B"), at(12), at(5, orbit=58, direction="descending"), at(17, orbit=58, direction="descending")
)  # fmt: skip


def box(west: float, south: float, east: float, north: float) -> Region:
    ring = f"{west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}"
    return Region(wkt=f"POLYGON (({ring}))", masks=False)


def labels(parts: tuple[Part, ...]) -> list[tuple[str | None, str | None, int]]:
    return [(part.period, part.orbit, len(part.passes)) for part in parts]


def test_one_composite_of_everything_has_no_label() -> None:
    assert labels(composite_parts(EVERY, time="period", per_orbit=False)) == [(None, None, 5)]


def test_months_and_orbits() -> None:
    assert labels(composite_parts(EVERY, time="month", per_orbit=False)) == [("2022-04", None, 1), ("2022-05", None, 4)]
    assert labels(composite_parts(EVERY, time="year", per_orbit=True)) == [("2022", "A131", 3), ("2022", "D058", 2)]
    assert labels(composite_parts(EVERY, time="month", per_orbit=True)) == [
        ("2022-04", "A131", 1),
        ("2022-05", "A131", 2),
        ("2022-05", "D058", 2),
    ]


def test_passes_of_a_part_are_in_time_order_whatever_order_they_came_in() -> None:
    (part,) = composite_parts(EVERY[::-1], time="period", per_orbit=False)
    assert [one.time for one in part.passes] == sorted(one.time for one in EVERY)


def test_the_last_moment_of_a_month_is_that_months_in_utc() -> None:
    late = replace(at(0), time=datetime(2022, 4, 30, 23, 59, 59, tzinfo=UTC))
    early = replace(at(0), time=datetime(2022, 5, 1, tzinfo=UTC))
    assert [part.period for part in composite_parts([late, early], time="month", per_orbit=False)] == [
        "2022-04",
        "2022-05",
    ]


def test_a_series_is_a_part_for_each_pass() -> None:
    parts = series_parts(EVERY, start=1, limit=3)
    assert [(part.date, part.platform, part.orbit) for part in parts] == [
        ("2022-05-04", "S1A", "D058"),
        ("2022-05-05", "S1B", "A131"),
        ("2022-05-11", "S1A", "A131"),
    ]
    assert parts[0].file("vv_db") == "D058_2022-05-04_S1A_vv_db.tif"


def test_a_series_that_starts_after_its_end_says_so() -> None:
    with pytest.raises(InputError, match=r"start: 5 leaves out all passes, of which there are 5"):
        series_parts(EVERY, start=5, limit=None)


def test_two_orbits_on_one_date_have_names_of_their_own() -> None:
    parts = series_parts([at(0), at(0.5, orbit=58, direction="descending")], start=0, limit=None)
    assert len({(part.date, part.orbit) for part in parts}) == 2


def test_passes_of_one_orbit_and_date_are_told_apart_by_their_time() -> None:
    parts = series_parts(
        [at(0), replace(at(0), time=START + timedelta(minutes=99), platform="S1C")], start=0, limit=None
    )
    assert [part.date for part in parts] == ["2022-04-29T18:00:00", "2022-04-29T19:39:00"]
    assert all(":" not in part.file("vv") for part in parts)


def test_names_never_collide() -> None:
    parts = [
        *composite_parts(EVERY, time="month", per_orbit=True),
        *composite_parts(EVERY, time="year", per_orbit=True),
        *composite_parts(EVERY, time="year", per_orbit=False),
        *series_parts(EVERY, start=0, limit=None),
    ]
    names = [
        part.file(name) for part, name in product(parts, ("vv", "vv_db", "vv_median", "vv_median_unfiltered", "count"))
    ]
    assert len(set(names)) == len(names)


def test_plain_values_and_back() -> None:
    for part in composite_parts(EVERY, time="month", per_orbit=True):
        assert Part.from_json(part.to_json()) == part


def test_a_filter_over_time_looks_at_the_passes_of_its_own_orbit() -> None:
    series = series_parts(EVERY, start=0, limit=None)
    assert [len(beside(part, series)) for part in series] == [3, 2, 3, 3, 2]
    for part in composite_parts(EVERY, time="month", per_orbit=True):
        assert beside(part, ()) == part.passes


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Selection(), 5),
        (Selection(direction="ascending"), 3),
        (Selection(orbits=(58,)), 2),
        (Selection(platforms=("S1B",)), 1),
        (Selection(direction="ascending", platforms=("S1A",)), 2),
    ],
)
def test_what_is_asked_for_stays_and_the_rest_has_a_reason(wanted: Selection, count: int) -> None:
    kept, dropped = select_passes(EVERY, wanted)
    assert len(kept) == count
    assert len(kept) + len(dropped) == len(EVERY)
    assert all("is not asked for" in why for _, why in dropped)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Selection(orbits=(7, 9)), r"orbits: \[7, 9\] leaves no pass; there are 131 \(3 passes\), 58 \(2 passes\)"),
        (
            Selection(direction="descending", orbits=(131,)),
            r"orbits: \[131\] leaves no pass; there are 58 \(2 passes\)",
        ),
        (Selection(platforms=("S1C",)), r"platforms: \[S1C\] leaves no pass; there are S1A \(4 passes\), S1B"),
    ],
)
def test_the_filter_that_left_nothing_is_named_with_what_there_was(wanted: Selection, said: str) -> None:
    with pytest.raises(InputError, match=said):
        select_passes(EVERY, wanted)


def test_an_unknown_direction_comes_from_the_sun_or_from_a_pass_of_the_same_orbit() -> None:
    # Santa Barbara, 02:00 UTC: six in the evening there
    evening = replace(at(0, direction=None), time=datetime(2021, 11, 19, 1, 58, tzinfo=UTC))
    assert with_directions([evening], longitude=-119.2)[0].orbit == "A131"
    assert (
        with_directions([replace(evening, time=evening.time + timedelta(hours=12))], longitude=-119.2)[0].orbit
        == "D131"
    )
    told = replace(at(1), direction="descending")
    assert [one.orbit for one in with_directions([evening, told], longitude=-119.2)] == ["D131", "D131"]
    assert with_directions([replace(evening, platform="NISAR")], longitude=0.0)[0].orbit == "T131"


# -- of a stack -------------------------------------------------------------------------------------------------------

GRID = Grid(crs="EPSG:32611", left=159_930, top=3_816_210, dx=30, dy=30, height=100, width=100)


def stack(**groups: list[Pass]) -> dict[str, Any]:
    """Summary of a stack with groups of passes on grids that lie side by side."""
    grids = {label: replace(GRID, left=GRID.left + 3000 * number) for number, label in enumerate(groups)}
    return {
        "groups": {
            label: {
                "grid": grids[label].to_json(),
                "times": [one.time.isoformat() for one in passes],
                "passes": [
                    {
                        "platform": one.platform,
                        "relative_orbit": one.relative_orbit,
                        "pass_direction": one.direction,
                        "scenes": [[name, "v1"] for name in one.scenes],
                    }
                    for one in passes
                ],
            }
            for label, passes in groups.items()
        },
        "grid": union(list(grids.values())).to_json(),
        "polarizations": ["VH", "VV"],
    }


APART = stack(A131=list(EVERY[:3]), D058=list(EVERY[3:]))


def test_passes_of_a_stack_know_where_they_are() -> None:
    passes, dropped = chosen_passes(APART, Sentinel1Composite(stack="s"))
    assert [(one.group, one.index) for one in passes] == [
        ("A131", 0),
        ("D058", 0),
        ("A131", 1),
        ("A131", 2),
        ("D058", 1),
    ]
    assert not dropped
    passes, dropped = chosen_passes(APART, Sentinel1Composite.model_validate({"stack": "s", "pass": "descending"}))
    assert [(one.group, one.index) for one in passes] == [("D058", 0), ("D058", 1)]
    assert len(dropped) == 3


def test_a_stack_that_lacks_a_polarization_says_which() -> None:
    lacking = {**APART, "polarizations": ["VV"]}
    with pytest.raises(InputError, match="quantities: need VH, and the stack 's' has VV"):
        chosen_passes(lacking, Sentinel1Composite(stack="s"))
    assert chosen_passes(lacking, Sentinel1Composite(stack="s", quantities=["vv"]))[0]


def test_orbits_that_a_stack_keeps_apart_are_not_put_together() -> None:
    passes, _ = chosen_passes(APART, Sentinel1Composite(stack="s"))
    with pytest.raises(
        InputError, match="orbits A131, D058 are put together, and the stack keeps each orbit apart"
    ) as raised:
        check_groups(composite_parts(passes, time="period", per_orbit=False))
    assert "orbits: mixed" in raised.value.remedy
    check_groups(composite_parts(passes, time="month", per_orbit=True))
    check_groups(series_parts(passes, start=0, limit=None))


def test_the_grid_of_a_stack_or_what_is_asked_for_within_it() -> None:
    whole = Grid(**APART["grid"])
    assert stack_output(APART, Sentinel1Composite(stack="s"), None) == whole
    coarse = stack_output(APART, Sentinel1Composite(stack="s", grid=OutputGrid(crs="EPSG:32611", resolution=90)), None)
    assert (coarse.left % 90, coarse.top % 90, coarse.dx) == (0, 0, 90)
    left, bottom, right, top = whole.bounds
    assert coarse.bounds[0] <= left < coarse.bounds[0] + 90
    assert coarse.bounds[3] - 90 < top <= coarse.bounds[3]
    assert coarse.bounds[2] - 90 < right <= coarse.bounds[2]
    assert coarse.bounds[1] <= bottom < coarse.bounds[1] + 90


def test_a_stack_on_several_lattices_needs_a_grid() -> None:
    two = json.loads(json.dumps(APART))
    two["groups"]["D058"]["grid"]["left"] += 7
    with pytest.raises(InputError, match="the orbits of the stack are on several lattices") as raised:
        stack_output(two, Sentinel1Composite(stack="s"), None)
    assert "`grid`" in raised.value.remedy
    assert stack_output(two, Sentinel1Composite(stack="s", grid=OutputGrid(crs="EPSG:32611", resolution=90)), None)


def test_metres_of_a_radius_are_pixels_of_the_scenes() -> None:
    given = Sentinel1Composite(speckle=Speckle(filter="focal_median", radius=100))
    assert filter_arguments(given, spacing=10, crs="EPSG:32611")["radius"] == 10
    assert filter_arguments(given, spacing=100, crs="EPSG:2227")["radius"] == pytest.approx(
        1 / 0.3048, rel=1e-5
    )  # feet
    with pytest.raises(InputError, match="radius is in metres, and the scenes' pixels are in the degrees of EPSG:4326"):
        filter_arguments(given, spacing=0.0003, crs="EPSG:4326")
    assert filter_arguments(Sentinel1Composite(), spacing=10, crs="EPSG:32611") is None


# -- the grid ---------------------------------------------------------------------------------------------------------


def test_corners_are_multiples_of_the_resolution() -> None:
    grid = area_grid(asked_lattice(OutputGrid(crs="EPSG:32611", resolution=30), box(-119.3, 34.3, -119.2, 34.4)),
                     box(-119.3, 34.3, -119.2, 34.4))  # fmt: skip
    assert grid.left % 30 == 0
    assert grid.top % 30 == 0
    assert (grid.dx, grid.dy, grid.crs) == (30, 30, "EPSG:32611")


def test_the_window_holds_the_centres_inside_the_area() -> None:
    region = box(-119.3, 34.3, -119.2, 34.4)
    grid = area_grid(utm_lattice(region), region)
    left, bottom, right, top = region.projected(grid.crs).bounds
    assert left <= grid.x[0] < left + grid.dx
    assert right - grid.dx < grid.x[-1] <= right
    assert top - grid.dy < grid.y[0] <= top
    assert bottom <= grid.y[-1] < bottom + grid.dy


@pytest.mark.parametrize(
    ("region", "crs"),
    [
        (box(-119.3, 34.3, -119.2, 34.4), "EPSG:32611"),
        (box(-65.3, -18.3, -65.2, -18.2), "EPSG:32720"),
        (box(-1, -0.5, 0.5, 1), "EPSG:32630"),
        (box(179.9, 10, 180, 11), "EPSG:32660"),
    ],
)
def test_the_zone_of_the_areas_middle(region: Region, crs: str) -> None:
    assert utm_lattice(region).crs == crs


@pytest.mark.parametrize(
    ("region", "said"),
    [
        (box(10, 83, 12, 88), "latitudes 83 to 88 reach beyond UTM"),
        (box(10, -85, 12, -79), "latitudes -85 to -79 reach beyond UTM"),
        (box(-179, 10, 179, 11), "longitudes -179 to 179 are too many for one UTM zone"),
    ],
)
def test_areas_that_no_zone_holds(region: Region, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        utm_lattice(region)
    assert "`grid`" in raised.value.remedy


def test_a_grid_of_another_part_of_the_earth() -> None:
    with pytest.raises(InputError, match=r"grid: EPSG:32611 is made for .*, and the area is at 10 to 11"):
        asked_lattice(OutputGrid(crs="EPSG:32611", resolution=30), box(10, 50, 11, 51))
    # a burst in zone 10 that is delivered in zone 11
    assert asked_lattice(OutputGrid(crs="EPSG:32611", resolution=30), box(-120.7, 34.4, -120.67, 34.43)).dx == 30


def test_more_pixels_than_can_be_meant_and_none() -> None:
    region = box(-119.3, 34.3, -119.2, 34.4)
    with pytest.raises(InputError, match=r"grid: 1\.\d+e\+14 pixels of 0\.001 \(EPSG:32611\) are in the area"):
        area_grid(asked_lattice(OutputGrid(crs="EPSG:32611", resolution=0.001), region), region)
    with pytest.raises(InputError, match=r"area: no pixel of 100000 \(EPSG:32611\) has its centre in it"):
        area_grid(asked_lattice(OutputGrid(crs="EPSG:32611", resolution=100_000), region), region)


def test_scenes_of_two_lattices_are_named() -> None:
    first = Grid(crs="EPSG:32611", left=0, top=0, dx=30, dy=30, height=5, width=5)
    assert one_lattice([first, replace(first, left=90)], ["a", "b"]) == first
    with pytest.raises(InputError, match="grid: b does not lie on the lattice of a: CRS EPSG:32610 instead"):
        one_lattice([first, replace(first, crs="EPSG:32610")], ["a", "b"])
