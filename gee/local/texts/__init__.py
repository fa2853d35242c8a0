"""What stands in texts: expressions, patterns, numbers, formats of dates."""
