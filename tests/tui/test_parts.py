"""Small parts of the screen: keys, cursor, toasts, crash notes, themes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.theme import BUILTIN_THEMES

from dydx_console.ports.notices import Level, Notice
from dydx_console.tui.actions import ACTIONS, conflicts
from dydx_console.tui.crash import crash_line, note_crash
from dydx_console.tui.keys import MOST_KEYS, KeyFlood
from dydx_console.tui.screens.help import help_text
from dydx_console.tui.themes import LOOKS, OWN_THEMES, VARIABLES, ink_style, look_style, next_theme
from dydx_console.tui.widgets.cursor import Cursor
from dydx_console.tui.widgets.notices import Toasts
from dydx_console.views.table import Ink


def test_no_two_actions_share_a_key() -> None:
    assert conflicts({}) == []
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


def test_faults_of_a_keymap() -> None:
    assert conflicts({"app.quit": "r"}) == ["keymap: r is bound to both app.quit and app.reconnect"]
    assert conflicts({"what": "r"}) == ["keymap: there is no action 'what'"]
    assert conflicts({"app.quit": " "}) == ["keymap: app.quit has no key"]
    assert conflicts({"app.help": "/"}) == ["keymap: / is bound to both app.help and table.filter"]


def test_keys_of_later_days_are_not_advertised() -> None:
    text = help_text(("app", "pane", "table", "orders"), {})
    for word in ("Buy", "Sell", "Cancel", "Amend", "Close position", "Arm"):
        assert word not in text


def test_a_flood_of_keys_is_dropped_until_it_is_quiet() -> None:
    flood = KeyFlood()
    assert [flood.is_flood(1.0 + n * 0.001) for n in range(30)] == [False] * MOST_KEYS + [True] * 15
    assert flood.is_flood(1.1)
    assert not flood.is_flood(1.5)


def test_typing_is_no_flood() -> None:
    flood = KeyFlood()
    assert not any(flood.is_flood(n * 0.03) for n in range(200))


@given(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8), st.integers(1, 5), st.lists(st.integers(-3, 3)))
def test_the_cursor_is_always_on_a_row_that_is_shown(ids: list[str], height: int, steps: list[int]) -> None:
    cursor = Cursor()
    cursor.follow(ids, height)
    for number, step in enumerate(steps):
        cursor.move(step, ids, height)
        chosen = cursor.row_id
        ids = ids[1:] + ids[:1] if number % 2 else ids
        cursor.follow(ids, height)
        if ids:
            assert ids[cursor.index] == chosen
            assert cursor.top <= cursor.index < cursor.top + height
        assert 0 <= cursor.top <= max(len(ids) - height, 0)


def test_a_cursor_that_was_never_moved_stays_at_the_top() -> None:
    cursor = Cursor()
    cursor.follow(["b"], 3)
    cursor.follow(["a", "b"], 3)
    assert cursor.index == 0


def test_a_burst_of_notices_becomes_few_toasts() -> None:
    now = [0.0]
    shown: list[str] = []
    toasts = Toasts(lambda text, _: shown.append(text), lambda: now[0])
    toasts.add(Notice(f"fill {number}", Level.INFO) for number in range(50))
    toasts.tick()
    assert shown == ["fill 0", "fill 1", "fill 2"]
    now[0] = 1.5
    toasts.tick()
    assert shown[3:] == ["47 more notices"]


def test_a_crash_leaves_places_but_no_values(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "ui.log"

    def fail() -> None:
        secret = "CANARY" + "-value"
        raise ValueError(f"wrong\x1b[2J {len(secret)}")

    with pytest.raises(ValueError, match="wrong") as caught:
        fail()
    note_crash(caught.value, log)
    line = crash_line(caught.value, log)
    assert "ValueError in test_parts.py:" in line
    assert "\x1b" not in line
    assert "\n" not in line
    assert "CANARY-value" not in line + log.read_text()
    assert "in fail" in log.read_text()


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note_crash(ValueError("x"), tmp_path)
    assert "log could not be written" in capsys.readouterr().err


@pytest.mark.parametrize("theme", [*OWN_THEMES, *BUILTIN_THEMES.values()], ids=lambda theme: theme.name)
def test_every_theme_has_a_style_for_every_ink(theme: object) -> None:
    variables = {**VARIABLES, **theme.to_color_system().generate()}  # type: ignore[attr-defined]
    for ink in Ink:
        assert ink_style(ink, variables).color is not None
    for look in LOOKS:
        look_style(look, variables)


def test_own_themes_follow_each_other() -> None:
    names = [theme.name for theme in OWN_THEMES]
    assert [next_theme(name) for name in names] == names[1:] + names[:1]
    assert next_theme("nord") == names[0]
