"""A local Earth Engine: protocol-compatible, semantics from the public documentation; what it lacks is a named error."""
