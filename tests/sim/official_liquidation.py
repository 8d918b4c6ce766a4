"""The official clients while the demo account is liquidated; prints the kinds of fills that the two of them read."""

import asyncio
import json
import sys
import threading
from typing import Any

import httpx
from dydx_v4_client.indexer.rest.indexer_client import IndexerClient
from dydx_v4_client.indexer.socket.websocket import IndexerSocket

LINE = json.loads(sys.argv[1])
ME = LINE["account"]
heard: dict[str, Any] = {"errors": [], "fills": {}}


def on_message(ws: IndexerSocket, message: dict[str, Any]) -> None:
    kind = message["type"]
    if kind == "connected":
        ws.subaccounts.subscribe(ME, 0)
        ws.subaccounts.subscribe(ME, 128)
    elif kind == "error":
        heard["errors"].append(message)
    elif kind == "channel_data":
        for fill in message["contents"].get("fills", ()):
            heard["fills"][fill["id"]] = fill["type"]
    if {"LIQUIDATED", "DELEVERAGED"} <= set(heard["fills"].values()):
        ws.close()


async def main() -> None:
    socket = IndexerSocket(LINE["websocket"], on_message=on_message)
    timer = threading.Timer(30, socket.close)
    timer.start()
    await socket.connect()
    timer.cancel()
    account = IndexerClient(LINE["rest"], api_timeout=10).account
    rows = [fill for number in (0, 128) for fill in (await account.get_subaccount_fills(ME, number))["fills"]]
    forced = {fill["id"] for fill in rows if fill["type"] != "LIMIT"}
    query = {"address": ME, "parentSubaccountNumber": 0}
    async with httpx.AsyncClient(base_url=LINE["rest"]) as plain:
        answer = await plain.get("/v4/tradeHistory/parentSubaccountNumber", params=query)
    history = answer.json()["tradeHistory"]
    found = {
        "errors": heard["errors"],
        "types": sorted({fill["type"] for fill in rows}),
        "socket": sorted(i for i, kind in heard["fills"].items() if kind != "LIMIT"),
        "rest": sorted(forced & set(heard["fills"])),
        "actions": sorted({row["action"] for row in history}),
    }
    print(json.dumps(found))


asyncio.run(main())
