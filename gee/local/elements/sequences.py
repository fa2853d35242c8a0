"""Elements that are computed when they are asked for, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload


class Mapped(Sequence[Any]):
    """`function` of each item of a sequence; `map(f).first()` calls it once, `map(f).size()` never."""

    def __init__(self, items: Sequence[Any], function: Callable[[Any], Any]) -> None:
        self._items, self._function = items, function
        self._known: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Mapped(range(len(self))[index], self.__getitem__)
        if index < 0:
            index += len(self)
        if index not in self._known:
            self._known[index] = self._function(self._items[index])
        return self._known[index]
