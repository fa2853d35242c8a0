"""Expression graphs to values: closures, references evaluated once per frame, arguments checked against the list."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from gee.local.errors import EarthEngineError, NotImplementedHereError
from gee.local.evaluation.coercion import coerce
from gee.local.evaluation.signatures import Signature, signatures
from gee.local.policies import Policies
from gee.local.table import Implementation, implementations
from gee.local.values import Function
from gee.local.work.interruption import go_on

DEPTH = 4000  # nested nodes: deeper graphs are refused with words, not by a crash of the interpreter


class Catalogue(Protocol):
    """Where assets come from."""

    def load_image(self, asset: str) -> Any:
        """Image of an asset id; `EarthEngineError` where there is none."""
        ...

    def load_collection(self, asset: str) -> Any:
        """ImageCollection of an asset id; `EarthEngineError` where there is none."""
        ...

    def describe(self, asset: str) -> Mapping[str, Any]:
        """JSON of an asset by id or resource name, as REST gives it: type, name, id, startTime, properties, bands, geometry.

        `EarthEngineError` of code 404 where there is none.
        """
        ...

    def describe_children(self, parent: str) -> Sequence[Mapping[str, Any]]:
        """JSON of the assets directly in a folder or collection ("projects/P" is a root), in the order of their names.

        `EarthEngineError` of code 404 where there is none.
        """
        ...

    def remove(self, asset: str) -> None:
        """Remove an asset that holds no others; `EarthEngineError` of code 404 where there is none."""
        ...

    def create(self, asset: str, *, kind: str, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        """JSON of a new "FOLDER" or "IMAGE_COLLECTION"; `EarthEngineError` where it is there already or cannot be."""
        ...


@dataclass(frozen=True)
class Context:
    """What algorithms may need beside their arguments."""

    catalogue: Catalogue | None = None
    policies: Policies = field(default_factory=Policies)


@dataclass
class Frame:
    """Arguments of one call of a function, and what was evaluated with them."""

    arguments: Mapping[str, Any]
    parent: Frame | None = None
    memory: dict[str, Any] = field(default_factory=dict)

    def binding(self, name: str) -> Frame:
        """Innermost frame that binds an argument."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.arguments:
                return frame
            frame = frame.parent
        raise EarthEngineError(f"Undefined argument reference: {name}.")

    @property
    def outermost(self) -> Frame:
        """The frame that encloses all."""
        frame = self
        while frame.parent is not None:
            frame = frame.parent
        return frame

    @property
    def depth(self) -> int:
        """Number of enclosing frames."""
        return 0 if self.parent is None else 1 + self.parent.depth


def evaluate(expression: Mapping[str, Any], context: Context | None = None) -> Any:
    """Value of an expression as the client sends it (`{"result": "0", "values": {…}}`).

    Raises
    ------
    EarthEngineError
        If the graph is malformed, an algorithm refuses its arguments, or is not implemented here.
    """
    try:
        return Evaluation(expression, context or Context()).value()
    except RecursionError as error:
        raise EarthEngineError("Expression is nested too deeply.") from error


class Evaluation:
    """One expression being evaluated."""

    def __init__(self, expression: Mapping[str, Any], context: Context) -> None:
        self._nodes: Mapping[str, Any] = _field(expression, "values", dict)
        self._result = expression.get("result")
        self._context = context
        self._free: dict[str, frozenset[str]] = {}
        self._free_calls: dict[int, frozenset[str]] = {}
        self._level = 0

    def value(self) -> Any:
        """The result."""
        return self._reference(self._result, Frame({}))

    def node(self, node: Any, frame: Frame) -> Any:
        """Value of one node."""
        if not isinstance(node, Mapping) or len(node) != 1:
            raise EarthEngineError(f"Invalid expression: a value node has one kind, not {_told(node)}.")
        (kind, content), *_ = node.items()
        method = getattr(self, f"_{kind}", None)
        if kind not in KINDS or method is None:
            raise EarthEngineError(f"Invalid expression: unknown value node '{kind}'.")
        self._level += 1
        if self._level > DEPTH:
            raise EarthEngineError("Expression is nested too deeply.")
        go_on()
        try:
            return method(content, frame)
        finally:
            self._level -= 1

    # -- kinds of nodes ---------------------------------------------------------------------------------------------

    def _constantValue(self, content: Any, frame: Frame) -> Any:  # noqa: N802 -- named as in the protocol
        del frame
        return content

    def _integerValue(self, content: Any, frame: Frame) -> Any:  # noqa: N802 -- named as in the protocol
        del frame
        if (
            isinstance(content, bool)
            or not isinstance(content, int | str)
            or not re.fullmatch(r"[+-]?\d{1,19}", str(content))
        ):
            raise EarthEngineError(f"Invalid expression: {_told(content)} is no integer.")
        return int(content)

    def _bytesValue(self, content: Any, frame: Frame) -> Any:  # noqa: N802 -- named as in the protocol
        del frame
        return content

    def _arrayValue(self, content: Any, frame: Frame) -> Any:  # noqa: N802 -- named as in the protocol
        return [self.node(one, frame) for one in _field(content, "values", list, empty=True)]

    def _dictionaryValue(self, content: Any, frame: Frame) -> Any:  # noqa: N802 -- named as in the protocol
        values = _field(content, "values", dict, empty=True)
        return {name: self.node(one, frame) for name, one in values.items()}

    def _argumentReference(self, content: Any, frame: Frame) -> Any:  # noqa: N802 -- named as in the protocol
        return frame.binding(_text(content)).arguments[content]

    def _valueReference(self, content: Any, frame: Frame) -> Any:  # noqa: N802 -- named as in the protocol
        return self._reference(content, frame)

    def _functionDefinitionValue(self, content: Any, frame: Frame) -> Function:  # noqa: N802 -- named as in the protocol
        names = _names(content)
        body = _field(content, "body", str)
        return Function(names, lambda given: self._reference(body, Frame(dict(given), frame)))

    def _functionInvocationValue(self, content: Any, frame: Frame) -> Any:  # noqa: N802 -- named as in the protocol
        if frame.parent is None or self._free_in_call(content):
            return self._invoked(content, frame)
        # Inside of a function, and not of its arguments: the same at every call, as if it had a name.
        home, key = frame.outermost, f"call {id(content)}"  # the graph outlives the evaluation
        if key not in home.memory:
            home.memory[key] = self._invoked(content, home)
        return home.memory[key]

    def _invoked(self, content: Any, frame: Frame) -> Any:
        arguments = _field(content, "arguments", dict, empty=True)
        if "functionReference" in content:
            function = self._reference(content["functionReference"], frame)
            if not isinstance(function, Function):
                raise EarthEngineError("Invalid expression: functionReference names no function.")
            return function.call({name: self.node(one, frame) for name, one in arguments.items()})
        name = _field(content, "functionName", str)
        return self.call(name, {key: partial(self.node, one, frame) for key, one in arguments.items()})

    # -- calls ------------------------------------------------------------------------------------------------------

    def call(self, name: str, given: Mapping[str, Callable[[], Any]]) -> Any:
        """Result of an algorithm for arguments that are not evaluated yet."""
        signature = signatures().get(name)
        if signature is None:
            raise EarthEngineError(f"Unknown function name: {name}.")
        one = implementations().get(name)
        if one is None:
            raise NotImplementedHereError(f"{name}: this local Earth Engine does not implement the algorithm.")
        _check_names(signature, given)
        if one.lazy:
            return self._run(one, {own: given[ee] for ee, own in one.parameters.items() if ee in given})
        return self._run(one, self._arguments(signature, one, given))

    def _arguments(
        self, signature: Signature, one: Implementation, given: Mapping[str, Callable[[], Any]]
    ) -> dict[str, Any]:
        values = {}
        for argument in signature.arguments:
            value = given[argument.name]() if argument.name in given else None
            if value is None and argument.optional:
                value = argument.default
            elif value is None:
                raise EarthEngineError(
                    f"{signature.name}: Parameter '{argument.name}' is required and may not be null."
                )
            if value is not None:
                value = coerce(
                    value, argument.type, where=f"{signature.name}, argument '{argument.name}'", call=self.function
                )
            own = one.parameters.get(argument.name)
            if own is not None:
                values[own] = value
            elif value != argument.default:
                raise NotImplementedHereError(
                    f"{signature.name}: this local Earth Engine does not implement the argument '{argument.name}'."
                )
        return values

    def _run(self, one: Implementation, values: dict[str, Any]) -> Any:
        more = {"context": self._context} if one.context else {}
        try:
            return one.function(**values, **more)
        except EarthEngineError as error:
            if error.message.startswith(f"{one.name}:"):
                raise
            raise type(error)(f"{one.name}: {error.message}", code=error.code) from error
        except Exception as error:
            error.add_note(one.name)
            raise

    def function(self, name: str) -> Function:
        """An algorithm as a function, for arguments of type Algorithm given by name."""
        signature = signatures().get(name)
        if signature is None:
            raise EarthEngineError(f"Unknown function name: {name}.")
        names = tuple(argument.name for argument in signature.arguments)
        return Function(
            names,
            lambda given: self.call(name, {key: partial(_itself, value) for key, value in given.items()}),
            name,
        )

    # -- references -------------------------------------------------------------------------------------------------

    def _reference(self, key: Any, frame: Frame) -> Any:
        """Value of a named node, evaluated once in the outermost frame that binds all that it refers to."""
        if not isinstance(key, str) or key not in self._nodes:
            raise EarthEngineError(f"Invalid expression: there is no value {_told(key)}.")
        home = self._home(key, frame)
        if key not in home.memory:
            home.memory[key] = self.node(self._nodes[key], frame)
        return home.memory[key]

    def _home(self, key: str, frame: Frame) -> Frame:
        bound = [frame.binding(name) for name in self._free_names(key)]
        if bound:
            return max(bound, key=lambda one: one.depth)
        return frame.outermost

    def _free_names(self, key: str) -> frozenset[str]:
        """Arguments that a named node refers to and does not bind itself."""
        if key not in self._free:
            self._free[key] = frozenset()  # a cycle: found when it is evaluated, by its depth
            self._free[key] = self._free_of(self._nodes[key])
        return self._free[key]

    def _free_of(self, node: Any) -> frozenset[str]:
        if not isinstance(node, Mapping):
            return frozenset()
        found: frozenset[str] = frozenset()
        for kind, content in node.items():
            found |= self._free_in(kind, content)
        return found

    def _free_in_call(self, content: Any) -> frozenset[str]:
        if id(content) not in self._free_calls:
            inner = _field(content, "arguments", dict, empty=True).values()
            function = self._free_in("functionReference", content.get("functionReference"))
            self._free_calls[id(content)] = function.union(*map(self._free_of, inner))
        return self._free_calls[id(content)]

    def _free_in(self, kind: str, content: Any) -> frozenset[str]:
        if kind == "argumentReference":
            return frozenset({_text(content)})
        if kind in ("valueReference", "functionReference"):
            return self._free_names(content) if isinstance(content, str) and content in self._nodes else frozenset()
        if kind == "functionDefinitionValue":
            names = set(_names(content))
            return self._free_in("valueReference", content.get("body")) - names
        if kind == "functionInvocationValue":
            return self._free_in_call(content)
        if kind == "arrayValue":
            return frozenset().union(*map(self._free_of, _field(content, "values", list, empty=True)))
        if kind == "dictionaryValue":
            return frozenset().union(*map(self._free_of, _field(content, "values", dict, empty=True).values()))
        return frozenset()


KINDS = frozenset(
    name.removeprefix("_")
    for name in vars(Evaluation)
    if name.startswith("_") and name.endswith(("Value", "Reference")) and not name.startswith("__")
)


def _check_names(signature: Signature, given: Mapping[str, Any]) -> None:
    known = {argument.name for argument in signature.arguments}
    unknown = sorted(set(given) - known)
    if unknown:
        raise EarthEngineError(f"{signature.name}: Unrecognized argument(s): {', '.join(unknown)}.")


def _field(content: Any, name: str, kind: type[Any], *, empty: bool = False) -> Any:
    if not isinstance(content, Mapping) or not isinstance(content.get(name, kind() if empty else None), kind):
        raise EarthEngineError(f"Invalid expression: '{name}' is missing or wrong in {_told(content)}.")
    return content.get(name, kind()) if empty else content[name]


def _names(content: Any) -> tuple[str, ...]:
    return tuple(_text(name) for name in _field(content, "argumentNames", list, empty=True))


def _text(content: Any) -> str:
    if not isinstance(content, str):
        raise EarthEngineError(f"Invalid expression: {_told(content)} is no name.")
    return content


def _itself(value: Any) -> Any:
    return value


def _told(value: Any) -> str:
    text = str(value)
    return text if len(text) < 80 else text[:77] + "..."
