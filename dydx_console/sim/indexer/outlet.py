"""Where the Indexer's producers put what they publish. Contents are only built for what somebody watches."""

from __future__ import annotations

from collections.abc import Callable

from dydx_console.sim.indexer.rows import Message

SUBACCOUNTS = "v4_subaccounts"
PARENT_SUBACCOUNTS = "v4_parent_subaccounts"
ORDERBOOK = "v4_orderbook"
TRADES = "v4_trades"
CANDLES = "v4_candles"
MARKETS = "v4_markets"
BLOCK_HEIGHT = "v4_block_height"

VERSIONS = {
    SUBACCOUNTS: "3.0.0",
    PARENT_SUBACCOUNTS: "3.0.0",
    ORDERBOOK: "1.0.0",
    TRADES: "2.1.0",
    CANDLES: "1.0.0",
    MARKETS: "1.0.0",
    BLOCK_HEIGHT: "1.0.0",
}

Watched = Callable[[str, str], bool]
Sink = Callable[[Message], None]


def nobody(_channel: str, _id: str) -> bool:
    """Nothing is watched."""
    return False


def nowhere(_message: Message) -> None:
    """Published to no one."""


class Outlet:
    """Publishes to whoever is connected; `watched` says whether a (channel, id) has a reader."""

    def __init__(self) -> None:
        self.watched: Watched = nobody
        self.sink: Sink = nowhere

    def wants(self, channel: str, id: str) -> bool:
        """Whether contents for (channel, id) would reach anybody."""
        return self.watched(channel, id)

    def wants_account(self, address: str, number: int) -> bool:
        """Whether anybody watches a subaccount or its parent."""
        return self.watched(SUBACCOUNTS, f"{address}/{number}") or self.watched(
            PARENT_SUBACCOUNTS, f"{address}/{number % 128}"
        )

    def publish(self, channel: str, id: str, contents: dict[str, object]) -> None:
        """An update of a public channel."""
        self.sink(Message(channel, id, VERSIONS[channel], contents))

    def publish_account(self, address: str, number: int, contents: dict[str, object]) -> None:
        """An update of a subaccount; the parent channel's copy is made from it on delivery."""
        self.sink(Message(SUBACCOUNTS, f"{address}/{number}", VERSIONS[SUBACCOUNTS], contents, address, number))
