"""The local HTTP server: how the network stands, for machines. Loopback or a unix socket, GET only, nothing private."""
