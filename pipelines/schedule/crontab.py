"""Lines for a crontab: each carries all that it needs, for cron gives a command almost no environment."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from infra.errors import UserError
from infra.settings import PREFIX
from pipelines.job_text import VARIABLE
from pipelines.schedule.files import ScheduleFile, Surroundings

if TYPE_CHECKING:
    from pipelines.job import Job
    from pipelines.schedule.times import Times

TICK = "*/5 * * * *"
LONGEST = 990  # characters of a command; Debian's cron takes 1000 and cuts the rest off
# What says where S3 is and which keys are meant; the keys themselves are secrets
PLAIN = (
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
)
HEAD = """\
# {job}: runs at {times}, in this machine's time zone; between, a tick every five minutes goes on with what is unfinished.
# Add to your crontab:  crontab -l | cat - {name} | crontab -
# Runs and ticks may overlap: both are safe at any time, beside each other too, so nothing is locked.
# What they say is added to {log}
# No secret stands here. {secrets} is read first where it is there; make it readable by you alone
# (chmod 600). One line each: export NAME=value{needed}
"""


def crontab(job: Job, *, times: Times, surroundings: Surroundings) -> ScheduleFile:
    """Two lines: the run at its times, and the tick.

    Raises
    ------
    UserError
        If a path has a line break in it, or all that has to stand in a line is more than cron takes.
    """
    state = surroundings.settings.state_dir
    log, secrets, name = state / f"schedule-{job.name}.log", state / "schedule.env", f"{job.name}.crontab"
    file = str(surroundings.folder / job.file)
    variables, needed = _environment(job, surroundings)

    def line(when: str, *arguments: str) -> str:
        words = [*(f"{key}={value}" for key, value in variables.items()), surroundings.command, *arguments]
        command = (
            f"mkdir -p {_quoted(state)} && {{ cd {_quoted(surroundings.folder)} && "
            f"{{ [ ! -r {_quoted(secrets)} ] || . {_quoted(secrets)}; }} && "
            f"env {' '.join(map(_quoted, words))}; }} >> {_quoted(log)} 2>&1"
        )
        if len(command) > LONGEST:
            raise UserError(
                f"the command for cron has {len(command)} characters, and cron takes {LONGEST}",
                f"Put settings into {surroundings.folder / 'sarbatch.toml'} instead of the environment.",
            )
        return f"{when} {command}\n"

    head = HEAD.format(
        job=job.name,
        times=times.text,
        name=name,
        log=log,
        secrets=secrets,
        needed=f"; needed: {', '.join(needed)}" if needed else "",
    )
    return ScheduleFile(path=name, text=head + line(times.text, "run", file, "--detach", "--yes") + line(TICK, "tick"))


def _environment(job: Job, surroundings: Surroundings) -> tuple[dict[str, str], list[str]]:
    """Variables to be set, and names of those that the user has to give because they are, or may be, secrets."""
    given = surroundings.environment
    kept = {name: value for name, value in sorted(given.items()) if name.startswith(PREFIX) or name in PLAIN}
    kept[f"{PREFIX}STATE_DIR"] = str(surroundings.settings.state_dir)
    needed = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN") if name in given]
    secret = f"{PREFIX}REGISTRY"
    if has_password(kept.get(secret, "")):
        del kept[secret]
        needed.append(secret)
    return kept, [*needed, *sorted(set(VARIABLE.findall(job.text)) - set(kept) - set(needed))]


def has_password(url: str) -> bool:
    """Whether a URL holds a secret, before its host or among its options."""
    from urllib.parse import parse_qs, urlsplit

    parts = urlsplit(url)
    return parts.password is not None or any("pass" in name.lower() for name in parse_qs(parts.query))


def _quoted(value: object) -> str:
    """Word for sh, inside a crontab, where a plain % would be a line break."""
    if "\n" in str(value) or "\r" in str(value):
        raise UserError(f"{value!r} has a line break in it, which a crontab cannot hold", "Rename it.")
    return shlex.quote(str(value)).replace("%", "\\%")
