"""A stack reduced by a cluster: blocks, looks, markers, files; nothing is lost when a worker or driver dies."""
