"""Pixels by those around them: kernels, moving windows, connected objects."""
