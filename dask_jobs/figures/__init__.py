"""Figures of a stack and its statistics: one style, each drawn from small arrays and tables. They import matplotlib only when called."""
