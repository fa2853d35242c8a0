"""`dashboard`."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(dashboard)


def dashboard(
    host: Annotated[
        str, typer.Option(help="address to listen on; others than this machine's own can be reached by anybody there")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port; 0 for any that is free", min=0, max=65535)] = 8765,
    open_browser: Annotated[bool, typer.Option("--open", help="open it in a browser")] = False,
) -> None:
    """Show runs, tasks, products and logs as a web page that renews itself; it reads only. Ctrl-C ends it.

    Example: sarbatch dashboard --open
    """
    from infra.settings import load_settings
    from pipelines.dashboard.server import serve

    def ready(url: str) -> None:
        typer.echo(f"sarbatch dashboard at {url} (Ctrl-C ends it)")
        if open_browser:
            import webbrowser

            webbrowser.open(url)

    serve(load_settings(), host=host, port=port, ready=ready)
