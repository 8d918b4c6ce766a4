"""Frames for measurements: what the embedded exchange says in virtual time, the same for the same seed."""

import json
from collections.abc import Iterable

from dydx_console.sim.venue import Venue, VenueOptions

__all__ = ["ACCOUNT", "account_frames", "mixed_frames"]

START_MS = 1_760_000_000_000
STEP_MS = 50
CHANNELS = (
    {"channel": "v4_block_height"},
    {"channel": "v4_markets"},
    {"channel": "v4_orderbook", "id": "BTC-USD"},
    {"channel": "v4_orderbook", "id": "ETH-USD"},
    {"channel": "v4_trades", "id": "BTC-USD"},
    {"channel": "v4_candles", "id": "BTC-USD/1MIN"},
)
ACCOUNT = VenueOptions().account


def _frames(subscriptions: Iterable[dict[str, str]], count: int, options: VenueOptions) -> list[str]:
    venue = Venue(options, START_MS)
    session = venue.socks.connect(START_MS)
    for subscription in subscriptions:
        venue.socks.receive(session, json.dumps({"type": "subscribe", **subscription}), START_MS)
    texts: list[str] = []
    now = START_MS
    while len(texts) < count:
        now += STEP_MS
        venue.advance(now)
        for frame in session.take():
            text = getattr(frame, "text", None)
            if text is not None:
                texts.append(text)
            else:
                venue.socks.pong(session)
    return texts[:count]


def mixed_frames(count: int) -> list[str]:
    """Return `count` messages of every channel, the account's among them."""
    account = {"channel": "v4_parent_subaccounts", "id": f"{ACCOUNT}/0"}
    return _frames((account, *CHANNELS), count, VenueOptions(history_hours=1, rate=4, block_ms=1_000))


def account_frames(count: int) -> list[str]:
    """Return `count` messages of the account's channel alone (and the block height's, one a block)."""
    account = {"channel": "v4_parent_subaccounts", "id": f"{ACCOUNT}/0"}
    frames = _frames((account, CHANNELS[0]), count, VenueOptions(history_hours=1, block_ms=1_000))
    return [text for text in frames if "v4_block_height" not in text]
