"""Algorithms of geometries and projections."""
