"""Algorithms by family; `gee.local.table` lists the families."""
