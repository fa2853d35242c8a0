"""Displacement from a store of interferograms, by a cluster: blocks through inversion, corrections and velocity to files."""
