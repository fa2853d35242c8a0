"""Moments of calendars: zones, parts of dates, patterns of Joda-Time's letters (section 14)."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.values import Date

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
ISO = re.compile(
    r"(?P<year>\d{4})(?:-(?P<doy>\d{3})|-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?)?"
    r"(?:[T ](?P<hour>\d{1,2})(?::(?P<minute>\d{1,2})(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,9}))?)?)?)?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?"
)


def zone(name: str | None) -> dt.tzinfo:
    """Time zone of a name ("America/Los_Angeles", "Etc/GMT+8", "+01:00"); UTC where there is none.

    Raises
    ------
    EarthEngineError
        If there is no such zone.
    """
    if name is None or name in {"UTC", "GMT", "Z"}:
        return dt.UTC
    match = OFFSET.fullmatch(name)
    if match:
        span = dt.timedelta(hours=int(match[2]), minutes=int(match[3]))
        return dt.timezone(-span if match[1] == "-" else span)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise EarthEngineError(f"The datetime zone id '{name}' is not recognised.") from error


def local(date: Date, time_zone: str | None) -> dt.datetime:
    """Calendar moment of a date in a zone."""
    try:
        return (EPOCH + dt.timedelta(milliseconds=date.millis)).astimezone(zone(time_zone))
    except OverflowError as error:
        raise EarthEngineError(f"{date.millis} ms is outside the years 1 to 9999.") from error


def date_of(moment: dt.datetime) -> Date:
    """Date of a calendar moment."""
    return Date((moment - EPOCH) // dt.timedelta(milliseconds=1))


def parsed(text: str, time_zone: str | None) -> Date:
    """Date of '2020', '2017-6-24', '1996-001', '1996-01-01T08:00' and the like; a zone in the text counts first."""
    match = ISO.fullmatch(text.strip())
    if match is None:
        raise EarthEngineError(
            f"Invalid date: '{text}'. It must be like '1996-01-01', '1996-001' or '1996-01-01T08:00'."
        )
    part = {name: int(value) for name, value in match.groupdict("0").items() if name not in {"zone", "fraction"}}
    millis = int((match["fraction"] or "0").ljust(3, "0")[:3])
    try:
        start = dt.datetime(part["year"], part["month"] or 1, part["day"] or 1, tzinfo=zone(match["zone"] or time_zone))
        start = start.replace(
            hour=part["hour"], minute=part["minute"], second=part["second"], microsecond=millis * 1000
        )
    except ValueError as error:
        raise EarthEngineError(f"Invalid date: '{text}': {error}.") from error
    if match["doy"]:
        if not 1 <= part["doy"] <= 365 + calendar.isleap(part["year"]):
            raise EarthEngineError(f"Invalid date: '{text}': the year has no day {part['doy']}.")
        start += dt.timedelta(days=part["doy"] - 1)
    return date_of(start)


# -- patterns ---------------------------------------------------------------------------------------------------------


def _number(value: int, count: int) -> str:
    return str(value).rjust(count, "0")


def _year(value: int, count: int) -> str:
    return _number(value % 100, 2) if count == 2 else _number(value, count)


def _month(moment: dt.datetime, count: int) -> str:
    if count >= 4:
        return calendar.month_name[moment.month]
    return calendar.month_abbr[moment.month] if count == 3 else _number(moment.month, count)


def _weekday(moment: dt.datetime, count: int) -> str:
    return (calendar.day_name if count >= 4 else calendar.day_abbr)[moment.weekday()]


def _fraction(moment: dt.datetime, count: int) -> str:
    return f"{moment.microsecond // 1000:03d}".ljust(count, "0")[:count]


def _offset(moment: dt.datetime, count: int) -> str:
    if count >= 3:
        return getattr(moment.tzinfo, "key", None) or moment.strftime("%Z")
    text = moment.strftime("%z")[:5]  # old local mean times have seconds
    return text if count == 1 else f"{text[:3]}:{text[3:]}"


def _zone_name(moment: dt.datetime, count: int) -> str:
    if count < 4:
        return moment.strftime("%Z")
    if moment.tzinfo is dt.UTC:
        return "Coordinated Universal Time"
    raise NotImplementedHereError("long names of time zones ('zzzz') are known here of UTC only.")


LETTERS: dict[str, Callable[[dt.datetime, int], str]] = {
    "G": lambda _, __: "AD",
    "C": lambda moment, count: _number(moment.year // 100, count),
    "Y": lambda moment, count: _year(moment.year, count),
    "y": lambda moment, count: _year(moment.year, count),
    "x": lambda moment, count: _year(moment.isocalendar().year, count),
    "w": lambda moment, count: _number(moment.isocalendar().week, count),
    "e": lambda moment, count: _number(moment.isoweekday(), count),
    "E": _weekday,
    "D": lambda moment, count: _number(moment.timetuple().tm_yday, count),
    "M": _month,
    "d": lambda moment, count: _number(moment.day, count),
    "a": lambda moment, _: "PM" if moment.hour >= 12 else "AM",
    "K": lambda moment, count: _number(moment.hour % 12, count),
    "h": lambda moment, count: _number(moment.hour % 12 or 12, count),
    "H": lambda moment, count: _number(moment.hour, count),
    "k": lambda moment, count: _number(moment.hour or 24, count),
    "m": lambda moment, count: _number(moment.minute, count),
    "s": lambda moment, count: _number(moment.second, count),
    "S": _fraction,
    "z": _zone_name,
    "Z": _offset,
}


def tokens(pattern: str) -> Iterator[tuple[str, int]]:
    """Parts of a pattern: a letter and how often it stands there, or literal text and 0.

    Raises
    ------
    EarthEngineError
        If a letter has no meaning.
    """
    for match in re.finditer(r"([A-Za-z])\1*|'((?:[^']|'')*)'|[^A-Za-z']+|'", pattern):
        if match[1] and match[1] not in LETTERS:
            raise EarthEngineError(f"Invalid date format '{pattern}': illegal pattern component '{match[0]}'.")
        if match[1]:
            yield match[1], len(match[0])
        elif match[0] == "''":
            yield "'", 0
        else:
            yield match[0] if match[2] is None else match[2].replace("''", "'"), 0


def formatted(moment: dt.datetime, pattern: str) -> str:
    """Text of a moment in Joda-Time's pattern letters."""
    return "".join(LETTERS[text](moment, count) if count else text for text, count in tokens(pattern))


# what `read` understands, and the field that it sets
READ = {
    "y": "year", "Y": "year", "M": "month", "d": "day", "D": "doy", "H": "hour", "k": "hour", "h": "half", "K": "half",
    "m": "minute", "s": "second", "S": "fraction", "a": "noon", "Z": "zone",
}  # fmt: skip


def read(text: str, pattern: str, time_zone: str | None) -> Date:
    """Date of a text in Joda-Time's pattern letters; what the pattern lacks is 1970-01-01T00:00.

    Raises
    ------
    EarthEngineError
        If the text does not fit.
    NotImplementedHereError
        If the pattern has letters that are not read here.
    """
    expression, fields = "", []
    for letter, count in tokens(pattern):
        if not count:
            expression += re.escape(letter)
            continue
        if letter not in READ:
            raise NotImplementedHereError(f"'{letter}' of a date's format is not read by this local Earth Engine.")
        fields.append((letter, count))
        expression += _expected(letter, count)
    match = re.fullmatch(expression, text, re.IGNORECASE)
    if match is None:
        raise EarthEngineError(f"Invalid format: '{text}' does not fit '{pattern}'.")
    found = dict(
        part for (letter, count), got in zip(fields, match.groups(), strict=True) for part in _part(letter, count, got)
    )
    found["hour"] = found.pop("half", 0) % 12 + 12 * found.pop("noon", 0) if "half" in found else found.get("hour", 0)
    return _assembled(found, text, time_zone)


def _expected(letter: str, count: int) -> str:
    if letter == "M" and count >= 3:
        return "(" + "|".join((calendar.month_name if count >= 4 else calendar.month_abbr)[1:]) + ")"
    if letter == "a":
        return "(AM|PM)"
    if letter == "Z":
        return r"(Z|[+-]\d\d:?\d\d)"
    return rf"(\d{{1,{max(count, 4 if letter in 'yY' else 2)}}})" if letter != "S" else r"(\d+)"


def _part(letter: str, count: int, got: str) -> list[tuple[str, int]]:
    if letter == "Z":
        zoned = zone(None if got == "Z" else got).utcoffset(None)
        return [("offset", int((zoned or dt.timedelta()).total_seconds()))]
    if letter == "a":
        return [("noon", int(got.upper() == "PM"))]
    if letter == "M" and count >= 3:
        names = [name.lower() for name in (calendar.month_name if count >= 4 else calendar.month_abbr)]
        return [("month", names.index(got.lower()))]
    if letter == "S":
        return [("fraction", int(got.ljust(3, "0")[:3]))]
    value = int(got) + (2000 if letter in "yY" and count == 2 and len(got) == 2 else 0)
    return [(READ[letter], value % 24 if letter == "k" else value)]


def _assembled(found: dict[str, int], text: str, time_zone: str | None) -> Date:
    place = dt.timezone(dt.timedelta(seconds=found["offset"])) if "offset" in found else zone(time_zone)
    try:
        moment = dt.datetime(
            found.get("year", 1970), found.get("month", 1), found.get("day", 1), found["hour"], found.get("minute", 0),
            found.get("second", 0), found.get("fraction", 0) * 1000, tzinfo=place,
        )  # fmt: skip
    except ValueError as error:
        raise EarthEngineError(f"Invalid date: '{text}': {error}.") from error
    return date_of(moment + dt.timedelta(days=found["doy"] - 1) if "doy" in found else moment)
