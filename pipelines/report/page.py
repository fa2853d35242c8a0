"""The report as one HTML file: styles, pictures and films inside it, nothing from a network."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from infra.storage import Location
from pipelines.amounts import size
from pipelines.orders import Product

if TYPE_CHECKING:
    from pipelines.report.document import Picture, Report

FILE = "report.html"
MEDIA_TYPE = "text/html"


def render(report: Report) -> str:
    """HTML of a report; every text of it is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipelines.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"size": size, "data_url": data_url}
    return environment.get_template("page.html").render(report=report)


def data_url(picture: Picture) -> str:
    """Content of a picture as a URL that needs no network."""
    return f"data:{picture.media_type};base64,{b64encode(picture.content).decode()}"


def write_report(report: Report, *, parts: Location) -> Product:
    """The page as a product among those that it tells of."""
    content = render(report).encode()
    parts.write(FILE, content)
    return Product(name="report", role="report", path=FILE, media_type=MEDIA_TYPE, units="", size=len(content))
