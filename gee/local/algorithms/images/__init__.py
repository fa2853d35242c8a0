"""Algorithms of images, and of kernels."""
