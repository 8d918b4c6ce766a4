"""Decode → reduce, fed with what no venue should send: whatever comes, it is taken whole or not at all."""

import json
import random
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from builders import ADDRESS

from dydx_console.domain import events as ev
from dydx_console.domain.events import Frame, MessageRejected
from dydx_console.sim.venue import Venue, VenueOptions
from dydx_console.state.console import ConsoleState, Watched
from dydx_console.state.snapshot import next_snapshot, snapshot_of
from dydx_console.venue.indexer.answers import Answer, facts_of_answer
from dydx_console.venue.indexer.protocol import IndexerProtocol

ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    10**400,
    1e308,
    "",
    "NaN",
    "Infinity",
    "-1",
    "1e400",
    "1e-400",
    "0x10",
    "١٢",
    "1_000",
    "\x1b]52;c;AAAA\x07",
    "\u202e",
    "x" * 5_000,
    [],
    {},
    [[]],
    {"type": "subscribed"},
)
SUBSCRIBES = (
    ("v4_block_height", None),
    ("v4_markets", None),
    ("v4_orderbook", "BTC-USD"),
    ("v4_trades", "BTC-USD"),
    ("v4_candles", "BTC-USD/1MIN"),
)
PATHS = ("/v4/height", "/v4/time", "/v4/perpetualMarkets", f"/v4/addresses/{ADDRESS}/parentSubaccountNumber/0")


def corpus() -> list[str]:
    """Return what a venue sends in its first minute."""
    now_ms = 1_790_000_000_000
    venue = Venue(VenueOptions(account=ADDRESS, block_ms=500, history_hours=0), now_ms)
    session = venue.socks.connect(now_ms)
    for channel, identifier in (*SUBSCRIBES, ("v4_parent_subaccounts", f"{ADDRESS}/0")):
        asked = {"type": "subscribe", "channel": channel} | ({} if identifier is None else {"id": identifier})
        venue.socks.receive(session, json.dumps(asked), now_ms)
    texts: list[str] = []
    for step in range(60):
        venue.advance(now_ms + 1_000 * step)
        texts += [frame.text for frame in session.take() if hasattr(frame, "text")]
    return texts


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in a JSON value with each of its keys."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def changed_value(text: str, rng: random.Random) -> str:
    body = deepcopy(json.loads(text))
    for _ in range(rng.randint(1, 3)):
        found = list(places(body))
        if not found:
            break
        container, key = rng.choice(found)
        if isinstance(container, dict) and rng.random() < 0.3:
            container.pop(key)
        else:
            container[key] = deepcopy(rng.choice(ODD))
    return json.dumps(body)


def changed_text(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    return rng.choice(
        (
            text[:at],
            text[:at] + chr(rng.randrange(0x110000 - 0x800) % 0xD800) + text[at + 1 :],
            text[:at] + rng.choice(("NaN", "1e999", "[" * 500, '","', "\\u0000", "}{")) + text[at:],
            text[at:] + text[:at],
            text + text,
            text.replace('"type":"', '"type":"channel_data","type":"', 1),
        )
    )


def figures(state: ConsoleState) -> tuple[object, ...]:
    return (
        state.holdings.positions,
        state.holdings.balances,
        tuple(state.orders),
        len(state.fills),
        dict(state.markets.all),
        state.height,
    )


CHANGES: tuple[Callable[[str, random.Random], str], ...] = (changed_value, changed_text)


def test_whatever_comes_is_taken_whole_or_not_at_all(fuzz_seconds: float) -> None:
    texts, seed = corpus(), 20_261_121
    rng = random.Random(seed)
    assert {json.loads(text)["type"] for text in texts} >= {"connected", "subscribed", "channel_data"}
    deadline = time.monotonic() + fuzz_seconds
    rejected = 0
    while time.monotonic() < deadline:
        protocol, state = IndexerProtocol(1), ConsoleState(Watched(ADDRESS, 0))
        snapshot = snapshot_of(state, 0.0, 1)
        for text in texts:
            state.apply(protocol.receive(text, 1.0))
            if rng.random() < 0.9:
                continue
            odd = rng.choice(CHANGES)(text, rng)
            before = figures(state)
            frame = protocol.receive(odd.encode("utf-8", "surrogatepass") if rng.random() < 0.3 else odd, 1.0)
            state.apply(frame)
            if is_rejected(frame):
                rejected += 1
                assert figures(state) == before
                assert len(frame.facts[0].sample) <= 200  # type: ignore[union-attr]
        snapshot = next_snapshot(state, snapshot, 2.0, frozenset(), revision=2)
        assert snapshot.stream.rejected == state.freshness.view(2.0).rejected
    assert rejected > 50


def is_rejected(frame: Frame) -> bool:
    return any(isinstance(fact, MessageRejected) for fact in frame.facts)


def test_whatever_rest_answers_ends_in_facts(fuzz_seconds: float) -> None:
    now_ms = 1_790_000_000_000
    venue = Venue(VenueOptions(account=ADDRESS, block_ms=500, history_hours=0), now_ms)
    venue.advance(now_ms + 30_000)
    bodies = [(path, venue.comlink.fetch(path, now_ms + 30_000).body) for path in PATHS]
    rng = random.Random(7)
    state = ConsoleState(Watched(ADDRESS, 0))
    deadline = time.monotonic() + fuzz_seconds / 3
    rounds = 0
    while time.monotonic() < deadline:
        path, body = rng.choice(bodies)
        odd = rng.choice(CHANGES)(body, rng).encode("utf-8", "surrogatepass")
        for fact in facts_of_answer(Answer(path, rng.choice((200, 200, 404, 500)), odd, 1.0, 1.1, 0)):
            assert not isinstance(fact, ev.Frame)
            state.apply(fact)
        rounds += 1
    assert rounds > 20
    snapshot_of(state, 2.0, 1)
