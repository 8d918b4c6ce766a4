"""The checks of a network, made over the ports and reported in a fixed order."""
