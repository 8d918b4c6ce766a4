"""A terminal trading console for dYdX Chain (v4)."""
