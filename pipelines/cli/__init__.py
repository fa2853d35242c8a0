"""The command `sarbatch`: parse, call, show. Every command that prints a table prints JSON with `--json`."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from types import FrameType
from typing import NoReturn

import typer

from infra.errors import SarbatchError
from pipelines.cli import certify, dashboard, earth_engine, follow, inspect, plan, schedule, upkeep

INTERRUPTED = 130

app = typer.Typer(
    name="sarbatch",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Radar image time series as batch jobs: one job file, two engines, one status.\n\n"
    "Example: sarbatch init stack-statistics job.yaml; sarbatch plan job.yaml; sarbatch run job.yaml",
)
for commands in (plan, follow, inspect, upkeep, dashboard, schedule, earth_engine, certify):
    commands.register(app)


class _Interrupted(BaseException):
    """Ctrl-C; not KeyboardInterrupt, which the command line library turns into another exit code."""


def main() -> NoReturn:
    """Run the command line; errors without tracebacks, and the exit codes of `infra.errors`."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except SarbatchError as error:
        typer.echo(f"error: {error.message}", err=True)
        if error.remedy:
            typer.echo(f"  → {error.remedy}", err=True)
        sys.exit(error.exit_code)
    except _Interrupted:
        typer.echo(
            "\ninterrupted: what was started goes on; `sarbatch status` shows it, `sarbatch cancel` stops it", err=True
        )
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 -- the outermost door: nobody should meet a traceback, and it is not lost
        _hang_up_with_the_terminal(error)
        typer.echo(f"error: {type(error).__name__}: {error}", err=True)
        typer.echo(f"  → This is a fault of sarbatch; please report it with {_logged(error)}", err=True)
        sys.exit(1)
    sys.exit(0)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise _Interrupted


def _hang_up_with_the_terminal(error: Exception) -> None:
    """End as by SIGHUP where the terminal is gone: a write may fail a moment before the signal comes."""
    gone = stat.S_ISCHR(os.fstat(sys.stdout.fileno()).st_mode) and not os.isatty(sys.stdout.fileno())
    if isinstance(error, OSError) and error.errno == errno.EIO and gone:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGHUP)


def _logged(error: Exception) -> str:
    """File that the traceback was added to."""
    import traceback

    from infra.settings import load_settings

    folder = load_settings().state_dir
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "errors.log"
    with path.open("a", encoding="utf-8") as log:
        log.write("".join(traceback.format_exception(error)))
    return str(path)
