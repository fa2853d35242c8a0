"""Sentinel-1 series: every pass, filtered, as rasters of its own."""
