"""Listeners and process around the pure core."""
