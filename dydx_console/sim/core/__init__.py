"""The chain: markets, books, accounts, funding and blocks, in integers."""
