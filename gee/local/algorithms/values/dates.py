"""Dates (section 14)."""

from __future__ import annotations

import datetime as dt
import math
from calendar import monthrange
from collections.abc import Callable
from typing import Any

from gee.local.errors import EarthEngineError
from gee.local.table import algorithm
from gee.local.texts.calendars import date_of, formatted, local, parsed, read, zone
from gee.local.values import Date, DateRange

ISO = "yyyy-MM-dd'T'HH:mm:ss"
DAY = 86_400_000.0  # milliseconds, as all lengths here
LONGEST = 10_000 * 366 * DAY
# average lengths; of years and months they are not documented: the Gregorian calendar's mean
LENGTHS = {
    "year": 365.2425 * DAY,
    "month": 365.2425 * DAY / 12,
    "week": 7 * DAY,
    "day": DAY,
    "hour": 3_600_000.0,
    "minute": 60_000.0,
    "second": 1000.0,
}


def unit_of(name: str) -> str:
    """Unit of a name; plurals are taken too."""
    unit = name.lower().removesuffix("s")
    if unit not in LENGTHS:
        raise EarthEngineError(f"Invalid unit: '{name}'. One of {', '.join(LENGTHS)} is needed.")
    return unit


def date_from(value: Any, time_zone: str | None) -> Date:
    """Date of a date, of milliseconds, or of a text."""
    if isinstance(value, Date):
        return value
    if isinstance(value, str):
        return parsed(value, time_zone)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return Date(int(value))
    raise EarthEngineError(f"A date is made of a number of milliseconds or a string, not of {type(value).__name__}.")


@algorithm("Date")
def date(value: Any, time_zone: str | None) -> Date:
    """Date of milliseconds since 1970 UTC, or of a text in a zone."""
    return date_from(value, time_zone)


@algorithm("Date.fromYMD")
def from_ymd(year: int, month: int, day: int, time_zone: str | None) -> Date:
    """Start of a day in a zone."""
    try:
        return date_of(dt.datetime(year, month, day, tzinfo=zone(time_zone)))
    except (ValueError, OverflowError) as error:
        raise EarthEngineError(f"There is no date {year}-{month}-{day}: {error}.") from error


@algorithm("Date.parse")
def parse(format_: str, date: str, time_zone: str | None) -> Date:
    """Date of a text in a pattern."""
    return read(date, format_, time_zone)


@algorithm("Date.format")
def format_(date: Date, format_: str | None, time_zone: str | None) -> str:
    """Text in a pattern; without one ISO 8601 without zone and milliseconds."""
    return formatted(local(date, time_zone), format_ or ISO)


@algorithm("Date.millis")
def millis(date: Date) -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return date.millis


# -- units ------------------------------------------------------------------------------------------------------------


def start_of(moment: dt.datetime, unit: str) -> dt.datetime:
    """Start of the unit that contains a moment; weeks begin on Monday."""
    if unit == "week":
        return start_of(moment - dt.timedelta(days=moment.weekday()), "day")
    resets = {
        "year": {"month": 1},
        "month": {"day": 1},
        "day": {"hour": 0},
        "hour": {"minute": 0},
        "minute": {"second": 0},
    }
    names = ("year", "month", "day", "hour", "minute", "second")
    smaller: dict[str, int] = {"microsecond": 0}
    for name in names[names.index(unit) : -1]:
        smaller |= resets[name]
    return moment.replace(**smaller)  # type: ignore[arg-type]  # mypy thinks of tzinfo


def moved(moment: dt.datetime, count: int, unit: str) -> dt.datetime:
    """Moment whole units later by the calendar of its zone; days that the month lacks become its last."""
    if unit in {"year", "month"}:
        months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        if not 1 <= year <= 9999:
            raise EarthEngineError(f"The year {year} is outside 1 to 9999.")
        return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
    try:
        if unit in {"week", "day"}:
            return moment + dt.timedelta(days=count * (7 if unit == "week" else 1))
        return (moment.astimezone(dt.UTC) + dt.timedelta(milliseconds=count * LENGTHS[unit])).astimezone(moment.tzinfo)
    except OverflowError as error:
        raise EarthEngineError(f"{count} {unit}s later is outside the years 1 to 9999.") from error


@algorithm(
    "Date.advance",
    policies=(
        "fraction_of_month",
        "month_ends",
    ),
)
def advance(date: Date, delta: float, unit: str, time_zone: str | None) -> Date:
    """Date some units later: whole ones by the calendar, the rest by the unit's average length (not documented)."""
    name = unit_of(unit)
    if not abs(delta) * LENGTHS[name] < LONGEST:
        raise EarthEngineError(f"{delta} {unit} lead outside the years 1 to 9999.")
    whole = int(delta)
    later = date_of(moved(local(date, time_zone), whole, name))
    return Date(later.millis + round((delta - whole) * LENGTHS[name]))


@algorithm("Date.difference", policies=("average_year",))
def difference(date: Date, start: Date, unit: str) -> float:
    """Units of average length from another date to this."""
    return (date.millis - start.millis) / LENGTHS[unit_of(unit)]


@algorithm("Date.unitRatio", policies=("average_year",))
def unit_ratio(numerator: str, denominator: str) -> float:
    """Average length of one unit in another."""
    return LENGTHS[unit_of(numerator)] / LENGTHS[unit_of(denominator)]


PARTS: dict[str, Callable[[dt.datetime], int]] = {
    "year": lambda moment: moment.year,
    "month": lambda moment: moment.month,
    "week": lambda moment: moment.isocalendar().week,
    "day": lambda moment: moment.day,
    "hour": lambda moment: moment.hour,
    "minute": lambda moment: moment.minute,
    "second": lambda moment: moment.second,
}


@algorithm("Date.get")
def get(date: Date, unit: str, time_zone: str | None) -> int:
    """Year, month (1-12), ISO week, day (1-31), hour, minute or second."""
    return PARTS[unit_of(unit)](local(date, time_zone))


@algorithm("Date.getRange")
def get_range(date: Date, unit: str, time_zone: str | None) -> DateRange:
    """Unit that contains the date."""
    start = start_of(local(date, time_zone), unit_of(unit))
    return DateRange(date_of(start), date_of(moved(start, 1, unit_of(unit))))


@algorithm("Date.getFraction")
def get_fraction(date: Date, unit: str, time_zone: str | None) -> float:
    """Elapsed part of the unit, 0 to 1."""
    span = get_range(date, unit, time_zone)
    return (date.millis - span.start.millis) / (span.end.millis - span.start.millis)


@algorithm("Date.getRelative")
def get_relative(date: Date, unit: str, in_unit: str, time_zone: str | None) -> int:
    """Whole units since the start of a larger one, from 0; 0 where that is not larger."""
    small, large = unit_of(unit), unit_of(in_unit)
    if LENGTHS[small] >= LENGTHS[large]:
        return 0
    moment = local(date, time_zone)
    start = start_of(moment, large)
    if small == "month":
        return (moment.year - start.year) * 12 + moment.month - start.month
    if small in {"week", "day"}:
        return (moment.date() - start.date()).days // (7 if small == "week" else 1)
    return int((moment - start).total_seconds() * 1000 // LENGTHS[small])


@algorithm("Date.update")
def update(
    date: Date,
    year: int | None,
    month: int | None,
    day: int | None,
    hour: int | None,
    minute: int | None,
    second: float | None,
    time_zone: str | None,
) -> Date:
    """Date with other units, in a zone."""
    given = {"year": year, "month": month, "day": day, "hour": hour, "minute": minute}
    fields = {name: int(value) for name, value in given.items() if value is not None}
    if second is not None:
        if not math.isfinite(second):
            raise EarthEngineError(f"There is no second {second}.")
        fields |= {"second": int(second), "microsecond": round(second % 1 * 1000) * 1000}
    try:
        return date_of(local(date, time_zone).replace(**fields))  # type: ignore[arg-type]  # mypy thinks of tzinfo
    except (ValueError, OverflowError) as error:
        raise EarthEngineError(f"There is no such date: {error}.") from error
