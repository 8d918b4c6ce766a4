"""The Indexer's own PNL by REST: `/tradeHistory`, `/pnl` and `/historical-pnl`, whose fields of one name differ.

Source: dydxprotocol/v4-chain indexer/services/comlink/src/controllers/api/v4 and indexer/services/comlink/src/types.ts.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dydx_console.domain.numbers import NumberError, decimal_of, height_of, time_of
from dydx_console.domain.text import clean
from dydx_console.domain.venue_pnl import (
    HistoricalPnlRead,
    PnlRead,
    TradeHistoryRead,
    VenuePnl,
    VenueTick,
    VenueTrade,
)
from dydx_console.venue.indexer.wire import Camel, Height, Text

__all__ = ["CONVERTERS", "PATHS", "RAW", "pnl_fact", "rows_in"]

PATHS = "tradeHistory|historical-pnl|pnl"
"""The paths as a part of a pattern."""
RAW: "msgspec.json.Decoder[msgspec.Raw]" = msgspec.json.Decoder(msgspec.Raw)
"""Leaves a row as it is, for one of the `CONVERTERS`."""


class TradeRow(Camel, frozen=True):
    """A row of `/tradeHistory`."""

    id: str
    action: str
    side: str
    execution_price: str
    prev_size: str
    additional_size: str
    value: str
    net_fee: str
    net_realized_pnl: str
    time: str
    market_id: str
    subaccount_number: int
    entry_price: Text = None
    position_side: Text = None
    net_realized_pnl_percent: Text = None
    order_id: Text = None
    order_type: Text = None


class PointRow(Camel, frozen=True):
    """A row of `/pnl` or of `/historical-pnl`."""

    equity: str
    net_transfers: str
    total_pnl: str
    created_at: str
    created_at_height: Height | None = None
    block_height: Height | None = None
    block_time: Text = None


class Listed(msgspec.Struct, frozen=True):
    """The body of any of the answers."""

    trades: tuple[msgspec.Raw, ...] = msgspec.field(name="tradeHistory", default=())
    points: tuple[msgspec.Raw, ...] = msgspec.field(name="pnl", default=())
    ticks: tuple[msgspec.Raw, ...] = msgspec.field(name="historicalPnl", default=())
    total: int | None = msgspec.field(name="totalResults", default=None)


_listed = msgspec.json.Decoder(Listed)
_trade_row = msgspec.json.Decoder(TradeRow)
_point_row = msgspec.json.Decoder(PointRow)


def rows_in(kind: str, body: str | bytes) -> tuple[tuple[msgspec.Raw, ...], int | None]:
    """Return the undecoded rows of an answer, and how many there are in all where it tells."""
    listed = _listed.decode(body)
    rows = {"tradeHistory": listed.trades, "pnl": listed.points, "historical-pnl": listed.ticks}
    return rows[kind], listed.total


def pnl_fact(
    kind: str, address: str | None, subaccount: int | None, rows: tuple[Any, ...], *, total: int | None, at: float
) -> TradeHistoryRead | PnlRead | HistoricalPnlRead:
    """Return what an answer of a kind tells, its rows converted."""
    if kind == "tradeHistory":
        return TradeHistoryRead(address, rows, total, at)
    read = PnlRead if kind == "pnl" else HistoricalPnlRead
    return read(address, subaccount, rows, at)


def _trade(raw: msgspec.Raw) -> VenueTrade:
    row = _trade_row.decode(raw)
    if row.subaccount_number < 0:
        raise NumberError("a trade without its subaccount number")
    return VenueTrade(
        id=clean(row.id),
        subaccount=row.subaccount_number,
        market=clean(row.market_id),
        action=clean(row.action),
        side=clean(row.side),
        position_side=None if row.position_side is None else clean(row.position_side),
        price=decimal_of(row.execution_price),
        entry_price=None if row.entry_price is None else decimal_of(row.entry_price),
        prev_size=decimal_of(row.prev_size),
        added_size=decimal_of(row.additional_size),
        value=decimal_of(row.value),
        net_fee=decimal_of(row.net_fee),
        net_realized=decimal_of(row.net_realized_pnl),
        net_realized_fraction=(
            None if row.net_realized_pnl_percent is None else decimal_of(row.net_realized_pnl_percent)
        ),
        at=time_of(row.time),
        order_id=None if row.order_id is None else clean(row.order_id),
        order_type=None if row.order_type is None else clean(row.order_type),
    )


def _height(height: Height | None) -> int:
    if height is None:
        raise NumberError("a point without its height")
    return height_of(str(height))


def _point(raw: msgspec.Raw) -> VenuePnl:
    row = _point_row.decode(raw)
    equity, transfers, total = map(decimal_of, (row.equity, row.net_transfers, row.total_pnl))
    return VenuePnl(equity, transfers, total, time_of(row.created_at), _height(row.created_at_height))


def _tick(raw: msgspec.Raw) -> VenueTick:
    row = _point_row.decode(raw)
    equity, transfers, total = map(decimal_of, (row.equity, row.net_transfers, row.total_pnl))
    return VenueTick(equity, transfers, total, time_of(row.block_time or row.created_at), _height(row.block_height))


CONVERTERS: Mapping[str, Callable[[msgspec.Raw], VenueTrade | VenuePnl | VenueTick]] = {
    "tradeHistory": _trade,
    "pnl": _point,
    "historical-pnl": _tick,
}
"""What makes a value of a row, by the path; each raises what `wire.UNREADABLE` lists, or NumberError."""
