"""What may be wrong with the venue: standing conditions (`Faults`), and faults that come and go by a schedule.

`kinds` names the faults, `schedules` deals them out under a seed, `director` begins and ends them, `wire` is a
connection as they make it. All of it is pure; the listeners only carry out what is decided here.
"""

from dydx_console.sim.faults.condition import NODE_VERSION, Faults

__all__ = ["NODE_VERSION", "Faults"]
