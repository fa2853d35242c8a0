"""Algorithms that make reducers."""
