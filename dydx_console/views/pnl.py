"""The PNL pane: totals of a range of days, then market by market with a curve beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from dydx_console.domain.numbers import MATH, ZERO
from dydx_console.views.balances import hidden
from dydx_console.views.chart import Sample, chart_lines
from dydx_console.views.format import DASH, amount, clock, day, money
from dydx_console.views.positions import sign_ink
from dydx_console.views.table import Cell, Ink, Line, aligned, line_width, whole

if TYPE_CHECKING:
    from dydx_console.domain.ids import PositionKey
    from dydx_console.state.pnl_days import SpanPnl
    from dydx_console.state.snapshot import Snapshot

__all__ = [
    "ALL",
    "CURVE_RANGES",
    "RANGES",
    "curve_lines",
    "moment_of",
    "next_range",
    "pane_chart",
    "pane_lines",
    "pane_start",
    "pnl_lines",
    "range_at",
    "range_cells",
    "range_start",
    "since_text",
]

ALL = "ALL"
RANGES: Mapping[str, str] = {"TODAY": "today", "WEEK": "7d", "MONTH": "30d", ALL: "all"}
"""Ranges of days that end today, by the names of `state.pnl_days.Span`, and how the screen calls them."""
CURVE_RANGES: Mapping[str, str] = {**RANGES, "TODAY": "1d"}
"""The same for curves, whose ranges end at this moment."""
_DAYS = {"TODAY": 1, "WEEK": 7, "MONTH": 30}
_FIRST_COLUMNS = 15
_COLUMN = 11
_LEAST_CURVE = 24
_LEAST_HEIGHT = 3
_GAP = 2


@dataclass(frozen=True, slots=True)
class Figures:
    """What a range brought; None is unknown. `fees` are negative where paid. `columns` of the rows by their heads."""

    realized: Decimal | None = None
    unrealized: Decimal | None = None
    fees: Decimal | None = None
    funding: Decimal | None = None
    net: Decimal | None = None
    estimate: Decimal | None = None
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[PositionKey, tuple[Decimal | None, ...]], ...] = ()


def next_range(name: str, steps: int) -> str:
    """Return the range so many steps further, the first again after the last."""
    names = list(RANGES)
    return names[(names.index(name) + steps) % len(names)]


def range_cells(chosen: str, labels: Mapping[str, str] = RANGES) -> Line:
    """Return the ranges as a title shows them; the chosen one stands out, and not by its colour alone."""
    line: list[Cell] = []
    for name, label in labels.items():
        line += [Cell(" · ", Ink.DIM)] if line else []
        line.append(Cell(f"[{label}]", Ink.ACCENT) if name == chosen else Cell(label, Ink.DIM))
    return tuple(line)


def range_at(line: Line, x: int, labels: Mapping[str, str] = RANGES) -> str | None:
    """Return the range whose label stands at a cell of a line."""
    used = 0
    for cell in line:
        used += line_width((cell,))
        if x < used:
            return next((name for name, label in labels.items() if cell.text.strip("[]") == label), None)
    return None


def range_start(name: str, now: datetime, *, is_rolling: bool) -> datetime | None:
    """Return when a range begins: at a midnight in UTC, or `is_rolling` so many days before now; None for all."""
    days = _DAYS.get(name)
    if days is None:
        return None
    if is_rolling:
        return now - timedelta(days=days)
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)


def pane_start(snapshot: Snapshot, name: str, now: datetime) -> datetime | None:
    """Return when the range of the pane's figures begins; None for all."""
    span = next((span for span in snapshot.spans if span.span == name), None)
    return range_start(name, now, is_rolling=False) if span is None else span.start


def moment_of(snapshot: Snapshot | None, elapsed_s: float) -> datetime | None:
    """Return the time by the venue's clock, None before it is known."""
    at = None if snapshot is None else snapshot.venue_time or snapshot.block_time
    return None if at is None else at + timedelta(seconds=elapsed_s)


def pnl_lines(snapshot: Snapshot | None, width: int, name: str = ALL) -> list[Line]:
    """Return the pane's lines for `width` cells, totals of the range first.

    Fees stand as what they did to the account: paid ones are negative.
    """
    if snapshot is None:
        return [(Cell("waiting for the first picture", Ink.DIM),)]
    figures = _figures(snapshot, name)
    return [*_totals(figures, width), *_markets(figures, width)]


def pane_lines(
    snapshot: Snapshot | None,
    width: int,
    height: int,
    *,
    name: str = ALL,
    top: int = 0,
    chart: Sequence[Line] = (),
) -> list[Line]:
    """Return what a pane of `width` × `height` cells shows of the range, scrolled by `top` lines.

    Where there is room for one, the totals stay and the `chart` that `pane_chart` made stands beside the markets.
    """
    lines = pnl_lines(snapshot, width, name)
    if snapshot is None or height < _TOTALS + _LEAST_HEIGHT:
        return lines[top : top + height]
    room = _curve_width(width)
    table_width = width if room is None else width - room - _GAP
    table = list(_markets(_figures(snapshot, name), table_width))[top : top + height - _TOTALS]
    return [*lines[:_TOTALS], *_beside(table, () if room is None else chart, table_width + _GAP)]


def pane_chart(
    snapshot: Snapshot | None, width: int, height: int, *, name: str, curve: Sequence[Sample]
) -> Sequence[Line]:
    """Return the curve of the net PNL for a pane of `width` × `height` cells, nothing where there is no room for it.

    Args:
        snapshot: the newest picture.
        width: of the pane.
        height: of the pane.
        name: the range.
        curve: standings of the net PNL, oldest first.
    """
    room = _curve_width(width)
    if snapshot is None or room is None or height < _TOTALS + _LEAST_HEIGHT:
        return ()
    moved = _moved(curve, snapshot.pnl.net, _figures(snapshot, name).net, name)
    return chart_lines(moved, room, height - _TOTALS, is_signed=True, label=_signed)


def curve_lines(
    samples: Sequence[Sample],
    width: int,
    height: int,
    *,
    start: datetime | None,
    end: datetime | None,
    is_signed: bool,
    is_masked: bool = False,
) -> list[Line]:
    """Return a curve with what its ends and extremes are, as the large sheet shows it; `is_masked` covers figures."""
    known = [sample for sample in samples if sample.value is not None]
    cover = hidden if is_masked else str

    def label(value: Decimal, room: int) -> str:
        return cover(amount(money(value, plus=is_signed), value, room))

    chart = chart_lines(samples, width, height - 1, start=start, end=end, is_signed=is_signed, label=label)
    if not known:
        return chart
    return [_facts(known, width, is_signed=is_signed, cover=cover), *chart]


def _facts(known: Sequence[Sample], width: int, *, is_signed: bool, cover: Callable[[str], str]) -> Line:
    """Return the newest value, its change, and the extremes, as many of them as fit whole."""
    first, last = known[0], known[-1]
    lowest = min(known, key=_value)
    highest = max(known, key=_value)
    change = MATH.subtract(_value(last), _value(first))
    line: list[Cell] = []
    for text, value, at in (("now", _value(last), None), ("change", change, None),
                            ("high", _value(highest), highest.at), ("low", _value(lowest), lowest.at)):  # fmt: skip
        is_sign = is_signed or text == "change"
        written = cover(money(value, plus=is_sign))
        longer = [*line, Cell(f"{text} ", Ink.LABEL), Cell(written, sign_ink(value) if is_sign else Ink.STRONG)]
        if line_width(longer) > width:
            break
        line = [*longer, Cell("    " if at is None else f"  {day(at)} {clock(at)[:5]}    ", Ink.DIM)]
    return whole(line, width)


def _value(sample: Sample) -> Decimal:
    return ZERO if sample.value is None else sample.value


def _signed(value: Decimal, room: int) -> str:
    return amount(money(value, plus=True), value, room)


def _curve_width(width: int) -> int | None:
    """Return the cells of the curve beside the markets, None where it would leave these no room."""
    room = max(_LEAST_CURVE, width * 2 // 5)
    return room if width - room - _GAP >= _FIRST_COLUMNS + _COLUMN else None


def _moved(curve: Sequence[Sample], net: Decimal | None, gained: Decimal | None, name: str) -> Sequence[Sample]:
    """Return the curve as it stands above where the net PNL was when the range began, as the range's figures do.

    Where that is not known, it begins at zero.
    """
    if name == ALL:
        return curve
    first = next((sample.value for sample in curve if sample.value is not None), None)
    base = first if net is None or gained is None else MATH.subtract(net, gained)
    if base is None:
        return curve
    return [Sample(each.at, None if each.value is None else MATH.subtract(each.value, base)) for each in curve]


def _beside(left: Sequence[Line], right: Sequence[Line], at: int) -> Iterable[Line]:
    for row in range(max(len(left), len(right))):
        one = left[row] if row < len(left) else ()
        other = right[row] if row < len(right) else ()
        yield (*one, Cell(" " * max(at - line_width(one), 0)), *other)


def _figures(snapshot: Snapshot, name: str) -> Figures:
    pnl = snapshot.pnl
    if name != ALL:
        span = next((span for span in snapshot.spans if span.span == name), None)
        return Figures(estimate=pnl.funding_estimate) if span is None else _span_figures(span, pnl.funding_estimate)
    return Figures(
        realized=pnl.realized,
        unrealized=pnl.unrealized,
        fees=_negative(pnl.fees),
        funding=pnl.funding,
        net=pnl.net,
        estimate=pnl.funding_estimate,
        heads=("NET", "REALIZED", "UNREAL", "FEES", "FUNDING"),
        rows=tuple(
            (row.key, (row.net, row.realized, row.unrealized, _negative(row.fees), row.funding))
            for row in pnl.by_market
        ),
    )


def _span_figures(span: SpanPnl, estimate: Decimal | None) -> Figures:
    return Figures(
        realized=span.realized,
        unrealized=span.unrealized,
        fees=_negative(span.fees),
        funding=span.funding,
        net=span.net,
        estimate=estimate,
        heads=("BOOKED", "REALIZED", "FEES", "FUNDING", "VOLUME"),
        rows=tuple(
            (row.key, (row.booked, row.realized, _negative(row.fees), row.funding, row.volume))
            for row in span.by_market
            if row.key is not None
        ),
    )


def since_text(since: datetime | None, now: datetime | None) -> str:
    """Return from when the figures count."""
    if since is None:
        return DASH
    if now is not None and now.date() == since.date():
        return f"since {clock(since)}"
    return f"since {day(since)} {since.year}"


def _negative(value: Decimal | None) -> Decimal | None:
    return None if value is None else -value


def _totals(figures: Figures, width: int) -> Iterable[Line]:
    form = next((form for form in _FORMS if form.width <= width), _FORMS[-1])
    gap = Cell(" " * form.gap)
    yield (
        *_pair("net", 4, figures.net, form),
        gap,
        *_pair("realized", 9, figures.realized, form),
        gap,
        *_pair(form.unrealized, len(form.unrealized) + 1, figures.unrealized, form),
    )
    line: Line = (
        Cell(" " * (4 + form.figure)),
        gap,
        *_pair("fees", 9, figures.fees, form),
        gap,
        *_pair("funding", max(len(form.unrealized) + 1, 8), figures.funding, form),
    )
    estimate = Cell(f"  (next ≈ {money(figures.estimate, plus=True)})", Ink.DIM)
    has_room = figures.estimate is not None and line_width((*line, estimate)) <= width
    yield (*line, estimate) if has_room else line


def _pair(label: str, label_width: int, value: Decimal | None, form: Form) -> Line:
    text = amount(money(value, plus=True), value, form.figure).rjust(form.figure)
    return (Cell(label.ljust(label_width), Ink.LABEL), Cell(text, sign_ink(value)))


@dataclass(frozen=True, slots=True)
class Form:
    """How the totals stand in at least `width` cells: cells of a figure, of a gap, and the longest label."""

    width: int
    figure: int
    gap: int
    unrealized: str


_FORMS = (Form(75, 14, 3, "unrealized"), Form(59, 11, 1, "unrealized"), Form(0, 10, 1, "unreal "))
_TOTALS = 2
"""Lines of the totals."""


def _markets(figures: Figures, width: int) -> Iterable[Line]:
    if not figures.rows:
        return
    shown = max((width - _FIRST_COLUMNS) // _COLUMN, 1)
    heads = "".join(head.rjust(_COLUMN) for head in figures.heads[:shown])
    yield (Cell("MARKET".ljust(11) + "SUB".rjust(4) + heads, Ink.LABEL),)
    for key, values in figures.rows:
        yield (
            Cell(aligned(key.market, 11, right=False), Ink.STRONG),
            Cell(str(key.subaccount).rjust(4), Ink.DIM),
            *(_figure(head, value) for head, value in zip(figures.heads[:shown], values, strict=False)),
        )


def _figure(head: str, value: Decimal | None) -> Cell:
    is_signed = head != "VOLUME"
    text = amount(money(value, plus=is_signed), value, _COLUMN - 1).rjust(_COLUMN)
    return Cell(text, sign_ink(value) if is_signed or value is None else Ink.PLAIN)
