"""A task that would cost more, or take longer, than its job allows is refused by the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from dask_jobs.simulate import simulate_rtc
from infra.errors import JobError
from infra.settings import load_settings
from pipelines.job import parse_job
from pipelines.plan import make_plan

JOB = """\
name: limits
output: ./products
tasks:
  stack:
    kind: backscatter-stack
    source: {format: opera-rtc, path: scenes}
    LIMIT
"""


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("deadline: PT1S", r"stack.*deadline: about \d+ s are needed, 1 s allowed"),
        ("budget: {core_hours: 1.0e-9}", r"stack.*budget: about .* core-hours are needed, 1e-09 allowed"),
    ],
)
def test_a_limit_refuses_what_exceeds_it_and_nothing_else(tmp_path: Path, limit: str, said: str) -> None:
    simulate_rtc(tmp_path / "scenes", dates=2, size=64, bursts=1)
    settings = load_settings(environment={"SARBATCH_STATE_DIR": str(tmp_path / "state")})
    with pytest.raises(JobError, match=said):
        make_plan(parse_job(JOB.replace("LIMIT", limit), folder=tmp_path), settings=settings)
    generous = limit.replace("PT1S", "P1D").replace("1.0e-9", "10")
    plan = make_plan(parse_job(JOB.replace("LIMIT", generous), folder=tmp_path), settings=settings)
    assert plan.tasks[0].state == "new"
