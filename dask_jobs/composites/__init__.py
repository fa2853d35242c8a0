"""Composites of passes: power filtered and averaged to a grid, quantities of each pass, and what a reducer makes of them."""
