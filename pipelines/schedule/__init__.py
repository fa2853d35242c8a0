"""A job's schedule as files for whoever keeps the time: cron, or GitHub Actions.

`files.make_schedule` writes them; `times` checks the cron expression; each place has a module that knows it.
"""
