"""Earth Engine: images in, images out, and their exports; `local/` is a local Earth Engine, a house of its own.

`session` initialises the client, `errors` names its failures, `sentinel1` and `passes` find scenes and make images of
them, `speckle`, `backscatter` and `composites` are the science; building a graph asks nothing of the service.
"""
