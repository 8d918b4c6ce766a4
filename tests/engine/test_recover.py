"""Start, reconnection and crash recovery are one path: what was known comes first, and everything is merged by id."""

import asyncio
import random
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from builders import fill
from engine_help import child_on, is_live, notices, place_of, ports, rows, started, true_fills, until, wait_for
from venues import engine_on, exchange, network_of

from dydx_console.domain.order import Order, display_status
from dydx_console.engine.child import SimChild, SimUrls
from dydx_console.engine.runtime import Engine
from dydx_console.journal.writer import open_journal
from dydx_console.ports.clock import SystemClock
from dydx_console.ports.journal import JournalFact, JournalId, OrderNote, PlacedFill
from dydx_console.recording.lines import read_entries
from dydx_console.state.freshness import PictureState
from dydx_console.venue.indexer import account_reader

FAR = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def venue() -> Iterator[SimUrls]:
    with exchange("--history-hours", "1") as served:
        yield served


def identity(venue: SimUrls) -> JournalId:
    return JournalId("test", venue.chain_id, venue.account)


def test_what_was_known_is_shown_before_the_venue_answers(venue: SimUrls, tmp_path: Path) -> None:
    with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as engine:
        until(engine, is_live)
    before = engine.mailbox.latest()
    assert before is not None
    nowhere = network_of(venue, indexer_rest="http://127.0.0.1:9", indexer_websocket="ws://127.0.0.1:9", nodes=())
    with started(engine_on(nowhere, venue.account, journal=tmp_path)) as again:
        shown = until(again, lambda snapshot: snapshot.fills_known >= before.fills_known)
        assert shown.fills == before.fills
        assert shown.transfers == before.transfers
        assert shown.positions == ()
        assert shown.pnl.net is None or not shown.pnl.by_market
        assert shown.stream.state is not PictureState.LIVE


def test_an_engine_that_is_killed_while_fills_come_loses_none_and_doubles_none(venue: SimUrls, tmp_path: Path) -> None:
    chance = random.Random(7)
    slowest_s = 0.0
    for _ in range(3):
        with child_on(venue, tmp_path) as child:
            told = child.until(lambda told: told["state"] == "LIVE" and told["mode"] == "KEPT")
            slowest_s = max(slowest_s, told["after_s"])
            begun = told["fills"]
            child.until(lambda told, begun=begun: told["fills"] > begun)  # type: ignore[misc]
            time.sleep(chance.random() * 0.3)
            child.kill()
    with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as engine:
        height = until(engine, is_live).height or 0
        until(engine, lambda snapshot: (snapshot.height or 0) >= height + 2)
    shown = engine.mailbox.latest()
    assert shown is not None
    due = true_fills(venue, height)
    assert len(due) > 100
    kept = [row[0] for row in rows(tmp_path, venue, "SELECT id FROM fills")]
    assert len(set(kept)) == len(kept) == shown.fills_known
    assert due <= set(kept)
    assert set(kept) <= true_fills(venue, 1 << 62)
    assert rows(tmp_path, venue, "SELECT value FROM meta WHERE key = 'runs'") == [("4",)]
    assert slowest_s < 10.0  # 3 s on a machine that does nothing else


@pytest.mark.parametrize("size", [50, 10])
def test_fills_are_read_on_from_the_cursor_with_an_overlap(
    venue: SimUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """In small pages: of more than twenty only the last are read at first, and the cursor does not claim the rest."""
    monkeypatch.setattr(account_reader, "PAGE", size)
    asked: list[list[int]] = []
    read: list[tuple[int, int, bool]] = []
    for number in (1, 2):
        recording = tmp_path / f"{number}.jsonl"
        engine = engine_on(network_of(venue), venue.account, journal=tmp_path / "journal", record_to=recording)
        with started(engine):
            until(engine, is_live)
        entries = list(read_entries(recording.read_text().splitlines()))
        urls = [urlsplit(entry.url) for entry in entries if entry.url and "/fills/" in entry.url]
        asked.append([int(parse_qs(url.query)["page"][0]) for url in urls])
        read += rows(tmp_path / "journal", venue, "SELECT read, total, is_complete FROM cursors WHERE read > 0")
    first, second = read
    pages = -(-first[0] // size)
    is_cut = pages > account_reader.MOST_PAGES
    assert is_cut is (size == 10)
    begin = pages - account_reader.MOST_PAGES + 1 if is_cut else 2
    assert asked[0][: pages - begin + 2] == [1, *range(begin, pages + 1)]
    assert asked[1][0] == (first[0] - account_reader.OVERLAP) // size + 1 > 1
    assert all(total - size <= told <= total for told, total, _ in read)
    assert [bool(whole) for *_, whole in read] == [not is_cut, not is_cut]
    assert second[0] >= first[0]


async def written(root: Path, venue: SimUrls, *facts: JournalFact) -> None:
    """Write facts into a journal, as an earlier run."""
    journal = await open_journal(root, identity(venue), SystemClock())
    await journal.cursors()
    journal.write(facts)
    await journal.close()


def order(order_id: str, **given: object) -> Order:
    known = Order(
        order_id, subaccount=0, client_id="7", market="BTC-USD", side="BUY", type="LIMIT", flags="64",
        price=Decimal(1), size=Decimal(1), status="OPEN", good_til_time=FAR,
    )  # fmt: skip
    return replace(known, **given)  # type: ignore[arg-type]


def test_an_order_that_was_working_and_is_gone_is_settled(venue: SimUrls, tmp_path: Path) -> None:
    at = datetime.now(UTC) - timedelta(minutes=5)
    gone, expired, filled = (
        order("gone"), order("expired", good_til_time=at), order("filled"),
    )  # fmt: skip
    notes = [OrderNote(each, "OPEN", at, 1, "STREAM", place) for place, each in enumerate((gone, expired, filled), 1)]
    done = OrderNote(order("done", status="CANCELED"), "CANCELLED", at, 1, "STREAM", 9)
    executed = PlacedFill(fill("f-filled", height=1, created_at=at, order_id="filled", price="1"))
    asyncio.run(written(tmp_path, venue, *notes, done, executed))
    with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as engine:
        shown = until(engine, is_live)
        found = {each.id: each for each in shown.orders if each.id in ("gone", "expired", "filled", "done")}
        told = {name: display_status(each, shown.height, shown.block_time) for name, each in found.items()}
        assert told == {"gone": "CANCELLED", "expired": "EXPIRED", "filled": "FILLED"}
        assert found["gone"].reason_source == "SNAPSHOT"
    kept = dict(rows(tmp_path, venue, "SELECT id, shown FROM orders WHERE client_id = '7'"))
    assert kept == {"gone": "CANCELLED", "expired": "EXPIRED", "filled": "FILLED", "done": "CANCELLED"}
    hops = rows(tmp_path, venue, "SELECT shown FROM order_hops WHERE order_id = 'gone' ORDER BY revision")
    assert hops == [("OPEN",), ("CANCELLED",)]


def test_positions_that_closed_meanwhile_are_noted_as_closed(venue: SimUrls, tmp_path: Path) -> None:
    with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as engine:
        until(engine, is_live)
        until(engine, lambda snapshot: bool(snapshot.positions))
    with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as engine:
        until(engine, is_live)
    shown = engine.mailbox.latest()
    assert shown is not None
    kept = rows(tmp_path, venue, "SELECT market, net_size FROM positions WHERE net_size != '0' ORDER BY market")
    assert kept == sorted((view.position.market, str(view.position.net_size)) for view in shown.positions)


def test_what_is_kept_is_what_was_shown(venue: SimUrls, tmp_path: Path) -> None:
    with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as engine:
        first = until(engine, is_live)
        until(engine, lambda snapshot: snapshot.fills_known > first.fills_known + 3)
    shown = engine.mailbox.latest()
    assert shown is not None
    orders = dict(rows(tmp_path, venue, "SELECT id, status FROM orders"))
    assert orders == {each.id: each.status for each in shown.orders}
    statuses = dict(rows(tmp_path, venue, "SELECT id, shown FROM orders"))
    assert statuses == {each.id: display_status(each, shown.height, shown.block_time) for each in shown.orders}
    assert len(rows(tmp_path, venue, "SELECT id FROM transfers WHERE is_shown")) == len(shown.transfers)
    assert rows(tmp_path, venue, "SELECT parent FROM equity")[:1] == [(0,)]
    heights = rows(tmp_path, venue, "SELECT newest_height FROM cursors WHERE source = 'height'")
    assert heights == [(shown.height,)]


def test_lives_and_bookings_are_kept_while_it_runs_and_after_older_fills_came(venue: SimUrls, tmp_path: Path) -> None:
    """The journal gets a fill from before all others, as a fetch of older history writes it: the state hears of it."""
    with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as engine:
        until(engine, is_live)
        wait_for(lambda: rows(tmp_path, venue, "SELECT key FROM lives") or None, str, 60.0)
        unbooked = (
            "SELECT id FROM fills WHERE is_booked = 0 AND created_at < (SELECT max(created_at) FROM fills) - 9000000"
        )
        wait_for(lambda: True if not rows(tmp_path, venue, unbooked) else None, str, 60.0)
    ((known,),) = rows(tmp_path, venue, "SELECT count(*) FROM fills")
    ancient = fill(
        "ancient", "BUY", "0.5", "7", height=1, market="OLD-USD", created_at=datetime(2020, 1, 1, tzinfo=UTC)
    )
    asyncio.run(written(tmp_path, venue, ancient))
    with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as engine:
        until(engine, lambda snapshot: is_live(snapshot) and snapshot.fills_known > known)
        found = "SELECT opened_by, max_size FROM lives WHERE market = 'OLD-USD' AND closed_at IS NULL"
        life = wait_for(lambda: rows(tmp_path, venue, found) or None, str, 60.0)
        assert life == [("ancient", "0.5")]
        booked = rows(tmp_path, venue, "SELECT closed_pnl, net_size, average_cost FROM fills WHERE id = 'ancient'")
        assert booked == [("0", "0.5", "7")]


def mode_of(engine: Engine) -> str:
    snapshot = engine.mailbox.latest()
    return "" if snapshot is None else str(snapshot.journal.mode)


def test_a_chain_that_begins_anew_begins_a_new_journal_and_everything_shown_starts_afresh(tmp_path: Path) -> None:
    """Also for a second console, which looks on and keeps the new journal when the first one ends."""
    rest, websocket, grpc = ports()
    arguments = (
        "--seed", "7", "--block-ms", "30", "--history-hours", "0", "--chain-id", "localdydxprotocol",
        "--port", str(rest), "--ws-port", str(websocket), "--grpc-port", str(grpc),
    )  # fmt: skip
    sim = SimChild(arguments)
    try:
        venue = sim.urls()
        second = engine_on(network_of(venue), venue.account, journal=tmp_path)
        with started(engine_on(network_of(venue), venue.account, journal=tmp_path)) as engine:
            first = until(engine, lambda snapshot: is_live(snapshot) and snapshot.journal.mode == "KEPT").height or 0
            second.start()
            until(second, lambda snapshot: snapshot.journal.mode == "LOOKING")
            before = until(engine, lambda snapshot: (snapshot.height or 0) > first + 300, 60.0)
            sim.stop()
            sim = SimChild(arguments)
            sim.urls()
            for each in (engine, second):
                each.reconnect()
            for each in (engine, second):
                after = until(each, lambda snapshot: (snapshot.height or 1 << 62) < (before.height or 0), 60.0)
                fresh = until(each, is_live)
                assert "The chain has begun anew" in notices(each)
                assert {fill.id for fill in fresh.fills} <= true_fills(venue, 1 << 62)
                assert each is second or after.revision > before.revision
            wait_for(lambda: True if place_of(tmp_path, venue).epochs() == (1, 2) else None)
            assert stat.S_IMODE(place_of(tmp_path, venue).path(1).stat().st_mode) == 0o400
            # each was put together anew, so either may have come first to the new journal
            wait_for(
                lambda: True if sorted(mode_of(each) for each in (engine, second)) == ["KEPT", "LOOKING"] else None
            )
        height = until(second, lambda snapshot: is_live(snapshot) and snapshot.journal.mode == "KEPT").height or 0
        until(second, lambda snapshot: (snapshot.height or 0) > height + 2)
        due = true_fills(venue, height)
        assert second.stop()
    finally:
        second.stop()
        sim.stop()
    last = second.mailbox.latest()
    assert last is not None
    assert place_of(tmp_path, venue).epochs() == (1, 2)
    kept = {row[0] for row in rows(tmp_path, venue, "SELECT id FROM fills", epoch=2)}
    assert due <= kept == {each.id for each in last.fills}
    sealed = rows(tmp_path, venue, "SELECT value FROM meta WHERE key = 'sealed'", epoch=1)
    assert "begun anew" in sealed[0][0]
