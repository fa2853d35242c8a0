"""Many numbers to few: how reducers are called, in which strips of pixels, on which sorted values."""
