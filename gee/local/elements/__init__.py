"""Properties of features, images and collections, and conditions on them."""
