"""Graphs to values: closures, references once per frame, arguments as the algorithm list declares them."""
