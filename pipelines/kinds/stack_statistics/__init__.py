"""`stack-statistics`: what a stack's pixels do over time, as rasters and as a table."""
