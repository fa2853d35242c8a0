"""The stack store: a time series on one grid in Icechunk, what it holds, how it grows and is copied."""
