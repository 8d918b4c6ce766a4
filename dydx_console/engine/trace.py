"""What a message changed, as fields of a log line: for finding out afterwards where a figure came from."""

from dydx_console.domain import events as ev
from dydx_console.domain.order import OrderPatch
from dydx_console.state.console import Changes, Section

__all__ = ["trace_fields"]


def trace_fields(event: ev.Event, changes: Changes) -> dict[str, object]:
    """Return what ties an event to what it changed.

    `connection` and `message_id` name the message (the pair is unique in a run); they are None for a REST read.
    `facts` are the kinds of what it told, `changed` the sections that are another now, `orders` the ids of the orders
    it told of where those changed, `fills` the ids of the fills that were not known before.
    """
    frame = event if isinstance(event, ev.Frame) else None
    facts = (event,) if not isinstance(event, ev.Frame) else event.facts
    patches: list[OrderPatch] = []
    for fact in facts:
        if isinstance(fact, ev.AccountSnapshot | ev.AccountUpdate | ev.OrdersRead):
            patches += fact.orders
    return {
        "connection": None if frame is None else frame.connection,
        "message_id": None if frame is None else frame.message_id,
        "channel": None if frame is None or frame.key is None else " ".join(filter(None, frame.key)),
        "facts": [type(fact).__name__ for fact in facts],
        "changed": sorted(changes.sections),
        "orders": [patch.id for patch in patches] if Section.ORDERS in changes.sections else [],
        "fills": [fill.id for fill in changes.new_fills],
    }
