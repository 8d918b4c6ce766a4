"""Questions about single rows of the history: what belongs to an order, a fill, a position's life."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from dydx_console.domain.fill import Fill
from dydx_console.ports.journal import BookedFill, HistoryPort, HistoryQuery, OrderHop, OrderRecord, PositionLife
from dydx_console.views.history import LifeRow

__all__ = ["FillStory", "LifeStory", "OrderStory", "fill_story", "life_story", "order_story"]

MOST_FILLS = 500
"""So many fills are told of one order or life; of more it is said how many there are."""
MOST_LIVES = 200
MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class OrderStory:
    """What the journal has of an order: `record` is None where it does not know it.

    `has_all` is False where the order has more fills than are told. `lives` are those that the fills belong to.
    """

    record: OrderRecord | None
    hops: tuple[OrderHop, ...]
    fills: tuple[BookedFill, ...]
    has_all: bool
    lives: tuple[PositionLife, ...]


@dataclass(frozen=True, slots=True)
class FillStory:
    """What the journal has about a fill: what it did, None where the journal does not have it; its order; the lives
    that it belongs to."""

    booked: BookedFill | None
    order: OrderRecord | None
    lives: tuple[PositionLife, ...]


@dataclass(frozen=True, slots=True)
class LifeStory:
    """The fills of a position's life, oldest first; `has_all` is False where there are more."""

    fills: tuple[BookedFill, ...]
    has_all: bool


async def order_story(history: HistoryPort, order_id: str) -> OrderStory:
    """Return what is known of an order, its fills oldest first."""
    found = await history.order(order_id)
    page = await history.booked_fills(HistoryQuery(order_id=order_id, oldest_first=True, limit=MOST_FILLS))
    record, hops = (None, ()) if found is None else found
    return OrderStory(record, hops, page.rows, page.next is None, await _lives_of(history, page.rows))


async def fill_story(history: HistoryPort, fill: Fill) -> FillStory:
    """Return what a fill did, and what it belongs to."""
    found = None if fill.order_id is None else await history.order(fill.order_id)
    query = HistoryQuery(
        markets=(fill.market,), subaccounts=(fill.subaccount,), since=fill.created_at, until=fill.created_at + MOMENT
    )
    page = await history.booked_fills(replace(query, limit=MOST_FILLS))
    booked = next((row for row in page.rows if row.fill.id == fill.id), None)
    lives = await _lives_of(history, (booked or BookedFill(fill),))
    return FillStory(booked, None if found is None else found[0], lives)


async def life_story(history: HistoryPort, life: LifeRow) -> LifeStory:
    """Return a life's fills."""
    until = None if life.closed_at is None else life.closed_at + MOMENT
    query = HistoryQuery(
        markets=(life.market,), subaccounts=(life.subaccount,), since=life.opened_at, until=until, oldest_first=True
    )
    page = await history.booked_fills(replace(query, limit=MOST_FILLS))
    return LifeStory(page.rows, page.next is None)


async def _lives_of(history: HistoryPort, rows: Sequence[BookedFill]) -> tuple[PositionLife, ...]:
    """Return the lives that fills of one subaccount and market, oldest first, belong to, the oldest life first."""
    if not rows:
        return ()
    first, last = rows[0].fill, rows[-1].fill
    query = HistoryQuery(
        markets=(first.market,), subaccounts=(first.subaccount,), until=last.created_at + MOMENT, limit=MOST_LIVES
    )
    page = await history.lives(query)
    return tuple(life for life in reversed(page.rows) if any(_holds(life, row) for row in rows))


def _holds(life: PositionLife, row: BookedFill) -> bool:
    """Return whether a fill belongs to a life; in a block that ends one and begins the next, as far as is known."""
    fill = row.fill
    at = fill.created_at
    if at < life.opened_at or (life.closed_at is not None and at > life.closed_at):
        return False
    if row.net_size is None or life.opened_by == fill.id:
        return True
    if at == life.closed_at and life.opened_at < at:
        return bool(row.net_size - fill.signed_size)
    return at > life.opened_at or at == life.closed_at or bool(row.net_size)
