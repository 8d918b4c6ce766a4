"""The embedded exchange: a local dYdX Chain venue to test clients against.

A pure, stepped core (`core`, `actors`, `indexer`, `node`, joined by `venue.Venue`) does no I/O, reads no clock and
takes its randomness from a seed; `shell` puts it behind HTTP, WebSocket and gRPC listeners on loopback. Nothing here
imports another room of dydx_console, so that the client and the exchange cannot share a misunderstanding.
"""
