"""Earth Engine: `ee.Image` in, `ee.Image` out.

Nothing is here yet. Every task runs on Dask today; `sarbatch doctor` and the README say the same.
"""
