"""The tabs of the History screen: which rows each has, how they are asked for, and by what they can be filtered."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from dydx_console.ports.journal import History, HistoryPort, HistoryQuery, Page
from dydx_console.views.history import (
    PAST_FILLS,
    PAST_FUNDING,
    PAST_LIVES,
    PAST_ORDERS,
    PAST_TRANSFERS,
    Context,
    Past,
    past_fill,
    past_life,
    past_order,
    past_payment,
    past_transfer,
)
from dydx_console.views.history_filter import (
    FILLS_FILTER,
    FUNDING_FILTER,
    LIVES_FILTER,
    ORDERS_FILTER,
    TRANSFERS_FILTER,
    FilterSpec,
)
from dydx_console.views.table import TableSpec

__all__ = ["TABS", "Tab"]


@dataclass(frozen=True, slots=True)
class Tab:
    """One kind of row: its name on the screen, its kind in the journal, its table and filters.

    `page` asks for rows, `line` makes a table's item of one.
    """

    name: str
    kind: History
    spec: TableSpec[Past[Any]]
    filters: FilterSpec
    page: Callable[[HistoryPort, HistoryQuery], Coroutine[Any, Any, Page[Any]]]
    line: Callable[[Any, Context], Past[Any]]


TABS: tuple[Tab, ...] = (
    Tab("Orders", History.ORDERS, PAST_ORDERS, ORDERS_FILTER, lambda history, query: history.orders(query), past_order),
    Tab("Fills", History.FILLS, PAST_FILLS, FILLS_FILTER,
        lambda history, query: history.booked_fills(query), past_fill),
    Tab("Funding", History.FUNDING, PAST_FUNDING, FUNDING_FILTER,
        lambda history, query: history.funding(query), past_payment),
    Tab("Transfers", History.TRANSFERS, PAST_TRANSFERS, TRANSFERS_FILTER,
        lambda history, query: history.transfers(query), past_transfer),
    Tab("Positions", History.LIVES, PAST_LIVES, LIVES_FILTER, lambda history, query: history.lives(query), past_life),
)  # fmt: skip
