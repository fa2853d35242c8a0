"""What is computed of pixels over time, and of areas per date: arrays in, arrays out."""
