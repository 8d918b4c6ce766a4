"""Recordings: what a venue said and was asked, as JSON lines."""
