"""The PNL pane with its ranges and curve, the large curve, and the trends within rows."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tui.fakes import FakePort
from tui.pictures import HOSTILE, NOW, D, picture, poisoned, stream
from tui.pty_harness import terminal
from tui.screen_help import Desk, Jumping, desk, opened
from tui.shelf import FakeDesk, Shelf

from dydx_console.domain.ids import PositionKey
from dydx_console.ports.journal import EquityPoint, History
from dydx_console.state.freshness import PictureState
from dydx_console.state.pnl_days import DayPnl, Span, SpanPnl
from dydx_console.tui.actions import conflicts
from dydx_console.tui.curves import MOST_POINTS, read_curve
from dydx_console.tui.screens.console import ConsoleScreen
from dydx_console.tui.screens.curve import CurveModal
from dydx_console.tui.screens.help import HelpModal
from dydx_console.views.chart import Sample


def points(count: int, every: timedelta = timedelta(minutes=1), end: datetime = NOW) -> list[EquityPoint]:
    """Return points up to a moment, whose PNL rises by one each."""
    return [
        EquityPoint(0, end - every * (count - number), number, D(403_000 + number), None, D(number - count))
        for number in range(count)
    ]


def kept(rows: list[EquityPoint] | None = None, **changes: object) -> FakePort:
    """Return a port whose journal has points."""
    shelf = Shelf({History.EQUITY: points(300) if rows is None else rows})
    port = FakePort(now=0.0, history=FakeDesk(shelf))
    port.show(picture(**changes))
    return port


def braille(text: str) -> int:
    """Return how many cells of a text hold dots."""
    return sum(0x2800 < ord(char) <= 0x28FF for char in text)


def pane_text(shown: Desk) -> str:
    """Return the PNL pane's own lines."""
    pane = shown.pane("pnl")
    return "\n".join(pane.render_line(y).text for y in range(pane.size.height))


def answered(question: Callable[[], object]) -> object:
    """Run a coroutine that never waits."""
    running = question()
    try:
        running.send(None)  # type: ignore[attr-defined]
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


class TestPane:
    @pytest.mark.parametrize("size", [(160, 50), (100, 30)])
    async def test_totals_markets_and_curve_stand_side_by_side(self, tmp_path: Path, size: tuple[int, int]) -> None:
        async with desk(tmp_path, size, kept()) as shown:
            await shown.until(lambda: braille(pane_text(shown)) > 10)
            text = pane_text(shown)
            for words in ("+205.84", "+240.10", "−7.13", "−30.40", "+3.27", "MARKET", "ETH-USD", "+212.47", "[all]"):
                assert words in text, words

    async def test_a_narrow_pane_keeps_to_the_totals(self, tmp_path: Path) -> None:
        async with desk(tmp_path, (80, 24), kept()) as shown:
            await shown.until(lambda: "+205.84" in pane_text(shown))
            assert not braille(pane_text(shown))
            await shown.press("5", "j", "j")
            assert "ETH-USD" in pane_text(shown)

    async def test_the_estimate_of_the_hour_is_named_so(self, tmp_path: Path) -> None:
        pnl = replace(picture().pnl, funding_estimate=D("0.21"))
        async with desk(tmp_path, port=kept(pnl=pnl)) as shown:
            assert "(next ≈ +0.21)" in pane_text(shown)
            assert "+205.84" in pane_text(shown)

    async def test_keys_choose_the_range(self, tmp_path: Path) -> None:
        async with desk(tmp_path, port=kept()) as shown:
            await shown.press("5")
            for key, label in (("l", "[today]"), ("right", "[7d]"), ("l", "[30d]"), ("l", "[all]"), ("h", "[30d]")):
                await shown.press(key)
                assert label in pane_text(shown)

    @pytest.mark.parametrize("label", ["today", "7d", "30d"])
    async def test_a_click_on_the_title_chooses_it(self, tmp_path: Path, label: str) -> None:
        async with desk(tmp_path, port=kept()) as shown:
            title = shown.pane("pnl").render_line(0).text
            await shown.pilot.click("#pnl", offset=(title.index(label), 0))
            await shown.until(lambda: f"[{label}]" in pane_text(shown))

    async def test_a_range_without_figures_is_dashes_and_never_those_of_another(self, tmp_path: Path) -> None:
        async with desk(tmp_path, port=kept()) as shown:
            await shown.press("5", "l")
            await shown.until(lambda: "[today]" in pane_text(shown))
            assert pane_text(shown).count("—") >= 5
            assert "+205.84" not in pane_text(shown)

    async def test_a_range_shows_its_own_figures_and_the_curve_from_where_it_began(self, tmp_path: Path) -> None:
        key = PositionKey(0, "ETH-USD")
        days = DayPnl(NOW.date(), key, D("-3.5"), D("1.25"), D("0.5"), D("4444"), 7)
        start = NOW.replace(hour=0, minute=0, second=0)
        today = SpanPnl(Span.TODAY, start, D("-3.5"), D("10"), D("1.25"), D("0.5"), D("5.75"), start, (days,))
        async with desk(tmp_path, port=kept(spans=(today,))) as shown:
            await shown.press("5", "l", "z")
            await shown.until(lambda: braille(pane_text(shown)) > 10)
            text = pane_text(shown)
            for words in ("+5.75", "−3.50", "+10.00", "−1.25", "+0.50", "BOOKED", "VOLUME", "4,444.00", "−4.25"):
                assert words in text, words
            assert "+205.84" not in text
            assert " ".join(text.split("\n")[-1].split()).startswith("00:00")

    async def test_without_a_journal_there_is_no_curve_and_all_the_rest(self, tmp_path: Path) -> None:
        port = FakePort(now=0.0)
        port.show(picture())
        async with desk(tmp_path, port=port) as shown:
            await shown.until(lambda: "+205.84" in pane_text(shown))
            assert braille(pane_text(shown)) <= 1, "the newest figure alone"

    async def test_a_stale_figure_is_not_drawn_on(self, tmp_path: Path) -> None:
        async with desk(tmp_path, port=kept(stream=stream(PictureState.STALE, 14.0))) as shown:
            assert "STALE" in pane_text(shown)
            await shown.until(lambda: shown.pane("pnl")._reader.curve is not None)
            await shown.until(lambda: braille(pane_text(shown)) > 10)
            assert "+205.84" in pane_text(shown), "the figures stand"
            assert pane_text(shown).count("+205.84") == 1, "the curve ends where it was known"

    async def test_the_curve_is_read_again_after_a_minute_and_for_another_range(self, tmp_path: Path) -> None:
        port, clock = kept(), Jumping()
        async with desk(tmp_path, port=port, clock=clock) as shown:
            await shown.until(lambda: port.history.questions == 1)
            await shown.press("5", "l")
            await shown.until(lambda: port.history.questions == 2)
            clock.ahead_s = 61.0
            await shown.until(lambda: port.history.questions == 3)

    async def test_a_late_answer_for_another_range_is_never_shown(self, tmp_path: Path) -> None:
        port = kept()
        port.history.is_held = True
        async with desk(tmp_path, port=port) as shown:
            await shown.until(lambda: port.history.questions == 1)
            await shown.press("5", "l")
            await shown.until(lambda: port.history.questions == 2)
            port.history.release()
            reader = shown.pane("pnl")._reader
            await shown.until(lambda: reader.curve is not None)
            assert reader.curve.start == NOW.replace(hour=0, minute=0, second=0)

    async def test_help_palette_and_key_bar_know_its_keys(self, tmp_path: Path) -> None:
        async with desk(tmp_path, port=kept(), keymap={"pnl.curve": "v"}) as shown:
            await shown.press("5")
            await shown.until(lambda: "l range" in shown.text() and "v curve" in shown.text())
            await opened(shown, "question_mark", HelpModal)
            await shown.until(lambda: "Curve of equity and PNL, large" in shown.text())
            await shown.press("escape")
            await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))
            await opened(shown, "v", CurveModal)

    def test_its_keys_may_repeat_those_of_tables_but_not_the_apps(self) -> None:
        assert conflicts({"pnl.next": "o"}) == []
        assert any("pnl.next" in sentence for sentence in conflicts({"pnl.next": "q"}))

    @pytest.mark.parametrize("text", [HOSTILE[0], "".join(HOSTILE[3:12]), *HOSTILE[12:]])
    async def test_hostile_names_are_only_text(self, tmp_path: Path, text: str) -> None:
        port = kept(pnl=poisoned(picture().pnl, text))
        async with desk(tmp_path, port=port) as shown:
            await shown.press("5", "z")
            await shown.until(lambda: braille(pane_text(shown)) > 10)
            assert all(char.isprintable() or char == "\n" for char in shown.text())


class TestSheet:
    async def test_it_shows_both_measures_over_every_range(self, tmp_path: Path) -> None:
        async with desk(tmp_path, port=kept()) as shown:
            await shown.press("5")
            await opened(shown, "enter", CurveModal)
            await shown.until(lambda: "300 points" in shown.text())
            assert "now +205.84" in shown.text()
            assert "low −300.00" in shown.text()
            assert "TESTNET" in shown.text(), "the banner is not covered"
            await shown.press("m")
            await shown.until(lambda: "[equity]" in shown.text() and "now 403,105.93" in shown.text())
            for key, label in (("l", "[1d]"), ("l", "[7d]"), ("h", "[1d]"), ("h", "[all]")):
                await shown.press(key)
                await shown.until(lambda label=label: label in shown.text() and "300 points" in shown.text())

    async def test_clicks_choose_too(self, tmp_path: Path) -> None:
        async with desk(tmp_path, port=kept()) as shown:
            await shown.press("5")
            await opened(shown, "enter", CurveModal)
            await shown.until(lambda: "points" in shown.text())
            head = shown.app.screen.query_one("#curve").render_line(0).text
            await shown.pilot.click("#curve", offset=(head.index("7d"), 0))
            await shown.until(lambda: "[7d]" in shown.text())
            await shown.pilot.click("#curve", offset=(head.index("equity"), 0))
            await shown.until(lambda: "[equity]" in shown.text())

    @pytest.mark.parametrize("size", [(160, 50), (100, 30), (80, 24), (60, 18), (40, 10)])
    async def test_it_fits_every_size(self, tmp_path: Path, size: tuple[int, int]) -> None:
        async with desk(tmp_path, (160, 50), kept()) as shown:
            await shown.press("5")
            await opened(shown, "enter", CurveModal)
            await shown.pilot.resize_terminal(*size)
            await shown.until(lambda: max(map(len, shown.text().split("\n"))) <= size[0])
            await shown.until(lambda: braille(shown.text()) > 4 and "now" in shown.text())

    async def test_it_goes_on_to_the_newest_picture(self, tmp_path: Path) -> None:
        port = kept()
        async with desk(tmp_path, port=port) as shown:
            await shown.press("5")
            await opened(shown, "enter", CurveModal)
            await shown.until(lambda: "now +205.84" in shown.text())
            port.show(picture(revision=2, pnl=replace(picture().pnl, net=D("999.5"))))
            await shown.until(lambda: "now +999.50" in shown.text() and "high +999.50" in shown.text())

    async def test_an_empty_journal_and_none_are_told_apart(self, tmp_path: Path) -> None:
        port = kept([], stream=stream(PictureState.STALE, 14.0))
        async with desk(tmp_path, port=port) as shown:
            await shown.press("5")
            await opened(shown, "enter", CurveModal)
            await shown.until(lambda: "one a minute while it is live" in shown.text())
            await shown.press("escape")
            await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))
            port.history.shelf = None
            await opened(shown, "enter", CurveModal)
            await shown.until(lambda: "there is no journal in this test" in shown.text())

    async def test_a_covered_picture_has_no_digit_of_it(self, tmp_path: Path) -> None:
        async with desk(tmp_path, port=kept()) as shown:
            await shown.press("5")
            await opened(shown, "enter", CurveModal)
            await shown.press("m")
            await shown.until(lambda: "403,105.93" in shown.text())
            shown.app.save_picture(tmp_path / "covered.svg")
            assert "403,1" not in (tmp_path / "covered.svg").read_text("utf-8")

    @pytest.mark.parametrize("key", ["escape", "q", "enter"])
    async def test_it_closes(self, tmp_path: Path, key: str) -> None:
        async with desk(tmp_path, port=kept()) as shown:
            await shown.press("5")
            await opened(shown, "enter", CurveModal)
            await shown.press(key)
            await shown.until(lambda: isinstance(shown.app.screen, ConsoleScreen))

    def test_in_a_real_terminal(self, tmp_path: Path) -> None:
        with terminal("live", tmp_path, (100, 30)) as shown:
            shown.until(lambda: "LIVE" in shown.text and "5 PNL" in shown.text)
            shown.keys("5")
            shown.until(lambda: "l range" in shown.text)
            shown.keys("\r")
            shown.until(lambda: "Curve" in shown.text and "net PNL" in shown.text)
            shown.pump(0.4)
            shown.keys("\x1b")
            shown.until(lambda: "2 Positions" in shown.text and "Curve ─" not in shown.text)
            shown.keys("q")
            assert shown.exit_code() == 0
            shown.assert_restored()


class TestReading:
    def test_a_hole_in_the_points_is_a_hole_in_the_curve(self) -> None:
        rows = [*points(60, end=NOW - timedelta(hours=5)), *points(60)]
        curve = answered(lambda: read_curve(Shelf({History.EQUITY: rows}), 0, None, NOW))
        assert curve.points == 120
        assert curve.start == rows[0].at
        assert [sample.value for sample in curve.net].count(None) == 1

    def test_other_parents_and_times_are_left_out(self) -> None:
        rows = [*points(10), replace(points(1)[0], parent=3, net_pnl=D(9_999))]
        curve = answered(lambda: read_curve(Shelf({History.EQUITY: rows}), 0, NOW - timedelta(minutes=5), NOW))
        assert curve.points == 5
        assert all(sample.value is not None and sample.value < 0 for sample in curve.net)

    def test_an_unknown_figure_is_a_hole_in_its_own_curve_alone(self) -> None:
        rows = [replace(row, net_pnl=None) if 100 <= index < 200 else row for index, row in enumerate(points(300))]
        curve = answered(lambda: read_curve(Shelf({History.EQUITY: rows}), 0, None, NOW))
        assert None in [sample.value for sample in curve.net]
        assert None not in [sample.value for sample in curve.equity]

    def test_nothing_at_all(self) -> None:
        curve = answered(lambda: read_curve(Shelf(), 0, None, NOW))
        assert (curve.points, curve.net, curve.equity) == (0, (), ())

    def test_too_many_points_are_read_in_parts(self) -> None:
        class Counted(Shelf):
            read = 0

            async def count(self, kind: History, query: object) -> int:
                return MOST_POINTS + 1

            async def equity(self, query: object) -> object:
                page = await super().equity(query)  # type: ignore[arg-type]
                self.read += len(page.rows)
                return page

        shelf = Counted({History.EQUITY: points(2_000, timedelta(hours=1))})
        curve = answered(lambda: read_curve(shelf, 0, None, NOW))
        assert curve.is_sampled
        assert shelf.read <= MOST_POINTS
        assert len(curve.net) > 400
        assert all(isinstance(sample, Sample) and sample.value is not None for sample in curve.net)


class TestTrends:
    async def test_rows_show_how_the_price_went(self, tmp_path: Path) -> None:
        port, clock = kept(), Jumping()
        async with desk(tmp_path, port=port, clock=clock) as shown:
            for step in range(4):
                markets = {name: replace(market, oracle_price=market.oracle_price + step)  # type: ignore[operator]
                           for name, market in picture().markets.items()}  # fmt: skip
                port.show(picture(revision=2 + step, markets=markets))
                clock.ahead_s = 10.0 * step
                await shown.until(lambda step=step: len(shown.app.picture.trends.of("ETH-USD")) >= step + 1)
            await shown.until(lambda: "█" in shown.pane("positions").render_line(2).text)
            assert "PRICE, 4 MIN" in shown.text()

    async def test_what_is_not_live_is_a_hole(self, tmp_path: Path) -> None:
        port, clock = kept(), Jumping()
        async with desk(tmp_path, port=port, clock=clock) as shown:
            trends = shown.app.picture.trends
            await shown.until(lambda: len(trends.of("ETH-USD")) == 1)
            port.show(picture(revision=2, stream=stream(PictureState.STALE, 14.0)))
            await shown.until(lambda: shown.app.picture.snapshot.revision == 2)
            clock.ahead_s = 10.0
            await shown.until(lambda: len(trends.of("ETH-USD")) >= 2)
            assert trends.of("ETH-USD")[-1] is None

    async def test_it_leaves_first_where_there_is_no_room(self, tmp_path: Path) -> None:
        async with desk(tmp_path, (140, 40), kept()) as shown:
            assert "PRICE, 4 MIN" not in shown.text()
            assert "FUNDING" in shown.text()
