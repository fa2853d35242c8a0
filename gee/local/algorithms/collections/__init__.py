"""Algorithms of collections, their elements, filters and joins."""
