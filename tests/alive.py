"""Which objects are alive, for tests of what a run leaves behind."""

import gc
from collections import Counter

__all__ = ["alive"]


def alive(*rooms: str) -> Counter[str]:
    """Return how many objects of modules that begin with one of `rooms` are alive, by type."""
    gc.collect()
    names = (f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    return Counter(name for name in names if name.startswith(rooms))
