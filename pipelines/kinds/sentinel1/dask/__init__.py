"""Both Sentinel-1 kinds on Dask: which time steps of a stack are used, and how they become products."""
