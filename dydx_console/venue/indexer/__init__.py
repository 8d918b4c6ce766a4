"""The dYdX Indexer: wire forms, sans-IO protocol, sockets and REST."""
