"""A terminal trading console for dYdX Chain (v4)."""

__version__ = "0.1.0"
