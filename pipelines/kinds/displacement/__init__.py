"""`displacement`: small-baseline time series and velocity from a stack of interferograms."""
