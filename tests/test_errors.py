"""Errors keep class, message and remedy on their way through Dask, whatever caused them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from distributed.core import clean_exception, error_message

from infra.errors import EngineError, SarbatchError, UserError


def every(kind: type[SarbatchError]) -> Iterator[type[SarbatchError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every(below)


class _Foreign(Exception):  # noqa: N818 -- as GDAL's: its arguments cannot be set again
    @property
    def args(self) -> tuple[str, ...]:  # type: ignore[override] -- that is the point
        return ("foreign",)


def raised(kind: type[SarbatchError]) -> SarbatchError:
    error = kind("what, which value", "what to do")
    error.__cause__ = error.__context__ = _Foreign()
    return error


@pytest.mark.parametrize("kind", sorted(set(every(SarbatchError)), key=lambda kind: kind.__name__))
def test_an_error_arrives_as_it_was_raised(kind: type[SarbatchError]) -> None:
    sent = error_message(raised(kind))["exception"]
    for arrived in (clean_exception(sent.data, None)[1], pickle.loads(pickle.dumps(raised(kind)))):
        assert type(arrived) is kind
        assert (arrived.message, arrived.remedy) == ("what, which value", "what to do")
        assert arrived.exit_code == (2 if issubclass(kind, UserError) else 3 if issubclass(kind, EngineError) else 1)
        assert str(arrived) == "what, which value\n  what to do"
