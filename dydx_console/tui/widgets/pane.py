"""The base of every pane: a rule with title and age, then lines that are repainted only where they changed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from dydx_console.domain.text import clean
from dydx_console.tui.actions import bindings_of
from dydx_console.tui.picture import Picture
from dydx_console.tui.themes import ink_style, look_style
from dydx_console.views.panes import PaneHealth, SteadyHealth, health_line, holdings_health, pane_health
from dydx_console.views.table import Cell, Ink, Line, line_width

__all__ = ["NO_MARKS", "Drawn", "LineWidget", "Look", "MovableLines", "Pane", "harmless"]

NO_MARKS: frozenset[int] = frozenset()


class Look(StrEnum):
    """How a whole line stands out."""

    NONE = ""
    OVER = "over"
    STALE = "stale"
    CURSOR = "cursor"
    IDLE = "idle"
    RULE = "rule"
    FOCUS = "focus"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line as it stands on the screen; `marks` are the cells that changed a moment ago."""

    line: Line
    looks: tuple[Look, ...] = ()
    marks: frozenset[int] = NO_MARKS


BLANK = Drawn(())


@dataclass(slots=True)
class Styles:
    """Styles of a widget by ink and look, looked up once per theme."""

    widget: Widget
    known: dict[tuple[Ink, tuple[Look, ...], bool], Style] = field(default_factory=dict)

    def get(self, ink: Ink, looks: tuple[Look, ...], *, bold: bool) -> Style:
        """Return the style of a piece of text."""
        style = self.known.get((ink, looks, bold))
        if style is None:
            style = self.known[(ink, looks, bold)] = self._made(ink, looks, bold=bold)
        return style

    def _made(self, ink: Ink, looks: tuple[Look, ...], *, bold: bool) -> Style:
        variables = self.widget.app.theme_variables
        base = self.widget.rich_style
        style = Style(color=base.color, bgcolor=base.bgcolor) + ink_style(ink, variables)
        for look in looks:
            is_paper = look in (Look.CURSOR, Look.IDLE)
            is_quiet = look in (Look.OVER, Look.STALE)
            if (is_paper and ink in _OWN_PAPER) or (is_quiet and ink in _KEPT_INKS):
                continue
            style += look_style(look, variables)
        return style + Style(bold=True) if bold else style


_OWN_PAPER = (Ink.ALARM, Ink.MAINNET, Ink.TESTNET, Ink.LOCAL, Ink.SIM, Ink.REPLAY)
_KEPT_INKS = (*_OWN_PAPER, Ink.BAD)


def harmless(text: str) -> str:
    """Return text that cannot steer the terminal: the last of two guards, the first is where it was decoded."""
    return text if text.isprintable() else clean(text)


class LineWidget(Widget):
    """A widget made of lines of cells; a line is repainted only when it differs from what stands there."""

    ALLOW_SELECT = False

    def __init__(self, picture: Picture, clock: Callable[[], float], *, id: str) -> None:
        super().__init__(id=id)
        self.picture = picture
        self.clock = clock
        self._drawn: list[Drawn] = []
        self._strips: dict[int, Strip] = {}
        self._ink = Styles(self)
        self._is_settled = False

    @property
    def is_on_screen(self) -> bool:
        """Whether the widget is part of the layout that is shown."""
        return self.is_mounted and self.display and bool(self.size)

    def paint(self, now: float, *, is_dirty: bool) -> float | None:
        """Paint what changed; see `frames.Painter`."""
        self.show(self.drawn(now, is_dirty=is_dirty))
        return None

    def drawn(self, now: float, *, is_dirty: bool) -> list[Drawn]:
        """Return the lines as they should stand now."""
        raise NotImplementedError

    def repaint(self, *, is_dirty: bool = False) -> None:
        """Paint at once, after something that a person did."""
        if self.is_on_screen:
            self.paint(self.clock(), is_dirty=is_dirty)

    def show(self, drawn: list[Drawn]) -> None:
        """Put lines on the screen where they differ."""
        before, width = self._drawn, self.size.width
        self._drawn = drawn
        changed: list[Region] = []
        for y in range(min(max(len(before), len(drawn)), self.size.height)):
            old = before[y] if y < len(before) else BLANK
            new = drawn[y] if y < len(drawn) else BLANK
            if old is new or old == new:
                continue
            self._strips.pop(y, None)
            if changed and changed[-1].bottom == y:
                changed[-1] = changed[-1].grow((0, 0, 1, 0))
            else:
                changed.append(Region(0, y, width, 1))
        if changed:
            self.refresh(*changed)
        self._is_settled = True

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Have regions painted again. Without one, lines that already stand as they should are left alone."""
        if regions or layout or recompose or not self._is_settled:
            super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self

    def render_line(self, y: int) -> Strip:
        """Return one line of the widget as it was last shown."""
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strip(self._drawn[y] if y < len(self._drawn) else BLANK)
            paper = self.background_colors[1]
            for line_filter in self.get_line_filters():
                if not isinstance(line_filter, ANSIToTruecolor):  # no ink or look is an ANSI colour
                    strip = strip.apply_filter(line_filter, paper)
            self._strips[y] = strip
        return strip

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines of a part of the widget, which has neither border nor padding, as they were shown."""
        lines = [self.render_line(y) for y in range(crop.y, crop.bottom)]
        if crop.x == 0 and crop.width == self.size.width:
            return lines
        return [line.crop(crop.x, crop.right) for line in lines]

    def _strip(self, drawn: Drawn) -> Strip:
        segments = [
            Segment(harmless(cell.text), self._ink.get(cell.ink, drawn.looks, bold=index in drawn.marks))
            for index, cell in enumerate(drawn.line)
            if cell.text
        ]
        paper = self._ink.get(Ink.PLAIN, drawn.looks, bold=False)
        return Strip(segments).adjust_cell_length(self.size.width, paper)

    def forget(self) -> None:
        """Draw everything anew at the next paint."""
        self._strips.clear()
        self._ink.known.clear()
        self._is_settled = False
        self.refresh()

    def notify_style_update(self) -> None:
        """Look styles up again after a theme or class changed."""
        super().notify_style_update()
        self.forget()

    def on_resize(self) -> None:
        """Lay out for the new size and show it at once."""
        self._strips.clear()
        self._drawn = []
        self._is_settled = False
        self.refresh()
        self.repaint(is_dirty=True)


class MovableLines(LineWidget, can_focus=True):
    """Lines that keys and the mouse wheel move through."""

    BINDINGS = bindings_of("pane")

    def action_move(self, steps: int) -> None:
        """Move by lines."""
        raise NotImplementedError

    def action_half(self, direction: int) -> None:
        """Move by half a page."""
        self.action_move(direction * max((self.size.height - 2) // 2, 1))

    def action_page(self, direction: int) -> None:
        """Move by a page."""
        self.action_move(direction * max(self.size.height - 3, 1))

    def action_edge(self, is_last: bool) -> None:
        """Move to the first or last line."""
        self.action_move(1_000_000 if is_last else -1_000_000)

    def on_mouse_scroll_down(self) -> None:
        """Scroll towards the end."""
        self.action_move(3)

    def on_mouse_scroll_up(self) -> None:
        """Scroll towards the beginning."""
        self.action_move(-3)


class Pane(MovableLines):
    """A pane: number, title and state in its first line, its content below.

    `needs_markets` tells that its figures move with oracle prices, so that their state counts too; `shows_holdings`
    that they are positions or balances, which a node may tell in place of the Indexer.
    """

    def __init__(
        self,
        picture: Picture,
        clock: Callable[[], float],
        *,
        id: str,
        number: int,
        title: str,
        needs_markets: bool = False,
        shows_holdings: bool = False,
    ) -> None:
        super().__init__(picture, clock, id=id)
        self.number = number
        self.title = title
        self.needs_markets = needs_markets
        self.shows_holdings = shows_holdings
        self._steady = SteadyHealth()

    def info(self) -> Line:
        """Return what stands in the title line before the state: counts, filter."""
        return ()

    def health(self) -> PaneHealth:
        """Return the state of what the pane shows."""
        of = holdings_health if self.shows_holdings else pane_health
        return of(self.picture.snapshot, self.picture.elapsed_s, needs_markets=self.needs_markets)

    def drawn(self, now: float, *, is_dirty: bool) -> list[Drawn]:
        """Return the title line and the content."""
        self._steady = self._steady.after(self.health(), now)
        health = self._steady.shown
        content = self.content(now, max(self.size.height - 1, 0), is_dirty=is_dirty, is_stale=health.is_dim)
        return [self._rule(health), *content]

    def content(self, now: float, height: int, *, is_dirty: bool, is_stale: bool) -> list[Drawn]:
        """Return the lines below the title."""
        raise NotImplementedError

    def _rule(self, health: PaneHealth) -> Drawn:
        focused = self.has_focus
        dash, look = ("━", Look.FOCUS) if focused else ("─", Look.RULE)
        name = Cell(f"{self.number} {self.title}" if self.number else self.title, Ink.ACCENT if focused else Ink.STRONG)
        info, state = self.info(), health_line(health)
        right: Line = (*info, Cell(" · ", Ink.DIM), *state) if info else state
        used = len(name.text) + 4 + line_width(right) + 3
        while info and used > self.size.width:
            info = info[:-1]
            right = (*info, Cell(" · ", Ink.DIM), *state) if info else state
            used = len(name.text) + 4 + line_width(right) + 3
        rule = Cell(dash * max(self.size.width - used, 1), _RULE_INK)
        line = (Cell(f"{dash} ", _RULE_INK), name, Cell(" ", _RULE_INK), rule, Cell(" ", _RULE_INK), *right,
                Cell(f" {dash}", _RULE_INK))  # fmt: skip
        return Drawn(line, (look,))

    def _strip(self, drawn: Drawn) -> Strip:
        looks = drawn.looks
        if not looks or looks[0] not in (Look.RULE, Look.FOCUS):
            return super()._strip(drawn)
        segments = [
            Segment(harmless(cell.text), self._ink.get(cell.ink, looks if cell.ink is _RULE_INK else (), bold=False))
            for cell in drawn.line
        ]
        return Strip(segments).adjust_cell_length(self.size.width, self._ink.get(Ink.PLAIN, (), bold=False))

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Show at once where keys go now; no style sheet asks for the focus, so none is applied again."""
        self.repaint()


_RULE_INK = Ink.PLAIN
