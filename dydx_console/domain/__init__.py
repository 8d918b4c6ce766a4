"""Pure values and rules of trading on dYdX Chain: no I/O, no clock, no randomness."""
