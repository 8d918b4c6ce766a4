"""The Indexer in front of the simulated chain: its rows, its REST answers and its WebSocket protocol."""
