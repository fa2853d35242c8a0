"""The web page: runs, tasks, products and logs, as the registry has them. It reads; it asks no engine and changes nothing.

`server.serve` runs it, `app.create_app` makes it; `guard` decides whom it answers and what a browser may do with the
answer; `views/` are its pages, `products` the files that it hands out.
"""
