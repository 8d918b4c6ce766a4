"""Every fault over real loopback sockets, seen by stock clients; and that all is well after it."""

import asyncio
import email.utils
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import grpc
import httpx
import pytest
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.base.tendermint.v1beta1.query_pb2_grpc import ServiceStub
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dydx_console.sim.faults.director import CLOSE_REASONS
from dydx_console.sim.faults.kinds import DEAF_TO, Kind
from dydx_console.sim.faults.schedules import VALUES
from dydx_console.sim.shell.server import Served, running, wall_ms
from dydx_console.sim.venue import VenueOptions

QUICK = VenueOptions(history_hours=0, block_ms=20, trader=False, makers=False)
DEADLINE_S = 20.0
A_WHILE = 1_500
FOR_GOOD = 3_600_000
SUBSCRIBE = '{"type":"subscribe","channel":"v4_block_height"}'
ACCOUNT = QUICK.account


async def until(holds: Callable[[], Any]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 - what a test may look at has no event
            await asyncio.sleep(0.01)


class Rig:
    """A served venue that misbehaves when it is told to."""

    def __init__(self, served: Served) -> None:
        self.served, self.venue = served, served.venue

    async def suffer(self, kind: Kind, for_ms: int = FOR_GOOD, value: int | None = None) -> None:
        """Have a fault, and come back when it has begun."""
        fault = self.venue.inflict(kind, wall_ms(), for_ms, value)
        await until(lambda: any(note.fault is fault for note in self.venue.fault_log))

    def relieve(self) -> None:
        """End every fault."""
        self.venue.director.stop(wall_ms())

    async def recovered(self) -> None:
        """Wait for the faults to end by themselves."""
        await until(lambda: self.venue.faults_over)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[ClientConnection]:
        """A connection that has heard three heights."""
        async with asyncio.timeout(DEADLINE_S), self.connected() as websocket:
            assert (await frame(websocket))["type"] == "connected"
            await websocket.send(SUBSCRIBE)
            for _ in range(4):
                await frame(websocket)
            yield websocket

    def connected(self, open_timeout: float = DEADLINE_S) -> connect:
        """A connection that takes in everything, so that it can be closed at any time."""
        return connect(
            self.served.websocket_url, compression=None, ping_interval=None, open_timeout=open_timeout, max_queue=None
        )


async def frame(websocket: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await websocket.recv())
    return found


async def ended(websocket: ClientConnection) -> ConnectionClosed:
    """Read to the end of a connection."""
    while True:
        try:
            await websocket.recv()
        except ConnectionClosed as closed:
            return closed


@asynccontextmanager
async def rig(grpc_port: int | None = None) -> AsyncIterator[Rig]:
    async with asyncio.timeout(60), running(QUICK, grpc_port=grpc_port) as served:
        yield Rig(served)


async def is_well(venue: Rig) -> None:
    """After the faults a new connection gets every height, and REST answers."""
    venue.relieve()
    async with venue.watching() as websocket:
        numbers = [(await frame(websocket))["message_id"] for _ in range(5)]
        assert numbers == list(range(5, 10))
    async with httpx.AsyncClient(base_url=venue.served.rest_url) as rest:
        assert (await rest.get("/v4/height")).status_code == 200


async def test_a_reset_is_a_reset() -> None:
    async with rig() as venue, venue.watching() as websocket:
        await venue.suffer(Kind.RESET, 0)
        closed = await ended(websocket)
        assert closed.rcvd is None
        assert isinstance(closed.__cause__, ConnectionResetError)
        await is_well(venue)


async def test_the_server_closes() -> None:
    async with rig() as venue:
        for code in VALUES[Kind.CLOSE]:
            async with venue.watching() as websocket:
                await venue.suffer(Kind.CLOSE, 0, code)
                closed = await ended(websocket)
                assert closed.rcvd is not None
                assert (closed.rcvd.code, closed.rcvd.reason) == (code, CLOSE_REASONS[code])
        await is_well(venue)


async def test_a_stall_answers_nothing_and_loses_nothing() -> None:
    async with rig() as venue, venue.watching() as websocket:
        await venue.suffer(Kind.STALL)
        answered = await websocket.ping()
        async with venue.watching():  # a new connection is well
            assert not answered.done(), "the old one does not even answer pings"
        venue.relieve()
        await answered
        numbers = [(await frame(websocket))["message_id"] for _ in range(20)]
        assert numbers == list(range(5, 25))
        await is_well(venue)


async def test_a_client_can_leave_a_stalled_connection() -> None:
    async with rig() as venue:
        async with venue.watching() as websocket:
            await venue.suffer(Kind.STALL)
            websocket.transport.abort()
        assert len(venue.venue.socks.sessions) == 1
        venue.relieve()
        await until(lambda: not venue.venue.socks.sessions)
        await is_well(venue)


async def test_a_zombie_is_silent_until_it_is_cut() -> None:
    async with rig() as venue, venue.watching() as websocket:
        await venue.suffer(Kind.ZOMBIE, A_WHILE)
        answered = await websocket.ping()
        await websocket.send('{"type":"subscribe","channel":"v4_markets"}')
        closed = await ended(websocket)
        assert closed.rcvd is None
        assert venue.venue.faults_over
        assert answered.done()
        assert isinstance(answered.exception(), ConnectionClosed)  # type: ignore[attr-defined]
        await is_well(venue)


async def test_a_restart_refuses_until_it_is_done() -> None:
    async with rig() as venue, venue.watching() as websocket:
        await venue.suffer(Kind.RESTART)
        closed = await ended(websocket)
        assert closed.rcvd is not None
        assert (closed.rcvd.code, closed.rcvd.reason) == (1012, '{"message":"Service restarting"}')
        with pytest.raises(InvalidStatus) as refused:
            await venue.connected()
        assert refused.value.response.status_code == 503
        await is_well(venue)


async def test_a_handshake_is_refused() -> None:
    async with rig() as venue:
        for status in VALUES[Kind.HANDSHAKE_REFUSED]:
            await venue.suffer(Kind.HANDSHAKE_REFUSED, value=status)
            with pytest.raises(InvalidStatus) as refused:
                await venue.connected()
            response = refused.value.response
            assert response.status_code == status
            assert response.body is not None
            assert b"<!DOCTYPE html>" in response.body
            assert ("Retry-After" in response.headers) == (status in (429, 503))
            venue.relieve()
        await is_well(venue)


async def test_a_handshake_from_the_wrong_place() -> None:
    async with rig() as venue, venue.watching() as websocket:
        await venue.suffer(Kind.HANDSHAKE_GEO)
        assert (await ended(websocket)).rcvd is None
        with pytest.raises(InvalidStatus) as refused:
            await venue.connected()
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body or b"")["errors"][0]["code"] == "GEOBLOCKED"
        await is_well(venue)


async def test_a_handshake_without_an_answer() -> None:
    async with rig() as venue:
        await venue.suffer(Kind.HANDSHAKE_UNANSWERED, A_WHILE)
        with pytest.raises(TimeoutError):
            await venue.connected(open_timeout=0.1)
        async with venue.connected() as websocket:
            assert venue.venue.faults_over, "it came at the end"
            assert (await frame(websocket))["type"] == "connected"
        await is_well(venue)


async def test_no_hello() -> None:
    async with rig() as venue:
        await venue.suffer(Kind.NO_HELLO)
        async with asyncio.timeout(DEADLINE_S), venue.connected() as websocket:
            await websocket.send(SUBSCRIBE)
            first = await frame(websocket)
            assert (first["type"], first["message_id"]) == ("subscribed", 1)
        await is_well(venue)


async def test_no_ack() -> None:
    async with rig() as venue:
        await venue.suffer(Kind.NO_ACK)
        async with asyncio.timeout(DEADLINE_S), venue.connected() as websocket:
            await websocket.send(SUBSCRIBE)
            heard = [await frame(websocket) for _ in range(3)]
            assert [f["type"] for f in heard] == ["connected", "channel_data", "channel_data"]
            assert [f["message_id"] for f in heard] == [0, 2, 3]
        await is_well(venue)


async def test_subscribing_fails() -> None:
    async with rig() as venue:
        await venue.suffer(Kind.SUBSCRIBE_FAILS)
        async with asyncio.timeout(DEADLINE_S), venue.connected() as websocket:
            await frame(websocket)
            await websocket.send(SUBSCRIBE)
            error = await frame(websocket)
        assert (error["type"], error["message_id"], error["channel"]) == ("error", 1, "v4_block_height")
        assert error["message"] == "Internal error, could not fetch data for subscription: v4_block_height."
        await is_well(venue)


async def test_an_error_that_nobody_asked_for() -> None:
    async with rig() as venue, venue.watching() as websocket:
        await venue.suffer(Kind.ERROR_FRAME, 0)
        heard = [await frame(websocket) for _ in range(8)]
        (error,) = [f for f in heard if f["type"] == "error"]
        assert error["message"] == "Internal error"
        assert error["message_id"] in [f["message_id"] for f in heard if f["type"] != "error"] + [4]
        await is_well(venue)


async def test_garbage_between_frames() -> None:
    async with rig() as venue, venue.watching() as websocket:
        for index in (0, 2, 13):
            await venue.suffer(Kind.GARBAGE, 0, index)
        texts = [str(await websocket.recv()) for _ in range(12)]
        assert '{"type":"channel_data","contents":' in texts
        assert any(text.startswith("<!DOCTYPE html>") for text in texts)
        assert any("0" * 400 in text for text in texts)
        await is_well(venue)


async def test_dropped_frames_leave_holes_and_doubled_ones_come_twice() -> None:
    async with rig() as venue, venue.watching() as websocket:
        await venue.suffer(Kind.DROP, value=2)
        numbers = [(await frame(websocket))["message_id"] for _ in range(6)]
        assert 2 in {later - earlier for earlier, later in pairwise(numbers)}
        venue.relieve()
        await venue.suffer(Kind.DUPLICATE, value=1)
        texts = [await websocket.recv() for _ in range(60)]
        assert any(earlier == later for earlier, later in pairwise(texts))
        await is_well(venue)


async def test_frames_drip() -> None:
    async with rig() as venue, venue.watching() as websocket:
        await venue.suffer(Kind.DRIP, A_WHILE, 1_000)
        await frame(websocket)
        late = await frame(websocket)
        assert venue.venue.exchange.height - int(late["contents"]["blockHeight"]) >= 2
        numbers = [late["message_id"]] + [(await frame(websocket))["message_id"] for _ in range(30)]
        assert numbers == list(range(numbers[0], numbers[0] + 31))
        await is_well(venue)


async def test_a_deaf_subscription() -> None:
    async with rig() as venue, venue.watching() as websocket:
        height = int((await frame(websocket))["contents"]["blockHeight"])
        await venue.suffer(Kind.DEAF, value=DEAF_TO.index("v4_block_height"))
        async with venue.watching():  # a new connection hears
            venue.relieve()
        heard = [await frame(websocket) for _ in range(30)]
        assert [f["message_id"] for f in heard] == list(range(6, 36)), "no number is missing"
        heights = [height] + [int(f["contents"]["blockHeight"]) for f in heard]
        assert max(later - earlier for earlier, later in pairwise(heights)) > 3
        await is_well(venue)


@pytest.mark.parametrize("way", [0, 1, 2])
async def test_rest_is_limited(way: int) -> None:
    async with rig() as venue, httpx.AsyncClient(base_url=venue.served.rest_url) as rest:
        await venue.suffer(Kind.REST_LIMITED, A_WHILE, way)
        answer = await rest.get("/v4/height")
        assert answer.status_code == 429
        wait = answer.headers["retry-after"]
        if way == 0:
            assert 0 < int(wait) <= 1_500
            assert abs(int(answer.headers["ratelimit-reset"]) - wall_ms() - int(wait)) < 1_500
            assert answer.json() == {"errors": [{"msg": "Too many requests"}]}
        elif way == 1:
            assert 1 <= int(wait) <= 2
        else:
            assert abs(email.utils.parsedate_to_datetime(wait).timestamp() - time.time()) < 5
        await is_well(venue)


async def test_rest_fails() -> None:
    async with rig() as venue, httpx.AsyncClient(base_url=venue.served.rest_url) as rest:
        for status in VALUES[Kind.REST_FAILS]:
            await venue.suffer(Kind.REST_FAILS, value=status)
            answer = await rest.get("/v4/height")
            assert answer.status_code == status
            if status == 500:
                assert answer.json() == {"errors": [{"msg": "Internal Server Error"}]}
            else:
                assert answer.text.startswith("<!DOCTYPE html>")
                assert answer.headers["content-type"].startswith("text/html")
            venue.relieve()
        await is_well(venue)


async def test_rest_answers_at_the_end() -> None:
    async with rig() as venue, httpx.AsyncClient(base_url=venue.served.rest_url, timeout=DEADLINE_S) as rest:
        await venue.suffer(Kind.REST_UNANSWERED, A_WHILE)
        with pytest.raises(httpx.ReadTimeout):
            await rest.get("/v4/height", timeout=0.1)
        answer = await rest.get("/v4/height")
        assert venue.venue.faults_over
        assert answer.status_code == 200
        await is_well(venue)


async def test_rest_is_cut() -> None:
    async with rig() as venue, httpx.AsyncClient(base_url=venue.served.rest_url) as rest:
        assert (await rest.get("/v4/height")).status_code == 200
        await venue.suffer(Kind.REST_RESET)
        for _ in range(2):
            with pytest.raises(httpx.ReadError):
                await rest.get("/v4/height")
        await is_well(venue)


async def test_accounts_are_refused_and_markets_are_not() -> None:
    async with rig() as venue, httpx.AsyncClient(base_url=venue.served.rest_url) as rest:
        await venue.suffer(Kind.ACCOUNTS_REFUSED)
        answer = await rest.get("/v4/fills", params={"address": ACCOUNT, "subaccountNumber": 0})
        assert answer.status_code == 403
        assert answer.json()["errors"][0]["code"] == "GEOBLOCKED"
        assert (await rest.get("/v4/perpetualMarkets")).status_code == 200
        async with asyncio.timeout(DEADLINE_S), venue.connected() as websocket:
            await frame(websocket)
            await websocket.send(json.dumps({"type": "subscribe", "channel": "v4_subaccounts", "id": f"{ACCOUNT}/0"}))
            error = await frame(websocket)
            assert (error["type"], error["message"]) == ("error", answer.json()["errors"][0]["msg"])
        await is_well(venue)


async def test_the_indexer_trails_and_the_chain_halts() -> None:
    async with rig(grpc_port=0) as venue, httpx.AsyncClient(base_url=venue.served.rest_url) as rest:

        async def is_behind(blocks: int) -> bool:
            before = venue.venue.exchange.height
            told = int((await rest.get("/v4/height")).json()["height"])
            return before <= told + blocks <= venue.venue.exchange.height

        await venue.suffer(Kind.INDEXER_LAG, A_WHILE, 4)
        height = venue.venue.exchange.height
        await until(lambda: venue.venue.exchange.height > height + 4)
        assert await is_behind(4)
        await venue.recovered()
        assert await is_behind(0)
        await venue.suffer(Kind.HALT, A_WHILE)
        height = venue.venue.exchange.height
        while not venue.venue.faults_over:
            answer = await rest.get("/v4/height")
            if not venue.venue.faults_over:
                assert answer.json()["height"] == str(height)
            await asyncio.sleep(0.02)
        await until(lambda: venue.venue.exchange.height > height + 2)
        await is_well(venue)


async def test_the_node_is_down_or_slow() -> None:
    async with rig(grpc_port=0) as venue:
        async with grpc.aio.insecure_channel(str(venue.served.grpc_url).removeprefix("http://")) as channel:
            stub, question = ServiceStub(channel), tendermint.GetLatestBlockRequest()
            await venue.suffer(Kind.NODE_DOWN)
            with pytest.raises(grpc.aio.AioRpcError) as down:
                await stub.GetLatestBlock(question, timeout=DEADLINE_S)
            assert down.value.code() is grpc.StatusCode.UNAVAILABLE
            venue.relieve()
            await venue.suffer(Kind.NODE_SLOW, value=300)
            with pytest.raises(grpc.aio.AioRpcError) as slow:
                await stub.GetLatestBlock(question, timeout=0.1)
            assert slow.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert (await stub.GetLatestBlock(question, timeout=DEADLINE_S)).block.header.height > 0
            venue.relieve()
            assert (await stub.GetLatestBlock(question, timeout=DEADLINE_S)).block.header.height > 0
        await is_well(venue)


async def test_shutting_down_waits_for_no_fault() -> None:
    async with asyncio.timeout(DEADLINE_S):
        async with running(QUICK) as served, httpx.AsyncClient(base_url=served.rest_url, timeout=DEADLINE_S) as rest:
            venue = Rig(served)
            websocket = await venue.connected()
            await venue.suffer(Kind.STALL)
            await venue.suffer(Kind.REST_UNANSWERED)
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(rest.get("/v4/height"))
                await asyncio.sleep(0)
                venue.relieve()
            assert asked.result().status_code == 200
            await venue.suffer(Kind.STALL)
            await venue.suffer(Kind.HANDSHAKE_UNANSWERED)
        closed = await ended(websocket)
        assert closed.rcvd is None or closed.rcvd.code == 1012
