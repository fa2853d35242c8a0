"""Files to scenes: one module per product family, each with `find(...)` that reads headers and no pixels."""
