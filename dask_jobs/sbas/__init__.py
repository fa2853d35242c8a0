"""Small-baseline time series from interferograms: arrays in, arrays out; no files, no cluster."""
