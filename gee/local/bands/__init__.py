"""Bands and their pixels: arithmetic, masks, names, types, arrays in pixels."""
