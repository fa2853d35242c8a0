"""pg8000's connection, made to say of every lost server that it is lost. Imported only where pg8000 is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pg8000.dbapi import Connection, InterfaceError

if TYPE_CHECKING:
    from pg8000.core import Context


class WatchedConnection(Connection):  # type: ignore[misc]  # pg8000 publishes no types
    """Connection whose every failure of the network is an `InterfaceError("network error")`, by which SQLAlchemy knows it.

    pg8000 raises that for most of them, but lets a reset or a time-out through where an answer begins.
    """

    def handle_messages(self, context: Context) -> None:
        """Read an answer."""
        try:
            super().handle_messages(context)
        except OSError as error:
            raise InterfaceError("network error") from error

    def close(self) -> None:
        """Say goodbye and close; a server that is gone hears nothing, and everything is closed all the same."""
        try:
            super().close()
        except InterfaceError as error:
            if str(error) != "network error":
                raise

    def wait_for_answers(self, *, seconds: float) -> None:
        """Count the connection as lost when the server is silent for so long."""
        sock: Any = self._usock
        sock.settimeout(seconds)
