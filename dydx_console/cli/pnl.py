"""`pnl`: what was earned, by market or by day, from every known fill and funding payment."""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, localcontext

from dydx_console.cli.common import Chosen, Form, Range, UsageError
from dydx_console.cli.filtering import of_parent, span_of, time_zone
from dydx_console.cli.historical import Opened, known_of, tell_limits, with_history
from dydx_console.cli.histories import pages
from dydx_console.cli.history import Rows, print_rows
from dydx_console.cli.printing import print_text
from dydx_console.cli.reading import document_now, headline, part_of
from dydx_console.cli.rows import day_row
from dydx_console.cli.venue import read_once
from dydx_console.domain.ids import PositionKey
from dydx_console.domain.numbers import ZERO
from dydx_console.engine.once import Once
from dydx_console.ports.history import HistoryProgress
from dydx_console.ports.journal import BookedFill, History, HistoryPort, HistoryQuery
from dydx_console.state.accounting import SUMS, Ledger
from dydx_console.state.pnl import MarketPnl, PnlTotals, cost_of, funding_estimate, market_pnl, open_pnl, pnl_totals
from dydx_console.state.pnl_days import DayBook, DayPnl
from dydx_console.views import listing
from dydx_console.views.documents import MarketPnlItem
from dydx_console.views.exports import ExportKind, csv_header, csv_lines
from dydx_console.views.pages import PnlDocument

__all__ = ["days_of", "show_days", "show_pnl"]

KINDS = (History.FILLS, History.FUNDING)
FINEST = Decimal("1e-30")
MOST_BLOCKS = 100
"""Newest blocks with fills of a position that are told apart."""


@dataclass(slots=True)
class Block:
    """The books behind a block: sums up to it, and what each of its fills left, as size and average cost."""

    height: int
    left: dict[Decimal | None, Decimal | None] = field(default_factory=dict)
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    since: datetime | None = None
    is_known: bool = True


@dataclass(slots=True)
class Total:
    """What is booked in one subaccount and market so far: the newest blocks, because the venue's picture of a position
    may be some blocks older than the newest fill. Figures begin anew where a position ends whose cost was not known.
    """

    funding: Decimal = ZERO
    blocks: deque[Block] = field(default_factory=lambda: deque(maxlen=MOST_BLOCKS))

    def take(self, booked: BookedFill) -> None:
        """Add what a fill did."""
        fill, block = booked.fill, self._block(booked.fill.height)
        block.left[booked.net_size] = booked.average_cost
        block.since = block.since or fill.created_at
        block.fees += fill.paid
        if booked.closed_pnl is None:
            block.is_known = False
        else:
            block.realized += booked.closed_pnl
        if not block.is_known and booked.net_size == ZERO:
            block.realized = block.fees = ZERO
            block.since, block.is_known = fill.created_at, True

    def behind(self, size: Decimal) -> Block:
        """Return the books as they were when the position last had this size; the newest where it never had."""
        newest = self.blocks[-1] if self.blocks else Block(0, {ZERO: None})
        return next((block for block in reversed(self.blocks) if size in block.left), newest)

    def _block(self, height: int) -> Block:
        newest = self.blocks[-1] if self.blocks else None
        if newest is None or newest.height != height:
            newest = Block(height) if newest is None else replace(newest, height=height, left={})
            self.blocks.append(newest)
        return newest


@dataclass(slots=True)
class Totals:
    """What is booked in every subaccount and market."""

    by_key: dict[PositionKey, Total] = field(default_factory=dict)

    def of(self, key: PositionKey) -> Total:
        """Return those of one subaccount and market."""
        return self.by_key.setdefault(key, Total())


def show_days(chosen: Chosen, asked: Range, form: Form) -> int:
    """Print PNL by day; returns the exit code."""
    zone = time_zone(asked.time_zone)
    span_of(asked)
    admission, log_path = chosen.admitted()

    async def added(opened: Opened) -> tuple[tuple[DayPnl, ...], HistoryProgress]:
        return await days_of(opened.history, asked, admission.parent, by_market=False), opened.progress

    days, progress = with_history(admission, log_path, KINDS, added)
    rows = tuple(map(day_row, days))
    print_rows(admission, ExportKind.PNL_BY_DAY, Rows(rows, len(rows), None, known_of(progress, KINDS)), zone, form)
    return tell_limits(progress, KINDS)


async def days_of(history: HistoryPort, asked: Range, parent: int, *, by_market: bool) -> tuple[DayPnl, ...]:
    """Return what each day of a range brought, oldest first. Raises UsageError for a range that is none."""
    zone = time_zone(asked.time_zone)
    since, until = span_of(asked)
    book = DayBook(zone)
    query = of_parent(HistoryQuery(since=since, until=until, oldest_first=True), parent)
    async for rows in pages(history.booked_fills, query):
        with localcontext(SUMS):
            for row in rows:
                book.add(row.fill, row.closed_pnl)
    async for payments in pages(history.funding, query):
        for payment in payments:
            book.pay(payment)
    return book.by_market() if by_market else book.days()


def show_pnl(chosen: Chosen, asked: Range, form: Form) -> int:
    """Print PNL by market over all that is known; returns the exit code."""
    zone = time_zone(asked.time_zone)
    if asked.since is not None or asked.until is not None:
        raise UsageError("totals are those of all that is known; a range goes with --by-day")
    admission, log_path = chosen.admitted()
    once = read_once(admission, log_path)

    async def added(opened: Opened) -> tuple[Totals, HistoryProgress]:
        return await _totals(opened.history, admission.parent), opened.progress

    totals, progress = with_history(admission, log_path, KINDS, added)
    once = replace(once, snapshot=replace(once.snapshot, pnl=_pnl(totals, once)))
    document = document_now(admission, once)
    pnl = document.pnl
    known = known_of(progress, KINDS)
    if form.json:
        told = part_of(PnlDocument, document, pnl=pnl, known=known)
        print_text(told.model_dump_json(indent=2) + "\n")
    elif form.csv:
        print_text(csv_header(MarketPnlItem) + csv_lines(pnl.by_market, zone))
    else:
        lines = [headline(document), *listing.pnl_lines(pnl), ""]
        lines += listing.table_lines(listing.market_pnl_columns(zone), pnl.by_market, "nothing was traded")
        print_text("\n".join(lines) + "\n")
    return tell_limits(progress, KINDS)


async def _totals(history: HistoryPort, parent: int) -> Totals:
    query = of_parent(HistoryQuery(oldest_first=True), parent)
    totals = Totals()
    async for rows in pages(history.booked_fills, query):
        with localcontext(SUMS):
            for row in rows:
                totals.of(PositionKey(row.fill.subaccount, row.fill.market)).take(row)
    async for payments in pages(history.funding, query):
        with localcontext(SUMS):
            for payment in payments:
                totals.of(PositionKey(payment.subaccount, payment.market)).funding += payment.payment
    return totals


def _pnl(totals: Totals, once: Once) -> PnlTotals:
    positions = {
        PositionKey(view.position.subaccount, view.position.market): view.position for view in once.snapshot.positions
    }
    rows: list[MarketPnl] = []
    with localcontext(SUMS):
        for key in sorted({*totals.by_key, *positions}):
            total, position, market = totals.of(key), positions.get(key), once.snapshot.markets.get(key.market)
            size = ZERO if position is None else position.net_size
            block = total.behind(size)
            ledger = _ledger(block, size)
            unrealized: Decimal | None = ZERO
            estimate: Decimal | None = ZERO
            if position is not None:
                unrealized = open_pnl(position, cost_of(position, ledger), market)
                estimate = funding_estimate(position, market)
            row = market_pnl(key, ledger if block.is_known else None, unrealized, total.funding, estimate)
            rows.append(replace(row, fees=block.fees, since=block.since))
        return pnl_totals(rows)


def _ledger(block: Block, size: Decimal) -> Ledger:
    """Return the books of a position that the venue states with this size."""
    average = block.left.get(size)
    # the books round at the same place
    cost = None if average is None else (average * size).quantize(FINEST, context=SUMS)
    return Ledger(
        net_size=size,
        average_cost=average,
        realized=block.realized,
        fees=block.fees,
        since=block.since,
        is_complete=block.is_known and (not size or average is not None),
        cost=cost,
    )
