"""Dates of the local Earth Engine, built by the real client."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ee_offline import answer, offline_client
from hypothesis import assume, given
from hypothesis import strategies as st

from gee.local.algorithms.values import dates
from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.texts.calendars import EPOCH, formatted, local, parsed, read
from gee.local.values import Date

Made = Callable[[Any], Any]
DAY = 86_400_000


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


def day(year: int, month: int, number: int) -> int:
    return int(dt.datetime(year, month, number, tzinfo=dt.UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "zone", "iso"),
    [
        ("2020", None, "2020-01-01T00:00:00"),
        ("2020-07", None, "2020-07-01T00:00:00"),
        ("2017-6-24", None, "2017-06-24T00:00:00"),
        ("1996-001", None, "1996-01-01T00:00:00"),
        ("1996-366", None, "1996-12-31T00:00:00"),
        ("1996-01-01T08:00", None, "1996-01-01T08:00:00"),
        ("1996-01-01T08:00:01.5Z", "US/Mountain", "1996-01-01T08:00:01"),
        ("1996-01-01T08:00+02:00", None, "1996-01-01T06:00:00"),
        ("2020", "US/Mountain", "2020-01-01T07:00:00"),
        ("2020-07-01", "America/Los_Angeles", "2020-07-01T07:00:00"),
    ],
)
def test_texts(ee: Any, text: str, zone: str | None, iso: str) -> None:
    assert answer(ee.Date(text, zone).format()) == iso


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2020-13", "2020-02-30", "1995-366", "1995-000", "2020-01-01T25:00", "20"]
)
def test_wrong_texts_are_refused(ee: Any, text: str) -> None:
    with pytest.raises(EarthEngineError, match="Date: Invalid date"):
        answer(ee.Date(text))


def test_json(ee: Any) -> None:
    assert answer(ee.Date(1000.7)) == {"type": "Date", "value": 1000}
    assert answer(ee.DateRange("2020", "2021")) == {"type": "DateRange", "dates": [day(2020, 1, 1), day(2021, 1, 1)]}
    assert answer(ee.Date.fromYMD(2013, 3, 15).millis()) == day(2013, 3, 15)


GOLDEN: list[tuple[Made, Any]] = [
    (lambda ee: ee.Date("2020-01-31").advance(1, "month").format(), "2020-02-29T00:00:00"),
    (lambda ee: ee.Date("2019-01-31").advance(1, "months").format(), "2019-02-28T00:00:00"),
    (lambda ee: ee.Date("2020-02-29").advance(-1, "year").format(), "2019-02-28T00:00:00"),
    (lambda ee: ee.Date("2020-01-01").advance(-1, "month").format(), "2019-12-01T00:00:00"),
    (lambda ee: ee.Date("2020-01-01").advance(1.5, "day").format(), "2020-01-02T12:00:00"),
    (lambda ee: ee.Date("2020-01-01").advance(-90, "minute").format(), "2019-12-31T22:30:00"),
    # the day on which summer time begins has 23 hours
    (lambda ee: ee.Date("2021-03-13T20:00").advance(1, "day", "America/New_York").format(), "2021-03-14T19:00:00"),
    (lambda ee: ee.Date("2021-03-13T20:00").advance(24, "hour", "America/New_York").format(), "2021-03-14T20:00:00"),
    (lambda ee: ee.Date("2020-01-15").difference(ee.Date("2020-01-01"), "day"), 14),
    (lambda ee: ee.Date("2020-01-01").difference(ee.Date("2020-01-15"), "week"), -2),
    (lambda ee: ee.Date("2021-01-01").difference(ee.Date("2020-01-01"), "year"), 366 / 365.2425),
    (lambda ee: ee.Date.unitRatio("day", "minute"), 1440),
    (lambda ee: ee.Date.unitRatio("year", "month"), 12),
    (lambda ee: ee.Date("2021-04-30").get("week"), 17),
    (lambda ee: ee.Date("2021-01-01").get("week"), 53),
    (lambda ee: ee.Date("2021-04-30").get("month"), 4),
    (lambda ee: ee.Date("2021-04-30T23:00").get("day", "Asia/Tokyo"), 1),
    (lambda ee: ee.Date("2021-04-30").getRelative("day", "year"), 119),
    (lambda ee: ee.Date("2021-04-30").getRelative("month", "year"), 3),
    (lambda ee: ee.Date("2021-01-15").getRelative("week", "year"), 2),
    (lambda ee: ee.Date("2021-04-30T05:30").getRelative("minute", "day"), 330),
    (lambda ee: ee.Date("2021-04-30").getRelative("year", "day"), 0),
    (lambda ee: ee.Date("2021-07-02T12:00").getFraction("year"), 0.5),
    (lambda ee: ee.Date("2013-3-15").getRange("year").end().format(), "2014-01-01T00:00:00"),
    (lambda ee: ee.Date("2013-3-15").getRange("week").start().format("e YYYY-MM-dd"), "1 2013-03-11"),
    (lambda ee: ee.Date("2013-3-15T10:20:30").getRange("hour").start().format(), "2013-03-15T10:00:00"),
    (lambda ee: ee.Date("2013-3-15").update(year=2014, second=1.5).millis(), day(2014, 3, 15) + 1500),
    (
        lambda ee: ee.Date("2013-12-31T20:00").update(hour=0, timeZone="America/New_York").format(),
        "2013-12-31T05:00:00",
    ),
    (lambda ee: ee.Date.parse("dd.MM.yyyy HH:mm", "24.12.2020 18:30").format(), "2020-12-24T18:30:00"),
    (lambda ee: ee.Date.parse("yyyyMMdd'T'HHmmss", "20201224T183015").format(), "2020-12-24T18:30:15"),
    (lambda ee: ee.Date.parse("d MMM yyyy h a", "3 Mar 2020 12 am").format(), "2020-03-03T00:00:00"),
    (lambda ee: ee.Date.parse("yyyy-DDD", "2020-060", "Asia/Tokyo").format(), "2020-02-28T15:00:00"),
    (lambda ee: ee.DateRange("2020", "2021").contains(ee.Date("2021")), False),
    (lambda ee: ee.DateRange("2020", "2021").contains(ee.DateRange("2020", "2021")), True),
    (lambda ee: ee.DateRange("2020").end().millis(), day(2020, 1, 1) + 1),
    (lambda ee: ee.DateRange("2020", "2021").intersects(ee.DateRange("2021", "2022")), False),
    (lambda ee: ee.DateRange("2020", "2022").intersection(ee.DateRange("2021", "2023")).start().format("Y"), "2021"),
    (lambda ee: ee.DateRange("2020", "2021").intersection(ee.DateRange("2022", "2023")).isEmpty(), True),
    (lambda ee: ee.DateRange("2020", "2021").union(ee.DateRange("2022", "2023")).end().format("Y"), "2023"),
    (lambda ee: ee.DateRange("2021", "2020").isEmpty(), True),
    (lambda ee: ee.DateRange.unbounded().isUnbounded(), True),
    (lambda ee: ee.DateRange.unbounded().contains(ee.Date("1900")), True),
]


@pytest.mark.parametrize(("made", "expected"), GOLDEN)
def test_dates(ee: Any, made: Made, expected: Any) -> None:
    assert answer(made(ee)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("YYYY-MM-DD", "1975-07-204"),  # D is the day of the year
        ("yy/M/d", "75/7/23"),
        ("EEEE, d MMMM yyyy", "Wednesday, 23 July 1975"),
        ("HH 'o''clock' a", "21 o'clock PM"),
        ("SSS S SSSSS", "456 4 45600"),
        ("C x ww ee", "19 1975 30 03"),
        ("ZZ", "+00:00"),
        ("''", "'"),
        ("hh:mm", "09:13"),
        ("kk", "21"),
        ("", ""),
    ],
)
def test_patterns(pattern: str, text: str) -> None:
    moment = dt.datetime(1975, 7, 23, 21, 13, 59, 456_000, tzinfo=dt.UTC)
    assert formatted(moment, pattern) == text


def test_zones_in_patterns() -> None:
    moment = dt.datetime(2020, 7, 1, 9, tzinfo=ZoneInfo("America/New_York"))
    assert formatted(moment, "Z ZZ ZZZ z") == "-0400 -04:00 America/New_York EDT"
    with pytest.raises(NotImplementedHereError, match="long names of time zones"):
        formatted(moment, "zzzz")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda ee: ee.Date(0).format("yyyy-QQ"), "Date.format: Invalid date format .* illegal pattern component 'QQ'"),
        (lambda ee: ee.Date(0).format(None, "Mars/Olympus"), "time ?zone id 'Mars/Olympus' is not recognised"),
        (lambda ee: ee.Date(0).advance(1, "fortnight"), "Date.advance: Invalid unit: 'fortnight'"),
        (lambda ee: ee.Date(0).advance(10_000, "year"), "outside"),
        (lambda ee: ee.Date(1e18).format(), "outside the years 1 to 9999"),
        (lambda ee: ee.Date.fromYMD(2019, 2, 29), "There is no date 2019-2-29"),
        (lambda ee: ee.Date("2020-01-31").update(month=2), "There is no such date"),
        (lambda ee: ee.Date.parse("yyyy-MM", "2020"), "'2020' does not fit 'yyyy-MM'"),
    ],
)
def test_what_cannot_be_is_refused(ee: Any, made: Made, words: str) -> None:
    with pytest.raises(EarthEngineError, match=words):
        answer(made(ee))


MILLIS = st.integers(-60_000_000_000_000, 200_000_000_000_000)
ZONES = st.sampled_from([None, "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Etc/GMT+8"])
UNITS = st.sampled_from(["year", "month", "week", "day", "hour", "minute", "second"])


@given(st.integers(0, 200_000_000_000_000))  # before, zones had offsets with seconds, which 'Z' does not tell
def test_a_date_is_read_back_from_its_text(millis: int) -> None:
    pattern = "yyyy-MM-dd'T'HH:mm:ss.SSSZ"
    text = formatted(local(Date(millis), "Asia/Kathmandu"), pattern)
    assert read(text, pattern, None) == Date(millis)
    assert parsed(text, None) == Date(millis)


@given(MILLIS, UNITS, ZONES)
def test_a_date_lies_in_its_unit(millis: int, unit: str, zone: str | None) -> None:
    found = dates.get_range(Date(millis), unit, zone)
    assert found.start.millis <= millis < found.end.millis
    assert 0 <= dates.get_fraction(Date(millis), unit, zone) < 1
    assert dates.get(found.start, unit, zone) == dates.get(Date(millis), unit, zone)


@given(MILLIS, st.integers(-500, 500), UNITS)
def test_advancing_is_python_s_arithmetic_in_utc(millis: int, count: int, unit: str) -> None:
    start = local(Date(millis), None)
    years = {"year": count, "month": count / 12}.get(unit, 10 if count > 0 else -10)
    assume(2 <= start.year + years <= 9998)  # neither knows years beyond 1 and 9999
    found = dates.advance(Date(millis), float(count), unit, None)
    if unit in {"year", "month"}:
        before, after = local(Date(millis), None), local(found, None)
        months = count * (12 if unit == "year" else 1)
        assert (after.year - before.year) * 12 + after.month - before.month == months
        assert after.timetz() == before.timetz()
        assert after.day == before.day or (after + dt.timedelta(days=1)).day == 1
    else:
        assert EPOCH + dt.timedelta(milliseconds=found.millis) == EPOCH + dt.timedelta(
            milliseconds=millis, **{f"{unit}s": count}
        )
