"""`order show`: an order with its fills, its hops and the position lives in which it traded."""

from collections.abc import Sequence
from datetime import tzinfo
from decimal import Decimal, localcontext
from functools import partial
from typing import NamedTuple

from dydx_console.cli.common import Chosen
from dydx_console.cli.exits import Exit, fail
from dydx_console.cli.filtering import time_zone
from dydx_console.cli.historical import Opened, known_of, tell_limits, with_history
from dydx_console.cli.histories import fill_rows, pages
from dydx_console.cli.printing import print_text
from dydx_console.cli.rows import life_row, order_row
from dydx_console.cli.venue import section_of
from dydx_console.domain.numbers import ZERO, divide
from dydx_console.ports.history import HistoryProgress
from dydx_console.ports.journal import History, HistoryPort, HistoryQuery, OrderHop, OrderRecord, PositionLife
from dydx_console.state.accounting import SUMS
from dydx_console.views.documents import SCHEMA_VERSION
from dydx_console.views.exports import FillRow
from dydx_console.views.listing import order_lines
from dydx_console.views.pages import HopItem, OrderDocument

__all__ = ["show_order"]

KINDS = (History.ORDERS, History.FILLS)
MOST_ID = 80


class Detail(NamedTuple):
    """All that is known of an order; fills and lives oldest first."""

    record: OrderRecord
    hops: tuple[OrderHop, ...]
    fills: tuple[FillRow, ...]
    lives: tuple[PositionLife, ...]


def show_order(chosen: Chosen, order_id: str, zone_name: str, *, as_json: bool) -> int:
    """Print an order; returns the exit code, or ends the command where the order is not known."""
    zone = time_zone(zone_name)
    admission, log_path = chosen.admitted()

    async def found(opened: Opened) -> tuple[Detail | None, HistoryProgress]:
        return await _detail(opened.history, order_id), opened.progress

    detail, progress = with_history(admission, log_path, (*KINDS, History.FUNDING), found)
    if detail is None:
        code = tell_limits(progress, KINDS)
        fail(code or Exit.USAGE, f"no order {order_id[:MOST_ID]!r} is known; `orders --all` lists those that are")
    document = OrderDocument(
        schema_version=SCHEMA_VERSION,
        network=section_of(admission),
        address=admission.address or "",
        known=known_of(progress, KINDS),
        order=order_row(detail.record).model_copy(update={"average_fill_price": _average(detail)}),
        fills=detail.fills,
        hops=tuple(map(_hop, detail.hops)),
        lives=tuple(map(life_row, detail.lives)),
    )
    print_text((document.model_dump_json(indent=2) if as_json else _text(document, zone)) + "\n")
    return tell_limits(progress, KINDS)


def _text(document: OrderDocument, zone: tzinfo) -> str:
    return "\n".join(order_lines(document.order, document.fills, document.hops, document.lives, zone))


async def _detail(history: HistoryPort, order_id: str) -> Detail | None:
    found = await history.order(order_id)
    if found is None:
        return None
    record, hops = found
    query = HistoryQuery(order_id=order_id, oldest_first=True)
    fills = [row async for rows in pages(partial(fill_rows, history), query) for row in rows]
    return Detail(record, hops, tuple(fills), await _lives(history, fills))


async def _lives(history: HistoryPort, fills: Sequence[FillRow]) -> tuple[PositionLife, ...]:
    """Return the lives that ran while the fills happened."""
    if not fills:
        return ()
    first, last = fills[0], fills[-1]
    query = HistoryQuery(markets=(first.market,), subaccounts=(first.subaccount,), oldest_first=True)
    return tuple(
        [
            life
            async for lives in pages(history.lives, query)
            for life in lives
            if life.opened_at <= last.created_at and (life.closed_at is None or life.closed_at >= first.created_at)
        ]
    )


def _average(detail: Detail) -> Decimal | None:
    """Return the average price of the known fills, where they are all of the order's."""
    with localcontext(SUMS):
        size = sum((fill.size for fill in detail.fills), start=ZERO)
        value = sum((fill.value for fill in detail.fills), start=ZERO)
    order = detail.record.order
    return divide(value, size) if size and size == order.filled else order.average_fill_price


def _hop(hop: OrderHop) -> HopItem:
    return HopItem(
        at=hop.at,
        height=hop.height,
        source=hop.source,
        status=hop.shown,
        venue_status=hop.status,
        reason=hop.removal_reason,
        reason_source=hop.reason_source,
        filled=hop.filled,
        size=hop.size,
        price=hop.price,
        good_til_block=hop.good_til_block,
        good_til_time=hop.good_til_time,
        updated_at_height=hop.updated_at_height,
    )
