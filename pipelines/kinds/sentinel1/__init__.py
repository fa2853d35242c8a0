"""What the two Sentinel-1 kinds share: parameters, passes and their labels, grids, and the way to both engines."""
