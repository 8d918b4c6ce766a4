"""The local HTTP server, for machines: how the network stands, and to who has its token the account. It only reads."""
