"""Sentinel-1 composites: many passes reduced to one raster per quantity and reducer."""
