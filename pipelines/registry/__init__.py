"""The registry: runs, tasks, operations, events, products and leases, in SQLite or PostgreSQL; the only state.

`registry` holds the class `Registry`, `rows` the plain values that it gives and takes. Neither loads SQLAlchemy
before a registry is opened.
"""
