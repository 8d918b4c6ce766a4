"""The seven channels, their identifiers, and the requests that join and leave them."""

from functools import lru_cache

from dydx_console.domain.events import ChannelKey
from dydx_console.domain.ids import subaccount_number

__all__ = [
    "BLOCK_HEIGHT",
    "CANDLES",
    "MARKETS",
    "MOST_ON_CONNECTION",
    "ORDERBOOK",
    "PARENT_SUBACCOUNTS",
    "SUBACCOUNTS",
    "TRADES",
    "UNNAMED",
    "account_of",
    "key_of",
    "named",
    "parent_key",
    "request",
]

SUBACCOUNTS = "v4_subaccounts"
PARENT_SUBACCOUNTS = "v4_parent_subaccounts"
MARKETS = "v4_markets"
ORDERBOOK = "v4_orderbook"
TRADES = "v4_trades"
CANDLES = "v4_candles"
BLOCK_HEIGHT = "v4_block_height"

UNNAMED = frozenset({MARKETS, BLOCK_HEIGHT})
"""Channels that take no id: the Indexer keys their updates to the channel's own name, and an explicit other id never
gets one (dydxprotocol/v4-chain indexer/services/socks/src/lib/subscription.ts)."""

MOST_ON_CONNECTION = {
    SUBACCOUNTS: 256,
    PARENT_SUBACCOUNTS: 256,
    MARKETS: 32,
    ORDERBOOK: 32,
    TRADES: 32,
    CANDLES: 32,
    BLOCK_HEIGHT: 1,
}
"""Subscriptions of a channel that one connection may have (dydxprotocol/v4-chain services/socks/src/config.ts)."""


def key_of(channel: str, identifier: str | None) -> ChannelKey:
    """Return the identity of a subscription; whatever id an unnamed channel's message carries is dropped."""
    return ChannelKey(channel, "" if channel in UNNAMED else (identifier or ""))


def parent_key(address: str, parent: int) -> ChannelKey:
    """Return the identity of a parent subaccount's subscription."""
    return ChannelKey(PARENT_SUBACCOUNTS, f"{address}/{parent}")


@lru_cache(maxsize=256)
def account_of(key: ChannelKey) -> tuple[str, int] | None:
    """Return address and number of an account channel's id, or None where the id has not that form."""
    address, _, text = key.id.partition("/")
    number = subaccount_number(text)
    if not key.is_account or not address or number is None:
        return None
    return address, number


def named(key: ChannelKey) -> str:
    """Return what a person calls a channel; an account is not named by its address."""
    return "this account" if key.is_account else f"{key.channel} {key.id}".strip()


def request(kind: str, key: ChannelKey, *, batched: bool = False) -> dict[str, str | bool]:
    """Return the JSON object of a `subscribe` or `unsubscribe` request."""
    message: dict[str, str | bool] = {"type": kind, "channel": key.channel}
    if key.id:
        message["id"] = key.id
    if batched:
        message["batched"] = True
    return message
