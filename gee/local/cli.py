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
    epilog="Example: sarbatch earth-engine serve ./earth-engine",
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
    from gee.local.operations.queue import QueueLimits
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


Kept = Annotated[Path, typer.Option(help="what the server is started with", metavar="FOLDER", file_okay=False)]


@app.command()
def register(
    asset: Annotated[
        str, typer.Argument(help="id, as COPERNICUS/S1 or projects/local-demo/assets/dem", metavar="ASSET_ID")
    ],
    files: Annotated[
        list[Path], typer.Argument(help="GeoTIFFs; they stay where they are", exists=True, dir_okay=False)
    ],
    folder: Kept = Path("earth-engine"),
    time_from: Annotated[
        str | None,
        typer.Option(help="regular expression that finds the date in a file's name: its first group, else all of it"),
    ] = None,
    properties: Annotated[
        Path | None,
        typer.Option(
            help="JSON object of properties; those whose value is an object belong to the image of that name",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    *,
    overwrite: Annotated[bool, typer.Option(help="replace images that are there", show_default=False)] = False,
) -> None:
    """Make GeoTIFFs an asset: one file an Image, several an ImageCollection; OPERA RTC-S1 files by burst and date.

    Example: sarbatch earth-engine register OPERA/RTC/L2_V1/S1 data/*.tif
    """
    from gee.local.errors import EarthEngineError
    from gee.local.folders import assets_of

    try:
        from gee.local.catalogue.register import read_properties
        from gee.local.catalogue.register import register as add

        own = read_properties(properties) if properties else None
        # paths are kept as they are found from anywhere
        absolute = [path.resolve() for path in files]
        done = add(assets_of(folder), asset, absolute, time_from=time_from, properties=own, overwrite=overwrite)
    except (EarthEngineError, OSError) as error:
        _fail(str(error))
    count = len(done.images)
    typer.echo(f"{done.collection}: {count} images" if done.collection else f"{done.images[0]}: an image")


@app.command()
def simulate(
    folder: Folder = Path("earth-engine"),
    dates: Annotated[int, typer.Option(help="passes of each of two orbits, 12 days apart", min=1)] = 4,
    size: Annotated[int, typer.Option(help="pixels of 10 m of a slice's side", min=64)] = 256,
    looks: Annotated[float, typer.Option(help="equivalent number of looks")] = 4.4,
    correlation: Annotated[
        float, typer.Option(help="pixels over which speckle is joined; 0 for white speckle", min=0)
    ] = 0.0,
    border: Annotated[int, typer.Option(help="pixels of border noise along the slices", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="of the random numbers", min=0)] = 0,
    *,
    overwrite: Annotated[bool, typer.Option(help="replace scenes that are there", show_default=False)] = False,
) -> None:
    """Make up Sentinel-1 scenes (COPERNICUS/S1_GRD, COPERNICUS/S1_GRD_FLOAT), marked as synthetic, with their truth.

    Example: sarbatch earth-engine simulate ./earth-engine --dates 10
    """
    from gee.local.errors import EarthEngineError
    from gee.local.folders import assets_of

    try:
        from gee.local.catalogue.simulated import POWER, add_simulation
        from gee.local.simulate import Simulation

        plan = Simulation(
            dates=dates,
            width=size,
            height=size,
            overlap=size // 8,
            looks=looks,
            correlation=correlation,
            border=border,
            seed=seed,
        )
        made = add_simulation(assets_of(folder), plan, overwrite=overwrite)
    except (EarthEngineError, OSError, ValueError) as error:
        _fail(str(error))
    typer.echo(f"{len(made) // 2} synthetic scenes in power and in dB; what they were made from: {POWER}/truth.json")


@app.command()
def coverage(
    graph: Annotated[
        Path,
        typer.Argument(
            help="JSON of an expression (`image.serialize()`) or of a whole request", exists=True, dir_okay=False
        ),
    ],
) -> None:
    """Say which algorithms of a graph are implemented here; exit code 2 if one is not.

    Example: sarbatch earth-engine coverage graph.json
    """
    import json

    from gee.local.implemented import needed

    try:
        found = needed(json.loads(graph.read_text(encoding="utf-8")))
    except (ValueError, OSError) as error:
        _fail(f"{graph} is no JSON: {error}")
    for name in found.there:
        typer.echo(f"  {name}")
    for name in found.lacking:
        typer.echo(f"- {name}: not implemented here")
    for name in found.unknown:
        typer.echo(f"? {name}: no algorithm of Earth Engine's list")
    total = len(found.there) + len(found.lacking) + len(found.unknown)
    typer.echo(f"{len(found.there)} of {total} algorithms are implemented here")
    if found.lacking or found.unknown:
        raise typer.Exit(WRONG)


def _list_faults() -> NoReturn:
    from gee.local.faults import KINDS

    for kind, text in KINDS.items():
        typer.echo(f"{kind:18} {text}")
    raise typer.Exit


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(WRONG)
