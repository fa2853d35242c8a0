"""Cron expressions: five fields, checked before anybody waits for a run that never comes."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass

from infra.errors import UserError

MONTHS = tuple(name.upper() for name in calendar.month_abbr)[1:]
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
PART = re.compile(r"(\*|(?P<first>\w+)(-(?P<last>\w+))?)(/(?P<step>\w+))?", re.ASCII)
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days of the months


@dataclass(frozen=True)
class Field:
    """One of the five: its name, its values, and the names that some of them have."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, 7, WEEKDAYS),
)


@dataclass(frozen=True, kw_only=True)
class Times:
    """When: a checked expression.

    Attributes
    ----------
    text : the expression, one space between its fields
    values : what each of the five fields allows; Sunday is 0 (also where it was written as 7)
    """

    text: str
    values: tuple[frozenset[int], ...]

    @classmethod
    def parse(cls, text: str) -> Times:
        """Times of a cron expression: numbers, names, `*`, ranges, lists and steps.

        Raises
        ------
        UserError
            With the field and its value where one is wrong; where there is no such day; where there are not five.
        """
        words = text.split()
        if len(words) != len(FIELDS):
            raise UserError(
                f"cron expression '{text}' has {len(words)} fields, not five",
                "Write minute, hour, day of the month, month, day of the week: '0 6 * * MON' is Mondays at six.",
            )
        values = [_values(word, field) for word, field in zip(words, FIELDS, strict=True)]
        values[4] = frozenset(day % 7 for day in values[4])
        months = [LONGEST[month - 1] for month in values[3]]
        if words[4].startswith("*") and min(values[2]) > max(months):
            raise UserError(
                f"cron expression '{text}' never comes: no such month has a day {min(values[2])}",
                "Give another day or month.",
            )
        return cls(text=" ".join(words), values=tuple(values))

    @property
    def shortest_wait(self) -> int:
        """Fewest minutes between two minutes of its hours."""
        minutes = sorted(self.values[0])
        return min(
            (later - earlier for earlier, later in zip(minutes, [*minutes[1:], minutes[0] + 60], strict=True)),
            default=60,
        )


def _values(text: str, field: Field) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = PART.fullmatch(part)
        if match is None:
            raise _fault(field, text, f"'{part}' is neither *, a value nor a range")
        first, last, step = match["first"], match["last"], match["step"]
        if step is not None and (not step.isdecimal() or int(step) < 1):
            raise _fault(field, text, f"the step '{step}' is no number above 0")
        if step is not None and first is not None and last is None:
            raise _fault(field, text, f"a step needs * or a range before it, not '{first}'")
        low = field.least if first is None else _number(first, field, text)
        high = field.most if first is None else _number(last, field, text) if last else low
        if low > high:
            raise _fault(field, text, f"the range '{part}' runs backwards")
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def _number(word: str, field: Field, text: str) -> int:
    if word.upper() in field.names:
        return field.names.index(word.upper()) + field.least
    if not word.isdecimal() or not field.least <= int(word) <= field.most:
        names = f" or {field.names[0]} to {field.names[-1]}" if field.names else ""
        raise _fault(field, text, f"'{word}' is not {field.least} to {field.most}{names}")
    return int(word)


def _fault(field: Field, text: str, what: str) -> UserError:
    return UserError(
        f"cron expression: {field.name} '{text}': {what}",
        "Fields are minute, hour, day of the month, month, day of the week, as in '0 6 * * MON'.",
    )
