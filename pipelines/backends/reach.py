"""Whether Earth Engine can be reached, for `sarbatch doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from infra.settings import Settings


def reached_earth_engine(settings: Settings, *, network: bool) -> str:
    """Which Earth Engine the settings name, in words.

    Parameters
    ----------
    network : whether it is asked

    Raises
    ------
    CredentialsError
        If no project is set, or the login is missing, wrong or expired.
    TransientError
        If it does not answer.
    """
    from gee.session import connection_of, initialize

    connection = connection_of(settings)
    if network or connection.project is None:
        initialize(connection)
    host = urlsplit(connection.url).netloc if connection.url else "Google"
    return f"{host}, project {connection.project}" + ("" if network else " (not asked)")
