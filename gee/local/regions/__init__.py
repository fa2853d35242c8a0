"""Which pixels a region takes, and by how much of each."""
