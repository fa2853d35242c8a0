"""Assets: a folder of JSON beside GeoTIFFs that images and collections are loaded from."""
