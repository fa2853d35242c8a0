"""The store of a stack of interferograms: pairs by date, their geometry, and how it grows."""
