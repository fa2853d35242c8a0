"""Exports as long-running operations: what they are, where they go, their queue, their files."""
