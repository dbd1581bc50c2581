"""A deterministic world for the identity forest: partitions, logs, crashes, and an oracle that knows only the rules."""
