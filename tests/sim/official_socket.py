"""The official IndexerSocket on all five of its channels; prints what was subscribed, updated and unsubscribed."""

import asyncio
import json
import sys
import threading
from typing import Any

from dydx_v4_client.indexer.candles_resolution import CandlesResolution
from dydx_v4_client.indexer.socket.websocket import IndexerSocket

LINE = json.loads(sys.argv[1])
ME = LINE["account"]
CHANNELS = 5
heard: dict[str, list[Any]] = {"subscribed": [], "updated": [], "unsubscribed": [], "errors": []}


def on_message(ws: IndexerSocket, message: dict[str, Any]) -> None:
    kind, channel = message["type"], message.get("channel")
    if kind == "connected":
        ws.markets.subscribe()
        ws.trades.subscribe("BTC-USD")
        ws.order_book.subscribe("BTC-USD", batched=False)
        ws.candles.subscribe("BTC-USD", CandlesResolution.ONE_MINUTE)
        ws.subaccounts.subscribe(ME, 0)
    elif kind == "error":
        heard["errors"].append(message)
    elif kind == "unsubscribed":
        heard["unsubscribed"].append(channel)
    elif kind == "subscribed":
        heard["subscribed"].append(channel)
    elif channel not in heard["updated"]:
        heard["updated"].append(channel)
        if len(heard["updated"]) == CHANNELS:
            ws.markets.unsubscribe()
            ws.trades.unsubscribe("BTC-USD")
            ws.order_book.unsubscribe("BTC-USD")
            ws.candles.unsubscribe("BTC-USD", CandlesResolution.ONE_MINUTE)
            ws.subaccounts.unsubscribe(ME, 0)
    if len(heard["unsubscribed"]) == CHANNELS:
        ws.close()


socket = IndexerSocket(LINE["websocket"], on_message=on_message)
timer = threading.Timer(25, socket.close)
timer.start()
asyncio.run(socket.connect())
timer.cancel()
print(json.dumps(heard))
