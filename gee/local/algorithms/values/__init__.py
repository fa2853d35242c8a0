"""Algorithms of numbers, texts, lists, dictionaries, dates and arrays."""
