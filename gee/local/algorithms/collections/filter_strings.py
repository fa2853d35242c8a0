"""Filters written as text: `a > 3 && (b == 'x' || !(c in [1, 2]))` (section 12)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gee.local.elements import conditions
from gee.local.errors import EarthEngineError
from gee.local.values import Filter

TOKEN = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<sign>&&|\|\||[<>=!]=|[<>!()\[\],])|(?P<name>[A-Za-z_.][\w.:]*))"
)
WORDS = {"and": "&&", "or": "||", "not": "!", "in": "in"}
ALGORITHMS = {"<": "lt", ">": "gt", "<=": "lte", ">=": "gte", "==": "eq", "!=": "neq", "in": "inList"}
Token = tuple[str, Any]


def parsed(text: str) -> Filter:
    """Filter of a text; `&&` binds closer than `||`, `!` closer than both.

    Raises
    ------
    EarthEngineError
        If the text cannot be read, naming the place.
    """
    parser = _Parser(text)
    found = parser.either()
    parser.finish()
    return found


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def either(self) -> Filter:
        """Filters with `||` between them."""
        return self._chain("||", self.both, conditions.any_of)

    def both(self) -> Filter:
        """Filters with `&&` between them."""
        return self._chain("&&", self.single, conditions.all_of)

    def single(self) -> Filter:
        """One comparison, a negated one, or a filter in parentheses."""
        if self._take("!"):
            return conditions.negated(self.single())
        if self._take("("):
            found = self.either()
            self._need(")")
            return found
        return self._comparison()

    def finish(self) -> None:
        """Nothing may follow."""
        if self._at < len(self._tokens):
            raise self._wrong()

    def _chain(self, sign: str, part: Callable[[], Filter], join: Callable[[list[Filter]], Filter]) -> Filter:
        parts = [part()]
        while self._take(sign):
            parts.append(part())
        return parts[0] if len(parts) == 1 else join(parts)

    def _comparison(self) -> Filter:
        left = self._operand()
        negative = self._take("!")
        sign = self._next()
        if sign[0] != "sign" or sign[1] not in ALGORITHMS or (negative and sign[1] != "in"):
            self._at -= 1
            raise self._wrong()
        right = self._list() if sign[1] == "in" and self._peek() == ("sign", "[") else self._operand()
        found = self._filter(left, sign[1], right)
        return conditions.negated(found) if negative else found

    def _filter(self, left: Token, sign: str, right: Token) -> Filter:
        from gee.local.algorithms.collections.filters import TESTS

        if left[0] != "name" and right[0] != "name":
            raise EarthEngineError(f"A comparison needs a property: '{self._text}'.")
        name = ALGORITHMS[sign]
        test, nulls = next(entry for names, entry in TESTS.items() if name in names.split())
        sides = {
            "left_field" if left[0] == "name" else "left_value": left[1],
            "right_field" if right[0] == "name" else "right_value": right[1],
        }
        return conditions.two_sided(f"Filter.{name}", sides, test, nulls=nulls)

    def _operand(self) -> Token:
        kind, value = self._next()
        if kind == "sign":
            self._at -= 1
            raise self._wrong()
        return ("name", value) if kind == "name" else ("value", value)

    def _list(self) -> Token:
        self._need("[")
        values: list[Any] = []
        while not self._take("]"):
            if values:
                self._need(",")
            values.append(self._operand()[1])
        return "value", values

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> Token:
        token = self._peek()
        if token is None:
            raise self._wrong()
        self._at += 1
        return token

    def _take(self, sign: str) -> bool:
        if self._peek() == ("sign", sign):
            self._at += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self._wrong()

    def _wrong(self) -> EarthEngineError:
        token = self._peek()
        where = "at its end" if token is None else f"at '{token[1]}'"
        return EarthEngineError(f"Invalid filter expression: '{self._text}' ({where}).")


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            raise EarthEngineError(f"Invalid filter expression: '{text}' (at '{text[at:].strip()[:20]}').")
        at = match.end()
        found.append(_token(match))
    return found


def _token(match: re.Match[str]) -> Token:
    kind = str(match.lastgroup)
    value = match[kind]
    if kind == "number":
        return "number", float(value) if re.search(r"[.eE]", value) else int(value)
    if kind == "text":
        return "text", re.sub(r"\\(.)", r"\1", value[1:-1])
    if kind == "name" and value in WORDS:
        return "sign", WORDS[value]
    return kind, value
