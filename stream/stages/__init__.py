"""The shell round the core: Faust agents, partition state in RocksDB, continuity, outputs, checkpoints."""
