"""Small values for tests: rows, frames and fills with sensible defaults."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from dydx_console.domain.events import Frame
from dydx_console.domain.fill import Fill
from dydx_console.domain.ids import StreamVersion
from dydx_console.domain.order import OrderPatch
from dydx_console.domain.position import Balance, ChildState, Position
from dydx_console.venue.indexer.protocol import IndexerProtocol

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
START = datetime(2026, 11, 21, tzinfo=UTC)
D = Decimal


def at_height(height: int) -> datetime:
    return START + timedelta(seconds=height)


def version(message_id: int, connection: int = 1, place: int = 0) -> StreamVersion:
    return StreamVersion(connection, message_id, place)


def patch(order_id: str = "o", status: str | None = "OPEN", **given: Any) -> OrderPatch:
    fields: dict[str, Any] = {"subaccount": 0, "market": "BTC-USD", "side": "BUY", "size": D(1), "price": D(100)}
    fields.update(given)
    return OrderPatch(id=order_id, status=status, **fields)


def fill(fill_id: str, side: str = "BUY", size: str = "1", price: str = "100", height: int = 1, **given: Any) -> Fill:
    fields: dict[str, Any] = {
        "subaccount": 0,
        "market": "BTC-USD",
        "liquidity": "TAKER",
        "type": "LIMIT",
        "fee": D("0.05"),
        "created_at": at_height(height),
    }
    fields.update(given)
    return Fill(id=fill_id, side=side, size=D(size), price=D(price), height=height, **fields)


def position(size: str, market: str = "BTC-USD", height: int | None = 1, **given: Any) -> Position:
    fields: dict[str, Any] = {"subaccount": 0, "status": "OPEN", "entry_price": D(100), "net_funding": D(0)}
    fields.update(given)
    return Position(market=market, net_size=D(size), height=height, **fields)


def balance(amount: str, asset: str = "USDC", height: int | None = 1, subaccount: int = 0) -> Balance:
    return Balance(subaccount, asset, D(amount), height)


def child(*rows: Position | Balance, height: int | None = 1, number: int = 0, read_at: int | None = None) -> ChildState:
    return ChildState(
        number,
        tuple(row for row in rows if isinstance(row, Position)),
        tuple(row for row in rows if isinstance(row, Balance)),
        height,
        read_at,
    )


def message(kind: str, channel: str, contents: Any, message_id: int = 1, **given: Any) -> str:
    body = {"type": kind, "connection_id": "c", "message_id": message_id, "channel": channel, "contents": contents}
    return json.dumps({**body, **given})


def received(text: str | bytes, connection: int = 1, at: float = 1.0) -> Frame:
    return IndexerProtocol(connection).receive(text, at)
