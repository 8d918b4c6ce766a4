"""The very moments of the question on the screen: from when a key counts, and until when an answer does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.widgets import Input
from tui.fakes import ASKED, MAINNET, FakePort
from tui.pictures import picture
from tui.screen_help import Desk, desk

from dydx_console.tui.screens.confirm import ConfirmModal
from dydx_console.tui.screens.modal import GUARD_S


class Standing:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def asking(tmp_path: Path, clock: Standing) -> AsyncIterator[tuple[Desk, ConfirmModal]]:
    """Run the app over an engine that waits for confirmation."""
    port = FakePort(now=0.0, network=MAINNET, asked=ASKED)
    port.show(picture())
    async with desk(tmp_path, (120, 40), port, clock) as shown:
        await shown.until(lambda: isinstance(shown.app.screen, ConfirmModal))
        modal = shown.app.screen
        assert isinstance(modal, ConfirmModal)
        yield shown, modal


async def test_a_key_counts_a_quarter_of_a_second_after_the_first_paint(tmp_path: Path) -> None:
    clock = Standing()
    async with asking(tmp_path, clock) as (shown, modal):
        await shown.until(lambda: modal.takes_key(clock.now + 3_600))
        assert GUARD_S == 0.25
        assert not modal.takes_key(clock.now - 1)
        assert not modal.takes_key(clock.now)
        assert not modal.takes_key(clock.now + GUARD_S - 0.001)
        assert modal.takes_key(clock.now + GUARD_S)


@pytest.mark.parametrize(("passed_s", "is_over"), [(59.9, False), (60.0, True), (60.1, True)])
async def test_an_answer_counts_for_sixty_seconds(tmp_path: Path, passed_s: float, is_over: bool) -> None:
    clock = Standing()
    async with asking(tmp_path, clock) as (shown, modal):
        field = modal.query_one(Input)
        clock.now += passed_s
        modal.on_input_submitted(Input.Submitted(field, ASKED.chain_id))
        await shown.pilot.pause()
        assert shown.port.typed == ([] if is_over else [ASKED.chain_id])
        assert shown.app.admission.is_waiting == is_over
        assert shown.app.return_code == (77 if is_over else None)


@pytest.mark.parametrize(("passed_s", "is_over"), [(59.9, False), (60.0, True)])
async def test_without_an_answer_it_ends_after_sixty_seconds(tmp_path: Path, passed_s: float, is_over: bool) -> None:
    clock = Standing()
    async with asking(tmp_path, clock) as (shown, modal):
        clock.now += passed_s
        modal.look()
        await shown.pilot.pause()
        assert shown.app.return_code == (77 if is_over else None)


async def test_without_the_question_no_key_acts_before_it_is_answered(tmp_path: Path) -> None:
    async with asking(tmp_path, Standing()) as (shown, _):
        shown.app.pop_screen()
        await shown.pilot.pause()
        desk_screen = shown.app.screen
        await shown.press("r", "question_mark", "4", "z", "colon")
        assert shown.app.screen is desk_screen
        assert shown.port.reconnects == 0
        assert shown.app.admission.is_waiting
