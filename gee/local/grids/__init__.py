"""Pixels of one grid on another."""
