"""One self-contained page about what a task made: from what, what was left out, pictures, tables, how to open it."""
