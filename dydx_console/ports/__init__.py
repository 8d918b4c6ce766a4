"""Protocols and values that cross rooms."""
