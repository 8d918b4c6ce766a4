"""The trace of an error, for a log: places and words, never the values of variables, never source."""

from collections.abc import Iterator
from traceback import FrameSummary, StackSummary, TracebackException

__all__ = ["MOST_FRAMES", "trace_of"]

MOST_FRAMES = 40


def trace_of(error: BaseException) -> str:
    """Return the innermost 40 places that an error came through, its words, and those of its causes and groups.

    The words are the error's own: whoever writes them down takes secrets out.
    """
    trace = TracebackException.from_exception(error, limit=-MOST_FRAMES, lookup_lines=False, capture_locals=False)
    for one in _all_of(trace):
        places = [FrameSummary(frame.filename, frame.lineno, frame.name, line="") for frame in one.stack]
        one.stack = StackSummary.from_list(places)
    return "".join(trace.format()).rstrip()


def _all_of(trace: TracebackException) -> Iterator[TracebackException]:
    waiting = [trace]
    while waiting:
        one = waiting.pop()
        yield one
        linked = (one.__cause__, one.__context__, *(one.exceptions or ()))
        waiting += [other for other in linked if other is not None]
