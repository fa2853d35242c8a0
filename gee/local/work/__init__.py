"""How computations run: threads with deep stacks, CPU that is counted, an end from outside, compiled loops."""
