"""The console screen: what it shows, and what its keys do."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tui.fakes import TESTNET, FakePort
from tui.pictures import ADDRESS, HOSTILE, NOW, fill, order, picture, poisoned, stream
from tui.screen_help import desk

from dydx_console.ports.notices import Level, Notice
from dydx_console.state.freshness import PictureState
from dydx_console.state.nodeaccount import NodeAccountView
from dydx_console.tui.layout import layout_class
from dydx_console.tui.screens.detail import DetailModal
from dydx_console.tui.screens.help import HelpModal
from dydx_console.tui.themes import OWN_THEMES
from dydx_console.tui.widgets.notices import StickyNotices


async def test_every_pane_shows_its_figures_and_its_age(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        text = shown.text()
        for word in ("TESTNET", "dydx-testnet-4", "dydx1n88u…565lnf", "VIEW ONLY", "● LIVE", "#48,112,907",
                     "−31 % ETH", "outlive 1", "403,105.93", "−37.48", "DEBT", "+0.40", "688.1", "PARTIALLY_FILLED",
                     "STOP MKT", "#48,112,919", "CANCELING", "SOMETHING_NEW", "162 known", "+205.84",
                     "1 Balances", "2 Positions", "3 Orders", "4 Fills", "5 PNL"):  # fmt: skip
            assert word in text, word
        assert text.count("0.8 s") == 6


async def test_a_pane_that_is_behind_says_so_and_keeps_ageing(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        shown.port.now = 14.0
        await shown.until(lambda: shown.text().count("STALE 15 s") == 6)
        shown.port.now = 50.0
        await shown.until(lambda: shown.text().count("OFFLINE 51 s") == 6)
        assert "403,105.93" in shown.text()


async def test_figures_of_a_node_are_named_in_the_titles_of_positions_and_balances_alone(tmp_path: Path) -> None:
    port = FakePort(now=0.0)
    told = NodeAccountView("node.example:443", 48_112_930, NOW, PictureState.POLLING, 1.2, 3.0)
    port.show(picture(stream=stream(PictureState.STALE, 14.0), node_account=told))
    async with desk(tmp_path, port=port) as shown:
        titles = {name: shown.pane(name).render_line(0).text for name in ("balances", "positions", "orders", "pnl")}
        assert titles["balances"].rstrip(" ─").endswith("from NODE 1.2 s")
        assert titles["positions"].rstrip(" ─━").endswith("2 open · from NODE 1.2 s")
        assert all("STALE 14 s" in titles[name] for name in ("orders", "pnl"))
        assert "403,105.93" in shown.text()
        port.now = 20.0
        await shown.until(lambda: shown.text().count("STALE 21 s · from NODE") == 2)
        port.show(picture(revision=2))
        await shown.until(lambda: "from NODE" not in shown.text())


async def test_states_of_the_stream_reach_the_titles(tmp_path: Path) -> None:
    port = FakePort(now=0.0)
    port.show(picture(stream=stream(PictureState.SYNCING, None)))
    async with desk(tmp_path, port=port) as shown:
        assert shown.text().count("SYNCING") == 6
        port.show(picture(revision=2, stream=stream(PictureState.SUSPECT, 0.5)))
        await shown.until(lambda: shown.text().count("SUSPECT") == 6)


async def test_before_the_first_picture_there_is_a_shell(tmp_path: Path) -> None:
    async with desk(tmp_path, port=FakePort()) as shown:
        text = shown.text()
        assert text.count("waiting for the first picture") == 5
        assert "SYNCING" in text


async def test_an_account_that_was_never_funded_is_an_empty_live_screen(tmp_path: Path) -> None:
    port = FakePort(now=0.0)
    port.show(picture(exists=False, margin=None, balances=(), positions=(), orders=(), fills=(), fills_known=0))
    async with desk(tmp_path, port=port) as shown:
        text = shown.text()
        assert "never funded on testnet" in text
        assert "● LIVE" in text
        assert "no open positions" in text


@pytest.mark.parametrize(
    ("size", "layout"),
    [((160, 50), "-wide"), ((100, 30), "-normal"), ((60, 18), "-narrow"), ((59, 30), "-small"), ((160, 17), "-small"),
     ((19, 20), "-tiny"), ((100, 4), "-tiny")],
)  # fmt: skip
async def test_layout_follows_the_size(tmp_path: Path, size: tuple[int, int], layout: str) -> None:
    assert layout_class(*size) == layout
    async with desk(tmp_path, size=size) as shown:
        assert shown.app.screen.has_class(layout)
        text = shown.text()
        if layout == "-tiny":
            assert "too small" in text
        else:
            assert "ETH-USD" in text
            assert "TESTNET" in text


async def test_resizing_changes_the_layout_and_never_stops_the_painting(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        for width, height in ((50, 14), (18, 4), (110, 40), (160, 50)):
            await shown.pilot.resize_terminal(width, height)
            await shown.until(lambda w=width, h=height: shown.app.screen.has_class(layout_class(w, h)))
        await shown.until(lambda: "PARTIALLY_FILLED" in shown.text())
        assert shown.app.focused is not None


async def test_digits_and_tab_move_the_focus(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        assert shown.app.focused is shown.pane("positions")
        for key, name in (("3", "orders"), ("4", "fills"), ("5", "pnl"), ("1", "balances"), ("2", "positions")):
            await shown.press(key)
            assert shown.app.focused is shown.pane(name)
        await shown.press("tab")
        assert shown.app.focused is shown.pane("orders")
        await shown.press("shift+tab")
        assert shown.app.focused is shown.pane("positions")


async def test_the_cursor_follows_its_row(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        await shown.press("4", "j", "j")
        fills = shown.pane("fills")
        assert fills.chosen.fill.id == "fill-38"
        newer = tuple(fill(number) for number in range(43, 0, -1))
        shown.port.show(picture(revision=2, fills=newer))
        await shown.until(lambda: len(fills.items) == 43)
        assert fills.chosen.fill.id == "fill-38"
        shown.port.show(picture(revision=3, fills=tuple(f for f in newer if f.id != "fill-38")))
        await shown.until(lambda: len(fills.items) == 42)
        assert fills.chosen is not None


async def test_motion_keys(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        await shown.press("4", "G")
        fills = shown.pane("fills")
        assert fills.chosen.fill.id == "fill-1"
        assert "▸" in shown.text()
        await shown.press("g")
        assert fills.chosen.fill.id == "fill-40"
        await shown.press("ctrl+d")
        half = fills.cursor.index
        await shown.press("pagedown")
        assert fills.cursor.index > half > 0
        await shown.press("pageup", "ctrl+u", "up")
        assert fills.cursor.index == 0


async def test_sideways_keeps_the_first_column(tmp_path: Path) -> None:
    async with desk(tmp_path, size=(70, 30)) as shown:
        await shown.press("3")
        assert "GOOD TIL" not in shown.text()
        await shown.press(*["l"] * 9)
        assert "GOOD TIL" in shown.text()
        await shown.press("escape")
        assert "GOOD TIL" not in shown.text()


async def test_filter(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        await shown.press("3", "slash")
        await shown.until(lambda: shown.app.focused is not None and shown.app.focused.id is None)
        await shown.press("s", "t", "o", "p")
        orders = shown.pane("orders")
        await shown.until(lambda: len(orders.items) == 1)
        await shown.press("enter")
        await shown.until(lambda: shown.app.focused is orders)
        assert "/stop 1 of 6" in shown.text()
        await shown.press("escape")
        assert len(orders.items) == 6
        await shown.press("slash", "x", "y", "z")
        await shown.until(lambda: "nothing matches /xyz" in shown.text())
        await shown.press("escape")
        await shown.until(lambda: shown.app.focused is orders)
        assert len(orders.items) == 6


async def test_sort_by_key_and_by_click(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        await shown.press("2", "o")
        positions = shown.pane("positions")
        assert positions.sort.key == "market"
        assert "MARKET▲" in shown.text()
        await shown.press("O")
        assert [p.view.position.market for p in positions.items] == ["ISO-USD", "ETH-USD"]
        await shown.pilot.click("#positions", offset=(3, 1))
        assert [p.view.position.market for p in positions.items] == ["ETH-USD", "ISO-USD"]
        await shown.pilot.click("#positions", offset=(3, 3))
        assert positions.chosen.view.position.market == "ISO-USD"


async def test_sorting_rests_while_the_cursor_moves(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        clock = {"now": 1000.0}
        await shown.press("3", "o", "o", "o", "o", "o", "o")
        orders = shown.pane("orders")
        assert orders.sort.key == "size"
        orders.clock = lambda: clock["now"]
        before = [line.order.id for line in orders.items]
        orders.action_move(1)
        changed = tuple(replace(o, size=o.size * (10 if o.id == before[0] else 1)) for o in picture().orders)
        shown.app.picture.snapshot = picture(revision=2, orders=changed)
        orders.repaint(is_dirty=True)
        assert [line.order.id for line in orders.items] == before
        clock["now"] += 1.1
        orders.repaint(is_dirty=True)
        assert [line.order.id for line in orders.items] != before


async def test_maximise_and_restore(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        await shown.press("4", "z")
        await shown.until(lambda: shown.pane("fills").size.height > 40)
        assert "3 Orders" not in shown.text()
        assert "TESTNET" in shown.text()
        await shown.press("3")
        await shown.until(lambda: "3 Orders" in shown.text() and "4 Fills" not in shown.text())
        await shown.press("escape")
        await shown.until(lambda: "4 Fills" in shown.text() and "1 Balances" in shown.text())


async def test_working_orders_only(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        await shown.press("3", "w")
        orders = shown.pane("orders")
        assert {line.status for line in orders.items} == {
            "PARTIALLY_FILLED", "UNTRIGGERED", "CANCELING", "SOMETHING_NEW"
        }  # fmt: skip
        await shown.press("w")
        assert len(orders.items) == 6


async def test_help_lists_the_keys_of_the_focused_pane(tmp_path: Path) -> None:
    async with desk(tmp_path, keymap={"table.filter": "f"}) as shown:
        await shown.press("3", "question_mark")
        await shown.until(lambda: isinstance(shown.app.screen, HelpModal))
        await shown.until(lambda: "Keys · Orders" in shown.text())
        text = shown.text()
        assert "Working orders only" in text
        assert "f               Filter" in text
        assert not any(word in text for word in ("Cancel", "Buy", "Sell", "Amend"))
        await shown.until(lambda: shown.app.screen.takes_key(shown.app.clock()))
        await shown.press("escape")
        await shown.until(lambda: not isinstance(shown.app.screen, HelpModal))
        await shown.press("1", "question_mark")
        await shown.until(lambda: "Keys · Balances" in shown.text())
        assert "Filter" not in shown.text()


async def test_a_modal_ignores_keys_from_before_it_was_seen(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        await shown.press("4", "enter")
        await shown.until(lambda: isinstance(shown.app.screen, DetailModal))
        await shown.press("escape")
        assert isinstance(shown.app.screen, DetailModal)
        await shown.until(lambda: shown.app.screen.takes_key(shown.app.clock()))
        assert "1.128" in shown.text()
        await shown.press("escape")
        await shown.until(lambda: not isinstance(shown.app.screen, DetailModal))


async def test_palette_runs_actions(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        await shown.press("3", "colon")
        await shown.until(lambda: "Working orders only" in shown.text())
        await shown.press(*"reconnect")
        await shown.until(lambda: "Reconnect now" in shown.text() and "Maximise" not in shown.text())
        await shown.press("enter", "enter")
        await shown.until(lambda: shown.port.reconnects == 1)


async def test_a_keymap_moves_keys_and_its_faults_are_told(tmp_path: Path) -> None:
    async with desk(tmp_path, keymap={"app.reconnect": "f5", "app.theme": "q", "no.such": "x"}) as shown:
        await shown.press("r")
        assert shown.port.reconnects == 0
        await shown.press("f5")
        assert shown.port.reconnects == 1
        held = " ".join(notice.text for notice in shown.app.screen.query_one(StickyNotices).held)
        assert "q is bound to both app.quit and app.theme" in held
        assert "no.such" in held


async def test_themes(tmp_path: Path) -> None:
    async with desk(tmp_path, theme=OWN_THEMES[1].name) as shown:
        seen = {shown.app.theme}
        for _ in OWN_THEMES[1:]:
            await shown.press("t")
            await shown.pilot.pause()
            seen.add(shown.app.theme)
        assert seen == {theme.name for theme in OWN_THEMES}
        assert "403,105.93" in shown.text()


async def test_notices_that_stay_wait_to_be_dismissed(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        rung: list[int] = []
        shown.app.bell = lambda: rung.append(1)  # type: ignore[method-assign]
        for number in range(6):
            shown.port.mailbox.notify(Notice(f"LIQUIDATED {number}", Level.ERROR, rings=True, stays=True))
        shown.port.mailbox.notify(Notice("Filled: BUY 0.150 BTC-USD @ 15,041", rings=True))
        await shown.until(lambda: "LIQUIDATED 0" in shown.text() and "Filled: BUY" in shown.text())
        assert "2 more" in shown.text()
        assert rung == [1]
        for number in range(6):
            await shown.press("d")
            await shown.until(lambda n=number: f"LIQUIDATED {n}" not in shown.text())
        assert not shown.app.screen.query_one(StickyNotices).display


async def test_the_bell_can_be_turned_off(tmp_path: Path) -> None:
    async with desk(tmp_path, bell=False) as shown:
        rung: list[int] = []
        shown.app.bell = lambda: rung.append(1)  # type: ignore[method-assign]
        shown.port.mailbox.notify(Notice("Filled", rings=True))
        await shown.until(lambda: "Filled" in shown.text())
        assert not rung


async def test_an_engine_that_ends_leaves_its_last_picture(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        shown.port.failure = "the Indexer refused: 403"
        shown.port.now = 20.0
        await shown.until(lambda: "the engine stopped: the Indexer refused: 403" in shown.text())
        await shown.until(lambda: "STALE 21 s" in shown.text())
        await shown.press("d")
        assert "the engine stopped" in shown.text()


async def test_warnings_of_the_network_are_shown(tmp_path: Path) -> None:
    port = FakePort(now=0.0, network=replace(TESTNET, warnings=("mainnet outside production",)))
    async with desk(tmp_path, port=port) as shown:
        await shown.until(lambda: "mainnet outside production" in shown.text())


async def test_a_paste_triggers_nothing(tmp_path: Path) -> None:
    from textual.events import Paste

    async with desk(tmp_path) as shown:
        shown.app.post_message(Paste("q r t z"))
        await shown.pilot.pause()
        assert shown.port.reconnects == 0
        assert shown.app.is_running


async def test_keys_faster_than_typing_are_dropped(tmp_path: Path) -> None:
    from textual.events import Key

    async with desk(tmp_path) as shown:
        for _ in range(40):
            event = Key("r", "r")
            event.time = 5.0
            shown.app.post_message(event)
        await shown.until(lambda: "faster than anybody types" in shown.text())
        assert shown.port.reconnects == 15


async def test_a_changed_cell_is_bold_for_half_a_second(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        positions = shown.pane("positions")
        views = picture().positions
        moved = replace(views[0], position=replace(views[0].position, net_size=views[0].position.net_size * 2))
        shown.port.show(picture(revision=2, positions=(moved, *views[1:])))
        await shown.until(lambda: "+0.80" in shown.text())
        assert any(drawn.marks for drawn in positions._drawn)
        await shown.until(lambda: not any(drawn.marks for drawn in positions._drawn))


async def test_screenshots_cover_address_and_balances(tmp_path: Path) -> None:
    async with desk(tmp_path) as shown:
        path = tmp_path / "covered.svg"
        shown.app.save_picture(path)
        svg = path.read_text().replace("&#160;", " ")
        assert "565lnf" not in svg
        assert "403,105.93" not in svg
        assert "379,015.28" not in svg
        assert "PARTIALLY_FILLED" in svg
        assert "403,105.93" in shown.text()
        assert ADDRESS[-6:] in shown.text()


@pytest.mark.parametrize("text", [*HOSTILE[:5], "".join(HOSTILE[5:12]), *HOSTILE[12:]])
async def test_hostile_text_is_only_text(tmp_path: Path, text: str) -> None:
    port = FakePort(now=0.0, network=replace(TESTNET, warnings=(text,)))
    port.show(replace(poisoned(picture(), text), stream=stream()))
    async with desk(tmp_path, port=port) as shown:
        port.mailbox.notify(Notice(text, Level.ERROR, stays=True))
        port.mailbox.notify(Notice(text))
        await shown.press("3", "enter")
        await shown.until(lambda: isinstance(shown.app.screen, DetailModal))
        await asyncio.sleep(0.1)
        await shown.until(lambda: shown.app.screen.takes_key(shown.app.clock()))
        await shown.press("escape")
        for key in ("z", "4", "2", "1", "5", "z"):
            await shown.press(key)
        port.failure = text
        await shown.pilot.pause()
        await shown.until(lambda: "the engine stopped" in shown.text())
        assert all(char.isprintable() or char == "\n" for char in shown.text())


def test_orders_builder_is_consistent() -> None:
    assert order(9).remaining == order(9).size
