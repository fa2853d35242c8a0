"""Texts of `Image.expression` as trees: JavaScript's operators and their precedence, without statements (section 9)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gee.local.errors import EarthEngineError

TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
  | (?P<name>[A-Za-z_$][\w$]*)
  | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
  | (?P<mark>\*\*|&&|\|\||==|!=|<=|>=|[-+*/%<>!^?:.,=()\[\]])
  )""",
    re.VERBOSE,
)
# from what binds least to what binds most; all go left to right but **
LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",),
    ("&&",),
    ("^",),
    ("==", "!="),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "%"),
)
DEPTH = 200


@dataclass(frozen=True)
class Number:
    """Literal."""

    value: float


@dataclass(frozen=True)
class Variable:
    """Image by its name."""

    name: str


@dataclass(frozen=True)
class Bands:
    """Bands of an image by names and indices; all of them where there are none."""

    image: Node
    selectors: tuple[str | int, ...]


@dataclass(frozen=True)
class Call:
    """Operator or function with its arguments: "+", "-" (one or two), "?" (three), or a function's name."""

    name: str
    arguments: tuple[Node, ...]


Node = Number | Variable | Bands | Call


@dataclass(frozen=True)
class Expression:
    """A tree, and the name that `name = …` gives its band."""

    tree: Node
    name: str | None


def parse(text: str, default: str) -> Expression:
    """Tree of an expression.

    Parameters
    ----------
    default : name of the image whose bands `b()` gives

    Raises
    ------
    EarthEngineError
        If the text is not in the grammar.
    """
    return _Parser(text, default).whole()


class _Parser:
    def __init__(self, text: str, default: str) -> None:
        self._text, self._default = text, default
        self._tokens = self._split(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        name = None
        if len(self._tokens) > 1 and self._tokens[0][0] == "name" and self._tokens[1] == ("mark", "="):
            name = self._tokens[0][1]
            self._at = 2
        tree = self._ternary()
        if self._at < len(self._tokens):
            raise self._wrong(f"unexpected '{self._tokens[self._at][1]}'")
        return Expression(tree, name)

    def _split(self, text: str) -> list[tuple[str, str]]:
        found, at = [], 0
        text = text.rstrip()
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None:
                raise self._wrong(f"unexpected '{text[at:].strip()[:1]}'")
            kind = str(match.lastgroup)
            found.append((kind, match[kind]))
            at = match.end()
        return found

    def _wrong(self, what: str) -> EarthEngineError:
        return EarthEngineError(f"Invalid expression '{self._text}': {what}.")

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise self._wrong("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, *marks: str) -> str | None:
        """The next mark, if it is one of these."""
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "mark":
            mark = self._tokens[self._at][1]
            if mark in marks:
                self._at += 1
                return mark
        return None

    def _expect(self, mark: str) -> None:
        if self._take(mark) is None:
            found = self._tokens[self._at][1] if self._at < len(self._tokens) else "its end"
            raise self._wrong(f"expected '{mark}', found '{found}'")

    def _ternary(self) -> Node:
        self._depth += 1
        if self._depth > DEPTH:
            raise self._wrong("it is nested too deeply")
        test = self._binary(0)
        if self._take("?"):
            first = self._ternary()
            self._expect(":")
            test = Call("?", (test, first, self._ternary()))
        self._depth -= 1
        return test

    def _binary(self, level: int) -> Node:
        if level == len(LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while mark := self._take(*LEVELS[level]):
            left = Call(mark, (left, self._binary(level + 1)))
        return left

    def _unary(self) -> Node:
        marks = []
        while mark := self._take("-", "+", "!"):
            marks.append(mark)
        tree = self._power()
        for mark in reversed(marks):
            tree = tree if mark == "+" else Call(mark, (tree,))
        return tree

    def _power(self) -> Node:
        base = self._postfix()
        if self._take("**"):
            self._depth += 1
            base = Call("**", (base, self._unary()))
            self._depth -= 1
        return base

    def _postfix(self) -> Node:
        tree = self._primary()
        while mark := self._take(".", "["):
            if mark == ".":
                kind, text = self._next()
                if kind != "name":
                    raise self._wrong(f"expected a band's name after '.', found '{text}'")
                tree = Bands(tree, (text,))
            else:
                tree = Bands(tree, self._selectors("]"))
        return tree

    def _primary(self) -> Node:
        kind, text = self._next()
        if kind == "number":
            return Number(int(text) if text.isdigit() else float(text))
        if kind == "name":
            return self._named(text)
        if (kind, text) == ("mark", "("):
            tree = self._ternary()
            self._expect(")")
            return tree
        raise self._wrong(f"unexpected '{text}'")

    def _named(self, name: str) -> Node:
        if not self._take("("):
            return Variable(name)
        if name == "b":
            return Bands(Variable(self._default), self._selectors(")"))
        arguments: list[Node] = []
        while not self._take(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._ternary())
        return Call(name, tuple(arguments))

    def _selectors(self, closing: str) -> tuple[str | int, ...]:
        found: list[str | int] = []
        while not self._take(closing):
            if found:
                self._expect(",")
            kind, text = self._next()
            if kind == "text":
                found.append(re.sub(r"\\(.)", r"\1", text[1:-1]))
            elif kind == "number" and text.isdigit():
                found.append(int(text))
            else:
                raise self._wrong(f"expected the name or index of a band, found '{text}'")
        return tuple(found)
