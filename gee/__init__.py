"""Earth Engine: `local/` is a local Earth Engine, a house of its own.

Tasks on Earth Engine are not here yet: every task runs on Dask today; `sarbatch doctor` and the README say the same.
"""
