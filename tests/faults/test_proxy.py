"""The proxies tell both ends what the other one said, the end of a connection too."""

import asyncio
import contextlib

import pytest
from faults.proxy import frame_proxy
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Ended = tuple[int | None, str | None]


async def ends(*, by_server: bool, code: int | None) -> tuple[list[str], Ended]:
    """Close one end of a connection through the proxy, without a word if there is no code.

    Returns what the client has heard before, and how the other end saw it end.
    """
    seen: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    async def far(socket: ServerConnection) -> None:
        for word in ("one", "two"):
            await socket.send(word)
        if by_server:
            await leave(socket)
            return
        with contextlib.suppress(ConnectionClosed):
            await socket.recv()
        seen.set_result((socket.close_code, socket.close_reason))

    async def leave(socket: ServerConnection) -> None:
        if code is None:
            socket.transport.abort()
        else:
            await socket.close(code, "because")

    heard: list[str] = []
    async with (
        serve(far, "127.0.0.1", 0) as server,
        frame_proxy(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}") as proxy,
        connect(f"ws://127.0.0.1:{proxy.own_port}", proxy=None) as near,
        asyncio.timeout(10.0),
    ):
        heard += [str(await near.recv()), str(await near.recv())]
        if by_server:
            with contextlib.suppress(ConnectionClosed):
                await near.recv()
            return heard, (near.close_code, near.close_reason)
        await leave(near)  # type: ignore[arg-type]
        return heard, await seen


@pytest.mark.parametrize("by_server", [True, False], ids=["by the server", "by the client"])
@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013, 4000, None])
async def test_a_connection_ends_at_one_end_as_it_does_at_the_other(by_server: bool, code: int | None) -> None:
    heard, ended = await ends(by_server=by_server, code=code)
    assert heard == ["one", "two"]
    assert ended == ((1006, "") if code is None else (code, "because"))
