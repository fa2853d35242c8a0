"""What kinds share that make one store per line: where its generations lie, and which can go on."""
