"""Files that MintPy's own tools open: what they hold, what their attributes say, and how they are written."""
