"""Reducers: one event in, the changed sections out. No I/O, no clock, no randomness."""
