"""Everything about one row, as label and value lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dydx_console.domain.order import display_type, lifetime, reason_text
from dydx_console.views.fills import FillLine
from dydx_console.views.format import DASH, clock, day, exact, money, near_price, percent, price, size
from dydx_console.views.history import MASKED, LifeLine, PastFill, PaymentLine, TransferLine, life_net, span
from dydx_console.views.orders import OrderLine
from dydx_console.views.positions import PositionLine
from dydx_console.views.table import Cell, Ink, Line

__all__ = ["LABEL_WIDTH", "booked_facts", "detail_lines", "detail_title", "labelled", "life_facts", "moment_text"]

LABEL_WIDTH = 16


def detail_title(item: object) -> str:
    """Return what the row is, in a few words."""
    if isinstance(item, OrderLine):
        return f"Order {item.order.side or ''} {item.order.market or ''}".strip()
    if isinstance(item, PastFill):
        return detail_title(item.line)
    if isinstance(item, FillLine):
        return f"Fill {item.fill.side} {item.fill.market}"
    if isinstance(item, PositionLine):
        return f"Position {item.view.position.market}"
    if isinstance(item, LifeLine):
        return f"Position {item.life.side} {item.life.market}"
    if isinstance(item, PaymentLine):
        return f"Funding payment {item.payment.market}"
    return f"Transfer {item.transfer.type}" if isinstance(item, TransferLine) else ""


def detail_lines(item: object) -> list[Line]:
    """Return the facts of an order, fill, position, payment, transfer or life; nothing for anything else."""
    if isinstance(item, OrderLine):
        return labelled(_order(item))
    if isinstance(item, PastFill):
        return labelled([*_fill(item.line), *booked_facts(item)])
    if isinstance(item, FillLine):
        return labelled(_fill(item))
    if isinstance(item, PositionLine):
        return labelled(_position(item))
    if isinstance(item, LifeLine):
        return labelled(life_facts(item))
    if isinstance(item, PaymentLine):
        return labelled(_payment(item))
    return labelled(_transfer(item)) if isinstance(item, TransferLine) else []


def labelled(pairs: Sequence[tuple[str, object]]) -> list[Line]:
    """Return facts as lines: label, then value; what is not known is a dash."""
    return [(Cell(label.ljust(LABEL_WIDTH), Ink.LABEL), Cell(_text(value))) for label, value in pairs]


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return moment_text(value)
    return DASH if value is None or value == "" else str(value)


def moment_text(at: datetime | None) -> str:
    """Return a moment in UTC to the second."""
    return DASH if at is None else f"{day(at)} {at.year} {clock(at)} UTC"


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


def booked_facts(past: PastFill) -> list[tuple[str, object]]:
    """Return what a fill did to its position."""
    tick, step = past.line.tick, past.line.step
    return [
        ("closed PNL", money(past.closed_pnl, plus=True)),
        ("position after", size(past.net_size, step, plus=True)),
        ("average cost", near_price(past.average_cost, tick)),
    ]


def life_facts(line: LifeLine) -> list[tuple[str, object]]:
    """Return the facts of a position's life; fees as what they took from the net."""
    life = line.life
    return [
        ("largest size", size(life.max_size, line.step)),
        ("average entry", near_price(life.entry_price, line.tick)),
        ("average exit", near_price(life.exit_price, line.tick)),
        (
            "realized",
            money(life.realized, plus=True) + ("" if life.is_complete else "  of closings whose cost is known"),
        ),
        ("fees", money(life.fees.copy_negate() + 0, plus=True)),
        ("funding", money(life.funding, plus=True)),
        ("net", money(life_net(life), plus=True)),
        (
            "opened",
            moment_text(life.opened_at) + ("" if life.is_complete else "  or before: older fills are not known"),
        ),
        ("closed", "still open" if life.closed_at is None else life.closed_at),
        ("held", span(line.held)),
        ("fills", f"{life.fills:,}"),
        ("subaccount", life.subaccount),
        ("opened by", life.opened_by),
    ]


def _payment(line: PaymentLine) -> list[tuple[str, object]]:
    payment = line.payment
    return [
        ("payment", f"{exact(payment.payment, 2, plus=True)} USDC"),
        ("rate", f"{percent(payment.rate, 6, plus=True)} % an hour"),
        ("position", size(payment.net_size, line.step, plus=True)),
        ("oracle", near_price(payment.oracle_price, line.tick)),
        ("subaccount", payment.subaccount),
        ("time", payment.created_at),
        ("block", f"#{payment.height:,}"),
    ]


def _transfer(line: TransferLine) -> list[tuple[str, object]]:
    transfer = line.transfer
    addresses = (line.sender, line.recipient) if line.masked else (transfer.sender, transfer.recipient)
    return [
        ("amount", f"{exact(transfer.size, 2)} {transfer.asset}" if not line.masked else MASKED),
        ("from", _end(addresses[0], transfer.sender_subaccount)),
        ("to", _end(addresses[1], transfer.recipient_subaccount)),
        ("time", transfer.created_at),
        ("block", f"#{transfer.height:,}"),
        ("id", transfer.id),
        ("transaction", transfer.transaction_hash),
    ]


def _end(address: str, subaccount: int | None) -> str:
    return address if subaccount is None else f"{address}, subaccount {subaccount}"
