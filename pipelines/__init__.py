"""One job file, two engines, one status.

Examples
--------
>>> from pipelines import load_job, make_plan, run_plan, open_product  # doctest: +SKIP
>>> plan = make_plan(load_job("job.yaml"))  # doctest: +SKIP
>>> run = run_plan(plan)  # doctest: +SKIP
>>> mean = open_product(run, task="statistics", name="mean", polarization="VV")  # doctest: +SKIP
"""

from pipelines.job import Job, load_job
from pipelines.open import open_product
from pipelines.plan import Plan, make_plan
from pipelines.run import Run, run_plan

__all__ = ["Job", "Plan", "Run", "load_job", "make_plan", "open_product", "run_plan"]
