"""Where things run and rest: settings, clusters, object storage, leases, and the one georeference."""
