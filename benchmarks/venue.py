"""A venue that does nothing but send: a WebSocket with a given rate of account and oracle messages, and a REST side."""

import asyncio
import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

__all__ = ["ADDRESS", "LoadVenue"]

ADDRESS = "dydx1n88uc38xhjgxzw9nwre4ep2c8ga4fjxc565lnf"
TICKERS = ("BTC-USD", "ETH-USD", "SOL-USD", "DOGE-USD", "LINK-USD", "AVAX-USD", "SUI-USD", "XRP-USD")
MARKER_SUBACCOUNT = 128
ORDERS = 40
SLICE_S = 0.005
VERSIONS = {"v4_block_height": "1.0.0", "v4_parent_subaccounts": "3.0.0", "v4_markets": "1.0.0"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _market(ticker: str, number: int) -> dict[str, object]:
    return {
        "clobPairId": str(number),
        "ticker": ticker,
        "status": "ACTIVE",
        "oraclePrice": "100",
        "priceChange24H": "1",
        "volume24H": "1000000",
        "trades24H": 10,
        "nextFundingRate": "0.00001",
        "initialMarginFraction": "0.05",
        "maintenanceMarginFraction": "0.03",
        "openInterest": "1000",
        "atomicResolution": -9,
        "quantumConversionExponent": -9,
        "tickSize": "0.01",
        "stepSize": "0.001",
        "stepBaseQuantums": 1000000,
        "subticksPerTick": 100000,
        "marketType": "CROSS",
        "openInterestLowerCap": "0",
        "openInterestUpperCap": "0",
        "baseOpenInterest": "0",
        "defaultFundingRate1H": "0",
    }


def _position(ticker: str, size: str) -> dict[str, object]:
    return {
        "market": ticker,
        "status": "OPEN",
        "side": "LONG",
        "size": size,
        "maxSize": size,
        "entryPrice": "99.5",
        "exitPrice": None,
        "realizedPnl": "0",
        "unrealizedPnl": "0",
        "createdAt": _now(),
        "createdAtHeight": "1",
        "closedAt": None,
        "sumOpen": size,
        "sumClose": "0",
        "netFunding": "0",
        "subaccountNumber": 0,
    }


def _asset(subaccount: int, size: str) -> dict[str, object]:
    return {"symbol": "USDC", "side": "LONG", "size": size, "assetId": "0", "subaccountNumber": subaccount}


def _child(number: int) -> dict[str, object]:
    positions = {ticker: _position(ticker, "1.5") for ticker in TICKERS} if number == 0 else {}
    return {
        "address": ADDRESS,
        "subaccountNumber": number,
        "equity": "0",
        "freeCollateral": "0",
        "openPerpetualPositions": positions,
        "assetPositions": {"USDC": _asset(number, "250000")},
        "marginEnabled": True,
        "updatedAtHeight": "1",
        "latestProcessedBlockHeight": "1",
    }


def _parent() -> dict[str, object]:
    return {
        "address": ADDRESS,
        "parentSubaccountNumber": 0,
        "equity": "0",
        "freeCollateral": "0",
        "childSubaccounts": [_child(0), _child(MARKER_SUBACCOUNT)],
    }


def _orders() -> list[dict[str, object]]:
    return [
        {
            "id": f"00000000-0000-5000-8000-{number:012d}",
            "subaccountId": "s",
            "clientId": str(number),
            "clobPairId": "0",
            "side": "BUY" if number % 2 else "SELL",
            "size": "1.5",
            "totalFilled": "0",
            "price": str(90 + number % 20),
            "type": "LIMIT",
            "status": "OPEN",
            "timeInForce": "GTT",
            "postOnly": False,
            "reduceOnly": False,
            "orderFlags": "64",
            "goodTilBlockTime": "2099-01-01T00:00:00.000Z",
            "createdAtHeight": "1",
            "clientMetadata": "0",
            "updatedAt": _now(),
            "updatedAtHeight": "1",
            "ticker": TICKERS[number % len(TICKERS)],
            "subaccountNumber": 0,
        }
        for number in range(ORDERS)
    ]


class _RestServer(ThreadingHTTPServer):
    height = 1


class _Rest(BaseHTTPRequestHandler):
    server: _RestServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/v4")
        body = json.dumps(self._body(path)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self, path: str) -> object:
        head = path.split("/")[1]
        answers: dict[str, object] = {
            "time": {"iso": _now(), "epoch": 0},
            "height": {"height": str(self.server.height), "time": _now()},
            "addresses": {"subaccount": _parent(), "subaccounts": [_child(0), _child(MARKER_SUBACCOUNT)]},
            "orders": _orders(),
            "fills": {"fills": [], "totalResults": 0, "pageSize": 1000, "offset": 0},
            "transfers": {"transfers": []},
            "fundingPayments": {"fundingPayments": []},
            "compliance": {"status": "COMPLIANT", "updatedAt": _now()},
        }
        return answers[head]

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class LoadVenue:
    """Sends `rate` messages a second to its one client. `mark` sends one more and returns when it left."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.sent = 0
        self._message_ids: dict[ServerConnection, int] = {}
        self._socket: ServerConnection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self.subscribed = threading.Event()
        self.websocket_port = 0
        self._http = _RestServer(("127.0.0.1", 0), _Rest)
        self.rest_port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True).start()
        self._ready.wait(10)

    def close(self) -> None:
        """Stop answering REST; the sockets end with the process."""
        self._http.shutdown()

    def mark(self, value: int) -> float:
        """Send one balance message whose amount is `value`; return the monotonic time when it was sent."""
        loop, socket = self._loop, self._socket
        if loop is None or socket is None:
            raise RuntimeError("no client")
        update = {"assetPositions": [{**_asset(MARKER_SUBACCOUNT, str(value)), "address": ADDRESS, "positionId": "m"}]}
        return asyncio.run_coroutine_threadsafe(self._send_mark(socket, update), loop).result(5)

    async def _send_mark(self, socket: ServerConnection, update: dict[str, object]) -> float:
        sent_at = time.monotonic()
        await socket.send(self._account(socket, update, MARKER_SUBACCOUNT))
        return sent_at

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with serve(self._serve, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            self.websocket_port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._loop.create_future()

    async def _serve(self, socket: ServerConnection) -> None:
        """Serve a client: load goes to one that wants the markets, not to one that only looks whether we answer."""
        self._message_ids[socket] = 0
        await socket.send(json.dumps({"type": "connected", "connection_id": "c", "message_id": 0}))
        loads: list[asyncio.Task[None]] = []
        try:
            async for text in socket:
                request = json.loads(text)
                await self._answer(socket, request)
                if request["channel"] == "v4_markets":
                    self._socket = socket
                    self.subscribed.set()
                    loads.append(asyncio.create_task(self._load(socket)))
        except ConnectionClosed:
            pass
        finally:
            for load in loads:
                load.cancel()
            await asyncio.gather(*loads, return_exceptions=True)
            del self._message_ids[socket]

    async def _answer(self, socket: ServerConnection, request: dict[str, str]) -> None:
        channel = request["channel"]
        contents: dict[str, object] = {
            "v4_block_height": {"height": str(self._http.height), "time": _now()},
            "v4_parent_subaccounts": {"subaccount": _parent(), "orders": _orders(), "blockHeight": "1"},
            "v4_markets": {"markets": {ticker: _market(ticker, n) for n, ticker in enumerate(TICKERS)}},
        }
        message = self._envelope(socket, "subscribed", channel, request.get("id"), contents[channel])
        await socket.send(message)

    def _envelope(
        self, socket: ServerConnection, kind: str, channel: str, identifier: str | None, contents: object
    ) -> str:
        self._message_ids[socket] += 1
        message = {"type": kind, "connection_id": "c", "message_id": self._message_ids[socket], "channel": channel}
        if identifier is not None:
            message["id"] = identifier
        return json.dumps({**message, "version": VERSIONS[channel], "contents": contents})

    def _account(self, socket: ServerConnection, contents: dict[str, object], child: int) -> str:
        text = self._envelope(socket, "channel_data", "v4_parent_subaccounts", f"{ADDRESS}/0", contents)
        return f'{text[:-2]}, "blockHeight": "{self._http.height}"}}, "subaccountNumber": {child}}}'

    async def _load(self, socket: ServerConnection) -> None:
        started, sent, block_at = time.monotonic(), 0, 0.0
        while True:
            now = time.monotonic()
            if now - block_at >= 1.0:
                block_at = now
                self._http.height += 1
                block = {"blockHeight": str(self._http.height), "time": _now()}
                await socket.send(self._envelope(socket, "channel_data", "v4_block_height", "v4_block_height", block))
            while sent < (now - started) * self.rate:
                await socket.send(self._next(socket, sent))
                sent += 1
            self.sent = sent
            await asyncio.sleep(SLICE_S)

    def _next(self, socket: ServerConnection, number: int) -> str:
        ticker = TICKERS[number % len(TICKERS)]
        cents = 10_000 + (number * 7919) % 500
        price = f"{cents // 100}.{cents % 100:02d}"
        if number % 4:
            row = {"oraclePrice": price, "effectiveAt": _now(), "effectiveAtHeight": "1", "marketId": 0}
            return self._envelope(socket, "channel_data", "v4_markets", None, {"oraclePrices": {ticker: row}})
        position = _position(ticker, f"1.{number % 1000:03d}")
        position.update(address=ADDRESS, positionId=f"p-{ticker}")
        return self._account(socket, {"perpetualPositions": [position]}, 0)
