"""Earth Engine's REST v1 over HTTP: what the client asks for, and the answers in its forms."""
