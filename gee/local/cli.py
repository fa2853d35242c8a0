"""The command `earth-engine`: a local Earth Engine to try things on; light to import, the rest comes when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

PORT = 8085
WRONG = 2

app = typer.Typer(
    name="earth-engine",
    no_args_is_help=True,
    help="A local Earth Engine, for trying and testing without an account: protocol-compatible, semantics from the public "
    "documentation; what it lacks is a named error.",
)
Folder = Annotated[
    Path, typer.Argument(help="where it keeps assets, exported files and operations", metavar="FOLDER", file_okay=False)
]


@app.command()
def serve(
    folder: Folder = Path("earth-engine"),
    host: Annotated[
        str, typer.Option(help="address to listen on; there is no login: anybody who reaches it may use it")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port; 0 for any that is free", min=0, max=65535)] = PORT,
    threads: Annotated[int, typer.Option(help="that compute; 0 for as many as there are cores", min=0)] = 0,
    tasks: Annotated[int, typer.Option(help="exports that run at once", min=1)] = 2,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="what is to go wrong, as KIND:NAME=VALUE,… (unavailable:on=image.export,probability=0.3,count=2,seed=7); "
            "several times for several; KIND 'list' shows all"
        ),
    ] = None,
) -> None:
    """Serve Earth Engine's REST v1 to the client: `ee.Initialize(credentials, url=…, project=…)`. Ctrl-C ends it.

    Example: sarbatch earth-engine serve ./earth-engine
    """
    if fault and "list" in fault:
        _list_faults()
    from gee.local.errors import EarthEngineError
    from gee.local.faults import fault_of_text
    from gee.local.folders import settings_of
    from gee.local.operation_queue import QueueLimits
    from gee.local.server.serving import serve as run

    def ready(url: str) -> None:
        typer.echo(f"local Earth Engine at {url} (Ctrl-C ends it)")
        typer.echo(
            f"  ee.Initialize(google.auth.credentials.AnonymousCredentials(), url={url!r}, project='local-demo')"
        )

    try:
        settings = settings_of(
            folder,
            threads=threads or None,
            limits=QueueLimits(running=tasks),
            faults=[fault_of_text(text) for text in fault or ()],
        )
        run(settings, host=host, port=port, ready=ready)
    except (EarthEngineError, OSError, RuntimeError) as error:
        _fail(str(error))


def _list_faults() -> NoReturn:
    from gee.local.faults import KINDS

    for kind, text in KINDS.items():
        typer.echo(f"{kind:18} {text}")
    raise typer.Exit


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(WRONG)
