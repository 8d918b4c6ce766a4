"""An Indexer with a long past on a real loopback socket: its lists are cut, paged and sorted as the Indexer's are."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from builders import ADDRESS
from engine.test_rest import Reply, served

START = datetime(2026, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def at_block(height: int) -> datetime:
    return START + timedelta(seconds=height)


def fill(number: int, height: int | None = None) -> Row:
    stood = number if height is None else height
    return {
        "id": f"fill-{number:06}", "side": "BUY", "liquidity": "TAKER", "type": "LIMIT", "market": "BTC-USD",
        "marketType": "PERPETUAL", "price": "100", "size": "1", "fee": "0.1", "createdAt": iso(at_block(stood)),
        "createdAtHeight": str(stood), "orderId": f"order-{number:06}", "subaccountNumber": 0,
    }  # fmt: skip


def transfer(number: int, height: int | None = None) -> Row:
    stood = number if height is None else height
    return {
        "id": f"transfer-{number:06}", "type": "DEPOSIT", "size": "1", "symbol": "USDC",
        "sender": {"address": "dydx1bank"}, "recipient": {"address": ADDRESS, "subaccountNumber": 0},
        "createdAt": iso(at_block(stood)), "createdAtHeight": str(stood), "transactionHash": f"h{number}",
    }  # fmt: skip


def payment(number: int, market: str = "BTC-USD", height: int | None = None) -> Row:
    stood = number if height is None else height
    return {
        "subaccountNumber": "0", "ticker": market, "payment": "-0.1", "rate": "0.0001", "size": "1",
        "oraclePrice": "100", "createdAt": iso(at_block(stood)), "createdAtHeight": str(stood), "perpetualId": "0",
        "side": "LONG", "fundingIndex": "1",
    }  # fmt: skip


def reward(height: int) -> Row:
    return {"tradingReward": "0.5", "createdAt": iso(at_block(height)), "createdAtHeight": str(height)}


def order(number: int, *, block: int | None = None, time: datetime | None = None, status: str = "CANCELED") -> Row:
    row: Row = {
        "id": f"order-{number:06}", "subaccountNumber": 0, "clientId": str(number), "clobPairId": "0",
        "ticker": "BTC-USD", "side": "BUY" if number % 2 else "SELL", "size": "1", "totalFilled": "0", "price": "90",
        "type": "LIMIT", "status": status, "timeInForce": "GTT", "orderFlags": "64" if block is None else "0",
        "updatedAt": iso(at_block(number)), "updatedAtHeight": str(number),
    }  # fmt: skip
    if block is not None:
        row["goodTilBlock"] = str(block)
    if time is not None:
        row["goodTilBlockTime"] = iso(time)
    return row


@dataclass
class OldVenue:
    """Everything oldest first. `grows` is called before each answer; `replies` go before whatever would be answered.

    `flipped` names the lists that come in the other order than the Indexer's.
    """

    fills: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    rewards: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    height: int = 1_000_000
    flipped: set[str] = field(default_factory=set)
    replies: list[Reply | None] = field(default_factory=list)
    grows: Callable[["OldVenue", str], None] | None = None
    shuffle: Callable[[list[Row], int], list[Row]] | None = None
    """Puts rows of one block in another order for each question, as a database without a tie-breaker may."""
    asked: list[str] = field(default_factory=list)

    def served(self) -> AbstractContextManager[tuple[str, list[str]]]:
        return served(self.answer)

    def answer(self, path: str) -> Reply:
        split = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        if self.grows is not None:
            self.grows(self, path)
        if self.replies:
            reply = self.replies.pop(0)
            if reply is not None:
                return reply
        self.asked.append(path)
        body = self._body(split.path, query)
        return (404, {}, '{"errors":[{"msg":"Not Found"}]}') if body is None else (200, {}, json.dumps(body))

    def _body(self, path: str, query: dict[str, str]) -> Any:
        if path == "/v4/height":
            return {"height": str(self.height), "time": iso(at_block(self.height))}
        if path.startswith("/v4/historicalBlockTradingRewards/"):
            bound = int(query.get("startingBeforeOrAtHeight", 1 << 60))
            kept = [row for row in self.rewards if int(row["createdAtHeight"]) <= bound]
            return {"rewards": self._way(kept[::-1], "rewards")[: int(query["limit"])]}
        if path == "/v4/orders/parentSubaccountNumber":
            return self._orders(query)
        for name, kind, rows in (
            ("fills", "/v4/fills/parentSubaccountNumber", self.fills),
            ("transfers", "/v4/transfers/parentSubaccountNumber", self.transfers[::-1]),
            ("fundingPayments", "/v4/fundingPayments/parentSubaccount", self.payments[::-1]),
        ):
            if path == kind:
                return self._paged(name, self._way(rows, name), query)
        return None

    def _way(self, rows: list[Row], name: str) -> list[Row]:
        return rows[::-1] if name in self.flipped else rows

    def _paged(self, name: str, rows: list[Row], query: dict[str, str]) -> Any:
        limit, page = int(query["limit"]), int(query.get("page", 1))
        offset = (page - 1) * limit
        if self.shuffle is not None and name != "fills":
            rows = self.shuffle(rows, offset)
        return {
            name: rows[offset : offset + limit], "pageSize": limit, "totalResults": len(rows), "offset": offset,
        }  # fmt: skip

    def _orders(self, query: dict[str, str]) -> Any:
        by_time = any(name.startswith("goodTilBlockTime") for name in query)
        key = "goodTilBlockTime" if by_time else "goodTilBlock"

        def number(text: str) -> float:
            return datetime.fromisoformat(text).timestamp() if by_time else int(text)

        kept = [
            row
            for row in self.orders
            if key in row
            and (f"{key}After" not in query or number(row[key]) > number(query[f"{key}After"]))
            and (f"{key}BeforeOrAt" not in query or number(row[key]) <= number(query[f"{key}BeforeOrAt"]))
            and query.get("side", row["side"]) == row["side"]
            and row["status"] in query.get("status", row["status"]).split(",")
        ]
        kept.sort(key=lambda row: number(row[key]), reverse="orders" not in self.flipped)
        return kept[: int(query["limit"])]
