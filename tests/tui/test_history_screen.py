"""The History screen: tabs, pages, filters, details, the fetching of older history; at every size, by keys alone."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from tui.fakes import FakePort
from tui.history_help import NOW, OTHER, booked, life, live, record, shelf
from tui.pictures import ADDRESS, HOSTILE, poisoned
from tui.screen_help import Desk, Jumping, desk, opened
from tui.shelf import NOT_THERE, FakeDesk, Shelf

from dydx_console.ports.history import FetchState, HistoryProgress, SourceProgress
from dydx_console.ports.journal import History
from dydx_console.tui.actions import conflicts
from dydx_console.tui.screens.console import ConsoleScreen
from dydx_console.tui.screens.detail import DetailModal
from dydx_console.tui.screens.help import HelpModal
from dydx_console.tui.screens.history import HistoryModal

RUNNING = HistoryProgress(
    FetchState.RUNNING, (SourceProgress(History.ORDERS, 4_200, 10_000, NOW - timedelta(days=30)),)
)


def table(shown: Desk) -> Any:
    return shown.app.screen.query_one("#page")


def chosen(shown: Desk) -> str:
    past = table(shown).chosen
    return "" if past is None else past.name


async def history(shown: Desk, *keys: str) -> None:
    """Open the screen, wait for its rows, and press keys."""
    await opened(shown, "H", HistoryModal)
    await shown.until(lambda: table(shown).items)
    await shown.press(*keys)


async def test_it_opens_on_the_newest_orders_and_leaves_the_banner_free(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown)
        await shown.until(lambda: "1–50 of 170" in shown.text())
        for words in ("‹1 Orders›", "5 Positions", "newest first", "PLACED", "AVG PRICE", "21 Nov 01:49:30",
                      "CANCELLED", "TESTNET", "F fetches older history", "esc back"):  # fmt: skip
            assert words in shown.text(), words
        assert chosen(shown) == "order-0"


@pytest.mark.parametrize("key", ["escape", "q", "H"])
async def test_it_closes(tmp_path: Path, key: str) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown, key)
        await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))
        assert shown.app.return_code is None


async def test_every_page_can_be_reached(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown, "n")
        await shown.until(lambda: "51–100 of 170" in shown.text())
        assert chosen(shown) == "order-50"
        await shown.press("pagedown", "space")
        await shown.until(lambda: "151–170 of 170" in shown.text())
        await shown.press("pageup", "p", "p")
        await shown.until(lambda: "1–50 of 170" in shown.text())
        await shown.press("G")
        await shown.until(lambda: "151–170 of 170" in shown.text())
        assert chosen(shown) == "order-169"
        await shown.press("p")
        await shown.until(lambda: "101–150 of 170" in shown.text())
        await shown.press("g")
        await shown.until(lambda: chosen(shown) == "order-0")


async def test_the_cursor_walks_over_the_edge_of_a_page(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown, "k", "ctrl+d", "ctrl+d", "ctrl+d", "ctrl+d")
        assert chosen(shown) == "order-49"
        await shown.press("j")
        await shown.until(lambda: chosen(shown) == "order-50")
        assert "51–100" in shown.text()
        await shown.press("k")
        await shown.until(lambda: chosen(shown) == "order-49")
        assert "1–50" in shown.text()


async def test_the_order_turns_round(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown, "o")
        await shown.until(lambda: "oldest first" in shown.text() and chosen(shown) == "order-169")
        await shown.press("O")
        await shown.until(lambda: "newest first" in shown.text() and chosen(shown) == "order-0")


async def test_tabs_by_digit_by_tab_key_and_by_mouse_each_kept_as_it_was_left(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown, "n")
        await shown.until(lambda: "51–100 of 170" in shown.text())
        for key, words in (
            ("2", ("‹2 Fills›", "CLOSED PNL", "+5.90", "1–50 of 60")),
            ("tab", ("‹3 Funding›", "RATE 1 h %", "−0.012345", "1–30 of 30")),
            ("4", ("‹4 Transfers›", "subaccount 128", "dydx1qqqs…qqqqqq", "2025-10-17 01:49", "1–2 of 2")),
            ("5", ("‹5 Positions›", "237.82", "≤ 16 Nov 01:49:30", "open", "3 d 0 h", "1–2 of 2")),
        ):
            await shown.press(key)
            for word in words:
                await shown.until(lambda word=word: word in shown.text())
        await shown.press("tab")
        await shown.until(lambda: "51–100 of 170" in shown.text())
        await shown.press("shift+tab")
        await shown.until(lambda: "‹5 Positions›" in shown.text())
        await shown.pilot.click("#page", offset=(14, 0))
        await shown.until(lambda: "‹2 Fills›" in shown.text())
        await shown.pilot.click("#page", offset=(14, 5))
        await shown.until(lambda: chosen(shown) == "fill-56")


async def test_free_text_is_looked_for_while_it_is_typed(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown, *"/order-16")
        await shown.until(lambda: "1–11 of 11" in shown.text() and "/order-16" in shown.text())
        await shown.press("enter")
        assert shown.app.focused is table(shown)
        await shown.press(*"/q")
        await shown.until(lambda: "no orders match" in shown.text())
        await shown.press("escape")
        await shown.until(lambda: "1–50 of 170" in shown.text())
        assert isinstance(shown.app.screen, HistoryModal)


async def test_a_filter_is_judged_while_it_is_typed_and_cleared_by_one_key(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown, "f", *"status:fil")
        await shown.until(lambda: "1–43 of 43 · status:FILLED" in shown.text())
        await shown.press(*" since:2026-11-21 until:2026-11-20")
        await shown.until(lambda: "since 2026-11-21 is not before until 2026-11-20" in shown.text())
        assert "1–43" in shown.text() or "1–1" in shown.text()
        await shown.press("enter")
        assert shown.app.focused is not table(shown), "a filter that cannot be read keeps the line open"
        await shown.press(*["backspace"] * len(" until:2026-11-20"), "enter")
        await shown.until(lambda: shown.app.focused is table(shown))
        await shown.until(lambda: "1–1 of 1 · status:FILLED since:2026-11-21" in shown.text())
        await shown.press("backspace")
        await shown.until(lambda: "1–50 of 170" in shown.text() and "status:" not in shown.text())


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("status:nonsense", "there is no status 'nonsense': allowed are pending, rejected"),
        ("market:doge", "there is no market 'doge'"),
        ("colour:red", "orders have no filter 'colour'"),
    ],
)
async def test_what_is_wrong_with_a_filter_is_said_whole_even_where_there_is_little_room(
    tmp_path: Path, typed: str, told: str
) -> None:
    async with desk(tmp_path, (80, 24), live()) as shown:
        await history(shown, "f", *typed)
        await shown.until(lambda: told in shown.text())
        assert "1–50 of 170" in shown.text()
        await shown.press("escape")
        await shown.until(lambda: told not in shown.text())


async def test_while_an_answer_is_awaited_it_says_so_and_takes_keys(tmp_path: Path) -> None:
    clock, port = Jumping(), live(is_held=True)
    async with desk(tmp_path, port=port, clock=clock) as shown:
        await opened(shown, "H", HistoryModal)
        await shown.until(lambda: "reading…" in shown.text())
        await shown.press("5")
        port.history.release()
        await shown.until(lambda: "‹5 Positions›" in shown.text() and "LONG" in shown.text())
        assert "BTC-USD" in shown.text()
        assert "LIMIT" not in shown.text(), "the answer for the other tab came too late"
        await shown.press("q")
        await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))


async def test_without_a_journal_it_says_so(tmp_path: Path) -> None:
    port = live()
    port.history = FakeDesk()
    async with desk(tmp_path, port=port) as shown:
        await opened(shown, "H", HistoryModal)
        await shown.until(lambda: NOT_THERE in shown.text())
        await shown.press("n", "G", "g", "j", "enter", "5")
        await shown.until(lambda: "nothing can be shown" in shown.text())


async def test_a_failed_question_is_told_and_the_rows_stay(tmp_path: Path) -> None:
    clock, port = Jumping(), live()
    async with desk(tmp_path, port=port, clock=clock) as shown:
        await history(shown)
        await shown.until(lambda: "of 170" in shown.text())
        kept, port.history.shelf = port.history.shelf, None
        clock.ahead_s += 10
        await shown.until(lambda: NOT_THERE in shown.text())
        assert "1–50 of 170" in shown.text()
        port.history.shelf = kept
        clock.ahead_s += 10
        await shown.until(lambda: NOT_THERE not in shown.text())


async def test_an_empty_journal_is_no_mistake(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live(Shelf())) as shown:
        await opened(shown, "H", HistoryModal)
        await shown.until(lambda: "no orders" in shown.text() and "none" in shown.text())
        await shown.press("n", "p", "G", "g", "j", "k", "o", "enter")
        assert isinstance(shown.app.screen, HistoryModal)


async def test_before_the_first_picture_rows_are_shown_all_the_same(tmp_path: Path) -> None:
    port = FakePort()
    port.history = FakeDesk(shelf())
    async with desk(tmp_path, port=port) as shown:
        await history(shown)
        await shown.until(lambda: "1–50 of 170" in shown.text())
        assert "2026-11-21 01:49" in shown.text()


async def test_new_rows_appear_and_the_cursor_stays_on_its_row(tmp_path: Path) -> None:
    clock, port = Jumping(), live()
    async with desk(tmp_path, port=port, clock=clock) as shown:
        await history(shown, "j", "j")
        assert chosen(shown) == "order-2"
        assert port.history.shelf is not None
        port.history.shelf.rows[History.ORDERS] = [record(-1), *port.history.shelf.rows[History.ORDERS]]
        clock.ahead_s += 10
        await shown.until(lambda: "1–50 of 171" in shown.text())
        assert table(shown).items[0].name == "order--1"
        assert chosen(shown) == "order-2"


async def test_an_orders_detail_has_fills_average_hops_and_life(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown)
        await opened(shown, "enter", DetailModal)
        await shown.until(lambda: "Fills 3" in shown.text())
        for words in ("Order BUY BTC-USD", "0.450 at 15,041 on average · fees 3.3840", "closed +0.10", "STREAM    OPEN",
                      "REST      FILLED  filled 0.450  filled", "Position LONG BTC-USD held 3 d 0 h",
                      "net +237.82"):  # fmt: skip
            assert words in shown.text(), words
        await shown.press("escape")
        await shown.until(lambda: isinstance(shown.app.screen, HistoryModal))


async def test_details_of_the_other_tabs(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown)
        for key, words in (
            ("2", ("Fill BUY BTC-USD", "closed PNL      +5.90", "average cost    15,000.2", "order-59", "── Order")),
            ("3", ("Funding payment ETH-USD", "+0.001250 % an hour")),
            ("4", ("Transfer TRANSFER_OUT", f"{ADDRESS}, subaccount 0")),
            ("5", ("Position LONG BTC-USD", "net             +237.82", "held            3 d 0 h", "still open")),
        ):
            await shown.press(key)
            await shown.until(lambda word=f"‹{key}": word in shown.text() and table(shown).items)
            await opened(shown, "enter", DetailModal)
            for word in words:
                await shown.until(lambda word=word: word in shown.text())
            await shown.press("escape")
            await shown.until(lambda: isinstance(shown.app.screen, HistoryModal))


async def test_the_desks_own_detail_tells_what_the_journal_knows(tmp_path: Path) -> None:
    past = shelf(fills=[booked(5, order_id="order-1")])
    past.hops = {"order-1": past.hops["order-0"]}
    async with desk(tmp_path, port=live(past)) as shown:
        await shown.press("3")
        await opened(shown, "enter", DetailModal)
        await shown.until(lambda: "── Fills 1" in shown.text() and "REST      FILLED" in shown.text())
        shown.port.history = FakeDesk()
        await shown.press("escape", "4")
        await opened(shown, "enter", DetailModal)
        await shown.until(lambda: f"more is not known: {NOT_THERE}" in shown.text())
        assert "liquidity" in shown.text()


async def test_history_is_fetched_stopped_and_gone_on_with(tmp_path: Path) -> None:
    port = live()
    async with desk(tmp_path, port=port) as shown:
        await history(shown, "F")
        await shown.until(lambda: "fetching · i stops" in shown.text())
        port.history.progress = RUNNING
        await shown.until(lambda: "42 % · orders 4,200 of 10,000, back to 22 Oct 2026" in shown.text())
        await shown.press("i")
        await shown.until(lambda: "stopped · orders 4,200 of 10,000" in shown.text())
        await shown.press("F")
        await shown.until(lambda: "fetching · i stops" in shown.text())
        await shown.press("escape")
        await shown.until(lambda: "stopped ·" in shown.text())
        assert (port.history.fetches, port.history.interrupts) == (2, 2)
        port.history.progress = replace(RUNNING, state=FetchState.FAILED, problem="the venue answers HTTP 503")
        await shown.until(lambda: "fetching stopped: the venue answers HTTP 503" in shown.text())
        cut = SourceProgress(History.ORDERS, 9, None, NOW, False, "the venue gives no orders before this")
        port.history.progress = HistoryProgress(FetchState.DONE, (cut,))
        await shown.until(lambda: "orders: the venue gives no orders before this; known from 21 Nov" in shown.text())
        await shown.press("escape")
        await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))


async def test_closing_lets_the_fetching_go_on(tmp_path: Path) -> None:
    port = live(progress=RUNNING)
    async with desk(tmp_path, port=port) as shown:
        await history(shown, "H")
        await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))
        assert port.history.interrupts == 0


async def test_the_palette_opens_it_help_lists_its_keys_and_they_can_be_others(tmp_path: Path) -> None:
    keymap = {"app.history": "f6", "history.next": "x", "pane.page_down": "y"}
    assert conflicts(keymap) == []
    async with desk(tmp_path, port=live(), keymap=keymap) as shown:
        await shown.press("colon")
        await shown.until(lambda: "Network checks" in shown.text())
        await shown.press(*"past orders")
        await shown.until(lambda: "Network checks" not in shown.text())
        while isinstance(shown.app.screen, CommandPalette):
            await shown.press("enter")
            await shown.pilot.pause()
        await shown.until(lambda: isinstance(shown.app.screen, HistoryModal))
        await shown.until(lambda: shown.app.screen.takes_key(shown.app.clock()))
        await shown.press("x", "y")
        await shown.until(lambda: "101–150 of 170" in shown.text())
        await opened(shown, "question_mark", HelpModal)
        for words in ("Keys · History", "Next page", "Take text and filter away", "x ", "F "):
            assert words in shown.text(), words
        await shown.press("escape")
        await shown.until(lambda: isinstance(shown.app.screen, HistoryModal))
        await shown.press("escape")
        await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))
        await opened(shown, "f6", HistoryModal)


def test_keys_of_the_screen_that_clash_are_named() -> None:
    assert conflicts({"history.filter": "n"}) == ["keymap: n is bound to both history.next and history.filter"] or (
        conflicts({"history.filter": "n"}) == ["keymap: n is bound to both history.filter and history.next"]
    )
    assert conflicts({"history.fetch": "j"}) == ["keymap: j is bound to both pane.down and history.fetch"]


@pytest.mark.parametrize("size", [(160, 50), (100, 30), (80, 24), (60, 18), (40, 12), (20, 5)])
async def test_it_can_be_used_at_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with desk(tmp_path, size, live(progress=RUNNING)) as shown:
        await history(shown, "G")
        await shown.until(lambda: chosen(shown) == "order-169")
        await shown.press("/", "1")
        await shown.until(lambda: table(shown).items and chosen(shown) != "order-169")
        await shown.pilot.resize_terminal(100, 30)
        await shown.until(lambda: "fetching" in shown.text() and "TESTNET" in shown.text())
        await shown.press("enter")
        await opened(shown, "enter", DetailModal)
        await shown.until(lambda: "status" in shown.text())


@pytest.mark.parametrize("text", [HOSTILE[0], "".join(HOSTILE[3:12]), *HOSTILE[12:]])
async def test_hostile_texts_are_only_text(tmp_path: Path, text: str) -> None:
    past = shelf()
    past = Shelf(
        {kind: [poisoned(row, text, str(n)) for n, row in enumerate(rows[:3])] for kind, rows in past.rows.items()}
    )
    cut = SourceProgress(History.ORDERS, 9, None, NOW, False, text)
    async with desk(tmp_path, port=live(past, progress=HistoryProgress(FetchState.FAILED, (cut,), text))) as shown:
        await history(shown)
        for key in "12345":
            await shown.press(key)
            await shown.until(lambda key=key: f"‹{key}" in shown.text() and table(shown).items)
            await opened(shown, "enter", DetailModal)
            await shown.pilot.pause()
            assert all(char.isprintable() or char == "\n" for char in shown.text())
            await shown.press("escape")
            await shown.until(lambda: isinstance(shown.app.screen, HistoryModal))


async def test_a_masked_picture_covers_addresses_and_amounts_of_transfers(tmp_path: Path) -> None:
    async with desk(tmp_path, port=live()) as shown:
        await history(shown, "4")
        await shown.until(lambda: "1,000.00" in shown.text())
        shown.app.save_picture(tmp_path / "masked.svg")
        svg = (tmp_path / "masked.svg").read_text().replace("&#160;", " ")
        assert "DEPOSIT" in svg
        for secret in ("1,000.00", "50.125", OTHER[:9]):
            assert secret not in svg, secret
        assert "1,000.00" in shown.text()
        await opened(shown, "enter", DetailModal)
        shown.app.save_picture(tmp_path / "detail.svg")
        svg = (tmp_path / "detail.svg").read_text()
        assert ADDRESS not in svg


async def test_a_life_that_began_before_the_known_fills_says_so(tmp_path: Path) -> None:
    row = life(opened_by=None, is_complete=False, funding=None, exit_price=Decimal("14990"))
    async with desk(tmp_path, port=live(shelf(lives=[row]))) as shown:
        await history(shown, "5")
        await shown.until(lambda: "≤ 18 Nov 01:49:30" in shown.text())
        await opened(shown, "enter", DetailModal)
        await shown.until(lambda: "older fills are not known" in shown.text())
        assert "net             —" in shown.text()
