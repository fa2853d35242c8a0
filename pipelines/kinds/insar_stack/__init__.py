"""`insar-stack`: interferograms of one track and lattice, with their geometry, in one store."""
