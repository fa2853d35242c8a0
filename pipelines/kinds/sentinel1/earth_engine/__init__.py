"""Both Sentinel-1 kinds on Earth Engine: what is found there, what a tile's export is, and how tiles become products."""
