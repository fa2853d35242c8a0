"""The pages: each module one, with the fragments that keep it current."""
