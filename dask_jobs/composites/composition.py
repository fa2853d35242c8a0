"""What is to be composed of a stack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dask_jobs.composites.measures import Measure
from dask_jobs.speckle.choice import Speckle
from infra.grid import Grid
from infra.region import Region
from infra.storage import Location

TOGETHER = frozenset({"multi_temporal"})  # filters that see several passes at once


@dataclass(frozen=True, kw_only=True)
class Part:
    """Passes that are composed, and the labels of what is made of them.

    Attributes
    ----------
    steps : indices on the stack's time axis
    period, date, orbit : labels of the products, None where one does not apply
    platform : of one pass; in the names of its files alone
    """

    steps: tuple[int, ...]
    period: str | None = None
    date: str | None = None
    orbit: str | None = None
    platform: str | None = None

    @property
    def prefix(self) -> str:
        """Beginning of the names of its files."""
        labels = [label for label in (self.orbit, self.period, self.date, self.platform) if label]
        return "".join(f"{_plain(label)}_" for label in labels)


@dataclass(frozen=True, kw_only=True)
class Composition:
    """Rasters to be made of a group of a stack.

    Attributes
    ----------
    store, tag, group : a published stack and, where it has several, the group
    parts : each gives a raster of every measure
    measures : of each part
    polarizations : a pass has data at a pixel where all of these have
    speckle : None for no filter
    companions : passes that multi_temporal filters together: those of one relative orbit. None stands for all passes of
        all parts.
    valid_range : least and greatest linear power that is data, None where open
    grid : to which power is averaged by area after the filter; None for the stack's own
    region : pixels of the result whose centre lies outside become no data, where it masks
    names_group : whether names of files begin with the group, so that those of several in one folder never meet
    """

    store: Location
    tag: str
    parts: tuple[Part, ...]
    measures: tuple[Measure, ...]
    polarizations: tuple[str, ...]
    group: str = ""
    speckle: Speckle | None = None
    companions: tuple[tuple[int, ...], ...] | None = None
    valid_range: tuple[float | None, float | None] = (None, None)
    grid: Grid | None = None
    region: Region | None = None
    names_group: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be made.

        Raises
        ------
        ValueError
            If there is nothing to make, two products would have one name, a measure lacks its polarization, there is no
            reducer for several passes, or passes have no companions.
        """
        names = [f"{part.prefix}{measure.name}" for part in self.parts for measure in self.measures]
        twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
        if not names or twice:
            raise ValueError(f"products of one name: {sorted(twice)}" if names else "no part, or no measure")
        lacking = {name for one in self.measures for name in one.polarizations} - set(self.polarizations)
        if lacking or not self.polarizations:
            raise ValueError(f"measures need {sorted(lacking)}, and the polarizations are {list(self.polarizations)}")
        for part in self.parts:
            if not part.steps or (len(part.steps) > 1 and any(one.reducer is None for one in self.measures)):
                raise ValueError(f"{len(part.steps)} passes, measures {[one.name for one in self.measures]}")
        apart = {step for family in self.families for step in family}
        if self.filters_together and not apart >= {step for part in self.parts for step in part.steps}:
            raise ValueError(f"passes without companions: {self.companions}")

    @property
    def filters_together(self) -> bool:
        """Whether the filter sees several passes at once."""
        return self.speckle is not None and self.speckle.filter in TOGETHER

    @property
    def families(self) -> tuple[tuple[int, ...], ...]:
        """Passes that are filtered together, ascending."""
        if self.companions is not None:
            return tuple(tuple(sorted(set(family))) for family in self.companions)
        return (_ascending(step for part in self.parts for step in part.steps),)

    @property
    def wants_filtered(self) -> bool:
        """Whether some measure is of filtered power."""
        return self.speckle is not None and any(one.filtered for one in self.measures)

    @property
    def wants_raw(self) -> bool:
        """Whether some measure is of power as it was read."""
        return any(not self.shows_filtered(one) for one in self.measures)

    def shows_filtered(self, measure: Measure) -> bool:
        """Whether a measure is of filtered power; so is `count`, which is the same, where others are."""
        return self.speckle is not None and measure.filtered


def _ascending(steps: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(steps)))


def _plain(label: str) -> str:
    """A label as part of a file's name."""
    return "".join(letter if letter.isalnum() or letter in "-+." else "-" for letter in label)
