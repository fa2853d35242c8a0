"""What exports write: GeoTIFFs in folders that stand for Drive and Cloud Storage, and assets."""
