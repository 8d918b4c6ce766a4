"""The question for the chain id: what lets the network in, and what does not."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.events import Paste
from textual.widgets import Input
from tui.fakes import ASKED, HEALTHY, MAINNET, WRONG_NODE, FakePort, with_check
from tui.pictures import HOSTILE, picture
from tui.screen_help import Desk, Jumping, desk

from dydx_console.domain.preflight import CheckResult, Report, Verdict
from dydx_console.ports.network import Confirmation
from dydx_console.ports.notices import Level, Notice
from dydx_console.preflight.run import CHECKS
from dydx_console.tui.question import question_lines, question_title
from dydx_console.tui.screens.confirm import ConfirmModal
from dydx_console.views.table import line_width

FIGURES = ("403,105.93", "ETH-USD", "48,112,90", "15,041", "LIQUIDATED")
"""What the account's picture and notices would show."""


@asynccontextmanager
async def asking(
    tmp_path: Path, size: tuple[int, int] = (120, 40), asked: Confirmation = ASKED, **given_: Any
) -> AsyncIterator[Desk]:
    """Run the app over an engine that waits for confirmation, and publishes all the same."""
    port = FakePort(now=0.0, network=MAINNET, asked=asked, checked=given_.pop("checked", None))
    port.show(picture())
    port.mailbox.notify(Notice("LIQUIDATED", Level.ERROR, stays=True))
    async with desk(tmp_path, size, port, **given_) as shown:
        await shown.until(lambda: isinstance(shown.app.screen, ConfirmModal))
        yield shown


async def guarded(shown: Desk) -> None:
    """Wait until the modal takes keys."""
    await shown.until(lambda: shown.app.screen.takes_key(shown.app.clock()))


async def typed(shown: Desk, text: str) -> None:
    """Type a text and Enter."""
    await guarded(shown)
    await shown.press(*("space" if char == " " else "tab" if char == "\t" else char for char in text), "enter")


def field(shown: Desk) -> Input:
    """Return the field of the question."""
    return shown.app.screen.query_one(Input)


async def assert_refused(shown: Desk, why: str) -> None:
    """Wait until the app ended as one that nobody confirmed."""
    await shown.until(lambda: shown.app.return_code is not None)
    assert shown.app.return_code == 77
    assert shown.app.admission.refusal is not None
    assert "network 'mainnet' (dydx-mainnet-1) was not confirmed" in shown.app.admission.refusal
    assert why in shown.app.admission.refusal
    assert shown.app.picture.snapshot is None


async def test_the_right_text_lets_the_network_in(tmp_path: Path) -> None:
    async with asking(tmp_path) as shown:
        await shown.until(lambda: shown.port.starts == 1)
        text = shown.text()
        for word in ("This is MAINNET. Real money.", "dydx-mainnet-1", "indexer.dydx.trade", "oegs.dydx.trade:443",
                     "and 2 more", "development", "variable DYDX_CONSOLE_ENVIRONMENT", "dydx1n88u…565lnf", "parent 0",
                     "Type the chain id", "esc leaves", "60 s", "MAINNET · REAL MONEY"):  # fmt: skip
            assert word in text, word
        assert not any(word in text for word in FIGURES)
        await typed(shown, "dydx-mainnet-1")
        await shown.until(lambda: not isinstance(shown.app.screen, ConfirmModal))
        await shown.until(lambda: all(word in shown.text() for word in FIGURES))
        assert shown.port.typed == ["dydx-mainnet-1"]
        assert shown.app.admission.refusal is None
        assert shown.port.starts == 1
        await shown.press("q")
        await shown.until(lambda: shown.app.return_code is not None)
        assert shown.app.return_code == 0


async def test_what_is_typed_goes_to_the_engine_as_it_is(tmp_path: Path) -> None:
    async with asking(tmp_path) as shown:
        await typed(shown, " dydx-mainnet-1 ")
        await shown.until(lambda: shown.app.picture.snapshot is not None)
        assert shown.port.typed == [" dydx-mainnet-1 "]


@pytest.mark.parametrize("text", ["", "DYDX-MAINNET-1", "dydx-mainnet-", "dydx-mainnet-11", "dydx-testnet-4", "yes"])
async def test_any_other_text_ends_the_run(tmp_path: Path, text: str) -> None:
    async with asking(tmp_path) as shown:
        await typed(shown, text)
        await assert_refused(shown, "what was typed is not dydx-mainnet-1")
        assert shown.port.typed == [text]


@pytest.mark.parametrize("key", ["escape", "ctrl+c", "ctrl+q"])
async def test_leaving_is_no(tmp_path: Path, key: str) -> None:
    async with asking(tmp_path) as shown:
        await guarded(shown)
        await shown.press(*"dydx-mainnet-1", key)
        await assert_refused(shown, "it was left")
        assert shown.port.typed == []


async def test_waiting_too_long_is_no(tmp_path: Path) -> None:
    clock = Jumping()
    async with asking(tmp_path, clock=clock) as shown:
        clock.ahead_s = 58.0
        await shown.until(lambda: "· 2 s" in shown.text() or "· 1 s" in shown.text())
        assert shown.app.return_code is None
        clock.ahead_s = 61.0
        await assert_refused(shown, "nobody typed the chain id within 60 s")


async def test_an_answer_after_the_time_is_none(tmp_path: Path) -> None:
    clock = Jumping()
    async with asking(tmp_path, clock=clock) as shown:
        await guarded(shown)
        field(shown).value = "dydx-mainnet-1"
        clock.ahead_s = 61.0
        await shown.press("enter")
        await assert_refused(shown, "within 60 s")
        assert shown.port.typed == []


async def test_a_run_of_limited_time_ends_unconfirmed(tmp_path: Path) -> None:
    async with asking(tmp_path, for_seconds=0.2, screenshot=tmp_path / "end.svg") as shown:
        await assert_refused(shown, "it was left")
        assert not (tmp_path / "end.svg").exists()


async def test_keys_from_before_it_was_seen_do_not_count(tmp_path: Path) -> None:
    async with asking(tmp_path) as shown:
        screen = shown.app.screen
        assert isinstance(screen, ConfirmModal)
        screen._open_from = None
        await shown.press(*"dydx-mainnet-1", "enter", "escape", "ctrl+c")
        assert field(shown).value == ""
        assert shown.port.typed == []
        assert shown.app.return_code is None


async def test_a_paste_is_no_typing(tmp_path: Path) -> None:
    async with asking(tmp_path) as shown:
        await guarded(shown)
        shown.app.post_message(Paste("dydx-mainnet-1"))
        await shown.until(lambda: "type it, do not paste it" in shown.text())
        assert field(shown).value == ""
        await shown.press("d", "shift+left", "ctrl+x")
        assert field(shown).value == ""
        await shown.until(lambda: "do not paste" not in shown.text())
        await shown.press("ctrl+v")
        await shown.until(lambda: "type it, do not paste it" in shown.text())
        assert field(shown).value == ""
        await typed(shown, "dydx-mainnet-1")
        await shown.until(lambda: shown.app.picture.snapshot is not None)


async def test_no_key_of_the_desk_acts(tmp_path: Path) -> None:
    async with asking(tmp_path, keymap={"app.reconnect": "f5", "app.theme": "f6", "app.help": "f7"}) as shown:
        await guarded(shown)
        theme = shown.app.theme
        await shown.press("f1", "f5", "f6", "f7", "f12", "f20", "ctrl+p", "ctrl+d", "tab", "shift+tab", "pagedown")
        await shown.press("q", "colon", "question_mark", "n", "r", "slash")
        assert isinstance(shown.app.screen, ConfirmModal)
        assert len(shown.app.screen_stack) == 2
        assert field(shown).value == "q:?nr/"
        assert shown.app.focused is field(shown)
        assert (shown.port.reconnects, shown.port.checks, shown.app.theme) == (0, 0, theme)
        assert not any(name.endswith(".svg") for name in os.listdir(tmp_path))
        assert shown.app.return_code is None


async def test_the_mouse_confirms_nothing(tmp_path: Path) -> None:
    async with asking(tmp_path, (60, 18)) as shown:
        await guarded(shown)
        await shown.press(*"dydx-mainnet-1")
        for y in range(18):
            await shown.pilot.click(offset=(7 + 5 * (y % 10), y))
        assert isinstance(shown.app.screen, ConfirmModal)
        assert shown.port.typed == []
        assert shown.app.focused is field(shown)


async def test_evidence_is_shown_as_it_comes(tmp_path: Path) -> None:
    async with asking(tmp_path) as shown:
        await shown.until(lambda: shown.text().count("checking…") == 2)
        shown.port.checked = HEALTHY
        await shown.until(lambda: "height #48,112,907 ✓" in shown.text())
        assert "reports dydx-mainnet-1 ✓" in shown.text()
        assert "same block time ✓" in shown.text()
        shown.port.checked = WRONG_NODE
        await shown.until(lambda: "dydx-mainnet-1 ✗" in shown.text())
        assert "reports dydx-testnet-4" in shown.text()
        await guarded(shown)
        await shown.press("escape")
        await assert_refused(shown, "it was left")


@pytest.mark.parametrize("size", [(160, 50), (120, 40), (60, 18), (44, 16), (44, 15), (30, 8), (20, 5)])
async def test_every_size_shows_what_to_type_and_how_to_leave(tmp_path: Path, size: tuple[int, int]) -> None:
    async with asking(tmp_path, size, checked=HEALTHY) as shown:
        await guarded(shown)
        await shown.press(*"dydx-m")
        text = shown.text()
        for word in ("MAINNET", "eal money", "dydx-mainnet-1", "esc leaves", "dydx-m "):
            assert word in text, word
        assert "development" in text


async def test_resizing_keeps_what_was_typed(tmp_path: Path) -> None:
    async with asking(tmp_path) as shown:
        await guarded(shown)
        await shown.press(*"dydx-main")
        for width, height in ((20, 5), (12, 3), (60, 18), (160, 50)):
            await shown.pilot.resize_terminal(width, height)
            await shown.pilot.pause()
        await shown.until(lambda: "Type the chain id to go on: dydx-main" in shown.text())
        await typed(shown, "net-1")
        await shown.until(lambda: shown.app.picture.snapshot is not None)


async def test_after_a_wrong_text_the_right_one_comes_too_late(tmp_path: Path) -> None:
    async with asking(tmp_path) as shown:
        await guarded(shown)
        for text in ("dydx-mainnet-2", "dydx-mainnet-1"):
            field(shown).post_message(Input.Submitted(field(shown), text))
        await assert_refused(shown, "what was typed is not dydx-mainnet-1")
        assert shown.port.typed == ["dydx-mainnet-2"]


async def test_an_engine_that_ends_meanwhile_says_so(tmp_path: Path) -> None:
    async with asking(tmp_path) as shown:
        shown.port.failure = "no such thing"
        await shown.until(lambda: "the engine stopped: no such thing" in shown.text())


@pytest.mark.parametrize("text", [HOSTILE[0], "".join(HOSTILE[3:12]), *HOSTILE[12:]])
async def test_hostile_text_is_only_text(tmp_path: Path, text: str) -> None:
    asked = Confirmation(text, text, (text,), (text, text), text, text, text, 0, 60.0)
    checked = Report(tuple(CheckResult(name, Verdict.FAIL, text, 1.0, text, 78) for name in CHECKS), 1.0, 78)
    async with asking(tmp_path, asked=asked, checked=checked) as shown:
        assert all(char.isprintable() or char == "\n" for char in shown.text())
        await typed(shown, "x")
        await shown.until(lambda: shown.app.return_code == 77)
        assert (shown.app.admission.refusal or "\n").isprintable()


def words(asked: Confirmation, report: Report | None, width: int = 72, height: int = 30) -> str:
    """Return the facts as text."""
    lines = question_lines(asked, report, width, height)
    return "\n".join("".join(cell.text for cell in line) for line in lines)


def test_the_checks_are_known_by_the_names_that_they_are_made_under() -> None:
    names = {"indexer", "node", "chain id", "binding"}
    assert names <= set(CHECKS)
    assert names <= {check.name for check in HEALTHY.checks}


@pytest.mark.parametrize(
    ("check", "shown"),
    [(CheckResult("indexer", Verdict.WARN, "https://x  #5, which is 9.0 s old", 1.0), "which is 9.0 s old !"),
     (CheckResult("indexer", Verdict.FAIL, "x: no answer within 2 s", 1.0), "x: no answer within 2 s ✗"),
     (CheckResult("indexer", Verdict.OK, "fine", 1.0), "answers ✓"),
     (CheckResult("node", Verdict.FAIL, "oegs.dydx.trade:443: refused", 1.0), "oegs.dydx.trade:443: refused ✗"),
     (CheckResult("chain id", Verdict.SKIP, "no node answered", 0.0), "not known: no node answered"),
     (CheckResult("binding", Verdict.FAIL, "another time at #5", 0.0), "another time at #5 ✗")],
)  # fmt: skip
def test_evidence_that_is_not_fine_is_told_in_its_own_words(check: CheckResult, shown: str) -> None:
    assert shown in words(ASKED, with_check(HEALTHY, check))


def test_a_network_without_nodes_or_account() -> None:
    text = words(replace(ASKED, node_hosts=(), address=None, environment_from=None), replace(HEALTHY, checks=()))
    assert text.count("none") == 2
    assert "not checked" in text


def test_a_chain_that_is_not_known_says_what_it_counts_as() -> None:
    custom = replace(ASKED, chain_id="mychain-7")
    assert question_title(custom, 80) == "Unknown chain, counts as MAINNET. Real money."
    assert question_title(custom, 20) == "Unknown. Real money."
    assert question_title(ASKED, 20) == "MAINNET. Real money."


@given(st.integers(10, 140), st.integers(1, 20), st.sampled_from([None, HEALTHY, WRONG_NODE]))
def test_facts_fit_and_the_chain_id_is_always_there(width: int, height: int, report: Report | None) -> None:
    lines = question_lines(ASKED, report, width, height)
    assert all(line_width(line) <= width for line in lines)
    assert len(lines) <= max(height, 2)
    assert "dydx-mainnet-1" in "".join(cell.text for line in lines[:2] for cell in line if cell.text.strip())
