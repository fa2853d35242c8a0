"""Geometries on the sphere and in projections."""
