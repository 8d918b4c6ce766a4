"""The outside world: Indexer and, later, validator nodes."""
