"""Everything about one row, as label and value lines."""

from dydx_console.domain.order import display_type, lifetime, reason_text
from dydx_console.views.fills import FillLine
from dydx_console.views.format import DASH, exact, near_price, price, size
from dydx_console.views.orders import OrderLine
from dydx_console.views.positions import PositionLine
from dydx_console.views.table import Cell, Ink, Line

__all__ = ["detail_lines", "detail_title"]

LABEL_WIDTH = 16


def detail_title(item: object) -> str:
    """Return what the row is, in a few words."""
    if isinstance(item, OrderLine):
        return f"Order {item.order.side or ''} {item.order.market or ''}".strip()
    if isinstance(item, FillLine):
        return f"Fill {item.fill.side} {item.fill.market}"
    if isinstance(item, PositionLine):
        return f"Position {item.view.position.market}"
    return ""


def detail_lines(item: object) -> list[Line]:
    """Return the facts of an order, fill or position; nothing for anything else."""
    if isinstance(item, OrderLine):
        pairs = _order(item)
    elif isinstance(item, FillLine):
        pairs = _fill(item)
    elif isinstance(item, PositionLine):
        pairs = _position(item)
    else:
        pairs = []
    return [(Cell(label.ljust(LABEL_WIDTH), Ink.LABEL), Cell(_text(value))) for label, value in pairs]


def _text(value: object) -> str:
    return DASH if value is None or value == "" else str(value)


def _order(line: OrderLine) -> list[tuple[str, object]]:
    order = line.order
    flags = ", ".join(word for word, on in (("post-only", order.post_only), ("reduce-only", order.reduce_only)) if on)
    return [
        ("status", line.status),
        ("reason", reason_text(order.removal_reason)),
        ("told by", order.reason_source),
        ("type", display_type(order)),
        ("lifetime", lifetime(order.flags)),
        ("time in force", order.time_in_force),
        ("flags", flags),
        ("size", size(order.size, line.step)),
        ("filled", size(order.filled, line.step)),
        ("average price", near_price(order.average_fill_price, line.tick)),
        ("price", price(order.price, line.tick)),
        ("trigger", price(order.trigger_price, line.tick)),
        ("good til", line.good_til),
        ("subaccount", order.subaccount),
        ("client id", order.client_id),
        ("id", order.id),
        ("placed", order.created_at),
        ("updated", order.updated_at),
    ]


def _fill(line: FillLine) -> list[tuple[str, object]]:
    fill = line.fill
    return [
        ("type", fill.type),
        ("liquidity", fill.liquidity),
        ("size", size(fill.size, line.step)),
        ("price", price(fill.price, line.tick)),
        ("fee", exact(fill.fee)),
        ("builder fee", None if fill.builder_fee is None else exact(fill.builder_fee)),
        ("subaccount", fill.subaccount),
        ("time", fill.created_at),
        ("block", f"#{fill.height:,}"),
        ("order", fill.order_id),
        ("id", fill.id),
        ("transaction", fill.transaction_hash),
    ]


def _position(line: PositionLine) -> list[tuple[str, object]]:
    view, position = line.view, line.view.position
    margin = view.margin
    return [
        ("size", size(position.net_size, line.step, plus=True)),
        ("average cost", f"{near_price(view.average_cost, line.tick)} ({view.cost_basis})"),
        ("venue entry", near_price(position.entry_price, line.tick)),
        ("oracle", price(view.oracle_price, line.tick)),
        ("liquidation", None if margin is None else near_price(margin.liquidation_price, line.tick)),
        ("maintenance", None if margin is None else exact(margin.maintenance_margin)),
        ("largest size", None if position.max_size is None else size(position.max_size, line.step)),
        ("subaccount", position.subaccount),
        ("opened", view.ledger.opened_at),
    ]
