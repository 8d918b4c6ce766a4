"""What keeps requests to a venue polite and failures bounded: faults, delays, budgets, breakers, counters."""
