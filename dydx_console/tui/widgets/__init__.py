"""Widgets that the screens are made of; live ones draw by the Line API."""
