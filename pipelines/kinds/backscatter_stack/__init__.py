"""`backscatter-stack`: radar scenes of one lattice, as one labelled time series of linear power."""
