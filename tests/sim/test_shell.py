"""The listeners over real loopback sockets, on the test's own loop."""

import asyncio
import json
import socket
from typing import Any

import httpx
import pytest
from sim_help import BUY, NOW
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from dydx_console.sim.core.orders import Order, OrderId, Place, SubaccountId
from dydx_console.sim.shell.rest import listen
from dydx_console.sim.shell.server import running
from dydx_console.sim.venue import Venue, VenueOptions

QUICK = VenueOptions(history_hours=0, block_ms=100)


async def hear(websocket: Any, channel: str, kind: str = "channel_data") -> dict[str, Any]:
    """The next frame of a channel."""
    async with asyncio.timeout(5):
        while True:
            frame: dict[str, Any] = json.loads(await websocket.recv())
            if frame.get("channel") == channel and frame["type"] == kind:
                return frame


async def to_the_end(websocket: Any) -> None:
    """Read until the connection closes."""
    async with asyncio.timeout(5):
        while True:
            await websocket.recv()


async def test_rest_and_websocket_tell_one_story() -> None:
    async with running(QUICK) as served, httpx.AsyncClient(base_url=served.rest_url) as rest:
        height = (await rest.get("/v4/height")).json()
        async with connect(served.websocket_url, compression=None) as websocket:
            hello = json.loads(await websocket.recv())
            assert (hello["type"], hello["message_id"]) == ("connected", 0)
            await websocket.send('{"type":"subscribe","channel":"v4_block_height"}')
            first = await hear(websocket, "v4_block_height", "subscribed")
            assert int(first["contents"]["height"]) >= int(height["height"])
            second = await hear(websocket, "v4_block_height")
            later = (await rest.get("/v4/height")).json()
            assert int(later["height"]) >= int(second["contents"]["blockHeight"]) > int(height["height"])
        missing = await rest.get("/v4/nope")
        assert (missing.status_code, missing.json()) == (404, {"error": "Not Found", "errorCode": 404})
        answer = await rest.get("/v4/perpetualMarkets", headers={"X-Forwarded-For": "1.1.1.1"})
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.headers["ratelimit-remaining"] == "99"
        assert "server" not in answer.headers
        tag = answer.headers["etag"]
        stale = await rest.get("/v4/perpetualMarkets?ticker=XRP-USD")
        assert stale.status_code == 400
        assert tag.startswith('W/"')
        head = await rest.head("/v4/time")
        assert (head.status_code, head.content) == (200, b"")
        assert (await rest.get("/v4/orderbooks/perpetualMarket/BTC%2FUSD")).json() == {
            "errors": [{"msg": "BTC/USD not found in markets of type PERPETUAL"}]
        }
        assert (await rest.post("/v4/time")).status_code == 404
        assert (await rest.options("/v4/orders")).status_code == 200


async def test_an_order_from_outside_reaches_its_watcher() -> None:
    who = SubaccountId(VenueOptions().account, 0)
    async with (
        running(VenueOptions(history_hours=0, trader=False)) as served,
        connect(served.websocket_url, compression=None) as websocket,
    ):
        subscribe = {"type": "subscribe", "channel": "v4_parent_subaccounts", "id": f"{who.owner}/0"}
        await websocket.send(json.dumps(subscribe))
        await hear(websocket, "v4_parent_subaccounts", "subscribed")
        order = Order(
            OrderId(who, 42, 0, 0), BUY, 10_000_000, 5_000_000_000, good_til_block=served.venue.exchange.height + 10
        )
        assert served.submit(Place(order)).ok
        frame = await hear(websocket, "v4_parent_subaccounts")
        assert frame["contents"]["orders"][0]["clientId"] == "42"
        assert frame["subaccountNumber"] == 0


async def test_leaving_at_once_after_an_order_ends() -> None:
    who = SubaccountId(VenueOptions().account, 0)
    async with asyncio.timeout(20), running(QUICK, grpc_port=None) as served:
        await asyncio.sleep(0)
        order = Order(
            OrderId(who, 1, 0, 0), BUY, 10_000_000, 5_000_000_000, good_til_block=served.venue.exchange.height
        )
        assert not served.submit(Place(order)).ok


async def test_handshake_oddities() -> None:
    async with running(QUICK) as served:
        port = int(served.websocket_url.split(":")[2].split("/")[0])
        async with httpx.AsyncClient() as plain:
            answer = await plain.get(f"http://127.0.0.1:{port}/v4/height")
            assert (answer.status_code, answer.text.strip()) == (426, "Upgrade Required")
        async with connect(f"ws://127.0.0.1:{port}/anything/else?x=1", subprotocols=["foo", "bar"]) as websocket:  # type: ignore[list-item]
            assert websocket.subprotocol == "foo"
            assert "Sec-WebSocket-Extensions" not in websocket.response.headers  # type: ignore[union-attr]
            await websocket.recv()
            await websocket.send(b'{"type":"subscribe","channel":"v4_block_height"}')
            assert json.loads(await websocket.recv())["type"] == "subscribed"


async def test_rate_limited_subscribing_closes_with_1008() -> None:
    async with running(QUICK) as served, connect(served.websocket_url) as websocket:
        for _ in range(3):
            await websocket.send('{"type":"subscribe","channel":"v4_trades","id":"BTC-USD"}')
        with pytest.raises(ConnectionClosed) as closed:
            await to_the_end(websocket)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, '{"message":"Rate limited"}')


async def test_shutting_down_closes_with_1012() -> None:
    async with running(QUICK) as served:
        websocket = await connect(served.websocket_url)
        await websocket.recv()
    with pytest.raises(ConnectionClosed) as closed:
        await websocket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, '{"message":"Service restarting"}')


async def test_the_heartbeat_is_answered_by_a_stock_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dydx_console.sim.indexer.socks.HEARTBEAT_MS", 100)
    monkeypatch.setattr("dydx_console.sim.indexer.socks.PONG_WAIT_MS", 60)
    async with running(QUICK) as served, connect(served.websocket_url, ping_interval=None) as websocket:
        await websocket.recv()
        await websocket.send('{"type":"subscribe","channel":"v4_block_height"}')
        for _ in range(8):
            await hear(websocket, "v4_block_height")


async def test_a_client_that_never_pongs_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dydx_console.sim.indexer.socks.HEARTBEAT_MS", 100)
    monkeypatch.setattr("dydx_console.sim.indexer.socks.PONG_WAIT_MS", 60)
    async with running(QUICK) as served:
        port = int(served.websocket_url.split(":")[2].split("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /v4/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            rest = b""
            while b"Heartbeat timeout" not in rest:
                rest += await reader.read(4_096)
        assert b"\x89\x00" in rest, "a ping frame without payload"
        assert b"\x03\xf3Heartbeat timeout" in rest
        writer.close()
        await writer.wait_closed()


async def test_a_machine_that_slept_gets_one_block_not_thousands() -> None:
    now = NOW

    def clock() -> int:
        return now

    venue = Venue(VenueOptions(history_hours=0), now)
    async with (
        running(venue.options, clock=clock, venue=venue) as served,
        httpx.AsyncClient(base_url=served.rest_url) as rest,
    ):
        before = venue.exchange.height
        now += 3_600_000
        assert (await rest.get("/v4/height")).json()["height"] == str(before + 1)


async def test_a_taken_port_is_an_error() -> None:
    taken = listen(0)
    with pytest.raises(OSError, match="use"):
        async with running(QUICK, rest_port=taken.getsockname()[1]):
            pass
    taken.close()


def test_listening_sockets_are_loopback_only() -> None:
    listener = listen(0)
    assert listener.getsockname()[0] == "127.0.0.1"
    assert listener.family is socket.AF_INET
    listener.close()
