"""Errors as Earth Engine answers them: a JSON body with code, message and status; the client raises `EEException(message)`."""

from __future__ import annotations

from typing import Any

STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class EarthEngineError(Exception):
    """Whatever is answered instead of a result.

    Attributes
    ----------
    message : as the client shows it
    code : HTTP status
    """

    def __init__(self, message: str, *, code: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.message, self.code)

    def to_json(self) -> dict[str, Any]:
        """Body of the response."""
        return {"error": {"code": self.code, "message": self.message, "status": STATUS.get(self.code, "UNKNOWN")}}


class NotImplementedHereError(EarthEngineError):
    """An algorithm, option or format that the real service has and this one does not: named, never guessed."""


def _restored(kind: type[EarthEngineError], message: str, code: int) -> EarthEngineError:
    return kind(message, code=code)
