"""The period of a job: two dates, or a rule such as "the last 90 days" that only a moment turns into dates."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self, cast

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticKnownError

from pipelines.kinds.model import Strict

LAST = re.compile(r"([1-9][0-9]{0,4})([dw])", re.ASCII)
DAYS = {"d": 1, "w": 7}


class Period(Strict):
    """When: UTC dates, the end exclusive; or the last days before now."""

    last: timedelta | None = Field(
        None, description="instead of start and end: days or weeks (90d, 12w) up to and with today, UTC; it rolls on"
    )
    start: datetime | None = Field(
        None, validate_default=True, description="first date, UTC; needed unless there is `last`"
    )
    end: datetime | None = Field(
        None, validate_default=True, description="first date that is not part of it, UTC; needed unless there is `last`"
    )

    @field_validator("last", mode="before")
    @classmethod
    def _days(cls, value: Any) -> Any:
        if value is None or isinstance(value, timedelta):
            return value
        found = LAST.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            # "3m" is left out on purpose: months have no length, and m is minutes elsewhere
            raise ValueError(f"'{value}' is no number of days or weeks; write it as 90d or 12w")
        return timedelta(days=int(found[1]) * DAYS[found[2]])

    @field_validator("start", "end", mode="before")
    @classmethod
    def _utc(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None:
            if info.data.get("last", ...) is None:  # where `last` itself is wrong, it is the only thing to mend
                raise PydanticKnownError("missing")
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, date):
            return datetime.combine(value, time(), UTC)
        if isinstance(value, str):
            try:
                parsed = datetime.fromisoformat(value)
            except ValueError:
                raise ValueError(f"'{value}' is not a date; write it as 2021-11-01") from None
            return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        raise ValueError(f"'{value}' is not a date; write it as 2021-11-01")

    @model_validator(mode="before")
    @classmethod
    def _one_way_or_the_other(cls, value: Any) -> Any:
        both = isinstance(value, dict) and "last" in value and value.keys() & {"start", "end"}
        if both:
            raise ValueError("give start and end, or last; not both")
        return value

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(
                f"is empty: start {self.start:%Y-%m-%d} is not before end {self.end:%Y-%m-%d}, which is exclusive"
            )
        return self

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """First moment of the period, and the first one after it, UTC.

        Parameters
        ----------
        now : with its zone; a rule counts whole days back from the midnight (UTC) that follows it, so that scenes of
            today are in and two plans of one day agree

        Raises
        ------
        ValueError
            If `now` has no zone.
        """
        if self.last is None:
            return cast("datetime", self.start), cast("datetime", self.end)  # there, or it would not have been valid
        if now.tzinfo is None:
            raise ValueError(f"time without zone: {now}")
        end = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
        return end - self.last, end

    @property
    def rule(self) -> str | None:
        """The rule in words, "last 90d"; None where the period is two dates."""
        return None if self.last is None else f"last {self.last.days}d"

    def identity(self) -> Any:
        """The part of keys and lines: the dates, or the rule, which is the same tomorrow."""
        return self.rule or [moment.isoformat() for moment in (self.start, self.end) if moment]
