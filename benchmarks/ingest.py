"""Message → state: what our protocol and reducers add to receiving and decoding.

usage: python -m benchmarks.ingest [--frames N] [--rounds N]

A server in a process of its own sends the same messages to every contender; the figures are CPU microseconds of the
client's process per message, median of the rounds, and their ratio to receive + decode of the same round.
"""

import argparse
import asyncio
import gc
import multiprocessing
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import msgspec
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.load import ACCOUNT, account_frames, mixed_frames
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.venue.indexer import wire
from dydx_console.venue.indexer.protocol import IndexerProtocol

UUID = re.compile(r'("(?:id|orderId)": ?")[0-9a-f]{4}(?=[0-9a-f]{4}-)')
MESSAGE_ID = re.compile(r'"message_id": ?\d+')
END = '{"type":"end"}'
PEER = """
import json, sys, time
import websocket
count = 0
started = None
def on_message(socket, text):
    global count, started
    if started is None:
        started = time.process_time()
    if json.loads(text).get("type") == "end":
        print((time.process_time() - started) / max(count, 1) * 1e6, flush=True)
        socket.close()
    count += 1
websocket.WebSocketApp(sys.argv[1], on_message=on_message).run_forever()
"""
OFFICIAL = """
import sys, time
from dydx_v4_client.indexer.socket.websocket import IndexerSocket
count, started = 0, None
def on_message(socket, message):
    global count, started
    if started is None:
        started = time.process_time()
    if message.get("type") == "end":
        print((time.process_time() - started) / max(count, 1) * 1e6, flush=True)
        socket.close()
    count += 1
IndexerSocket(sys.argv[1], on_message=on_message).run_forever()
"""
CONTENTS: dict[tuple[str, str], msgspec.json.Decoder[object]] = {
    ("channel_data", "v4_parent_subaccounts"): msgspec.json.Decoder(wire.AccountContents),
    ("channel_data", "v4_orderbook"): msgspec.json.Decoder(wire.BookContents),
    ("channel_data", "v4_markets"): msgspec.json.Decoder(wire.MarketsContents),
    ("channel_data", "v4_trades"): msgspec.json.Decoder(wire.TradesContents),
    ("channel_data", "v4_candles"): msgspec.json.Decoder(wire.CandleRow),
    ("channel_data", "v4_block_height"): msgspec.json.Decoder(wire.BlockHeightContents),
}
envelope = msgspec.json.Decoder(wire.Envelope)


def _serve(texts: list[str], ports: "multiprocessing.Queue[int]") -> None:
    async def main() -> None:
        async def send_all(socket: ServerConnection) -> None:
            for text in texts:
                await socket.send(text)
            await socket.send(END)
            await socket.wait_closed()

        async with serve(send_all, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            ports.put(server.sockets[0].getsockname()[1])
            await asyncio.get_running_loop().create_future()

    asyncio.run(main())


def _nothing(_text: str) -> None:
    return


def _decode(text: str) -> None:
    message = envelope.decode(text)
    decoder = CONTENTS.get((message.type, message.channel or ""))
    if decoder is not None:
        decoder.decode(message.contents)


def _ours() -> Callable[[str], None]:
    protocol, state = IndexerProtocol(1), ConsoleState(Watched(ACCOUNT, 0))

    def take(text: str) -> None:
        state.apply(protocol.receive(text, 0.0))

    return take


async def _client(port: int, take: Callable[[str], None]) -> float:
    """Return CPU microseconds per message."""
    count = 0
    async with connect(f"ws://127.0.0.1:{port}", compression=None, max_queue=256) as socket:
        started = time.process_time()
        async for text in socket:
            if text == END:
                break
            take(str(text))
            count += 1
        return (time.process_time() - started) / count * 1e6


def _peer(port: int, script: str) -> float | None:
    command = [sys.executable, "-c", script, f"ws://127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return float(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def _measure(name: str, texts: list[str], rounds: int) -> None:
    ports: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=_serve, args=(texts, ports), daemon=True)
    server.start()
    port = ports.get(timeout=30)
    figures: dict[str, list[float]] = {}
    contenders: list[tuple[str, Callable[[], Callable[[str], None]]]] = [
        ("receive", lambda: _nothing),
        ("receive + decode", lambda: _decode),
        ("ours: receive → state", _ours),
    ]
    for _ in range(rounds):
        for label, make in random.sample(contenders, len(contenders)):
            figures.setdefault(label, []).append(asyncio.run(_client(port, make())))
        for label, script in (("websocket-client + json", PEER), ("dydx-v4-client's socket", OFFICIAL)):
            peer = _peer(port, script)
            if peer is not None:
                figures.setdefault(label, []).append(peer)
    server.terminate()
    server.join()
    floor = statistics.median(figures["receive + decode"])
    print(f"{name}: {len(texts):,} messages, median of {rounds} rounds")
    for label, values in figures.items():
        ratios = [value / base for value, base in zip(values, figures["receive + decode"], strict=False)]
        middle = statistics.median(values)
        print(f"  {label:<26} {middle:8.1f} µs CPU   {statistics.median(ratios):5.2f} × receive + decode")
    print(f"  (receive + decode: {floor:.1f} µs)")


def _growth() -> None:
    """Print the cost of one account message by how much is held already."""
    texts = account_frames(2_000)
    print("growth: CPU per account message by what is already held")
    first: float | None = None
    for copies in (0, 5, 20, 60):
        protocol, state = IndexerProtocol(1), ConsoleState(Watched(ACCOUNT, 0))
        message_id = 0
        for copy in range(copies):
            for text in texts:
                state.apply(protocol.receive(_copy_of(text, copy, message_id), 0.0))
                message_id += 1
        updates = [text for text in texts if '"channel_data"' in text]
        fresh = [_copy_of(text, copies, message_id + place) for place, text in enumerate(updates)]
        orders, fills = len(state.orders), len(state.fills)
        gc.collect()
        started = time.process_time()
        for text in fresh:
            state.apply(protocol.receive(text, 0.0))
        cost = (time.process_time() - started) / len(fresh) * 1e6
        first = first or cost
        print(f"  {orders:>7,} orders {fills:>7,} fills held: {cost:7.1f} µs   {cost / first:5.2f} × empty")


def _copy_of(text: str, copy: int, message_id: int) -> str:
    """Return a message with ids of its own, as if another hour like it had passed."""
    renamed = UUID.sub(lambda found: f"{found[1]}{copy:04x}", text)
    return MESSAGE_ID.sub(f'"message_id":{message_id}', renamed, count=1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    _measure("mixed", mixed_frames(options.frames), options.rounds)
    _measure("account", account_frames(options.frames // 10), options.rounds)
    _growth()


if __name__ == "__main__":
    main()
