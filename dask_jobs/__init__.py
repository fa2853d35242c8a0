"""xarray and Dask: readers, science and writers. Knows no job file and no registry."""
